"""All connections of a worker, on its event loop.

The loop accepts, shakes hands, reads until a request is complete, and writes, all without blocking
and with a deadline for each step. A request that waits for STS is a task, so that waiting takes no
thread. asyncio's own TLS transports are not used: each holds a buffer of 256 KiB
(docs/adr/0019-event-loop.md).

A connection stays registered while it is answered: the client has nothing to say then, and a
request costs no system call but its own poll, read and write.
"""

from __future__ import annotations

import asyncio
import errno
import heapq
import ssl
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from authenticator.serving.http.connection import (
    BODY_SECONDS,
    DRAIN_SECONDS,
    HEAD_SECONDS,
    IDLE_SECONDS,
    WRITE_SECONDS,
    Connection,
    State,
)
from authenticator.serving.http.requests import RefusedRequestError
from authenticator.serving.http.responses import Response, refusal
from authenticator.serving.reviews import log_fault

if TYPE_CHECKING:
    from gunicorn.config import Config

    from authenticator.serving.admission_peers import Peer
    from authenticator.serving.http.balance import WorkerBalance
    from authenticator.serving.http.connection import Listener
    from authenticator.serving.http.requests import Head, ReceivedRequest

# How often deadlines are looked at, and the balance of connections.
_SWEEP_SECONDS = 0.25
# How long a connection is left to a worker that has fewer; should it be stuck, we take it.
_LEAVE_SECONDS = 0.005
# How long a stopping worker keeps unused connections for a request that may be on its way.
_LINGER_SECONDS = 2.0
# What to give up at once when there are too many connections, as a part of the limit.
_SHED = 16
# How many of the connections above its share a worker gives up in each sweep, as a part of them.
_MOVE = 4
_WAIT = (BlockingIOError, ssl.SSLWantReadError)
_OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Gate(Protocol):
    """Knows who may ask what, and counts what is refused; a service is one."""

    def identify(self, certificate: bytes | None, path: str, address: str, /) -> Peer | None:
        """Return who asks an endpoint that is `authenticated`; None to refuse it."""
        ...

    def refused(self, status: int, /) -> None:
        """Count a request that reached no endpoint."""
        ...

    def untrusted_client(self) -> None:
        """Count a TLS handshake with a client certificate that is not accepted."""
        ...


