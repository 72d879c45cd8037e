"""The endpoints, as one table: the event loop and the Flask application both read it.

The event loop answers `AUTHENTICATE` itself, and what is marked `at_once`. A thread
answers `VALIDATE`, and the Flask application everything else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from authenticator.admission.review import MAX_BYTES
from authenticator.serving.readiness import Readiness
from authenticator.serving.reviews import Answer, plain

# What a request's body may have without taking one of the few places for large ones.
SMALL_BODY_BYTES = 64 * 1024
# An API server takes headers of 1 MiB (net/http, DefaultMaxHeaderBytes), a bearer token among them,
# and posts it as JSON. A longer token than ours can be is a denial, which needs a TokenReview.
_REVIEW_BYTES = 1_250_000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A method and a path.

    Attributes:
        method: in upper case.
        path: without a query, which every endpoint ignores: the API server always sends one.
        max_body: how many bytes the body may have.
        large: how many requests of one worker may have a body above `SMALL_BODY_BYTES` at once.
        large_each: how many of these may be one peer's.
        authenticated: only an API server that shows who it is may ask (`admission_peers`).
        at_once: the answer needs no waiting and no calculating, and is served on the plain health
            port too.
    """

    method: str
    path: str
    max_body: int = SMALL_BODY_BYTES
    large: int = 0
    large_each: int = 0
    authenticated: bool = False
    at_once: bool = False


AUTHENTICATE = Endpoint("POST", "/authenticate", _REVIEW_BYTES, large=4, large_each=4)
VALIDATE = Endpoint("POST", "/validate", MAX_BYTES, large=3, large_each=2, authenticated=True)
# What follows is the secret of an API server that can show no certificate.
SECRET_PATH = f"{VALIDATE.path}/"
METRICS = Endpoint("GET", "/metrics")
HEALTHZ = Endpoint("GET", "/healthz", at_once=True)
READYZ = Endpoint("GET", "/readyz", at_once=True)
ENDPOINTS = (AUTHENTICATE, VALIDATE, METRICS, HEALTHZ, READYZ)

_TABLE = {(endpoint.method, endpoint.path): endpoint for endpoint in ENDPOINTS}
# At once in one worker: each takes milliseconds of the processor that logins wait for.
_SCRAPES = 2

# Answers a request: takes its body and the client's address.
Handler = Callable[[bytes, str], Answer]
Handlers = Mapping[Endpoint, Handler]


def find(method: str, path: str) -> Endpoint | None:
    """Return the endpoint of a request, or None if there is none."""
    if method == VALIDATE.method and path.startswith(SECRET_PATH):
        return VALIDATE
    return _TABLE.get((method, path))


def healthz(faults: Callable[[], Sequence[str]]) -> Handler:
    """Return what answers whether this worker can answer logins, or a restart may help.

    Args:
        faults: gives the checks of the self-test that fail.
    """

    def answer(_body: bytes, _remote: str) -> Answer:
        failed = "\n".join(faults())
        if failed:
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE, f"{failed}\n".encode(), "text/plain")
        return Answer(HTTPStatus.OK, b"ok", "text/plain")

    return answer


def readyz(readiness: Callable[[], Readiness]) -> Handler:
    """Return what answers whether the server can do its work."""

    def answer(_body: bytes, _remote: str) -> Answer:
        state = readiness()
        status = HTTPStatus.OK if state.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return Answer(status, state.detail)

    return answer


def metrics(render: Callable[[], bytes], content_type: str) -> Handler:
    """Return what answers scrapes, few at a time: anyone who can connect can ask in a loop."""
    scraping = threading.BoundedSemaphore(_SCRAPES)

    def answer(_body: bytes, _remote: str) -> Answer:
        if not scraping.acquire(blocking=False):
            return plain(HTTPStatus.SERVICE_UNAVAILABLE)
        try:
            return Answer(HTTPStatus.OK, render(), content_type)
        finally:
            scraping.release()

    return answer
