"""Tracing: when it is on, what its spans say, and what they never say."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import cast

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from authenticator.aws.arns import CallerIdentity, PrincipalArn
from authenticator.aws.sts_hosts import sts_hosts
from authenticator.errors import StsUnavailable, TokenRefused, UnknownUser
from authenticator.login import Pending
from authenticator.mapping.problems import Origin
from authenticator.mapping.rules import Match
from authenticator.review import Decision
from authenticator.serving.audit import AuditRecord
from authenticator.serving.reviews import Answer, PendingReview, Reviews
from authenticator.serving.spans import Traced
from authenticator.serving.tracing import Untraced, tracing
from authenticator.verdicts.prover import Question
from authenticator.verdicts.verdict import Source

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
URL = "http://127.0.0.1:4318"
HOST = "sts.eu-west-1.amazonaws.com"
TOKEN = "k8s-aws-v1.c2VjcmV0"
CALLER = CallerIdentity(
    PrincipalArn.parse("arn:aws:sts::111122223333:assumed-role/Developer/alice"),
    "AROAIOSFODNN7EXAMPLE:alice",
    "ASIAIOSFODNN7EXAMPLE",
)
REVIEW = (
    b'{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"%s"}}'
    % TOKEN.encode()
)


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({}, Untraced),
        ({ENDPOINT: ""}, Untraced),
        ({ENDPOINT: URL}, Traced),
        ({TRACES: URL}, Traced),
        ({ENDPOINT: URL, "OTEL_SDK_DISABLED": "True"}, Untraced),
        ({ENDPOINT: URL, "OTEL_TRACES_EXPORTER": "none"}, Untraced),
        ({ENDPOINT: URL, "OTEL_SDK_DISABLED": "false", "OTEL_TRACES_EXPORTER": "otlp"}, Traced),
    ],
    ids=str,
)
def test_the_environment_decides(environment: Mapping[str, str], kind: type) -> None:
    assert type(tracing(environment)) is kind


def test_without_the_extra_one_warning_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "authenticator.serving.spans")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    assert isinstance(tracing({TRACES: URL}), Untraced)
    [record] = caplog.records
    assert "pip install '.[server,tracing]'" in record.getMessage()
    assert f"or unset {TRACES}" in record.getMessage()


def test_off_it_leaves_every_part_as_it_is_and_imports_nothing() -> None:
    code = """
import sys
from authenticator.serving.tracing import tracing
off = tracing({})
part = object()
assert all(wrap(part) is part for wrap in (off.reviews, off.audit, off.ec2))
assert off.sts(part, {}) is part
off.start()
off.stop()
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Webhook:
    """Reviews that are traced, and whose login does what a test says."""

    def __init__(
        self,
        begin: Callable[[Webhook], Decision | Pending],
        finish: Callable[[Webhook], Awaitable[Decision]] | None = None,
    ) -> None:
        self.exporter = InMemorySpanExporter()
        self.traced = Traced(lambda: self.exporter)
        self.audited: list[AuditRecord] = []
        self.sts_answers: Callable[[], tuple[int, bytes]] = lambda: (200, b"")
        self.fetch = self.traced.sts(self._answer, sts_hosts("aws", ()))
        self.name_instance = self.traced.ec2(name_instance)
        self.reviews = self.traced.reviews(
            Reviews(
                login=SimpleNamespace(
                    begin=lambda _: begin(self),
                    finish=lambda pending: finish(self) if finish else pending,
                ),
                metrics=SimpleNamespace(observe_review=lambda *_: None),
                audit=self.traced.audit(self.audited.append),
            )
        )

    async def _answer(self, *_: object, **__: object) -> tuple[int, bytes]:
        return self.sts_answers()

    async def ask_sts(self) -> None:
        await self.fetch(HOST, f"/?X-Amz-Security-Token={TOKEN}", {}, timeout=1.0)

    async def answer(self) -> None:
        answer = self.reviews.begin(REVIEW, "10.0.0.1")
        if isinstance(answer, PendingReview):
            await self.reviews.finish(answer)

    def review(self) -> dict[str, ReadableSpan]:
        """Have one review answered; its spans by their names."""
        self.traced.start()
        asyncio.run(self.answer())
        self.traced.stop()
        return {span.name: span for span in self.exporter.get_finished_spans()}


PENDING = cast("Pending", object.__new__(Question))


def waiting(finish: Callable[[Webhook], Awaitable[Decision]]) -> Webhook:
    """A webhook whose reviews all wait."""
    return Webhook(lambda _: PENDING, finish)


async def name_instance(_identity: CallerIdentity) -> str:
    return "ip-10-0-0-1.ec2.internal"


def decision(source: Source) -> Decision:
    match = SimpleNamespace(origin=Origin("EKSConfigMap", "mapRoles", 2, 14), reason="")
    return Decision("dev:alice", ("developers",), CALLER, cast("Match", match), source)


