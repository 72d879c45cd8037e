"""Three name servers swallow every query: reviews are answered in time all the same.

With a resolver like that, one call of the C library's takes most of a minute. The servers are those
of a network and a mount namespace, in which the real server runs. Needs root.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from dev import netns
from dev.aws_double import AwsDouble, faults
from dev.server import WebhookServer, write_config
from dev.waiting import wait_until
from tests.e2e import callers
from tests.e2e.callers import ALICE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dev.poster import Answer
    from tests.e2e.attacks import Attack

# The name servers are in a network namespace of their own.
pytestmark = pytest.mark.debian

_NAME_SERVERS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
_PROXY = "proxy.corp.example"
_RESOLV_CONF = "search one.example two.example three.example\noptions ndots:5\n"
# The promise of docs/sts.md, and the leeway of a busy machine.
_REVIEW_SECONDS, _HURRIED_SECONDS, _LEEWAY_SECONDS = 8.0, 2.0, 1.5
_AT_ONCE = 8


class NameServers:
    """Name servers that know one name, on port 53 of the host that this is made on.

    Attributes:
        answering: whether they answer; if not, they swallow what they are asked.
        asked: how many queries have come.
    """

    def __init__(self) -> None:
        self.answering = False
        self.asked = 0
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in _NAME_SERVERS]
        self._threads = []
        for address, sock in zip(_NAME_SERVERS, self._sockets, strict=True):
            sock.bind((address, 53))
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def close(self) -> None:
        for sock in self._sockets:
            sock.sendto(b"", sock.getsockname())
        for thread, sock in zip(self._threads, self._sockets, strict=True):
            thread.join()
            sock.close()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                query, sender = sock.recvfrom(512)
                if not query:
                    return
                self.asked += 1
                if self.answering:
                    sock.sendto(answer(query), sender)


def answer(query: bytes) -> bytes:
    """Answer a query (RFC 1035): the proxy is at 127.0.0.1, and no other name exists."""
    end = query.index(b"\0", 12) + 5
    question = query[12:end]
    name = b"".join(bytes((len(label),)) + label.encode() for label in _PROXY.split("."))
    known = question.startswith(name + b"\0")
    address = known and question.endswith(b"\0\x01\0\x01")
    flags = b"\x81\x80" if known else b"\x81\x83"
    head = query[:2] + flags + b"\0\x01" + (b"\0\x01" if address else b"\0\0") + b"\0\0\0\0"
    record = b"\xc0\x0c\0\x01\0\x01\0\0\0\x1e\0\x04" + socket.inet_aton("127.0.0.1")
    return head + question + (record if address else b"")


@pytest.fixture
def host() -> Iterator[netns.Host]:
    try:
        made = netns.Host()
    except netns.NamespacesError as error:
        pytest.fail(str(error), pytrace=False)
    with made, made.entered():
        yield made


@pytest.fixture
def name_servers(host: netns.Host) -> Iterator[NameServers]:
    with contextlib.closing(NameServers()) as made:
        yield made


@pytest.fixture
def aws(host: netns.Host) -> Iterator[AwsDouble]:
    with AwsDouble(callers.PRINCIPALS) as double:
        # No connection is kept, so that each call needs a new one.
        double.faults.start(faults.TimeOut())
        yield double


@pytest.fixture
def server(
    host: netns.Host, name_servers: NameServers, aws: AwsDouble, tmp_path: Path
) -> Iterator[WebhookServer]:
    configuration = callers.configuration()
    # Each verdict is past its time at once.
    configuration["server"] |= {"verdictSeconds": 0}
    resolv_conf = tmp_path / "resolv.conf"
    resolv_conf.write_text(_RESOLV_CONF + "".join(f"nameserver {one}\n" for one in _NAME_SERVERS))
    environment = aws.environment()
    for name in ("HTTPS_PROXY", "https_proxy"):
        environment[name] = environment[name].replace("127.0.0.1", _PROXY)
    wrapper = netns.with_file(resolv_conf, "/etc/resolv.conf")
    config = write_config(tmp_path, configuration)
    arguments = ("--log-format", "json")
    with WebhookServer(config, environment, wrapper=wrapper, arguments=arguments) as running:
        yield running


def review(server: WebhookServer, token: str) -> tuple[Answer, float]:
    with server.poster() as poster:
        began = time.monotonic()
        answered = poster.review(token)
        return answered, time.monotonic() - began


def at_once(server: WebhookServer, tokens: list[str]) -> tuple[set[int], float]:
    """Post reviews, each on a new connection; the statuses, and the longest time."""
    with ThreadPoolExecutor(len(tokens)) as threads:
        answers = list(threads.map(lambda token: review(server, token), tokens))
    return {one.status for one, _ in answers}, max(seconds for _, seconds in answers)


def new_tokens() -> list[str]:
    principals = callers.CROWD[:_AT_ONCE]
    return [callers.fresh_token(principal) for principal in principals]


def source_of(line: str) -> str | None:
    """Where the proof of an audited review came from."""
    try:
        return str(json.loads(line)["source"])
    except (ValueError, KeyError):
        return None


@pytest.mark.attack("Silent name servers, nothing resolved yet")
def test_reviews_are_answered_in_time_by_a_server_that_has_resolved_nothing_yet(
    server: WebhookServer, name_servers: NameServers, attack: Attack
) -> None:
    attack.load(f"three name servers swallow every query; {_AT_ONCE} first logins at once")
    attack.bound(
        f"429 or 504 within {_REVIEW_SECONDS + _LEEWAY_SECONDS:g} s; in when they are back"
    )
    statuses, longest = at_once(server, new_tokens())
    attack.saw(f"{sorted(statuses)} within {longest:.1f} s")
    # 429 for those who found no place: few may wait for a host that has not answered.
    assert statuses <= {429, 504}
    assert longest < _REVIEW_SECONDS + _LEEWAY_SECONDS
    assert name_servers.asked
    # Nothing has to be restarted when the name servers are back.
    name_servers.answering = True
    token = callers.fresh_token(ALICE.principal)
    wait_until(lambda: review(server, token)[0].status == 200, "logins go on failing")


@pytest.mark.attack("Silent name servers, a caller that is known")
def test_a_caller_with_an_older_verdict_is_answered_in_time(
    server: WebhookServer, name_servers: NameServers, attack: Attack
) -> None:
    """By the worker that knows the addresses, and by the one that has resolved nothing yet."""
    attack.load(f"the same after a first login; {_AT_ONCE} logins at once")
    attack.bound(f"let in within {_HURRIED_SECONDS + _LEEWAY_SECONDS:g} s, by every worker")
    times: list[float] = []
    name_servers.answering = True
    known = callers.fresh_token(ALICE.principal)
    assert review(server, known)[0].status == 200
    server.log.wait_for(source_of, since=0)
    name_servers.answering = False

    sources: set[str] = set()

    def served_by_both() -> bool:
        since = server.log.end
        statuses, longest = at_once(server, [known] * _AT_ONCE)
        times.append(longest)
        attack.saw(f"{sorted(statuses)} within {max(times):.1f} s")
        assert statuses == {200}
        assert longest < _HURRIED_SECONDS + _LEEWAY_SECONDS
        sources.update(server.log.wait_for(source_of, since=since, count=_AT_ONCE))
        return sources >= {"sts", "degraded"}

    wait_until(served_by_both, lambda: f"all are answered from {sources}")
    statuses, longest = at_once(server, new_tokens())
    assert statuses <= {200, 429, 504}
    assert longest < _REVIEW_SECONDS + _LEEWAY_SECONDS
