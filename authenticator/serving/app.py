"""The HTTP endpoints: `/authenticate`, `/metrics` and `/healthz`."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from authenticator.serving.metrics import CONTENT_TYPE
from authenticator.serving.reviews import Answer, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_BODY_BYTES = 64 * 1024
_LENGTH = re.compile(r"[0-9]{1,9}", re.ASCII)


def build_app(answer: Callable[[bytes, str], Answer], metrics: Callable[[], bytes]) -> Flask:
    """Build the WSGI application.

    Query strings are ignored (the API server always sends one), and so is the type of what is
    posted: it can only be JSON.

    Args:
        answer: `Reviews.answer`.
        metrics: `Metrics.render`.
    """
    app = Flask("authenticator", static_folder=None)
    # A redirect of `//authenticate` would have the API server post the token again.
    app.url_map.merge_slashes = False

    @app.get("/metrics", provide_automatic_options=False)
    def scrape() -> Response:
        return Response(metrics(), content_type=CONTENT_TYPE)

    @app.get("/healthz", provide_automatic_options=False)
    def healthz() -> Response:
        return Response(b"ok", content_type="text/plain")

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> Response:
        refusal = plain(error.code or 500)
        response = Response(refusal.body, refusal.status, content_type="text/plain")
        for name, value in error.get_headers():
            if name == "Allow":
                response.headers[name] = value
        return response

    app.wsgi_app = _Reviewing(app.wsgi_app, answer)  # type: ignore[method-assign]
    return app


class _Reviewing:
    """Answers `/authenticate` in front of Flask, whose routing and contexts cost five reviews."""

    def __init__(self, otherwise: WSGIApplication, answer: Callable[[bytes, str], Answer]) -> None:
        self._otherwise = otherwise
        self._answer = answer

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/authenticate":
            return self._otherwise(environ, start_response)
        refused = _refusal(environ)
        if refused:
            answered = plain(refused)
        else:
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            answered = self._answer(body, environ["REMOTE_ADDR"])
        status = HTTPStatus(answered.status)
        kind = "application/json" if status is HTTPStatus.OK else "text/plain"
        headers = [("Content-Type", kind), ("Content-Length", str(len(answered.body)))]
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append(("Allow", "POST"))
        start_response(f"{status} {status.phrase}", headers)
        return [answered.body]


def _refusal(environ: WSGIEnvironment) -> HTTPStatus | None:
    """Give the status that refuses a request before its body is read, or None."""
    if environ["REQUEST_METHOD"] != "POST":
        return HTTPStatus.METHOD_NOT_ALLOWED
    length = environ.get("CONTENT_LENGTH", "")
    if not _LENGTH.fullmatch(length) or "HTTP_TRANSFER_ENCODING" in environ:
        return HTTPStatus.LENGTH_REQUIRED
    if int(length) > MAX_BODY_BYTES:
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return None
