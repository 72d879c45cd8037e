"""The install guides, followed to the letter on a real control plane, until somebody logs in.

The commands are those of docs/install.md, read from the page. What the prose asks for between them
is done here, with its words as the name of the step.
"""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import yaml

import authenticator
from dev.aws_double import AwsDouble
from dev.aws_double.principals import assumed_role
from tests.docs import pages
from tests.e2e.guides.node import INIT_CONFIGURATION, Node, Run
from tests.e2e.guides.walk import GUIDE, Walk, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dev.aws_double import Principal

pytestmark = pytest.mark.cluster

# A session of the role that the guide maps.
BOB = assumed_role("111122223333", "Developer", "bob@example.com")
EVE = assumed_role("111122223333", "BreakGlass", "eve")
ADMISSION_CONFIGURATION = "manifests/admission/admission-configuration.yaml"
USERNAME = "developer:bob-example.com"


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[Walk]:
    """Somebody with BOB's credentials, before a cluster that has just been made."""
    with AwsDouble([BOB, EVE]) as aws, Node(tmp_path, aws.environment()) as node:
        own = {**aws.environment(), **BOB.environment(), "AWS_REGION": "us-west-2"}
        walk = Walk(node, tmp_path, own)
        walk.follow("Install")
        yield walk


def tell_kubeadm(walk: Walk) -> None:
    """Add to its `apiServer` what stands in cluster-configuration.yaml, and have it on the node.

    The InitConfiguration is appended, since this cluster was made with one.
    """
    kept = yaml.safe_load((walk.checkout / "cluster-configuration.yaml").read_text())
    overlay = walk.checkout / "manifests/overlays/kubeadm/cluster-configuration.yaml"
    ours = yaml.safe_load(overlay.read_text())
    assert (kept["apiVersion"], kept["kind"]) == (ours["apiVersion"], ours["kind"])
    kept.setdefault("apiServer", {}).update(ours["apiServer"])
    edited = yaml.safe_dump_all([kept, INIT_CONFIGURATION])
    (walk.node.home / "cluster-configuration.yaml").write_text(edited)


@pytest.fixture
def kubeadm_cluster(walk: Walk) -> Walk:
    """A cluster of which kubeadm has written down how it was made."""
    walk.shell(
        "node",
        "kubeadm init phase upload-config kubeadm --config /etc/kubernetes/kubeadm.yaml",
        "kubeadm init",
    )
    return walk


def flags(walk: Walk) -> list[str]:
    """The flags that the guide gives to API servers which are no pods."""
    (block,) = (
        one for one in GUIDE.blocks if one.sections[-1] == "Plain API servers" and not one.words
    )
    return walk.node.here(block.text).split()


def assert_logs_in(walk: Walk) -> None:
    taken = partial(walk.node.wait_for_edit, "EKSConfigMap")
    assert USERNAME in walk.follow("Verify", {"set-credentials": taken})


def tell_api_server(walk: Walk) -> None:
    """Start it with the three more flags."""
    walk.node.tell_api_server(flags(walk))


def test_kubeadm_to_the_end(kubeadm_cluster: Walk) -> None:
    walk = kubeadm_cluster
    walk.follow("Prepare the nodes")
    walk.follow("kubeadm", {"phase control-plane": partial(tell_kubeadm, walk)})
    assert_logs_in(walk)

    walk.shell("admin", "export VERSION=0.2.0", "the new version")
    # The first block alone: an undo needs the history that a controller keeps.
    walk.run(blocks("Upgrade")[0])
    assert USERNAME in whoami(walk, BOB)

    walk.follow("Break glass")
    walk.node.wait_for_edit("BreakGlass")
    assert "break-glass:eve" in whoami(walk, EVE)

    (walk.node.root / "etc/kubernetes/manifests/kube-apiserver.yaml").unlink()
    walk.node.tell_api_server([])
    walk.follow("Remove")
    assert not (walk.node.root / "etc/kubernetes/aws-iam-authenticator").exists()


def whoami(walk: Walk, principal: Principal) -> str:
    """What kubectl says of somebody who logs in as the guide has set it up."""
    keys = " ".join(f"{name}={value}" for name, value in principal.environment().items())
    return walk.shell("admin", f"{keys} kubectl --user=iam auth whoami", "whoami")


