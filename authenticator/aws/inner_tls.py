"""TLS inside of TLS, on a non-blocking socket: what an HTTPS proxy needs.

An `SSLSocket` cannot be wrapped in another one, so that the inner TLS runs over memory.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from typing import TypeVar

_RECORD = 16 * 1024  # a TLS record, the most that one read gives
_T = TypeVar("_T")


class InnerTls:
    """TLS through a socket that is TLS already.

    Its methods raise what those of a non-blocking `SSLSocket` raise.
    """

    def __init__(
        self,
        outer: ssl.SSLSocket,
        context: ssl.SSLContext,
        host: str,
        session: ssl.SSLSession | None,
    ) -> None:
        self._outer = outer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=host, session=session
        )
        self._unsent = b""

    @property
    def session(self) -> ssl.SSLSession | None:
        """The inner TLS session."""
        return self._tls.session

    def pending(self) -> int:
        """How many bytes have arrived and were not read, in either layer."""
        return self._tls.pending() + self._incoming.pending + self._outer.pending()

    def do_handshake(self) -> None:
        """Start the inner TLS, as `SSLSocket.do_handshake`."""
        self._run(self._tls.do_handshake)

    def recv(self, size: int, /) -> bytes:
        """Read at most `size` bytes, as `SSLSocket.recv`."""
        return self._run(lambda: self._tls.read(size))

    def send(self, data: bytes, /) -> int:
        """Take bytes to send; some may go out with a later call."""
        self._flush()  # so that at most one piece waits to be sent
        sent = self._tls.write(data)
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            self._flush()  # what cannot be sent now goes out before the answer is read
        return sent

    def close(self) -> None:
        """Close the socket."""
        self._outer.close()

    def _run(self, operation: Callable[[], _T]) -> _T:
        while True:
            try:
                result = operation()
            except ssl.SSLWantReadError:  # noqa: PERF203 (each attempt may need more bytes)
                self._flush()
                data = self._outer.recv(_RECORD)
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        self._unsent += self._outgoing.read()
        while self._unsent:
            self._unsent = self._unsent[self._outer.send(self._unsent) :]
