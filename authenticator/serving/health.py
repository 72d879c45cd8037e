"""What the plain health port answers, for probes that speak no TLS."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from authenticator.serving.reviews import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from authenticator.serving.readiness import Readiness


class Health:
    """Answers `GET /healthz` and `GET /readyz`, and nothing else.

    It never waits: the poller's own thread runs it, so that probes are answered while all threads
    are busy.
    """

    def __init__(self, readiness: Callable[[], Readiness]) -> None:
        self._readiness = readiness

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        asked = (environ["REQUEST_METHOD"], environ["PATH_INFO"])
        status, kind, body = HTTPStatus.NOT_FOUND, "text/plain", plain(HTTPStatus.NOT_FOUND).body
        if asked == ("GET", "/healthz"):
            status, body = HTTPStatus.OK, b"ok"
        elif asked == ("GET", "/readyz"):
            found = self._readiness()
            status = HTTPStatus.OK if found.ready else HTTPStatus.SERVICE_UNAVAILABLE
            kind, body = "application/json", found.detail
        headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
        start_response(f"{status} {status.phrase}", headers)
        return [body]
