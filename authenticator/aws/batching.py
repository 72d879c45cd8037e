"""Joins lookups of single keys into few calls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from itertools import islice
from typing import Generic, TypeVar

from authenticator.rate import Bucket

Value = TypeVar("Value")


class Turns:
    """A rate limit with a burst. Safe to use from several threads."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float]) -> None:
        """Begin with a full burst.

        Args:
            rate: calls a second.
            burst: calls that may come at once.
            clock: seconds that never go back.
        """
        self._bucket = Bucket(rate, burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._free = float(burst)
        self._at = clock()

    def reserve(self) -> float:
        """Take the next place; gives the seconds until its turn comes."""
        with self._lock:
            now = self._clock()
            left = self._bucket.level(self._free, self._at, now)
            self._free = left - 1
            self._at = now
            return self._bucket.wait(left)


class Batcher(Generic[Value]):
    """Looks up many keys in few calls.

    A key is in one call at a time, however many ask for it. While a call is under way, or its turn
    has not come, those who ask meanwhile are gathered into the next one.
    """

    def __init__(
        self,
        fetch: Callable[[tuple[str, ...]], Mapping[str, Value]],
        turns: Turns,
        *,
        size: int,
        callers: int,
    ) -> None:
        """Prepare; threads are started by the first lookup.

        Args:
            fetch: looks up several keys; those without a value are left out of its answer. What it
                raises goes to all who asked for one of the keys.
            turns: the limit on calls.
            size: keys in a call, at most.
            callers: calls at a time, so that one that hangs does not hold up all others.
        """
        self._fetch = fetch
        self._turns = turns
        self._size = size
        self._callers = callers
        self._changed = threading.Condition()
        self._gathering = threading.Lock()
        self._waiting: dict[str, Future[Value | None]] = {}
        self._under_way: dict[str, Future[Value | None]] = {}
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()

    async def get(self, key: str, timeout: float) -> Value | None:
        """Return the value of `key`; None if it has none. Waiting takes no thread.

        Raises:
            TimeoutError: there was no answer within `timeout` seconds.
            Exception: whatever `fetch` raised.
        """
        answer = asyncio.wrap_future(self.ask(key))
        # Seen, should it come too late: an error that is not looked at is logged.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        # Not wait_for(), which cancels what others wait for as well.
        await asyncio.wait((answer,), timeout=timeout)
        if not answer.done():
            raise TimeoutError
        return answer.result()

    def ask(self, key: str) -> Future[Value | None]:
        """Return the future value of `key`, shared by everyone who asks before it is set."""
        with self._changed:
            future = self._waiting.get(key) or self._under_way.get(key)
            if future is None:
                future = self._waiting[key] = Future()
                self._changed.notify()
            self._start()
        return future

    def stop(self) -> None:
        """End the threads after the call that each is making."""
        with self._changed:
            self._stop.set()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _start(self) -> None:
        while len(self._threads) < self._callers:
            thread = threading.Thread(target=self._run, name="batch", daemon=True)
            # Where the host lets no thread start, the key waits for the next one that is asked for.
            thread.start()
            self._threads.append(thread)

    def _run(self) -> None:
        while True:
            # One thread at a time gathers, so that no turn is spent on an empty batch.
            with self._gathering:
                batch = self._next_batch()
            if self._stop.is_set():
                return
            self._call(batch)

    def _next_batch(self) -> dict[str, Future[Value | None]]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stop.is_set())
        self._stop.wait(self._turns.reserve())
        with self._changed:
            keys = list(islice(self._waiting, self._size))
            batch = {key: self._waiting.pop(key) for key in keys}
            self._under_way |= batch
        return batch

    def _call(self, batch: Mapping[str, Future[Value | None]]) -> None:
        found: Mapping[str, Value] = {}
        failure: Exception | None = None
        try:
            found = self._fetch(tuple(batch))
        except Exception as error:  # noqa: BLE001 (it is raised again where the key was asked for)
            failure = error
        with self._changed:
            for key in batch:
                del self._under_way[key]
        for key, future in batch.items():
            if failure is None:
                future.set_result(found.get(key))
            else:
                future.set_exception(failure)