def told(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def test_a_review_answered_at_once_is_one_span() -> None:
    webhook = Webhook(lambda _: decision(Source.CACHE))
    [span] = webhook.review().values()
    assert (span.name, span.kind, span.parent) == ("TokenReview", SpanKind.SERVER, None)
    assert told(span) == {
        "aws_iam_authenticator.result": "success",
        "aws_iam_authenticator.decision": "allow",
        "aws_iam_authenticator.source": "cache",
        "aws_iam_authenticator.mapping_source": "EKSConfigMap",
    }
    assert span.status.status_code is StatusCode.UNSET
    assert span.resource.attributes["service.name"] == "aws-iam-authenticator"


async def asks_everybody(webhook: Webhook) -> Decision:
    await webhook.ask_sts()
    await webhook.name_instance(CALLER)
    return decision(Source.STS)


def test_the_calls_of_a_review_are_its_children() -> None:
    spans = waiting(asks_everybody).review()
    review, sts, ec2 = (
        spans[name] for name in ("TokenReview", "STS/GetCallerIdentity", "EC2/DescribeInstances")
    )
    for call in (sts, ec2):
        assert call.kind is SpanKind.CLIENT
        assert call.parent == review.context
    assert told(sts) == {
        "rpc.system": "aws-api",
        "rpc.service": "STS",
        "rpc.method": "GetCallerIdentity",
        "server.address": HOST,
        "cloud.region": "eu-west-1",
        "http.response.status_code": 200,
    }


def test_a_call_that_fails_is_an_error_of_its_own_and_of_the_review() -> None:
    webhook = waiting(asks_everybody)

    def fail() -> tuple[int, bytes]:
        raise StsUnavailable(f"quoting {TOKEN}")

    webhook.sts_answers = fail
    spans = webhook.review()
    review, sts = spans["TokenReview"], spans["STS/GetCallerIdentity"]
    assert told(sts)["error.type"] == "StsUnavailable"
    assert "http.response.status_code" not in told(sts)
    assert told(review)["error.type"] == "sts_error"
    assert {span.status.status_code for span in (review, sts)} == {StatusCode.ERROR}


def test_a_denial_has_the_id_of_its_audit_line_and_is_no_error() -> None:
    def refuse(_: Webhook) -> Decision:
        raise TokenRefused("expired", "it is older than 15 minutes")

    webhook = Webhook(refuse)
    [span] = webhook.review().values()
    [record] = webhook.audited
    assert told(span) == {
        "aws_iam_authenticator.result": "invalid_token",
        "aws_iam_authenticator.decision": "deny",
        "aws_iam_authenticator.check": "expired",
        "aws_iam_authenticator.denial_id": record.denial_id,
    }
    assert span.status.status_code is StatusCode.UNSET


async def unknown(webhook: Webhook) -> Decision:
    await webhook.ask_sts()
    error = UnknownUser(f"no mapping names {CALLER.canonical_arn}")
    error.arn, error.access_key_id = str(CALLER.arn), CALLER.access_key_id
    raise error


async def fault(webhook: Webhook) -> Decision:
    await webhook.ask_sts()
    raise RuntimeError(f"quoting {TOKEN} of {CALLER.arn}")


SECRETS = (
    *(TOKEN, "111122223333", "alice", "Developer", "dev:", "developers"),
    *(CALLER.access_key_id, CALLER.principal_id, "10.0.0.1", "ip-10"),
)


@pytest.mark.parametrize("login", [asks_everybody, unknown, fault])
def test_no_span_says_who_the_caller_is(
    login: Callable[[Webhook], Awaitable[Decision]],
) -> None:
    spans = waiting(login).review()
    assert len(spans) >= 2
    for span in spans.values():
        written = span.to_json()
        assert not [secret for secret in SECRETS if secret in written]


def test_what_is_not_sampled_is_audited_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    webhook = waiting(asks_everybody)
    assert webhook.review() == {}
    assert [record.result for record in webhook.audited] == ["success"]


def test_the_environment_names_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "logins")
    [span] = Webhook(lambda _: decision(Source.CACHE)).review().values()
    assert span.resource.attributes["service.name"] == "logins"


class Collector(SpanExporter):
    """One that is away for as many batches as it is told, and back then."""

    def __init__(self, away: int) -> None:
        self.away = away

    def export(self, spans: object) -> SpanExportResult:
        self.away -= 1
        return SpanExportResult.SUCCESS if self.away < 0 else SpanExportResult.FAILURE


@pytest.mark.parametrize(
    ("away", "lines"),
    [
        (0, []),
        (4, ["spans cannot be delivered"]),
        (2, ["spans cannot be delivered", "spans are delivered again"]),
    ],
)
def test_a_collector_that_is_away_is_told_of_once(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    away: int,
    lines: list[str],
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    traced = Traced(lambda: Collector(away))
    reviews = traced.reviews(SimpleNamespace(begin=lambda *_: Answer(200, b"")))
    traced.start()
    for _ in range(4):
        reviews.begin(REVIEW, "10.0.0.1")
    traced.stop()
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * len(lines)
    for record, line in zip(caplog.records, lines, strict=True):
        assert record.getMessage().startswith(line)


def test_settings_that_make_no_sense_cost_the_spans_and_no_login(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "1")
    traced = tracing({ENDPOINT: URL})
    traced.start()
    answer = Answer(200, b"")
    reviews = traced.reviews(SimpleNamespace(begin=lambda *_: answer))
    assert reviews.begin(REVIEW, "10.0.0.1") is answer
    traced.stop()
    assert "logins are not traced; check the OTEL_ variables" in caplog.text
