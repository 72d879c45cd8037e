"""Spans of logins, sent to an OpenTelemetry collector. Needs the extra `tracing`.

    TokenReview              a server's span: how it ended
      STS/GetCallerIdentity  a client's: the host, its region, the HTTP status
      EC2/DescribeInstances  a client's: the wait for a node's name

No span holds a token or says who the caller is: for that there is the audit log, which has the same
`denial_id`. Each review begins a trace of its own. API servers send no trace context with
TokenReviews (Kubernetes 1.36 does with admission only), and one that anybody could send would
choose what is sampled.

Source: OpenTelemetry semantic conventions, "AWS SDK client spans".
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from authenticator import __version__
from authenticator.aws.arns import CallerIdentity
from authenticator.aws.sts import Fetches
from authenticator.aws.sts_hosts import StsHost
from authenticator.login import NamesInstances
from authenticator.serving.audit import AuditRecord, Audits
from authenticator.serving.metric_table import NAMESPACE
from authenticator.serving.reviews import Answer, AnswersReviews, PendingReview

_LOG = logging.getLogger(__name__)
# Of an audit record: what says nothing of who the caller is.
_TOLD = ("result", "decision", "source", "check", "denial_id")
# A worker that ends has better things to wait for than a collector.
_LAST_SECONDS = 2.0


class Traced:
    """`authenticator.serving.tracing.Tracing` that is on.

    Sampling, batches and the collector are set by OpenTelemetry's environment variables. Spans wait
    in a queue of a bounded size, and are dropped when it is full.
    """

    def __init__(self, exporter: Callable[[], SpanExporter] = OTLPSpanExporter) -> None:
        """Set up, and start nothing: workers are forked from this process.

        Args:
            exporter: makes what sends spans.
        """
        ours = {"service.name": "aws-iam-authenticator", "service.version": __version__}
        # What the environment says of the service goes before what we say.
        resource = Resource.create(ours).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._tracer = self._provider.get_tracer("authenticator", __version__)
        self._exporter = exporter

    def reviews(self, reviews: AnswersReviews) -> AnswersReviews:
        """See `Tracing`."""
        return _TracedReviews(self._tracer, reviews)

    def audit(self, audit: Audits) -> Audits:
        """See `Tracing`."""

        def traced(record: AuditRecord) -> None:
            span = trace.get_current_span()
            if span.is_recording():
                _tell(span, record)
            audit(record)

        return traced

    def sts(self, fetch: Fetches, hosts: Mapping[str, StsHost]) -> Fetches:
        """See `Tracing`."""

        async def traced(
            host: str, target: str, headers: Mapping[str, str], /, timeout: float
        ) -> tuple[int, bytes]:
            with self._call("STS", "GetCallerIdentity") as span:
                span.set_attribute("server.address", host)
                span.set_attribute("cloud.region", hosts[host].region)
                status, body = await fetch(host, target, headers, timeout=timeout)
                span.set_attribute("http.response.status_code", status)
                return status, body

        return traced

    def ec2(self, name_instance: NamesInstances) -> NamesInstances:
        """See `Tracing`."""

        async def traced(identity: CallerIdentity, /) -> str:
            with self._call("EC2", "DescribeInstances"):
                return await name_instance(identity)

        return traced

    def start(self) -> None:
        """See `Tracing`. What cannot be set up costs the spans and no login."""
        # Its words come with each batch that fails, and can quote the headers that it was given.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        try:
            processor = BatchSpanProcessor(_Delivery(self._exporter()))
        except Exception as error:  # noqa: BLE001 (whatever the environment makes it raise)
            _LOG.warning("logins are not traced; check the OTEL_ variables: %s", error)
        else:
            self._provider.add_span_processor(processor)

    def stop(self) -> None:
        """See `Tracing`."""
        last = threading.Thread(target=self._provider.shutdown, name="spans", daemon=True)
        last.start()
        last.join(_LAST_SECONDS)

    @contextmanager
    def _call(self, service: str, operation: str) -> Iterator[Span]:
        # An error's message is for our own log; here its kind must do.
        with self._tracer.start_as_current_span(
            f"{service}/{operation}",
            kind=SpanKind.CLIENT,
            attributes={
                "rpc.system": "aws-api",
                "rpc.service": service,
                "rpc.method": operation,
            },
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise


@dataclass(frozen=True, slots=True)
class _TracedPending(PendingReview):
    """A review that waits, with its span."""

    span: Span


class _TracedReviews:
    """`AnswersReviews` with one span for each review."""

    def __init__(self, tracer: Tracer, reviews: AnswersReviews) -> None:
        self._tracer = tracer
        self._reviews = reviews

    def begin(self, body: bytes, remote: str) -> Answer | PendingReview:
        """See `AnswersReviews`."""
        span = self._tracer.start_span("TokenReview", kind=SpanKind.SERVER)
        with trace.use_span(span):
            answer = self._reviews.begin(body, remote)
        if isinstance(answer, PendingReview):
            return _TracedPending(answer.attempt, answer.login, span)
        span.end()
        return answer

    async def finish(self, pending: PendingReview) -> Answer:
        """See `AnswersReviews`."""
        if not isinstance(pending, _TracedPending):
            raise TypeError("the review was begun elsewhere")
        # The span is the context of this task alone.
        with trace.use_span(pending.span, end_on_exit=True):
            return await self._reviews.finish(pending)


def _tell(span: Span, record: AuditRecord) -> None:
    for name in _TOLD:
        if value := getattr(record, name):
            span.set_attribute(f"{NAMESPACE}.{name}", value)
    if record.mapping:
        source, _, _ = record.mapping.partition(" ")
        span.set_attribute(f"{NAMESPACE}.mapping_source", source)
    if record.decision == "fault":
        span.set_attribute("error.type", record.result)
        span.set_status(Status(StatusCode.ERROR))


class _Delivery(SpanExporter):
    """Says once that a collector cannot be reached, and once that it can be again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See `SpanExporter`."""
        result = self._exporter.export(spans)
        failing = result is not SpanExportResult.SUCCESS
        if failing and not self._failing:
            _LOG.warning(
                "spans cannot be delivered and are dropped until they can be; logins go on. Check"
                " the collector and OTEL_EXPORTER_OTLP_ENDPOINT"
            )
        elif self._failing and not failing:
            _LOG.warning("spans are delivered again")
        self._failing = failing
        return result

    def shutdown(self) -> None:
        """See `SpanExporter`."""
        self._exporter.shutdown()
