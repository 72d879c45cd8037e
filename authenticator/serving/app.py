"""The HTTP endpoints: `/authenticate`, `/validate`, `/metrics`, `/healthz` and `/readyz`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http import HTTPStatus

from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException

from authenticator.admission.review import MAX_BYTES
from authenticator.serving.metrics import CONTENT_TYPE
from authenticator.serving.readiness import Readiness
from authenticator.serving.reviews import Answer, plain

MAX_BODY_BYTES = 64 * 1024

VALIDATE = "/validate"
# At once in one worker: each takes milliseconds of a thread that logins wait for.
_SCRAPES = 2

Begins = Callable[[bytes, str], "Answer | Callable[[], Answer]"]


def body_limit(method: str, path: str) -> int:
    """How many bytes a request's body may have: more for AdmissionReviews, which hold objects."""
    return MAX_BYTES if (method, path) == ("POST", VALIDATE) else MAX_BODY_BYTES


def build_app(
    begin: Begins,
    metrics: Callable[[], bytes],
    readiness: Callable[[], Readiness],
    validate: Callable[[bytes, str], Answer],
) -> Flask:
    """Build the WSGI application.

    Query strings are ignored (the API server always sends one), and so is the type of what is
    posted: it can only be JSON. Our own worker answers reviews of both kinds without going through
    here (`authenticator.serving.worker`); any other WSGI server can serve all of it.

    Args:
        begin: `Reviews.begin`.
        metrics: `Metrics.render`.
        readiness: tells whether the server is ready.
        validate: `Admissions.answer`.
    """
    app = Flask("authenticator", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    # A redirect of `//authenticate` would have the API server post the token again.
    app.url_map.merge_slashes = False

    @app.post("/authenticate", provide_automatic_options=False)
    def authenticate() -> Response:
        if request.content_length is None:
            abort(HTTPStatus.LENGTH_REQUIRED)
        answer = begin(request.get_data(cache=False), request.remote_addr or "")
        if not isinstance(answer, Answer):
            answer = answer()
        return _response(answer)

    @app.post(VALIDATE, provide_automatic_options=False)
    def validate_edit() -> Response:
        request.max_content_length = body_limit(request.method, request.path)
        if request.content_length is None:
            abort(HTTPStatus.LENGTH_REQUIRED)
        return _response(validate(request.get_data(cache=False), request.remote_addr or ""))

    scraping = threading.BoundedSemaphore(_SCRAPES)

    @app.get("/metrics", provide_automatic_options=False)
    def scrape() -> Response:
        if not scraping.acquire(blocking=False):
            abort(HTTPStatus.SERVICE_UNAVAILABLE)
        try:
            return Response(metrics(), content_type=CONTENT_TYPE)
        finally:
            scraping.release()

    @app.get("/healthz", provide_automatic_options=False)
    def healthz() -> Response:
        return Response(b"ok", content_type="text/plain")

    @app.get("/readyz", provide_automatic_options=False)
    def readyz() -> Response:
        found = readiness()
        status = HTTPStatus.OK if found.ready else HTTPStatus.SERVICE_UNAVAILABLE
        return Response(found.detail, status, content_type="application/json")

    app.register_error_handler(HTTPException, _refusal)
    return app


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, content_type=answer.content_type)


def _refusal(error: HTTPException) -> Response:
    refusal = plain(error.code or 500)
    response = _response(refusal)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response
