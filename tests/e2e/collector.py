"""An OpenTelemetry collector on loopback, as far as OTLP/HTTP with protobuf goes."""

from __future__ import annotations

import http.server
import threading
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from dev.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.proto.trace.v1.trace_pb2 import Span
    from typing_extensions import Self


class Collector:
    """Takes spans for as long as the context lasts.

    Attributes:
        spans: all that have arrived.
        services: the names of the services that have sent any.
    """

    def __init__(self) -> None:
        self.services: set[str] = set()
        self.spans: list[Span] = []
        self._arrived = threading.Condition()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/v1/traces"
                collector._take(ExportTraceServiceRequest.FromString(body))
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait_for(self, wanted: Callable[[Span], bool]) -> Span:
        """The first span that is wanted, once it has arrived."""

        def found() -> Span | None:
            return next(filter(wanted, self.spans), None)

        with self._arrived:
            span = self._arrived.wait_for(found, timeout=PATIENCE_SECONDS)
        assert span is not None, f"no such span among {[span.name for span in self.spans]}"
        return span

    def _take(self, request: ExportTraceServiceRequest) -> None:
        with self._arrived:
            for of_resource in request.resource_spans:
                attributes = of_resource.resource.attributes
                self.services |= {
                    each.value.string_value for each in attributes if each.key == "service.name"
                }
                for of_scope in of_resource.scope_spans:
                    self.spans += of_scope.spans
            self._arrived.notify_all()


def told(span: Span) -> dict[str, str | int]:
    """A span's attributes."""
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}
