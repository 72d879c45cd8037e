"""One connection of the event loop: TCP, then TLS, on a non-blocking socket.

asyncio's own TLS transport keeps a read buffer of 256 KiB for each connection; an `SSLSocket`
that the loop watches needs none (docs/adr/0017-sts-connections.md).
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from errno import ECONNRESET
from typing import ParamSpec, Protocol, TypeVar

from authenticator.aws.deadline import Deadline
from authenticator.aws.inner_tls import InnerTls

_RECORD = 16 * 1024  # a TLS record, the most that one read gives
_T = TypeVar("_T")
_P = ParamSpec("_P")


class _Channel(Protocol):
    """Carries bytes: a socket, an `SSLSocket`, or TLS inside of TLS."""

    def recv(self, size: int, /) -> bytes: ...

    def send(self, data: bytes, /) -> int: ...

    def close(self) -> None: ...


class Connection:
    """A connection all of whose waits end by `deadline`. Close it whatever happens.

    Args:
        sock: connected and non-blocking; closed with the connection.
        deadline: may be replaced for each exchange.
    """

    __slots__ = (
        "_channel",
        "_descriptor",
        "_loop",
        "_pending",
        "_receiving",
        "_resting",
        "_session",
        "_socket",
        "_waiter",
        "_watched",
        "closed",
        "deadline",
    )

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self.deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._socket = sock  # what the descriptor belongs to
        self._descriptor = sock.fileno()
        self._channel: _Channel = sock
        self._session: Callable[[], ssl.SSLSession | None] = lambda: None
        self._pending: Callable[[], int] = lambda: 0
        self._waiter: asyncio.Future[bytes] | None = None
        self._receiving = False
        self._watched = False
        self._resting = False
        self.closed = False

    @property
    def session(self) -> ssl.SSLSession | None:
        """The TLS session, which the next connection to the host can resume."""
        return self._session()

    async def secure(
        self, context: ssl.SSLContext, host: str, session: ssl.SSLSession | None = None
    ) -> None:
        """Start TLS, and verify that the peer is `host`. A second time, TLS runs inside of TLS.

        Raises:
            OSError: it is not, or not in time.
        """
        if isinstance(self._socket, ssl.SSLSocket):
            inner = InnerTls(self._socket, context, host, session)
            self._channel, self._pending = inner, inner.pending
            self._session = lambda: inner.session
            handshake = inner.do_handshake
        else:
            # An end that TLS did not announce may be an attacker's, and must be told from one
            # that it did.
            outer = context.wrap_socket(
                self._socket,
                server_hostname=host,
                session=session,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,
            )
            self._channel = self._socket = outer
            self._pending = outer.pending
            self._session = lambda: outer.session
            handshake = outer.do_handshake
        await self._attempt(self._readable, handshake)

    async def send(self, data: bytes) -> None:
        """Send all of `data`."""
        while data:
            data = data[await self._attempt(self._writable, self._channel.send, data) :]

    async def receive(self) -> bytes:
        """Wait for bytes; empty at the end.

        Raises:
            ConnectionError: the connection broke.
            OSError: the wait took too long, or what arrived is not TLS.
        """
        if self._pending():
            return await self._attempt(self._readable, self._channel.recv, _RECORD)
        self._receiving = True
        try:
            return await self._wait_to_read()
        except ssl.SSLWantWriteError:  # of TLS inside of TLS
            return await self._attempt(self._readable, self._channel.recv, _RECORD)
        except ssl.SSLEOFError:
            raise _reset() from None
        finally:
            self._receiving = False

    def rest(self) -> None:
        """Take no more part in an exchange: whatever arrives from now on closes the connection."""
        self._resting = True
        if self._pending():  # which the loop would not notice
            self.close()

    def resume(self, deadline: Deadline) -> bool:
        """Use a resting connection again, unless anything has arrived on it.

        That may be the end of the connection, or bytes that no request asked for: a late or
        repeated answer, or a 408 before the end. Read as the answer to the next request, they
        would name another caller.

        Returns:
            whether it can be used; if not, it is closed.
        """
        if not self.closed and self._has_arrived():
            self.close()
        self._resting, self.deadline = False, deadline
        return not self.closed

    def close(self) -> None:
        """Close the connection; harmless when it is closed already."""
        if not self.closed:
            self.closed = True
            self._unwatch()
            self._socket.close()

    async def _attempt(
        self,
        blocked: Callable[[], Awaitable[None]],
        operation: Callable[_P, _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        while True:
            try:
                return operation(*args, **kwargs)
            except ssl.SSLWantReadError:  # noqa: PERF203 (each attempt may have to wait)
                await self._readable()
            except ssl.SSLWantWriteError:
                await self._writable()
            except BlockingIOError:  # a plain socket does not say for what
                await blocked()
            except ssl.SSLEOFError:
                raise _reset() from None

    async def _readable(self) -> None:
        await self._wait_to_read()

    async def _wait_to_read(self) -> bytes:
        """Wait until the socket is readable; return what it gave if `_receiving`."""
        waiter = self._waiter = self._loop.create_future()
        if not self._watched:
            # For good: the loop then need not be told for each exchange.
            self._loop.add_reader(self._descriptor, self._on_readable)
            self._watched = True
        try:
            return await self.deadline.wait(waiter)
        finally:
            self._waiter = None

    async def _writable(self) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_writer(self._descriptor, _set, waiter)
        try:
            await self.deadline.wait(waiter)
        finally:
            self._loop.remove_writer(self._descriptor)

    def _on_readable(self) -> None:
        waiter = self._waiter
        if waiter is None:
            if not self._resting:
                self._unwatch()  # until the next read
            elif self._has_arrived():  # and was not just read
                self.close()
        elif not waiter.done():
            self._wake(waiter)

    def _wake(self, waiter: asyncio.Future[bytes]) -> None:
        # Bytes are read here rather than by the coroutine: before that runs, the loop would look
        # at the socket once more and find it readable still.
        try:
            waiter.set_result(self._channel.recv(_RECORD) if self._receiving else b"")
        except (BlockingIOError, ssl.SSLWantReadError):
            pass  # half a record, or one of TLS's own
        except OSError as error:
            waiter.set_exception(error)

    def _unwatch(self) -> None:
        if self._watched:
            self._loop.remove_reader(self._descriptor)
            self._watched = False

    def _has_arrived(self) -> bool:
        if self._pending():
            return True
        try:
            # Of the socket and not of TLS, which would swallow half a record and say nothing.
            socket.socket.recv(self._socket, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True


def _reset() -> ConnectionResetError:
    return ConnectionResetError(ECONNRESET, os.strerror(ECONNRESET))


def _set(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
