"""The certificate is replaced on every node, and every part restarted, while people log in."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from dev.server import COMMAND
from tests.e2e.ha.nodes import GRANTED, Clients, Pace
from tests.e2e.logins import stream_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.ha.nodes import Node

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("among_clients"),
]

_PER_SECOND = 200
_STREAMS = 16


def rotate(node: Node, *flags: str) -> str:
    """Run the verb on a node, as its operator does; give what it says."""
    command = [COMMAND, "rotate", "--config", node.server.config, *flags]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def serves_what_api_servers_trust_from_now_on(node: Node) -> bool:
    """Whether a new connection finds the certificate of the webhook kubeconfig."""
    with node.host.entered(), node.server.poster() as poster:
        return poster.get("/healthz").status == 200


def test_the_certificate_is_rotated_and_everything_restarted_without_a_refusal(
    nodes: list[Node], record_testsuite_property: Callable[[str, object], None]
) -> None:
    clients, pace = Clients(*nodes), Pace(_PER_SECOND)

    def log_in() -> str:
        pace.wait()
        return clients.log_in()

    begun = time.monotonic()
    with stream_of(log_in, _STREAMS) as stream:
        for node in nodes:
            assert "trusts both" in rotate(node)
        for node in nodes:
            node.restart_apiserver()
            stream.wait_for_more()
        for node in nodes:
            since = node.server.log.end
            assert "in use now" in rotate(node, "--switch")
            node.server.wait_for_each_worker("serving a new certificate", since)
            stream.wait_for_more()
        for node in nodes:
            node.renew_workers()
            stream.wait_for_more()
        assert all(serves_what_api_servers_trust_from_now_on(node) for node in nodes)
    record_testsuite_property(
        "logins a second", stream.outcomes.total() / (time.monotonic() - begun)
    )
    assert set(stream.outcomes) == {GRANTED}, stream.outcomes


def test_an_api_server_that_was_not_restarted_does_not_trust_the_new_certificate(
    nodes: list[Node],
) -> None:
    """Why the two steps, and the restarts between them, cannot be left out."""
    node = nodes[0]
    rotate(node)
    since = node.server.log.end
    rotate(node, "--switch")
    node.server.wait_for_each_worker("serving a new certificate", since)
    node.renew_workers()
    assert Clients(node).log_in() == f"{node.name} answered 401"
    node.restart_apiserver()
    assert Clients(node).log_in() == GRANTED
