"""The budget of STS calls, shared by the workers of one host.

STS allows 600 calls/s for each signer account and Region, shared with everything else there. The
budget keeps a flood of tokens, which anyone on the internet can send through an API server, from
using that up. Each standing may use the bucket down to a level of its own, so that a higher one
finds a call where a lower one has to wait (docs/adr/0006-budget.md).
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
import weakref
from collections.abc import Callable
from enum import Enum

from authenticator.atomic import alone_among_forks
from authenticator.rate import Bucket


class Standing(str, Enum):
    """What is known of a review's caller before STS is asked; a label of the metrics.

    The order is that of precedence.
    """

    # STS proved this very request before, and it is asked again.
    PROVEN = "proven"
    # The access key has logged in lately.
    KNOWN = "known"
    # The key's id names an account that a mapping names. A hint only: ids can be made up.
    ACCOUNT = "account"
    STRANGER = "stranger"
    # Known, and beyond what its key, session or principal may have: treated as a stranger.
    BUSY = "key"

    @property
    def is_stranger(self) -> bool:
        """Whether this may be anybody at all."""
        return self in _STRANGERS


_STRANGERS = frozenset({Standing.ACCOUNT, Standing.STRANGER, Standing.BUSY})
# What each standing leaves to the higher ones, as a part of the calls of one second.
_LEAVES = {
    Standing.PROVEN: 0.0,
    Standing.KNOWN: 1 / 16,
    Standing.ACCOUNT: 3 / 16,
    Standing.STRANGER: 1 / 4,
    Standing.BUSY: 1 / 4,
}
_LEVELS = sorted(set(_LEAVES.values()))
# Calls left (fewer than none: so many are promised), when that was so, and how many calls are
# promised to each level.
_STATE = struct.Struct(f"<dd{len(_LEVELS)}d")


class Budget:
    """A token bucket in shared memory.

    Args:
        rate: calls a second.
        clock: seconds that never fall and are the same in every worker (`authenticator.elapsed`).
    """

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self.rate = rate
        # However low the rate, there is at times a call for a stranger.
        self.burst = max(rate, rate * _LEVELS[-1] + 1)
        self._bucket = Bucket(rate, self.burst)
        self._clock = clock
        self._file = os.memfd_create("budget")
        weakref.finalize(self, os.close, self._file)
        os.truncate(self._file, _STATE.size)
        self._memory = mmap.mmap(self._file, _STATE.size)
        self._memory[:] = _STATE.pack(self.burst, clock(), *(0.0 for _ in _LEVELS))
        self._lock = threading.Lock()

    def take(self, standing: Standing, patience: float = 0.0) -> float:
        """Take one call, if there is one now or will be within `patience` seconds.

        A call that is promised is waited for once, in the order of asking: callers who would look
        again and again would all wake for each call, and some would find none for long.

        Returns:
            the seconds until the call may be made. If they are more than `patience`, there is none.
        """
        with self._lock, alone_among_forks(self._file):
            left, since, *promised = _STATE.unpack(self._memory)
            now = self._clock()
            left = self._bucket.level(left, since, now)
            # Whose promise was kept meanwhile is not recorded; to count too few is safe.
            kept = self._bucket.added(since, now)
            promised = [max(0.0, calls - kept) for calls in promised]
            wait = self._wait(standing, left, promised)
            if wait <= patience:
                left -= 1
                if wait > 0:
                    promised[_LEVELS.index(_LEAVES[standing])] += 1
            self._memory[:] = _STATE.pack(left, now, *promised)
        return wait

    def _wait(self, standing: Standing, left: float, promised: list[float]) -> float:
        needed = _LEAVES[standing] * self.rate + 1
        lower = sum(promised[_LEVELS.index(_LEAVES[standing]) + 1 :])
        if left + lower >= needed:
            # A call is there, and what lower standings wait for is refilled until their turn.
            return 0.0
        return self._bucket.wait(left, needed)
