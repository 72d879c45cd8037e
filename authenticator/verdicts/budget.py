"""The budget of STS calls, shared by the workers of one host.

STS allows 600 calls/s for each signer account and Region, shared with everything else there. The
budget keeps a flood of tokens, which anyone on the internet can send through an API server, from
using that up. Access keys that have logged in lately have a part of it to themselves: strangers may
take only what is above the reserve, so that a stranger waits before somebody who is known does.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum

from authenticator.atomic import alone_among_forks
from authenticator.rate import Bucket

# calls left (fewer than none: so many are promised), how many of the promised are strangers', and
# when that was so
_STATE = struct.Struct("<ddd")


class Standing(str, Enum):
    """Who asks; the values are those of a metric's label."""

    KNOWN = "known"
    STRANGER = "stranger"
    # Known, and beyond what one access key may have: treated as a stranger.
    BUSY = "key"


class Budget:
    """A token bucket in shared memory.

    Args:
        rate: calls a second.
        clock: seconds that never fall and are the same in every worker (`time.monotonic`).
    """

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self.rate = rate
        self.reserve = rate / 4
        # However low the rate, there is at times a call for a stranger.
        self.burst = max(rate, self.reserve + 1)
        self._bucket = Bucket(rate, self.burst)
        self._clock = clock
        self._file = os.memfd_create("budget")
        weakref.finalize(self, os.close, self._file)
        os.truncate(self._file, _STATE.size)
        self._memory = mmap.mmap(self._file, _STATE.size)
        self._memory[:] = _STATE.pack(self.burst, 0.0, clock())
        self._lock = threading.Lock()

    def take(self, standing: Standing, patience: float = 0.0) -> float:
        """Take one call, if there is one now or will be within `patience` seconds.

        A call that is promised is waited for once, in the order of asking: callers who would look
        again and again would all wake for each call, and some would find none for long.

        Returns:
            the seconds until the call may be made. If they are more than `patience`, there is none.
        """
        with self._lock, alone_among_forks(self._file):
            left, promised, since = _STATE.unpack(self._memory)
            now = self._clock()
            left = self._bucket.level(left, since, now)
            promised = max(0.0, promised - self._bucket.added(since, now))
            known = standing is Standing.KNOWN
            wait = self._bucket.wait(left, 1.0 if known else self.reserve + 1)
            if known and left + promised >= 1:
                # A call is there, and what strangers still wait for is refilled until then.
                wait = 0.0
            if wait <= patience:
                left -= 1
                promised += wait > 0 and not known
            self._memory[:] = _STATE.pack(left, promised, now)
        return wait


class KeyLimit:
    """How often one access key may have what is reserved; each worker counts for itself.

    Args:
        rate: reviews a second for one key, which may also come at once.
        clock: seconds that never fall.
    """

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._bucket = Bucket(rate, burst=rate)
        self._clock = clock
        self._lock = threading.Lock()
        # Calls left and when, by key; the one that was seen longest ago first.
        self._keys: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, access_key_id: str) -> bool:
        """Take one of a key's; False if it has none left."""
        with self._lock:
            now = self._clock()
            self._forget_refilled(now)
            left, since = self._keys.get(access_key_id, (self._bucket.burst, now))
            left = self._bucket.level(left, since, now)
            taken = left >= 1
            self._keys[access_key_id] = (left - 1 if taken else left, now)
            self._keys.move_to_end(access_key_id)
        return taken

    def _forget_refilled(self, now: float) -> None:
        """Forget the keys that have all of theirs again, as one has that was never seen.

        Kept, they would be many. A large dict is copied whole each time its keys have changed for a
        while, and every thread that happened to do that would keep the space in its malloc arena.
        """
        while self._keys:
            _, since = next(iter(self._keys.values()))
            if now - since < self._bucket.refill_seconds:
                return
            self._keys.popitem(last=False)


class InFlight:
    """How many reviews strangers may have waiting for STS at once in this worker.

    Args:
        strangers: the most; the rest of the worker's threads are for those who are known.
    """

    def __init__(self, strangers: int) -> None:
        self._strangers = threading.Semaphore(strangers)

    def enter(self, standing: Standing) -> bool:
        """Take a place; False if there is none. Who entered must `leave`."""
        return standing is Standing.KNOWN or self._strangers.acquire(blocking=False)

    def leave(self, standing: Standing) -> None:
        """Give the place back."""
        if standing is not Standing.KNOWN:
            self._strangers.release()
