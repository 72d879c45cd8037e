"""The Flask application: every endpoint that is not hot, and the refusal of every other path."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException

from authenticator.serving.endpoints import ENDPOINTS, Endpoint, Handler, Handlers
from authenticator.serving.reviews import plain


def build_app(handlers: Handlers, refused: Callable[[int], None]) -> Flask:
    """Build the WSGI application.

    The type of the request body is ignored: it can only be JSON.

    Args:
        handlers: what answers each endpoint.
        refused: told of the status of each refusal.
    """
    app = Flask("authenticator", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = max(endpoint.max_body for endpoint in ENDPOINTS)
    # A redirect of `//authenticate` would have the API server post the token again.
    app.url_map.merge_slashes = False
    for endpoint in ENDPOINTS:
        # Without a handler, the event loop answers it, and only other methods come here.
        app.add_url_rule(
            endpoint.path,
            endpoint.path,
            partial(_answer, endpoint, handlers.get(endpoint)),
            methods=[endpoint.method],
            provide_automatic_options=False,
        )

    def refuse(error: HTTPException) -> Response:
        refused(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
        return _refusal(error)

    app.register_error_handler(HTTPException, refuse)
    return app


def _answer(endpoint: Endpoint, handler: Handler | None) -> Response:
    if handler is None:
        abort(HTTPStatus.NOT_IMPLEMENTED)
    request.max_content_length = endpoint.max_body
    answer = handler(request.get_data(cache=False), request.remote_addr or "")
    return Response(answer.body, answer.status, content_type=answer.content_type)


def _refusal(error: HTTPException) -> Response:
    answer = plain(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    response = Response(answer.body, answer.status, content_type=answer.content_type)
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response
