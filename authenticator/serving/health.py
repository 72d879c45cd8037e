"""What the plain health port answers, for probes that speak no TLS."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from authenticator.serving.reviews import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def health(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer `GET /healthz`, and nothing else. It never waits: the poller's own thread runs it."""
    asked = (environ["REQUEST_METHOD"], environ["PATH_INFO"])
    status = HTTPStatus.OK if asked == ("GET", "/healthz") else HTTPStatus.NOT_FOUND
    body = b"ok" if status is HTTPStatus.OK else plain(status).body
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    start_response(f"{status} {status.phrase}", headers)
    return [body]