class HttpServer:
    """The connections of one worker."""

    def __init__(
        self,
        listeners: list[Listener],
        config: Config,
        alive: Callable[[], bool],
        balance: WorkerBalance,
        gate: Gate,
    ) -> None:
        """Set up.

        Args:
            listeners: where connections come from.
            config: gunicorn's: `worker_connections`, and the limits of its parser.
            alive: whether to go on; asked at least every half second.
            balance: this worker's part of the connections.
            gate: told of what is refused, and asked who may ask what.
        """
        self._listeners = listeners
        self._config = config
        self._alive = alive
        self._balance = balance
        self._gate = gate
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._left: set[Listener] = set()
        self._to_move = 0
        self._stopping = False

    async def run(self, graceful_seconds: float) -> None:
        """Serve until `alive` is false; then answer what has begun, for `graceful_seconds`."""
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(_log_fault)
        self._changed = asyncio.Event()
        self._balance.set(0)
        for listener in self._listeners:
            self._listen(listener)
        while self._alive():
            self._sweep()
            await self._pause(_SWEEP_SECONDS)
        self._stop_accepting(time.monotonic() + graceful_seconds)
        end = time.monotonic() + graceful_seconds
        while self._connections and time.monotonic() < end:
            self._alive()
            self._sweep()
            await self._pause(_SWEEP_SECONDS)
        for connection in list(self._connections):
            self._close(connection)

    def wake(self) -> None:
        """Have `alive` asked now."""
        self._changed.set()

    async def _pause(self, seconds: float) -> None:
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)
        self._changed.clear()

    def _sweep(self) -> None:
        now = time.monotonic()
        for connection in [held for held in self._connections if held.deadline <= now]:
            self._close(connection)
        if not self._stopping:
            excess = self._balance.excess()
            self._to_move = -(-excess // _MOVE)

    def _stop_accepting(self, end: float) -> None:
        """Accept what the kernel has accepted for us and no more; let unused connections linger."""
        self._stopping = True
        self._balance.clear()
        for listener in self._listeners:
            self._loop.remove_reader(listener.sock)
            # Closing would reset them.
            while time.monotonic() < end and self._accept(listener):
                pass
            listener.sock.close()
        self._left.clear()
        soon = time.monotonic() + _LINGER_SECONDS
        for connection in self._connections:
            if connection.state is State.IDLE:
                connection.deadline = min(connection.deadline, soon)

    # Connections come and go.

    def _listen(self, listener: Listener) -> None:
        self._loop.add_reader(listener.sock, self._accept_or_leave, listener)

    def _accept_or_leave(self, listener: Listener) -> None:
        """Accept one connection, or leave it for a moment to a worker that has fewer."""
        if self._balance.is_lowest():
            self._accept(listener)
        else:
            self._loop.remove_reader(listener.sock)
            self._left.add(listener)
            self._loop.call_later(_LEAVE_SECONDS, self._accept_left, listener)

    def _accept_left(self, listener: Listener) -> None:
        """Accept what no other worker has accepted meanwhile, however many we have."""
        if listener in self._left:
            self._left.discard(listener)
            self._accept(listener)
            self._listen(listener)

    def _accept(self, listener: Listener) -> bool:
        """Accept one connection; False if there is none."""
        try:
            connection = listener.accept(self._config)
        except OSError as error:
            if error.errno in _OUT_OF_FILES:
                self._shed()
            return False
        if connection is None:
            return True
        full = len(self._connections) >= self._config.worker_connections
        if (self._is_full(listener) and not self._shed(listener)) or (full and not self._shed()):
            # All are being answered, of which there are never so many for long.
            connection.sock.close()
            return True
        self._connections.add(connection)
        self._count()
        self._loop.add_reader(connection.fd, self._advance, connection)
        return True

    def _is_full(self, listener: Listener) -> bool:
        if listener.most is None:
            return False
        return sum(held.listener is listener for held in self._connections) >= listener.most

    def _count(self) -> None:
        if not self._stopping:
            self._balance.set(len(self._connections))

    def _shed(self, listener: Listener | None = None) -> bool:
        """Give up some connections for newer ones: what is slow and unused before what is used.

        Args:
            listener: give up one of its connections alone, since it may have no more.

        Returns:
            False if there are none but those that are being answered.
        """
        idle = [
            held
            for held in self._connections
            if held.state is not State.ANSWERING and listener in (None, held.listener)
        ]
        count = 1 if listener else max(1, self._config.worker_connections // _SHED)
        for connection in heapq.nsmallest(count, idle, key=lambda held: held.patience):
            self._close(connection)
        return bool(idle)

    def _close(self, connection: Connection) -> None:
        if connection.state is State.CLOSED:
            return
        connection.state = State.CLOSED
        self._connections.discard(connection)
        self._count()
        self._loop.remove_reader(connection.fd)
        self._loop.remove_writer(connection.fd)
        with suppress(OSError):
            connection.sock.close()
        if self._stopping and not self._connections:
            self._changed.set()

    # What is done with a connection that is ready, by its state.

    def _advance(self, connection: Connection) -> None:
        if connection.state is State.ANSWERING:
            # More arrives, or the end: nothing to do before the answer is out.
            self._loop.remove_reader(connection.fd)
            connection.parked = True
            return
        step = _STEPS.get(connection.state)
        if step is None:
            return  # it was closed by what became ready together with it
        try:
            step(self, connection)
        except _WAIT:
            pass
        except ssl.SSLCertVerificationError:
            self._gate.untrusted_client()
            self._close(connection)
        except OSError:
            self._close(connection)

    def _shake_hands(self, connection: Connection) -> None:
        connection.shake_hands()
        connection.enter(State.IDLE, self._idle_seconds)
        # A client may have sent its request right behind.
        self._read(connection)

    def _read(self, connection: Connection) -> None:
        if connection.receive():
            self._take(connection)
        else:
            self._close(connection)

    def _take(self, connection: Connection) -> None:
        """Answer a request if one is complete."""
        reader = connection.reader
        was_in_body = reader.in_body
        try:
            request = reader.next()
            self._check_asker(connection, request.head if request else reader.unfinished)
            self._check_room(connection)
        except RefusedRequestError as error:
            self._gate.refused(error.status)
            connection.enter(State.ANSWERING, float("inf"))
            self._send(connection, refusal(error.status), keep=False)
            return
        if request is not None:
            connection.enter(State.ANSWERING, float("inf"))
            self._begin(connection, request)
        elif reader.in_body and not was_in_body:
            connection.enter(State.READING, BODY_SECONDS)
        elif connection.state is State.IDLE:
            connection.enter(State.READING, HEAD_SECONDS)

    def _check_asker(self, connection: Connection, head: Head | None) -> None:
        """Let only known API servers ask some endpoints, before a body is waited for.

        Raises:
            RefusedRequestError: this one is not known, or the port has no such endpoint.
        """
        if head is None or head.endpoint is None:
            return
        if connection.listener.tls is None and head.endpoint.large:
            raise RefusedRequestError(HTTPStatus.NOT_FOUND)
        if not head.endpoint.authenticated:
            return
        if connection.asker is None:
            connection.asker = self._gate.identify(
                connection.certificate, head.path, connection.peer[0]
            )
        if connection.asker is None:
            raise RefusedRequestError(HTTPStatus.UNAUTHORIZED)

    def _check_room(self, connection: Connection) -> None:
        """Let few connections have large requests in memory at once.

        Raises:
            RefusedRequestError: there are enough of them.
        """
        endpoint = connection.reader.large
        if endpoint is None or connection.large is not None:
            return
        shares = [other.share for other in self._connections if other.large is endpoint]
        if len(shares) >= endpoint.large or shares.count(connection.share) >= endpoint.large_each:
            # An API server asks again after this, and not after 503.
            raise RefusedRequestError(HTTPStatus.TOO_MANY_REQUESTS)
        connection.large = endpoint

    def _begin(self, connection: Connection, request: ReceivedRequest) -> None:
        """Answer now if nothing has to be waited for, and in a task otherwise."""
        try:
            response = connection.listener.begin(request, connection)
        except Exception as error:  # noqa: BLE001 (one request must not take the worker along)
            response = _fault(error)
        if isinstance(response, Response):
            self._respond(connection, request.head, response)
        else:
            task = self._loop.create_task(self._await(connection, request.head, response))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _await(
        self, connection: Connection, head: Head, response: Coroutine[Any, Any, Response]
    ) -> None:
        try:
            answer = await response
        except Exception as error:  # noqa: BLE001 (as above)
            answer = _fault(error)
        self._respond(connection, head, answer)

    def _respond(self, connection: Connection, head: Head, response: Response) -> None:
        keep = head.keep_alive and not self._stopping
        if keep and self._to_move:
            # The client learns of it with the answer, so that it loses no request, and its next
            # connection goes to a worker that has fewer.
            self._to_move -= 1
            keep = False
        self._send(connection, response, keep=keep)

    def _send(self, connection: Connection, response: Response, *, keep: bool) -> None:
        if connection.state is State.CLOSED:
            return  # as the worker stops
        try:
            done = connection.send(response.to_bytes(keep=keep), keep=keep)
        except OSError:
            self._close(connection)
            return
        if done:
            self._sent(connection)
            return
        connection.enter(State.WRITING, WRITE_SECONDS)
        self._loop.remove_reader(connection.fd)
        self._loop.add_writer(connection.fd, self._advance, connection)
        connection.parked = True

    def _write(self, connection: Connection) -> None:
        if connection.send_rest():
            self._loop.remove_writer(connection.fd)
            self._sent(connection)

    def _sent(self, connection: Connection) -> None:
        """Go on with a connection whose answer is out."""
        connection.large = None
        connection.asker = None  # what counts may be another certificate by the next request
        if not connection.keep:
            self._shut(connection)
            return
        connection.served = True
        connection.enter(State.IDLE, self._idle_seconds)
        self._watch(connection)
        if connection.reader.started:
            # Not from here: a client may have sent hundreds, each inside the one before.
            self._loop.call_soon(self._resume, connection)

    def _resume(self, connection: Connection) -> None:
        if connection.state is State.IDLE:
            self._take(connection)

    def _shut(self, connection: Connection) -> None:
        try:
            connection.shut()
        except OSError:
            self._close(connection)
            return
        connection.enter(State.DRAINING, DRAIN_SECONDS)
        self._watch(connection)

    def _drain(self, connection: Connection) -> None:
        if not connection.discard_input():
            self._close(connection)

    def _watch(self, connection: Connection) -> None:
        if connection.parked:
            connection.parked = False
            self._loop.add_reader(connection.fd, self._advance, connection)

    @property
    def _idle_seconds(self) -> float:
        return _LINGER_SECONDS if self._stopping else IDLE_SECONDS


def _fault(error: Exception) -> Response:
    log_fault("a response", error)
    return refusal(HTTPStatus.INTERNAL_SERVER_ERROR)


def _log_fault(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log a fault that no request was waiting for, without its message and values."""
    error = context.get("exception")
    if isinstance(error, Exception):
        log_fault("the event loop", error)


_STEPS: dict[State, Callable[[HttpServer, Connection], None]] = {
    State.HANDSHAKE: HttpServer._shake_hands,
    State.IDLE: HttpServer._read,
    State.READING: HttpServer._read,
    State.WRITING: HttpServer._write,
    State.DRAINING: HttpServer._drain,
}
