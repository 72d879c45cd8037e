"""`lint --cluster` on a real API server, with and without the custom resource installed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from authenticator.admin import lint
from dev.cluster import ControlPlane, Options
from tests.e2e.administrator import Administrator

if TYPE_CHECKING:
    from tests.e2e.conftest import StartControlPlane

pytestmark = pytest.mark.cluster

ROLES = "arn:aws:iam::111122223333:role/"


@pytest.fixture(scope="module")
def own_plane(start_control_plane: StartControlPlane) -> ControlPlane:
    """A control plane whose aws-auth is nobody else's."""
    return start_control_plane(Options())


def findings(
    plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> tuple[int, list[dict[str, Any]]]:
    """The exit code, and what was found."""
    code = lint.run(["--cluster", f"--kubeconfig={plane.admin_kubeconfig}", "--output=json"])
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["findings"]
    return code, found


def test_a_cluster_from_empty_to_sound(
    own_plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    administrator = Administrator(own_plane)
    assert findings(own_plane, capsys) == (0, [])

    dev = {"rolearn": f"{ROLES}Dev", "username": "dev"}
    administrator.write(f"\n- {json.dumps(dev)}\n- rolearn: Dev\n  username: dev\n")
    code, found = findings(own_plane, capsys)
    assert code == 1
    (finding,) = found
    assert (finding["rule"], finding["line"], finding["column"]) == ("bad-arn", 3, 12)
    assert finding["document"] == "configmap/kube-system/aws-auth"

    administrator.install_crd()
    administrator.write([dev])
    administrator.map("dev", arn=f"{ROLES}Dev", username="other")
    code, found = findings(own_plane, capsys)
    assert code == 0
    assert [(finding["document"], finding["rule"]) for finding in found] == [
        ("iamidentitymapping/dev", "duplicate-entry")
    ]

    own_plane.kubectl("delete", "iamidentitymapping", "dev")
    assert findings(own_plane, capsys) == (0, [])
