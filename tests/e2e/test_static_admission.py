"""Webhook and policies as files of a real API server, which no API call can change (KEP-5793)."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dev.cluster import Options, Webhook
from dev.server import WebhookServer, write_config
from tests.e2e import callers, manifests
from tests.e2e.administrator import Administrator
from tests.e2e.following import Cluster, admission_flags

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dev.aws_double import AwsDouble
    from tests.e2e.conftest import StartControlPlane

pytestmark = pytest.mark.cluster

STATIC = manifests.ROOT / "admission-static"
AWS_AUTH = ("--namespace=kube-system", "configmap", "aws-auth")
FILES = "/etc/kubernetes/aws-iam-authenticator/static"


@pytest.fixture(scope="module")
def cluster(
    start_control_plane: StartControlPlane,
    session_aws: AwsDouble,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    """An API server with the feature gate and the files, as docs/admission.md installs them."""
    directory = tmp_path_factory.mktemp("static")
    kubeconfig = directory / "cluster.kubeconfig"
    settings = {"kubeconfig": str(kubeconfig), "backendMode": ["EKSConfigMap", "CRD"]}
    config = write_config(directory, {"clusterID": callers.CLUSTER_ID, "server": settings})
    with WebhookServer(config, session_aws.environment()) as server:
        install(directory, server)
        flags = (
            *admission_flags(server, directory, configuration(directory)),
            "--feature-gates=ManifestBasedAdmissionControlConfig=true",
        )
        plane = start_control_plane(Options(Webhook(server.kubeconfig), extra_flags=flags))
        since = server.log.end
        kubeconfig.write_bytes(plane.admin_kubeconfig.read_bytes())
        server.wait_for_each_worker("EKSConfigMap has been read", since)
        yield Cluster(plane, server, Administrator(plane))


def configuration(directory: Path) -> Path:
    path = directory / "configuration.yaml"
    document = (STATIC / "admission-configuration.yaml").read_text()
    assert document.count(FILES) == 2
    path.write_text(document.replace(FILES, str(directory)))
    return path


def install(directory: Path, server: WebhookServer) -> None:
    kubeconfig = yaml.safe_load(server.kubeconfig.read_text())
    bundle = kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"]
    for name in ("webhooks", "policies"):
        objects = copy.deepcopy(manifests.render(STATIC / name))
        for webhook in (hook for obj in objects for hook in obj.get("webhooks", ())):
            url = webhook["clientConfig"]["url"].replace("21362", str(server.port))
            # Whatever it says when the webhook is away: here each answer counts.
            webhook |= {"clientConfig": {"url": url, "caBundle": bundle}, "failurePolicy": "Fail"}
        (directory / name).mkdir()
        (directory / name / "all.yaml").write_text(yaml.safe_dump_all(objects))


def aws_auth(**data: Any) -> str:
    metadata = {"name": "aws-auth", "namespace": "kube-system"}
    texts = {name: yaml.safe_dump(value) for name, value in data.items()}
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": texts}
    return json.dumps(obj)


ALICE = {
    "userarn": callers.ALICE.principal.arn,
    "username": "alice",
    "groups": ["system:masters"],
}
ROLE = {"rolearn": f"arn:aws:iam::{callers.ACCOUNT}:role/Viewer", "username": "v", "groups": ["v"]}


def test_the_webhook_of_the_file_refuses_a_broken_edit(cluster: Cluster) -> None:
    sound = cluster.plane.kubectl("apply", "-f", "-", stdin=aws_auth(mapRoles=[ROLE]))
    assert sound.returncode == 0
    broken = aws_auth(mapRoles=[ROLE, {"rolearn": "x"}], mapUsers=[ALICE])
    refused = cluster.plane.kubectl("apply", "-f", "-", stdin=broken, check=False)
    assert 'admission webhook "aws-auth.iamauthenticator.k8s.aws" denied' in refused.stderr
    assert "[bad-arn]" in refused.stderr


def test_the_policies_of_the_file_keep_aws_auth(cluster: Cluster) -> None:
    cluster.plane.kubectl("apply", "-f", "-", stdin=aws_auth(mapRoles=[ROLE], mapUsers=[ALICE]))
    deleted = cluster.plane.kubectl("delete", *AWS_AUTH, check=False)
    assert "aws-auth would be deleted" in deleted.stderr
    emptied = cluster.plane.kubectl(
        "apply", "-f", "-", stdin=aws_auth(mapUsers=[ALICE]), check=False
    )
    assert "would be empty" in emptied.stderr


def test_the_administrator_cannot_delete_them(cluster: Cluster) -> None:
    for kind in (
        *("validatingwebhookconfiguration", "validatingadmissionpolicy"),
        "validatingadmissionpolicybinding",
    ):
        cluster.plane.kubectl("delete", kind, "--all")
        assert cluster.plane.kubectl("get", kind, "--output=name").stdout == ""
    broken = aws_auth(mapRoles=[ROLE, {"rolearn": "x"}], mapUsers=[ALICE])
    refused = cluster.plane.kubectl("apply", "-f", "-", stdin=broken, check=False)
    assert "denied the request" in refused.stderr


@pytest.mark.parametrize("name", ["webhooks", "policies"])
def test_the_api_takes_no_object_of_such_a_name(cluster: Cluster, name: str) -> None:
    objects = manifests.render(STATIC / name)
    assert {obj["metadata"]["name"].endswith(".static.k8s.io") for obj in objects} == {True}
    text = json.dumps(objects[0])
    refused = cluster.plane.kubectl("apply", "-f", "-", stdin=text, check=False)
    assert ".static.k8s.io" in refused.stderr


def test_the_files_say_what_the_objects_say() -> None:
    """But for their names, and the bindings' names of policies."""

    def texts(*directories: Path) -> list[str]:
        objects = [obj for directory in directories for obj in manifests.render(directory)]
        return sorted(json.dumps(obj, sort_keys=True) for obj in objects)

    files = texts(STATIC / "webhooks", STATIC / "policies")
    assert all(".static.k8s.io" in text for text in files)
    named = sorted(text.replace(".static.k8s.io", "") for text in files)
    assert named == texts(manifests.ROOT / "admission")