def test_static_pods(kubeadm_cluster: Walk) -> None:
    walk = kubeadm_cluster
    walk.follow("Prepare the nodes")
    walk.follow("Static pods")
    # The API servers are told as in kubeadm.
    fetch, *further = [one for one in blocks("kubeadm") if "cluster-configuration.yaml" in one.text]
    walk.run(fetch)
    tell_kubeadm(walk)
    for block in further:
        walk.run(block)
    assert_logs_in(walk)


def test_plain_api_servers(walk: Walk) -> None:
    walk.follow("Prepare the nodes")
    walk.follow("Plain API servers")
    tell_api_server(walk)
    assert_logs_in(walk)


def test_behind_a_service(walk: Walk) -> None:
    walk.follow("Behind a Service")
    # There is no kube-proxy: what the Service's address leads to is asked itself.
    issued = walk.checkout / "issued" / "kubeconfig.yaml"
    kubeconfig = yaml.safe_load(issued.read_text())
    cluster = kubeconfig["clusters"][0]["cluster"]
    address = urlsplit(cluster["server"]).hostname
    reached = walk.node.here("https://127.0.0.1:21362/authenticate")
    cluster |= {"server": reached, "tls-server-name": address}
    given = walk.node.root / "etc/kubernetes/aws-iam-authenticator/kubeconfig.yaml"
    given.parent.mkdir()
    given.write_text(yaml.safe_dump(kubeconfig))
    for path in ("issued/admission-kubeconfig.yaml", ADMISSION_CONFIGURATION):
        shutil.copy(walk.checkout / path, given.parent)
    tell_api_server(walk)
    assert_logs_in(walk)


def test_kops(walk: Walk) -> None:
    """kops is not here: what it would do is done by the test, with what the guide gives it."""
    walk.follow("kops")
    cluster = yaml.safe_load((walk.checkout / "manifests/overlays/kops/cluster.yaml").read_text())
    issue = "aws-iam-authenticator init --cluster-id=prod-1.example.com"
    walk.shell("admin", issue, "as kops issues the certificate")
    config = walk.node.plane.kubectl(
        *("get", "configmap", "aws-iam-authenticator", "--namespace=kube-system"),
        r"--output=jsonpath={.data.config\.yaml}",
    )
    file = walk.node.home / "config.yaml"
    file.write_text(config.stdout)
    account = walk.node.root / "etc/kubernetes/admin.conf"
    # The arguments of kops's DaemonSet.
    arguments = (
        *("server", f"--config={file}", "--kubeconfig-pregenerated=true"),
        *("--cluster-id=prod-1.example.com", f"--kubeconfig={account}"),
        f"--backend-mode={cluster['spec']['authentication']['aws']['backendMode']}",
    )
    walk.node.run_otherwise = Run(arguments)
    # The flags of kops, which has no AdmissionConfiguration.
    walk.node.tell_api_server([flag for flag in flags(walk) if "admission" not in flag])
    assert_logs_in(walk)


def test_every_command_of_the_page_is_followed() -> None:
    commands = [block for block in GUIDE.blocks if block.language == "bash"]
    followed = {("admin",), ("node",), ("pods",)}
    # Not followed: what needs a container engine and a registry, or SELinux.
    apart = {block.sections[-1]: block.words for block in commands if block.words not in followed}
    assert apart == {"Get the image": ("image",), "SELinux": ()}
    assert {block.sections[-1] for block in commands if block.words in followed} == {
        *("Install", "Prepare the nodes", "kubeadm", "Static pods", "kops", "Plain API servers"),
        *("Behind a Service", "Verify", "Upgrade", "Break glass", "Remove"),
    }


def test_the_image_is_built_as_its_own_page_says() -> None:
    (block,) = (one for one in GUIDE.blocks if one.words == ("image",))
    page = (pages.ROOT / "docs" / "image.md").read_text()
    version = authenticator.__version__
    tag = f"registry.example.com/kube-iam-authenticator:{version}"
    build, _ = block.text.splitlines()
    assert build.replace('"$IMAGE:$VERSION"', tag) in page.splitlines()
