"""Runs the WSGI application on a request that is in memory, and gives the response as bytes.

Head and body are one piece, since each write is a TLS record, a system call and a packet.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, cast

from gunicorn.http.wsgi import Response, create

from authenticator.serving.reviews import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from http import HTTPStatus
    from socket import socket

    from gunicorn.config import Config

    from authenticator.serving.framing import ReceivedRequest


class _Collected:
    """What gunicorn takes for the socket that it writes to."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.pieces.append(data)


class _Nameless(Response):
    """A response that does not tell what software made it."""

    def default_headers(self) -> list[str]:
        return [line for line in super().default_headers() if not line.startswith("Server:")]


def respond(
    wsgi: Callable[..., Iterable[bytes]],
    request: ReceivedRequest,
    peer: tuple[str, int],
    local: tuple[str, int],
    config: Config,
    *,
    closing: bool,
) -> tuple[bytes, bool]:
    """Answer one request.

    Args:
        wsgi: the application.
        request: the request.
        peer: the client's address.
        local: the server's address.
        config: gunicorn's.
        closing: say that the connection ends here.

    Returns:
        the whole response, and whether the connection may go on.
    """
    collected = _Collected()
    response, environ = create(
        request.head, cast("socket", collected), peer, local, config, _Nameless
    )
    environ["wsgi.input"] = io.BytesIO(request.body)
    environ["wsgi.multithread"] = True
    if closing:
        response.force_close()
    body = wsgi(environ, response.start_response)
    try:
        for piece in body:
            response.write(piece)
        response.close()
    finally:
        if hasattr(body, "close"):
            body.close()
    return b"".join(collected.pieces), not response.should_close()


def refusal(status: HTTPStatus) -> bytes:
    """Give the constant response to what never reached the application."""
    body = plain(status).body
    head = (
        f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: text/plain\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
