"""Shares connections evenly between workers.

An API server keeps few connections and uses them for hours. The kernel wakes every worker that
polls the port, and the first one takes what it likes: of eight connections one worker may get
seven, and is then busy while the other is idle. So each worker publishes how many it has, in memory
that all of them share, leaves a new connection to one that has fewer, and after a restart gives up
some of those that it has above its share.
"""

from __future__ import annotations

import math
import mmap

_SLOTS = 64  # more than the workers of two generations, of which one is being replaced
_BYTES = 4


class Balance:
    """How many connections each worker has. Create it before the fork."""

    def __init__(self) -> None:
        # 0: no worker; n + 1: a worker with n connections. Each is one aligned word, never torn.
        self._counts = memoryview(mmap.mmap(-1, _SLOTS * _BYTES)).cast("I")

    def of(self, age: int) -> WorkerBalance:
        """Return the part of a worker by its serial number."""
        return WorkerBalance(self._counts, age % _SLOTS)


class WorkerBalance:
    """The connections of one worker, next to those of the others."""

    def __init__(self, counts: memoryview, slot: int) -> None:
        self._counts = counts
        self._slot = slot

    def set(self, connections: int) -> None:
        """Publish how many connections this worker has."""
        self._counts[self._slot] = connections + 1

    def clear(self) -> None:
        """Publish that this worker accepts no more."""
        self._counts[self._slot] = 0

    def is_lowest(self) -> bool:
        """Whether no worker has fewer connections than this one."""
        mine = self._counts[self._slot]
        return all(mine <= count for count in self._counts if count)

    def excess(self) -> int:
        """How many connections this worker has above its share, with some tolerance."""
        counts = [count - 1 for count in self._counts if count]
        share = sum(counts) / max(1, len(counts))
        return max(0, math.ceil(self._counts[self._slot] - 1 - share - max(0.5, share / 4)))
