"""Where connections come from."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from authenticator.serving.connection import Connection

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from gunicorn.config import Config

    from authenticator.serving.framing import ReceivedRequest
    from authenticator.serving.responding import Response

# Whoever closes without having said so resets the connection (socket(7), SO_LINGER): the kernel for
# a worker that is killed, and we when a connection has not been used for long. An API server asks
# again after a reset, and turns the login away after an end without an answer.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Listener:
    """A port, and who answers what comes in on it.

    Attributes:
        sock: listening and non-blocking.
        tls: gives what to shake hands with at the time; None for a plain port.
        begin: gives the response to a request at once if it can, and otherwise what will give it;
            the poller calls it, so it waits for nothing.
    """

    sock: socket.socket
    tls: Callable[[], ssl.SSLContext] | None
    begin: Callable[[ReceivedRequest, Connection], Response | Callable[[], Response]]

    def accept(self, config: Config) -> Connection | None:
        """Take one connection; None if the client has gone already.

        Raises:
            BlockingIOError: none is waiting.
            OSError: there is no room for one.
        """
        sock, peer = self.sock.accept()
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            if self.tls:
                sock = self.tls().wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        except OSError:
            sock.close()
            return None
        return Connection(sock, peer[:2], self.sock.getsockname()[:2], config, self)
