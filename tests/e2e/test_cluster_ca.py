"""The cluster's CA is replaced while the server runs, which reads its mappings there."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from dev.cluster import ControlPlane, Options, binaries
from dev.server import WebhookServer, write_config
from tests.e2e import callers
from tests.e2e.administrator import Administrator
from tests.e2e.callers import ALICE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dev.aws_double import AwsDouble

pytestmark = pytest.mark.cluster

CHANGED = "EKSConfigMap has changed"
EMBEDDED = pytest.mark.parametrize("embedded", [True, False], ids=["embedded", "in a file"])


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ControlPlane]:
    with ControlPlane(binaries.find(), tmp_path / "plane", Options()) as made:
        yield made


def write_kubeconfig(plane: ControlPlane, path: Path, *, embedded: bool) -> None:
    """The administrator's kubeconfig, with the CA that the API server has now."""
    document: dict[str, Any] = json.loads(plane.admin_kubeconfig.read_text())
    if embedded:
        cluster = document["clusters"][0]["cluster"]
        del cluster["certificate-authority"]
        cluster["certificate-authority-data"] = base64.b64encode(plane.ca.read_bytes()).decode()
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(document))
    unfinished.replace(path)


def entry(username: str) -> dict[str, object]:
    return {"userarn": ALICE.principal.arn, "username": username, "groups": []}


@EMBEDDED
def test_an_edit_after_the_cas_replacement_counts_without_a_restart(
    plane: ControlPlane, tmp_path: Path, aws: AwsDouble, *, embedded: bool
) -> None:
    kubeconfig = tmp_path / "cluster.kubeconfig"
    write_kubeconfig(plane, kubeconfig, embedded=embedded)
    administrator = Administrator(plane)
    administrator.write([], [entry("before")])
    settings = {"kubeconfig": str(kubeconfig), "backendMode": ["EKSConfigMap"]}
    config = write_config(tmp_path, {"clusterID": callers.CLUSTER_ID, "server": settings})
    with WebhookServer(config, aws.environment()) as server:
        server.wait_for_each_worker("EKSConfigMap has been read", 0)
        before = plane.ca.read_bytes()
        plane.renew_ca()
        assert plane.ca.read_bytes() != before
        if embedded:
            server.wait_for_each_worker("CERTIFICATE_VERIFY_FAILED", 0)
            write_kubeconfig(plane, kubeconfig, embedded=True)
        since = server.log.end
        administrator.write([], [entry("after")])
        server.wait_for_each_worker(CHANGED, since)
        with server.poster() as poster:
            user = poster.review(callers.fresh_token(ALICE.principal)).user
        assert user is not None
        assert user["username"] == "after"
