"""Shares connections evenly between workers.

An API server keeps few connections and uses them for hours. The kernel wakes every worker that
polls the port, and whichever is first takes what it likes: of eight connections one worker may get
seven, and is then busy while the other is idle. So each worker says how many it has, in memory that
all of them share, and leaves a new connection to one that has fewer.
"""

from __future__ import annotations

import mmap

_SLOTS = 64  # more than the workers of two generations, of which one is being replaced
_BYTES = 4


class Shares:
    """How many connections each worker has. Made before the fork; each worker writes its slot."""

    def __init__(self) -> None:
        # 0: no worker; n + 1: a worker with n connections. Each is one aligned word, never torn.
        self._counts = memoryview(mmap.mmap(-1, _SLOTS * _BYTES)).cast("I")

    def of(self, age: int) -> Share:
        """Give the share of a worker by its serial number."""
        return Share(self._counts, age % _SLOTS)


class Share:
    """One worker's share."""

    def __init__(self, counts: memoryview, slot: int) -> None:
        self._counts = counts
        self._slot = slot

    def have(self, connections: int) -> None:
        """Say how many connections this worker has."""
        self._counts[self._slot] = connections + 1

    def leave(self) -> None:
        """Say that this worker takes no more."""
        self._counts[self._slot] = 0

    def is_least(self) -> bool:
        """Whether no worker has fewer connections than this one."""
        mine = self._counts[self._slot]
        return all(mine <= count for count in self._counts if count)
