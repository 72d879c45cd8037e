"""The HTTP endpoints: `/authenticate`, `/metrics` and `/healthz`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException

from authenticator.serving.metrics import CONTENT_TYPE
from authenticator.serving.reviews import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from authenticator.serving.reviews import Answer

MAX_BODY_BYTES = 64 * 1024


def build_app(answer: Callable[[bytes, str], Answer], metrics: Callable[[], bytes]) -> Flask:
    """Build the WSGI application.

    Query strings are ignored (the API server always sends one), and so is the type of what is
    posted: it can only be JSON.

    Args:
        answer: `Reviews.answer`.
        metrics: `Metrics.render`.
    """
    app = Flask("authenticator", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    # `//authenticate` is not ours, and a redirect would have the API server post the token again.
    app.url_map.merge_slashes = False

    @app.post("/authenticate", provide_automatic_options=False)
    def authenticate() -> Response:
        if request.content_length is None:
            abort(411)
        answered = answer(request.get_data(cache=False), request.remote_addr or "")
        kind = "application/json" if answered.status == 200 else "text/plain"  # noqa: PLR2004 (OK)
        return Response(answered.body, answered.status, content_type=kind)

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

    return app
