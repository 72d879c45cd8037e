"""Clients' connections and the listeners that accept them."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from authenticator.serving.http.requests import RequestReader

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from gunicorn.config import Config

    from authenticator.serving.admission_peers import Peer
    from authenticator.serving.endpoints import Endpoint
    from authenticator.serving.http.requests import ReceivedRequest
    from authenticator.serving.http.responses import Response

# A client that works needs milliseconds for each of these.
HANDSHAKE_SECONDS = 5.0
HEAD_SECONDS = 5.0
BODY_SECONDS = 5.0
WRITE_SECONDS = 5.0
# Longer than the 90 s for which the API server keeps a connection that it does not use: were we the
# first to close one, a review that is on its way would be lost, and with it a login.
IDLE_SECONDS = 120.0
# For the client to read the last answer and close (RFC 9112 section 9.6).
DRAIN_SECONDS = 2.0
# The kernel resets the connections of a killed worker (SO_LINGER, socket(7)). An API server retries
# after a reset, but refuses the login after an end of stream without an answer.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_IN_ORDER = struct.pack("ii", 0, 0)  # SO_LINGER off, which is the default (socket(7))
_READ = 16 * 1024
# Of TLS that brings no part of a request: more than a handshake and a record of the largest size.
_MOST_OVERHEAD = 2 * _READ


class State(Enum):
    """What a connection is doing."""

    HANDSHAKE = auto()
    IDLE = auto()
    READING = auto()
    ANSWERING = auto()
    WRITING = auto()
    DRAINING = auto()
    CLOSED = auto()


# Which connections to give up first when there are too many: those that have shown least.
_PATIENCE = {State.HANDSHAKE: 0, State.READING: 1, State.WRITING: 1, State.DRAINING: 1}


class Connection:
    """A connection and where it stands.

    Attributes:
        sock: non-blocking; what is read from and written to it is TLS if `tls` is set.
        tls: None on a plain port.
        fd: its file descriptor.
        listener: where it came from.
        peer, local: the addresses of its two ends.
        state: what it is doing.
        deadline: by `time.monotonic()`, when it is given up in this state.
        served: whether it has had an answer already.
        keep: whether it goes on after the answer that is being written.
        large: the endpoint of whose places for large bodies it has one.
        asker: who asks the request at hand, if its endpoint wants to know.
        reader: what has arrived on it.
        parked: the event loop does not watch it.
    """

    __slots__ = (
        "_encrypted",
        "_outgoing",
        "_overhead",
        "_pending",
        "asker",
        "deadline",
        "fd",
        "keep",
        "large",
        "listener",
        "local",
        "parked",
        "peer",
        "reader",
        "served",
        "sock",
        "state",
        "tls",
    )

    def __init__(
        self,
        sock: socket.socket,
        peer: tuple[str, int],
        local: tuple[str, int],
        config: Config,
        listener: Listener,
    ) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.listener = listener
        self.peer = peer
        self.local = local
        self.reader = RequestReader(config)
        # OpenSSL gets what one read has brought. Reading from the socket itself, it would go on for
        # as long as a client sends what is no request, and keep the event loop (KeyUpdate messages,
        # RFC 8446 section 4.6.3).
        self._encrypted, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls: ssl.SSLObject | None = None
        if listener.tls:
            context = listener.tls()
            self.tls = context.wrap_bio(self._encrypted, self._outgoing, server_side=True)
        self._overhead = 0
        self.state = State.HANDSHAKE if listener.tls else State.READING
        self.deadline = time.monotonic() + HANDSHAKE_SECONDS
        self.served = False
        self.parked = False
        self.keep = True
        self.large: Endpoint | None = None
        self.asker: Peer | None = None
        self._pending = memoryview(b"")

    def enter(self, state: State, seconds: float) -> None:
        """Go to `state`, and be given up after `seconds` in it."""
        self.state = state
        self.deadline = time.monotonic() + seconds

    @property
    def patience(self) -> tuple[int, float]:
        """A key that sorts first what should be given up first: unused, then longest unused."""
        return _PATIENCE.get(self.state, 3 if self.served else 2), self.deadline

    def shake_hands(self) -> None:
        """Go on with the TLS handshake, and return when it is done.

        A server's part of it fits into any socket's buffer, so only reading can have to wait.

        Raises:
            ssl.SSLWantReadError: the client has to say more.
            ssl.SSLCertVerificationError: its certificate is not one that is accepted.
            OSError: the connection broke.
        """
        if self.tls is None:
            return
        if not self._fill():
            raise ConnectionResetError
        try:
            self.tls.do_handshake()
        except ssl.SSLCertVerificationError:
            # In order, so that the alert which says so reaches the client.
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _IN_ORDER)
            raise
        finally:
            self._flush()

    @property
    def certificate(self) -> bytes | None:
        """The client certificate (DER) of the TLS session; None if there is none."""
        return self.tls.getpeercert(True) if self.tls else None

    @property
    def share(self) -> str:
        """Whose places it uses."""
        return self.asker.share if self.asker else self.peer[0]

    def receive(self) -> bool:
        """Read what has arrived; False if the client has closed.

        Raises:
            BlockingIOError, ssl.SSLWantReadError: nothing has.
            OSError: the connection broke.
        """
        if self.tls is None:
            data = self.sock.recv(_READ)
            self.reader.feed(data)
            return bool(data)
        # A handshake's last read may have brought a request along.
        if not self._encrypted.pending and not self._fill():
            return False
        received = False
        try:
            while self._encrypted.pending or self.tls.pending():
                data = self.tls.read(_READ)
                if not data:
                    return received
                self.reader.feed(data)
                received = True
                self._overhead = 0
        except ssl.SSLWantReadError:
            pass
        finally:
            self._flush()
        if not received:
            raise ssl.SSLWantReadError
        return True

    def _fill(self) -> bool:
        """Hand what has arrived to OpenSSL; False if the client has closed.

        Raises:
            BlockingIOError: nothing has.
            ConnectionError: too much had that brought no part of a request.
            OSError: the connection broke.
        """
        if self._overhead > _MOST_OVERHEAD:
            raise ConnectionAbortedError
        data = self.sock.recv(_READ)
        self._encrypted.write(data)
        self._overhead += len(data)
        return bool(data)

    def _flush(self) -> None:
        """Send what OpenSSL has to say, which fits into the socket's buffer if the client reads.

        Raises:
            OSError: it does not fit, or the connection broke.
        """
        data = self._outgoing.read()
        if not data:
            return
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            raise ConnectionAbortedError

    def send(self, data: bytes, *, keep: bool) -> bool:
        """Begin a response; True if all of it is on its way. `keep`: the connection goes on."""
        self.keep = keep
        if self.tls is not None:
            left = memoryview(data)
            while left:
                left = left[self.tls.write(left) :]
            data = self._outgoing.read()
        self._pending = memoryview(data)
        return self.send_rest()

    def send_rest(self) -> bool:
        """Go on with the response; True if all of it is on its way.

        Raises:
            OSError: the connection broke.
        """
        try:
            while self._pending:
                self._pending = self._pending[self.sock.send(self._pending) :]
        except BlockingIOError:
            return False
        return True

    def shut(self) -> None:
        """Say that nothing more comes from us; the client may still be sending.

        Raises:
            OSError: the connection broke.
        """
        if self.tls is not None:
            # It sends our close_notify, and would then wait for the client's.
            with suppress(OSError, ValueError):
                self.tls.unwrap()
            self._flush()
        # In order from here on: closing must not take back what is still on its way.
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _IN_ORDER)
        self.sock.shutdown(socket.SHUT_WR)

    def discard_input(self) -> bool:
        """Throw away what the client still sends; False if it has closed.

        Raises:
            BlockingIOError: nothing has arrived.
            OSError: the connection broke.
        """
        return bool(self.sock.recv(64 * 1024))


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket.

    Attributes:
        sock: non-blocking.
        tls: gives what to shake hands with at the time; None for a plain port.
        begin: answers a request at once, or returns what has to be awaited.
        most: how many connections it may have in one worker; None for what there is room for.
    """

    sock: socket.socket
    tls: Callable[[], ssl.SSLContext] | None
    begin: Callable[[ReceivedRequest, Connection], Response | Coroutine[Any, Any, Response]]
    most: int | None = None

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
        except OSError:
            sock.close()
            return None
        # A socket of both families shows an IPv4 client as ::ffff:192.0.2.1 (RFC 4291, 2.5.5.2).
        host = peer[0].removeprefix("::ffff:") if "." in peer[0] else peer[0]
        return Connection(sock, (host, peer[1]), self.sock.getsockname()[:2], config, self)
