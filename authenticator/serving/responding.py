"""Runs the WSGI application on a request that is in memory, and gives the response as bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, cast

from gunicorn.http.wsgi import create
from gunicorn.util import http_date

from authenticator.serving.framing import parse_head
from authenticator.serving.reviews import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from socket import socket

    from gunicorn.config import Config

    from authenticator.serving.framing import ReceivedRequest
    from authenticator.serving.reviews import Answer


@dataclass(frozen=True, slots=True)
class Response:
    """A whole response.

    Attributes:
        data: head and body.
        keep: whether the connection goes on.
    """

    data: bytes
    keep: bool


class _Response:
    """Stands where gunicorn has a response that writes to the socket, piece by piece.

    Head and body become one piece here, since each write is a TLS record, a system call and a
    packet; and it does not tell what software made it.
    """

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

    def to_bytes(self, *, keep: bool, with_body: bool) -> bytes:
        """Give all of it. Whatever the client's, our HTTP version is 1.1 (RFC 9110 section 2.5)."""
        connection = "keep-alive" if keep else "close"
        lines = [f"HTTP/1.1 {self.status}", f"Date: {http_date()}", f"Connection: {connection}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        head = "\r\n".join((*lines, "", "")).encode("latin-1")
        return b"".join((head, *self.pieces)) if with_body else head


def respond(
    wsgi: Callable[..., Iterable[bytes]],
    request: ReceivedRequest,
    peer: tuple[str, int],
    local: tuple[str, int],
    config: Config,
    *,
    closing: bool,
) -> Response:
    """Answer one request.

    Args:
        wsgi: the application; it gives every response a Content-Length.
        request: the request.
        peer: the client's address.
        local: the server's address.
        config: gunicorn's.
        closing: say that the connection ends here.
    """
    head = parse_head(config, request.head.data, peer)
    response, environ = create(head, cast("socket", None), peer, local, config, _Response)
    environ["wsgi.multithread"] = True
    environ["wsgi.input"] = io.BytesIO(request.body)
    body = wsgi(environ, response.start_response)
    try:
        response.pieces.extend(body)
    finally:
        if hasattr(body, "close"):
            body.close()
    keep = request.head.keep_alive and not closing
    data = response.to_bytes(keep=keep, with_body=head.method != "HEAD")
    return Response(data, keep)


def response_to(answer: Answer, *, keep: bool) -> bytes:
    """Give the whole response to a review; `keep`: the connection goes on."""
    connection = "keep-alive" if keep else "close"
    head = (
        f"HTTP/1.1 {_STATUS_LINES[answer.status]}\r\nDate: {http_date()}\r\n"
        f"Connection: {connection}\r\nContent-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\n\r\n"
    )
    return head.encode("ascii") + answer.body


def refusal(status: HTTPStatus) -> bytes:
    """Give the constant response to what never reached the application."""
    return response_to(plain(status), keep=False)


_STATUS_LINES = {int(status): f"{status} {status.phrase}" for status in HTTPStatus}
