"""The control plane that the end-to-end tests log in to."""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import ssl
from typing import TYPE_CHECKING

import pytest

from dev.cluster import ControlPlane, KubectlError, Options, binaries
from dev.cluster.process import Process, ProcessError
from dev.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane(binaries.find(), tmp_path_factory.mktemp("cluster"), Options()) as plane:
        yield plane


def watch(plane: ControlPlane, resource_version: str) -> int:
    """Watch kube-system's ConfigMaps from a revision; return the code that the watch ends with."""
    server = plane.server.removeprefix("https://")
    context = ssl.create_default_context(cafile=plane.ca)
    connection = http.client.HTTPSConnection(server, timeout=30, context=context)
    user = json.loads(plane.admin_kubeconfig.read_text())["users"][0]["user"]
    connection.request(
        "GET",
        "/api/v1/namespaces/kube-system/configmaps?watch=true&timeoutSeconds=1"
        f"&resourceVersion={resource_version}",
        headers={"Authorization": f"Bearer {user['token']}"},
    )
    response = connection.getresponse()
    events = [json.loads(line) for line in response.read().splitlines()]
    connection.close()
    codes = [event["object"]["code"] for event in events if event["type"] == "ERROR"]
    return codes[0] if codes else response.status


def test_kubectl_and_api_server_are_of_one_release(plane: ControlPlane) -> None:
    version = json.loads(plane.kubectl("version", "--output=json").stdout)
    server, client = (version[side]["gitVersion"] for side in ("serverVersion", "clientVersion"))
    assert server == client
    assert re.fullmatch(r"v1\.\d+\.\d+", server)


def test_administrator_is_in_system_masters(plane: ControlPlane) -> None:
    who = json.loads(plane.kubectl("auth", "whoami", "--output=json").stdout)
    assert "system:masters" in who["status"]["userInfo"]["groups"]


def test_objects_survive_a_restart_of_the_api_server_and_of_etcd(plane: ControlPlane) -> None:
    plane.kubectl("create", "configmap", "kept", "--from-literal=key=value")
    plane.restart_apiserver()
    plane.stop_etcd()
    plane.start_etcd()
    kept = json.loads(plane.kubectl("get", "configmap", "kept", "--output=json").stdout)
    assert kept["data"] == {"key": "value"}


def test_an_old_watch_expires_when_told_to(plane: ControlPlane) -> None:
    listed = json.loads(plane.kubectl("get", "--raw=/api/v1/configmaps").stdout)
    old = listed["metadata"]["resourceVersion"]
    plane.kubectl("create", "configmap", "newer")
    assert watch(plane, old) == 200
    plane.expire_watches()
    assert watch(plane, old) == 410


def test_audit_log_names_the_user_of_each_request(plane: ControlPlane) -> None:
    plane.kubectl("get", "configmap", "audited", check=False)
    (event,) = [
        event
        for event in plane.audit_events()
        if event["requestURI"].endswith("/configmaps/audited")
    ]
    assert event["user"]["username"] == "admin"
    assert event["responseStatus"]["code"] == 404


def test_an_unknown_token_is_unauthorized(plane: ControlPlane) -> None:
    stranger = plane.kubeconfig("stranger", {"token": "no-such-token"})
    with pytest.raises(KubectlError, match="must be logged in"):
        plane.kubectl("get", "pods", kubeconfig=stranger)


def test_nodes_may_change_no_node_but_themselves(tmp_path: Path) -> None:
    headers = ("--as=system:node:one", "--as-group=system:nodes")
    node = '{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "%s"}}'
    with ControlPlane(binaries.find(), tmp_path, Options(nodes=True)) as plane:
        plane.kubectl("create", "--filename=-", *headers, stdin=node % "one")
        with pytest.raises(KubectlError, match='node "one" is not allowed to modify node "two"'):
            plane.kubectl("create", "--filename=-", *headers, stdin=node % "two")


def test_a_failed_start_says_why_and_leaves_nothing_running(tmp_path: Path) -> None:
    plane = ControlPlane(binaries.find(), tmp_path, Options(extra_flags=("--no-such-flag",)))
    with pytest.raises(ProcessError, match=r"kube-apiserver ended with status 1.*\n.*no-such-flag"):
        plane.__enter__()
    with pytest.raises(OSError, match="refused"):
        plane._etcd._request("GET", "/health")


def test_a_program_that_ignores_sigterm_is_ended_with_its_children(tmp_path: Path) -> None:
    fifo, started = tmp_path / "fifo", tmp_path / "started"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    script = f"trap '' TERM; exec 3>{fifo}; sleep 600 & touch {started}; wait"
    process = Process(["/bin/sh", "-c", script], log=tmp_path / "log")
    process.start(started.exists)
    process.stop()
    # The end of the file comes when no process holds the fifo any more. The children were killed
    # with their parent, but the kernel may end them after it.
    assert select.select([reader], [], [], PATIENCE_SECONDS)[0]
    assert os.read(reader, 1) == b""
    os.close(reader)
