"""The installed server and a collector: spans arrive, and without one logins go on."""

from __future__ import annotations

import contextlib
import signal
import socket
from collections import Counter
from typing import TYPE_CHECKING, Protocol

import pytest

from dev.server import WebhookServer, now, write_config
from tests.e2e import callers
from tests.e2e.callers import ALICE, STRANGER
from tests.e2e.collector import Collector, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dev.aws_double import AwsDouble

    class Start(Protocol):
        def __call__(self, url: str, **variables: str) -> WebhookServer: ...


OURS = "aws_iam_authenticator."


@pytest.fixture
def start(aws: AwsDouble, tmp_path: Path) -> Iterator[Start]:
    """Start a server that is told of a collector at a URL."""
    with contextlib.ExitStack() as running:

        def start(url: str, **variables: str) -> WebhookServer:
            config = write_config(tmp_path, callers.configuration())
            environment = {
                **aws.environment(),
                "OTEL_EXPORTER_OTLP_ENDPOINT": url,
                "OTEL_BSP_SCHEDULE_DELAY": "100",
                **variables,
            }
            arguments = ("--log-format", "json")
            return running.enter_context(WebhookServer(config, environment, arguments=arguments))

        yield start


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def log_in(server: WebhookServer, token: str) -> str:
    """Post one review on a connection of its own; whom it lets in."""
    with server.poster() as poster:
        answer = poster.review(token)
    assert answer.status == 200, server.log.tail
    return str((answer.user or {"username": "denied"})["username"])


def test_a_login_is_a_span_and_its_call_of_sts_a_child(start: Start, collector: Collector) -> None:
    server = start(collector.url)
    assert log_in(server, callers.fresh_token(ALICE.principal)) == ALICE.username
    call = collector.wait_for(lambda span: span.name == "STS/GetCallerIdentity")
    review = collector.wait_for(lambda span: span.span_id == call.parent_span_id)
    assert (review.name, review.parent_span_id) == ("TokenReview", b"")
    assert review.trace_id == call.trace_id
    assert (review.kind, call.kind) == (review.SPAN_KIND_SERVER, call.SPAN_KIND_CLIENT)
    assert review.start_time_unix_nano <= call.start_time_unix_nano
    assert call.end_time_unix_nano <= review.end_time_unix_nano
    assert told(review) == {
        f"{OURS}result": "success",
        f"{OURS}decision": "allow",
        f"{OURS}source": "sts",
        f"{OURS}mapping_source": "MountedFile",
    }
    assert told(call)["http.response.status_code"] == 200
    assert told(call)["cloud.region"] == callers.REGION
    assert collector.services == {"aws-iam-authenticator"}


def test_a_denials_span_is_found_by_the_id_of_the_audit_log(
    start: Start, collector: Collector
) -> None:
    server = start(collector.url)
    since = now()
    assert log_in(server, callers.fresh_token(STRANGER)) == "denied"
    denial_id = server.audited(since)["denial_id"]
    span = collector.wait_for(lambda span: told(span).get(f"{OURS}denial_id") == denial_id)
    assert told(span)[f"{OURS}result"] == "unknown_user"


def test_a_server_that_ends_sends_what_waits(start: Start, collector: Collector) -> None:
    server = start(collector.url, OTEL_BSP_SCHEDULE_DELAY="600000")
    tokens = [callers.fresh_token(ALICE.principal) for _ in range(8)]
    assert {log_in(server, token) for token in tokens} == {ALICE.username}
    server.signal(signal.SIGTERM)
    server.wait_until_ended()
    sent = Counter(span.name for span in collector.spans)
    assert sent["TokenReview"] == len(tokens)


def nobody() -> socket.socket:
    """An address that refuses connections for as long as the socket is open."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


def silent() -> socket.socket:
    """An address that takes connections and never says a word."""
    return socket.create_server(("127.0.0.1", 0))


@pytest.mark.parametrize("away", [nobody, silent])
def test_without_a_collector_logins_go_on_and_the_server_ends(
    start: Start, away: Callable[[], socket.socket]
) -> None:
    with away() as address:
        url = f"http://127.0.0.1:{address.getsockname()[1]}"
        server = start(url, OTEL_EXPORTER_OTLP_TIMEOUT="1")
        for _ in range(8):
            token = callers.fresh_token(ALICE.principal)
            assert log_in(server, token) == ALICE.username
        server.log.wait_for(
            lambda line: line if "spans cannot be delivered" in line else None, since=0
        )
        assert log_in(server, callers.fresh_token(ALICE.principal)) == ALICE.username
        server.signal(signal.SIGTERM)
        server.wait_until_ended()
