"""Three nodes under a steady stream of logins, while parts of them die, hang and are cut off.

Each login has a token that nobody has seen, so that no API server can answer from memory.
"""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from dev.server import WebhookServer
from dev.waiting import wait_until
from tests.e2e.ha.nodes import GRANTED, Clients
from tests.e2e.logins import stream_of

if TYPE_CHECKING:
    from tests.e2e.ha.conftest import Site
    from tests.e2e.ha.nodes import Node

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("among_clients"),
]

_STREAMS = 8


def test_a_worker_that_is_killed_refuses_nobody(nodes: list[Node]) -> None:
    with stream_of(Clients(*nodes).log_in, _STREAMS) as stream:
        stream.wait_for_more()
        for node in nodes:
            for worker in node.server.workers:
                os.kill(worker, signal.SIGKILL)
                stream.wait_for_more()
    assert set(stream.outcomes) == {GRANTED}, stream.outcomes


def test_a_worker_that_hangs_is_replaced_and_refuses_nobody(nodes: list[Node]) -> None:
    node = nodes[0]
    worker = node.server.workers[0]
    with stream_of(Clients(*nodes).log_in, _STREAMS) as stream:
        stream.wait_for_more()
        os.kill(worker, signal.SIGSTOP)
        wait_until(lambda: worker not in node.server.workers, lambda: node.server.log.tail)
        stream.wait_for_more()
    assert set(stream.outcomes) == {GRANTED}, stream.outcomes


def test_a_main_process_that_hangs_is_not_noticed(nodes: list[Node]) -> None:
    with stream_of(Clients(*nodes).log_in, _STREAMS) as stream:
        nodes[0].server.signal(signal.SIGSTOP)
        try:
            stream.wait_for_more(100)
        finally:
            nodes[0].server.signal(signal.SIGCONT)
    assert set(stream.outcomes) == {GRANTED}, stream.outcomes


def test_a_server_that_hangs_as_a_whole_makes_its_own_logins_wait(nodes: list[Node]) -> None:
    hanging, *others = nodes
    with ThreadPoolExecutor() as pool, stream_of(Clients(*others).log_in, _STREAMS) as stream:
        hanging.server.signal_all(signal.SIGSTOP)
        try:
            waiting = [pool.submit(Clients(hanging).log_in) for _ in range(4)]
            stream.wait_for_more()
            assert not any(login.done() for login in waiting)
        finally:
            hanging.server.signal_all(signal.SIGCONT)
        assert {login.result() for login in waiting} == {GRANTED}
    assert set(stream.outcomes) == {GRANTED}, stream.outcomes


def test_a_killed_server_whose_sockets_are_held_refuses_nobody(nodes: list[Node]) -> None:
    held = nodes[-1]
    with stream_of(Clients(held).log_in, _STREAMS) as stream:
        for _ in range(2):
            stream.wait_for_more()
            held.server.kill()
            held.start_server()
        stream.wait_for_more()
    assert set(stream.outcomes) == {GRANTED}, stream.outcomes


def test_a_killed_server_whose_sockets_nobody_holds_is_the_matter_of_one_node(
    nodes: list[Node],
) -> None:
    dead, *others = nodes
    with (
        stream_of(Clients(*others).log_in, _STREAMS // 2) as elsewhere,
        stream_of(Clients(*nodes, again=True).log_in, _STREAMS // 2) as anywhere,
    ):
        dead.server.kill()
        for stream in (elsewhere, anywhere):
            stream.wait_for_more()
        # No load balancer can tell: the API server itself is well.
        assert Clients(dead).log_in() == f"{dead.name} answered 401"
        dead.start_server()
        assert Clients(dead).log_in() == GRANTED
    for stream in (elsewhere, anywhere):
        assert set(stream.outcomes) == {GRANTED}, stream.outcomes


def test_a_node_that_is_cut_off_is_done_without(nodes: list[Node], site: Site) -> None:
    # A load balancer's health check would end what waits for a node that is gone.
    with stream_of(Clients(*nodes, patience=5).log_in, _STREAMS) as stream:
        stream.wait_for_more()
        site.cluster.pull(nodes[0].host)
        try:
            stream.wait_for_more(100)
        finally:
            site.cluster.put_back(nodes[0].host)
        wait_until(lambda: Clients(nodes[0]).log_in() == GRANTED, "it is cut off still")
    assert set(stream.outcomes) == {GRANTED}, stream.outcomes


def test_a_node_that_is_cut_off_from_aws_leaves_the_others(nodes: list[Node], site: Site) -> None:
    cut_off, *others = nodes
    with (
        stream_of(Clients(*others).log_in, _STREAMS // 2) as elsewhere,
        stream_of(Clients(*nodes, again=True).log_in, _STREAMS // 2) as anywhere,
    ):
        site.internet.pull(cut_off.host)
        try:
            for stream in (elsewhere, anywhere):
                stream.wait_for_more()
        finally:
            site.internet.put_back(cut_off.host)
        wait_until(lambda: Clients(cut_off).log_in() == GRANTED, "it finds no STS")
    for stream in (elsewhere, anywhere):
        assert set(stream.outcomes) == {GRANTED}, stream.outcomes


def test_an_upgrade_from_node_to_node_refuses_nobody(nodes: list[Node], site: Site) -> None:
    *beside, held = nodes
    with stream_of(Clients(*nodes).log_in, _STREAMS) as stream:
        stream.wait_for_more()
        for node in beside:
            node.upgrade_server(WebhookServer(node.server.config, site.aws.environment()))
            stream.wait_for_more()
        held.restart_server()
        stream.wait_for_more()
    assert set(stream.outcomes) == {GRANTED}, stream.outcomes
