"""Responses as bytes, and the WSGI application run on a request that is in memory."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from gunicorn.http.wsgi import create
from gunicorn.util import http_date

from authenticator.serving.http.requests import parse_head
from authenticator.serving.reviews import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from socket import socket

    from gunicorn.config import Config

    from authenticator.serving.http.requests import ReceivedRequest
    from authenticator.serving.reviews import Answer

_STATUS_LINES = {int(status): f"{status} {status.phrase}" for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Response:
    """A response, but for what depends on its connection.

    Attributes:
        status: the status code with its phrase.
        headers: whole header lines, without `Date` and `Connection`.
        body: the body; empty for an answer to HEAD, whatever the headers say of its length.
    """

    status: str
    headers: str
    body: bytes

    def to_bytes(self, *, keep: bool) -> bytes:
        """Return all of it as one piece, since each write is a TLS record and a packet.

        Args:
            keep: whether the connection goes on.
        """
        # Whatever the client's version, ours is 1.1 (RFC 9110, section 2.5). No header tells what
        # software made this.
        head = (
            f"HTTP/1.1 {self.status}\r\nDate: {_date()}\r\n"
            f"Connection: {'keep-alive' if keep else 'close'}\r\n{self.headers}\r\n"
        )
        return head.encode("latin-1") + self.body


def response_to(answer: Answer) -> Response:
    """Return the response that carries an answer."""
    return Response(
        _STATUS_LINES[answer.status],
        f"Content-Type: {answer.content_type}\r\nContent-Length: {len(answer.body)}\r\n",
        answer.body,
    )


def refusal(status: HTTPStatus) -> Response:
    """Return the constant response to what never reached an endpoint."""
    return response_to(plain(status))


class _WsgiResponse:
    """Takes what the application returns; gunicorn has a writer to the socket here."""

    def __init__(self, *_: object) -> None:
        self.headers_sent = True  # there are no early hints
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.pieces: list[bytes] = []

    def start_response(
        self, status: str, headers: list[tuple[str, str]], _exc_info: object = None
    ) -> Callable[[bytes], None]:
        self.status = status
        self.headers = headers
        return self.pieces.append


def respond(
    wsgi: Callable[..., Iterable[bytes]],
    request: ReceivedRequest,
    peer: tuple[str, int],
    local: tuple[str, int],
    config: Config,
) -> Response:
    """Have the WSGI application answer one request.

    Args:
        wsgi: the application; it gives every response a Content-Length.
        request: the request.
        peer: the client's address.
        local: the server's address.
        config: gunicorn's.
    """
    head = parse_head(config, request.head.data, peer)
    response, environ = create(head, cast("socket", None), peer, local, config, _WsgiResponse)
    environ["wsgi.multithread"] = True
    environ["wsgi.input"] = io.BytesIO(request.body)
    body = wsgi(environ, response.start_response)
    try:
        response.pieces.extend(body)
    finally:
        if hasattr(body, "close"):
            body.close()
    headers = "".join(f"{name}: {value}\r\n" for name, value in response.headers)
    with_body = head.method != "HEAD"
    return Response(response.status, headers, b"".join(response.pieces) if with_body else b"")


_last_date = (0, "")


def _date() -> str:
    """Return the `Date` header, which is written once a second: it took a tenth of an answer."""
    global _last_date  # noqa: PLW0603 (a cache of one value; two threads would write the same)
    now = int(time.time())
    if _last_date[0] != now:
        _last_date = (now, http_date(now))
    return _last_date[1]
