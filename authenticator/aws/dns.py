"""Look-ups of host names that never block the event loop and never outlast a deadline.

The C library's resolver takes no time-out: with three name servers that swallow packets, one call
of `getaddrinfo` takes most of a minute. So look-ups run in separate threads, and a caller stops
waiting at its deadline while the look-up goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from authenticator.aws.deadline import Deadline

# (family, address) as `socket.socket.connect` takes it.
Address = tuple[int, tuple[Any, ...]]
LooksUp = Callable[[str, int], Sequence[Address]]

# STS's records have a TTL of a minute; getaddrinfo does not tell it.
_FRESH_SECONDS = 30.0
# For how long addresses are used that cannot be looked up again.
_USABLE_SECONDS = 3600.0
# How long a look-up may take before the last good addresses are used in its place.
_PATIENCE_SECONDS = 0.3
_MAX_THREADS = 8


def look_up(host: str, port: int) -> Sequence[Address]:
    """Return the addresses of `host`, in the order of RFC 6724; blocks.

    Raises:
        OSError: it has none, or the resolver failed.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


@dataclass(slots=True)
class _Known:
    addresses: Sequence[Address]
    since: float


@dataclass(slots=True)
class _LookUp:
    started: float
    waiting: list[asyncio.Future[Sequence[Address]]] = field(default_factory=list)


class Resolver:
    """Resolves the names of a bounded set of hosts, on one event loop.

    There is one look-up per host at a time, shared by all callers. The last good addresses of a
    host are kept for an hour, and used when a look-up fails or is slow. That is safe: an address
    only decides where to connect, and TLS then verifies that the peer is the host. An address
    that changed hands costs a failed connection.

    Make it before the fork or after it: threads start with the first look-up.

    Args:
        look_up: finds a host's addresses, in a thread; raises OSError.
    """

    def __init__(self, look_up: LooksUp = look_up) -> None:
        self._look_up = look_up
        self._known: dict[tuple[str, int], _Known] = {}
        self._running: dict[tuple[str, int], _LookUp] = {}
        self._lock = threading.Lock()
        self._queue: deque[tuple[str, int]] = deque()
        self._threads = 0

    async def addresses(self, host: str, port: int, deadline: Deadline) -> Sequence[Address]:
        """Return the addresses to connect to, the preferred one first.

        Raises:
            TimeoutError: the deadline passed first.
            OSError: the look-up failed, and no earlier one's addresses can be used.
        """
        loop = asyncio.get_running_loop()
        key = (host, port)
        known, age = self._known.get(key), 0.0
        if known is not None:
            age = loop.time() - known.since
            if age < _FRESH_SECONDS:
                return known.addresses
        if known is None or age > _USABLE_SECONDS:
            return await self._wait(self._running.get(key) or self._start(key, loop), deadline)
        try:
            running = self._running.get(key) or self._start(key, loop)
            patience = running.started + _PATIENCE_SECONDS - loop.time()
            with Deadline(min(patience, deadline.remaining)) as limit:
                return await self._wait(running, limit)
        except OSError:  # or TimeoutError, which is one
            return known.addresses

    def doubt(self, host: str, port: int) -> None:
        """Look the host up again next time: none of its addresses could be connected to."""
        known = self._known.get((host, port))
        if known is not None:
            known.since = min(known.since, asyncio.get_running_loop().time() - _FRESH_SECONDS)

    async def _wait(self, running: _LookUp, deadline: Deadline) -> Sequence[Address]:
        future: asyncio.Future[Sequence[Address]]
        future = asyncio.get_running_loop().create_future()
        running.waiting.append(future)
        return await deadline.wait(future)

    def _start(self, key: tuple[str, int], loop: asyncio.AbstractEventLoop) -> _LookUp:
        running = self._running[key] = _LookUp(loop.time())
        with self._lock:
            self._queue.append(key)
            if self._threads == _MAX_THREADS:
                return running
            self._threads += 1
        # A daemon, so that a look-up that hangs does not keep the process alive.
        thread = threading.Thread(target=self._work, args=(loop,), name="dns", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._leave_to_others(key, error)
        return running

    def _leave_to_others(self, key: tuple[str, int], error: RuntimeError) -> None:
        """Leave a look-up to the threads that run; without any, forget it.

        Raises:
            OSError: there are no other threads.
        """
        with self._lock:
            self._threads -= 1
            if self._threads:
                return
            self._queue.remove(key)
            del self._running[key]
        raise OSError(errno.EAGAIN, "this host lets no further thread start") from error

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        while True:
            with self._lock:
                if not self._queue:
                    self._threads -= 1
                    return
                key = self._queue.popleft()
            found: Sequence[Address] | OSError
            try:
                found = self._look_up(*key)
            except OSError as error:
                found = error
            except UnicodeError:  # a label that is empty or too long
                found = OSError(0, "it is not a host name")
            with contextlib.suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(self._finish, key, found)

    def _finish(self, key: tuple[str, int], found: Sequence[Address] | OSError) -> None:
        running = self._running.pop(key)
        if not isinstance(found, OSError):
            self._known[key] = _Known(found, asyncio.get_running_loop().time())
        for future in running.waiting:
            if future.done():
                continue
            if isinstance(found, OSError):
                future.set_exception(found)
            else:
                future.set_result(found)
