"""All connections of a worker: polled by one thread, answered by several.

The poller accepts, shakes hands, and reads until a request is complete, all without blocking and
with a deadline for each step. Only complete requests go to the threads that answer them, so that no
client can occupy a thread by being slow.

A connection stays registered with the poller while it is answered: the client has nothing to say
then, and a request costs no system call but its own poll, read and write.
"""

from __future__ import annotations

import errno
import heapq
import os
import selectors
import ssl
import time
from collections import deque
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from authenticator.serving.app import MAX_BODY_BYTES
from authenticator.serving.connection import (
    BODY_SECONDS,
    DRAIN_SECONDS,
    HEAD_SECONDS,
    IDLE_SECONDS,
    WRITE_SECONDS,
    Connection,
    Listener,
    State,
)
from authenticator.serving.crew import Crew
from authenticator.serving.framing import RefusedRequestError
from authenticator.serving.responding import Response, refusal
from authenticator.serving.reviews import log_fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from gunicorn.config import Config

    from authenticator.serving.framing import ReceivedRequest
    from authenticator.serving.sharing import Share

    _Waiting = tuple[Connection, Callable[[], Response]]

T = TypeVar("T")

# How often deadlines are looked at.
_SWEEP_SECONDS = 0.5
# How long a connection is left to a worker that has fewer; should it be stuck, we take it.
_LEAVE_SECONDS = 0.005
# How long a stopping worker keeps unused connections for a request that may be on its way.
_LINGER_SECONDS = 2.0
# What to give up at once when there are too many connections, as a part of the limit.
_SHED = 16
# How many connections may have a large request at once: their bodies are all in memory.
_LARGE = 2
_WAIT = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Loop:
    """The connections of one worker."""

    def __init__(
        self,
        listeners: list[Listener],
        config: Config,
        wake: tuple[int, int],
        alive: Callable[[], bool],
        share: Share,
    ) -> None:
        """Set up.

        Args:
            listeners: where connections come from.
            config: gunicorn's: `threads`, `worker_connections`, and the limits of its parser.
            wake: the ends of a non-blocking pipe, to which a byte is written when `alive` changes.
            alive: whether to go on; asked at least every half second.
            share: this worker's share of the connections.
        """
        self._listeners = listeners
        self._config = config
        self._wake = wake
        self._alive = alive
        self._share = share
        self._left: list[Listener] = []
        self._left_until = 0.0
        self._stopping = False
        self._poller = selectors.DefaultSelector()
        self._connections: set[Connection] = set()
        self._crew: Crew[_Waiting] = Crew(config.threads, self._answer)
        self._deferred: deque[Callable[[], None]] = deque()
        self._swept = 0.0
        self._going_on = True

    def run(self, graceful_seconds: float) -> None:
        """Serve until `alive` is false; then answer what has begun, for `graceful_seconds`."""
        self._crew.start()
        self._poller.register(self._wake[0], selectors.EVENT_READ, self._run_deferred)
        self._share.have(0)
        for listener in self._listeners:
            self._listen(listener)
        while self._going_on:
            self._turn()
        self._stop(time.monotonic() + graceful_seconds)
        self._crew.stop()

    @property
    def waiting(self) -> int:
        """How many requests wait for a thread."""
        return self._crew.waiting

    @property
    def stopping(self) -> bool:
        """Whether answers should end their connections."""
        return self._stopping

    def _stop(self, end: float) -> None:
        """Answer what has begun, and what is on its way on connections that are kept alive."""
        self._stopping = True
        self._share.leave()
        for listener in self._listeners:
            if listener not in self._left:
                self._poller.unregister(listener.sock)
            # What the kernel has accepted for us would be reset by closing.
            while time.monotonic() < end and self._accept(listener):
                pass
            listener.sock.close()
        self._left.clear()
        soon = time.monotonic() + _LINGER_SECONDS
        for connection in self._connections:
            if connection.state is State.IDLE:
                connection.deadline = min(connection.deadline, soon)
        while self._connections and time.monotonic() < end:
            self._turn()

    def _turn(self) -> None:
        """Wait for something to happen, and deal with it."""
        for key, _ in self._poller.select(_LEAVE_SECONDS if self._left else _SWEEP_SECONDS):
            key.data()
        now = time.monotonic()
        if self._left and now >= self._left_until:
            self._take_left()
        if now - self._swept >= _SWEEP_SECONDS:
            self._swept = now
            self._going_on = self._alive()
            for connection in [found for found in self._connections if found.deadline <= now]:
                self._close(connection)

    # Connections come and go.

    def _listen(self, listener: Listener) -> None:
        ready = partial(self._take_or_leave, listener)
        self._poller.register(listener.sock, selectors.EVENT_READ, ready)

    def _take_or_leave(self, listener: Listener) -> None:
        """Take one connection, or leave it for a moment to a worker that has fewer."""
        if self._share.is_least():
            self._accept(listener)
        else:
            self._poller.unregister(listener.sock)
            self._left.append(listener)
            self._left_until = time.monotonic() + _LEAVE_SECONDS

    def _take_left(self) -> None:
        """Take what no other worker has taken meanwhile, however many we have."""
        for listener in self._left:
            self._accept(listener)
            self._listen(listener)
        self._left.clear()

    def _accept(self, listener: Listener) -> bool:
        """Take one connection; False if there is none."""
        try:
            connection = listener.accept(self._config)
        except OSError as error:
            if error.errno in _OUT_OF_FILES:
                self._shed()
            return False
        if connection is None:
            return True
        if len(self._connections) >= self._config.worker_connections:
            self._shed()
        self._connections.add(connection)
        self._count()
        advance = partial(self._advance, connection)
        self._poller.register(connection.sock, selectors.EVENT_READ, advance)
        return True

    def _count(self) -> None:
        if not self._stopping:
            self._share.have(len(self._connections))

    def _shed(self) -> None:
        """Give up some connections for newer ones: what is slow and unused before what is used."""
        idle = [found for found in self._connections if found.state is not State.ANSWERING]
        count = max(1, self._config.worker_connections // _SHED)
        for connection in heapq.nsmallest(count, idle, key=lambda found: found.patience):
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        if connection.state is State.CLOSED:
            return
        connection.state = State.CLOSED
        self._connections.discard(connection)
        self._count()
        if not connection.parked:
            self._poller.unregister(connection.sock)
        with suppress(OSError):
            connection.sock.close()

    # What the poller does with a connection that is ready, by its state.

    def _advance(self, connection: Connection) -> None:
        with connection.lock:
            if connection.state is State.ANSWERING:
                # More arrives, or the end: nothing to do before the answer is out.
                self._poller.unregister(connection.sock)
                connection.parked = True
                return
            step = _STEPS.get(connection.state)
        if step is None:
            return  # it was closed by what became ready together with it
        try:
            step(self, connection)
        except _WAIT:
            pass
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
        """Hand over a request if one is complete."""
        reader = connection.reader
        was_in_body = reader.in_body
        try:
            request = reader.next()
            self._check_room(connection)
        except RefusedRequestError as error:
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

    def _check_room(self, connection: Connection) -> None:
        """Let few connections have large requests at once.

        Raises:
            RefusedRequestError: there are enough of them.
        """
        if connection.large or connection.reader.awaits <= MAX_BODY_BYTES:
            return
        if sum(other.large for other in self._connections) >= _LARGE:
            raise RefusedRequestError(HTTPStatus.SERVICE_UNAVAILABLE)
        connection.large = True

    def _begin(self, connection: Connection, request: ReceivedRequest) -> None:
        """Answer now if nothing has to be waited for; have a thread do it otherwise."""
        response = _guarded(partial(connection.listener.begin, request, connection))
        if isinstance(response, Response):
            self._send(connection, response.data, keep=response.keep)
        else:
            self._crew.hand((connection, response))

    def _write(self, connection: Connection) -> None:
        if connection.send_rest():
            self._watch(connection, selectors.EVENT_READ)
            self._sent(connection)

    def _drain(self, connection: Connection) -> None:
        if not connection.discard_input():
            self._close(connection)

    @property
    def _idle_seconds(self) -> float:
        return _LINGER_SECONDS if self._stopping else IDLE_SECONDS

    # What the threads do: each owns the connection that it answers.

    def _answer(self, waiting: _Waiting) -> None:
        connection, finish = waiting
        response = _guarded(finish)
        self._send(connection, response.data, keep=response.keep)

    def _send(self, connection: Connection, data: bytes, *, keep: bool) -> None:
        try:
            done = connection.send(data, keep=keep)
        except OSError:
            self._defer(partial(self._close, connection))
            return
        if done:
            self._sent(connection)
        else:
            self._defer(partial(self._go_on_writing, connection))

    def _sent(self, connection: Connection) -> None:
        """Give a connection back to the poller, which hears of it only if there is more to do."""
        connection.large = False
        if not connection.keep:
            self._defer(partial(self._shut, connection))
            return
        connection.served = True
        with connection.lock:
            more = connection.parked or connection.reader.started
            connection.enter(State.IDLE, self._idle_seconds)
        if more:
            self._defer(partial(self._resume, connection))

    def _defer(self, callback: Callable[[], None]) -> None:
        """Have the poller call `callback`."""
        self._deferred.append(callback)
        with suppress(BlockingIOError):  # a full pipe wakes it as well
            os.write(self._wake[1], b"\0")

    # What the poller does for them.

    def _run_deferred(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._wake[0], 4096)
        self._going_on = self._alive()
        while self._deferred:
            self._deferred.popleft()()

    def _resume(self, connection: Connection) -> None:
        if connection.state is State.IDLE:
            self._watch(connection, selectors.EVENT_READ)
            if connection.reader.started:
                self._take(connection)

    def _go_on_writing(self, connection: Connection) -> None:
        if connection.state is not State.CLOSED:
            connection.enter(State.WRITING, WRITE_SECONDS)
            self._watch(connection, selectors.EVENT_WRITE)

    def _shut(self, connection: Connection) -> None:
        if connection.state is State.CLOSED:
            return
        try:
            connection.shut()
        except OSError:
            self._close(connection)
            return
        connection.enter(State.DRAINING, DRAIN_SECONDS)
        self._watch(connection, selectors.EVENT_READ)

    def _watch(self, connection: Connection, events: int) -> None:
        """Have the poller tell of `events`, and nothing else, on a connection."""
        if connection.parked:
            connection.parked = False
            self._poller.register(connection.sock, events, partial(self._advance, connection))
        elif self._poller.get_key(connection.sock).events != events:
            self._poller.modify(connection.sock, events, partial(self._advance, connection))


def _guarded(step: Callable[[], T]) -> T | Response:
    try:
        return step()
    except Exception as error:  # noqa: BLE001 (one request must not take the worker along)
        log_fault("a response", error)
        return Response(refusal(HTTPStatus.INTERNAL_SERVER_ERROR), keep=False)


_STEPS: dict[State, Callable[[Loop, Connection], None]] = {
    State.HANDSHAKE: Loop._shake_hands,
    State.IDLE: Loop._read,
    State.READING: Loop._read,
    State.WRITING: Loop._write,
    State.DRAINING: Loop._drain,
}
