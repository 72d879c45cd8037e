"""The platforms' pages: an API server understands what each dialect tells it, and lets a user in.

The platforms are not here. A page's block with the word `api-server` is translated to the flags and
mounts that the platform makes of it, and a real API server runs with those flags.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dev.cluster import Options
from tests.docs import pages
from tests.e2e import callers
from tests.e2e.callers import ALICE
from tests.e2e.following import admission_flags
from tests.e2e.logins import log_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from dev.cluster import ControlPlane
    from dev.server import WebhookServer
    from tests.e2e.conftest import StartControlPlane

_PLATFORMS = pages.ROOT / "docs" / "platforms"
_PAGES = {path.stem: pages.read(path) for path in sorted(_PLATFORMS.glob("*.md"))}
_FILE = "authentication-token-webhook-config-file"
_ADMISSION_FILE = "admission-control-config-file"
_VERSION = "authentication-token-webhook-version"
_WRITTEN = "/etc/kubernetes/aws-iam-authenticator/kubeconfig.yaml"


@dataclass(frozen=True)
class Told:
    """The API server's part of a page.

    Attributes:
        flags: without `--`, by name.
        mounts: the host's directories by their place; None if the API server is no container.
    """

    flags: dict[str, str]
    mounts: dict[str, str] | None


def _pairs(items: list[str]) -> dict[str, str]:
    return dict(item.removeprefix("--").split("=", 1) for item in items)


def _kubeadm(document: Any) -> Told:
    server = document["apiServer"]
    assert all(volume["readOnly"] for volume in server["extraVolumes"])
    return Told(
        {argument["name"]: argument["value"] for argument in server["extraArgs"]},
        {volume["mountPath"]: volume["hostPath"] for volume in server["extraVolumes"]},
    )


def _cluster_api(document: Any) -> Told:
    spec = document["spec"]["kubeadmConfigSpec"]
    files = {file["path"] for file in spec["files"]}
    assert files == {
        _WRITTEN,
        "/var/aws-iam-authenticator/cert.pem",
        "/var/aws-iam-authenticator/key.pem",
    }
    return _kubeadm(spec["clusterConfiguration"])


def _rke2(document: Any) -> Told:
    mounts: dict[str, str] = {}
    for mount in document["kube-apiserver-extra-mount"]:
        host, place, mode = mount.split(":")
        assert mode == "ro"
        mounts[place] = host
    return Told(_pairs(document["kube-apiserver-arg"]), mounts)


def _talos(document: Any) -> Told:
    server = document["cluster"]["apiServer"]
    (file,) = document["machine"]["files"]
    assert file["path"] == server["extraArgs"][_FILE]
    # Talos creates no file elsewhere, and its API server is not root.
    assert file["path"].startswith("/var/")
    assert file["permissions"] == "0o644"
    return Told(
        server["extraArgs"],
        {volume["mountPath"]: volume["hostPath"] for volume in server["extraVolumes"]},
    )


def _kops(document: Any) -> Told:
    # The name of the flag in kops's `flag:` tags. kops mounts what it sets itself.
    file = document["kubeAPIServer"]["authenticationTokenWebhookConfigFile"]
    return Told({_FILE: file}, {str(Path(file).parent): str(Path(file).parent)})


_READERS: dict[str, Callable[[Any], Told]] = {
    "kubeadm": _kubeadm,
    "cluster-api": _cluster_api,
    "k3s": lambda document: Told(_pairs(document["kube-apiserver-arg"]), None),
    "rke2": _rke2,
    "talos": _talos,
    "kops": _kops,
    "systemd": lambda text: Told(_pairs(text.split()), None),
}
# No flag of the API server can be set there.
_WITHOUT = {"eks-anywhere", "windows"}
every_platform = pytest.mark.parametrize("platform", _READERS)


def told(platform: str) -> Told:
    (block,) = (one for one in _PAGES[platform].blocks if one.words == ("api-server",))
    document = block.text if block.language == "text" else yaml.safe_load(block.text)
    return _READERS[platform](document)


def test_every_platform_has_a_page_that_says_what_was_run() -> None:
    assert _PAGES.keys() == _READERS.keys() | _WITHOUT
    index = (pages.ROOT / "docs" / "platforms.md").read_text()
    for platform, page in _PAGES.items():
        text = " ".join(page.prose)
        assert "Run by a test" in text
        assert "Not run:" in text
        assert f"(platforms/{platform}.md)" in index
    for platform in ("eks-anywhere", "windows"):
        text = " ".join(_PAGES[platform].prose)
        assert "Not possible, because" in text or "Not supported:" in text


@every_platform
def test_the_api_server_can_read_the_file_that_its_flag_names(platform: str) -> None:
    server = told(platform)
    file = Path(server.flags[_FILE])
    if server.mounts is not None:
        assert server.mounts[str(file.parent)] == str(file.parent)
    assert str(file) == _WRITTEN or platform in ("kops", "talos")


@pytest.fixture(scope="module")
def plane_with(start_control_plane: StartControlPlane) -> Callable[[tuple[str, ...]], ControlPlane]:
    """A control plane whose API server has some more flags; one for all that have the same."""

    @functools.cache
    def start(flags: tuple[str, ...]) -> ControlPlane:
        return start_control_plane(Options(extra_flags=flags))

    return start


@pytest.mark.cluster
@every_platform
def test_an_api_server_with_the_flags_of_the_page_lets_a_user_in(
    platform: str,
    plane_with: Callable[[tuple[str, ...]], ControlPlane],
    server: WebhookServer,
    tmp_path: Path,
) -> None:
    flags = {**told(platform).flags, _FILE: str(server.kubeconfig)}
    shown = admission_flags(server, tmp_path) if flags.pop(_ADMISSION_FILE, None) else ()
    named = (f"--{name}={value}" for name, value in sorted(flags.items()))
    plane = plane_with((*named, *shown))
    assert log_in(plane, callers.fresh_token(ALICE.principal)) == 201, server.log.tail


def test_kubeadms_page_shows_the_overlay() -> None:
    overlay = pages.ROOT / "manifests/overlays/kubeadm/cluster-configuration.yaml"
    assert told("kubeadm") == _kubeadm(yaml.safe_load(overlay.read_text()))
