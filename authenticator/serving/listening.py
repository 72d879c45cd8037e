"""Where connections come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from authenticator.serving.connection import Connection

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from gunicorn.config import Config

    from authenticator.serving.framing import ReceivedRequest


@dataclass(frozen=True, slots=True)
class Listener:
    """A port, and who answers what comes in on it.

    Attributes:
        sock: listening and non-blocking.
        tls: what to shake hands with; None for a plain port, which is answered by the poller
            itself, so that probes are answered while all threads are busy.
        answer: gives the response to a request, and whether the connection may go on.
    """

    sock: socket.socket
    tls: ssl.SSLContext | None
    answer: Callable[[ReceivedRequest, Connection], tuple[bytes, bool]]

    def accept(self, config: Config) -> Connection | None:
        """Take one connection; None if the client has gone already.

        Raises:
            BlockingIOError: none is waiting.
            OSError: there is no room for one.
        """
        sock, peer = self.sock.accept()
        try:
            sock.setblocking(False)
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        except OSError:
            sock.close()
            return None
        return Connection(sock, peer[:2], self.sock.getsockname()[:2], config, self)
