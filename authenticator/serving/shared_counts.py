"""The counts of each worker, in memory that the processes of a server share.

Each worker publishes all of its counts several times a second, and any worker adds up those of all.
The memory is anonymous and has a fixed size: no file can be full, be left behind or have its reader
killed by SIGBUS (docs/adr/0022-bad-days.md).

Each slot holds two snapshots, and a version that says which of them is whole. A worker writes the
other one and then counts the version up. So a worker that is killed while it writes leaves its last
snapshot, and no lock.
"""

from __future__ import annotations

import logging
import mmap
import struct
import time
import zlib
from collections.abc import Callable, Iterator

_LOG = logging.getLogger(__name__)
# Workers of two generations, of which one is being replaced. The first slot is for ended ones.
SLOTS = 1 + 2 * 64
_SLOT_BYTES = 2 * 64 * 1024
_VERSION = struct.Struct("=Q")
# length, CRC-32
_HEAD = struct.Struct("=II")
_PAST = 0
_ATTEMPTS = 200
_PAUSE_SECONDS = 0.0005

Merge = Callable[[bytes, bytes], bytes]


class SharedCounts:
    """A snapshot for each worker, and one for all that have ended. Create it before the fork."""

    def __init__(self, slots: int = SLOTS, slot_bytes: int = _SLOT_BYTES) -> None:
        """Reserve the memory, of which only the part that is written is used.

        Args:
            slots: how many workers there can be at once, and one more.
            slot_bytes: the memory of each: two snapshots and two words.

        Raises:
            OSError: the memory cannot be had.
        """
        self._slot_bytes = slot_bytes
        self._room = slot_bytes // 2 - _VERSION.size - _HEAD.size
        self._memory = mmap.mmap(-1, slots * slot_bytes)
        self._slots = slots
        # In the main process: the slot of each worker by its serial number.
        self._taken: dict[int, int] = {}
        # In a worker: its own.
        self._own: int | None = None
        self._last = b""
        self._warned = False

    # In the main process.

    def take(self, number: int) -> None:
        """Give the worker that is forked next a slot; without a free one its counts are missing."""
        free = set(range(1, self._slots)) - set(self._taken.values())
        self._own = min(free, default=None)
        if self._own is None:
            _LOG.warning("the counts of worker %d are missing: there are too many workers", number)
        else:
            self._taken[number] = self._own

    def release(self, number: int, merge: Merge) -> None:
        """Keep what a worker that has ended has counted, and free its slot.

        Args:
            number: the worker's serial number; one that has no slot is ignored.
            merge: adds two snapshots of ended workers, either of which may be empty.
        """
        slot = self._taken.pop(number, None)
        if slot is None:
            return
        past, last = self._read(_PAST), self._read(slot)
        # Meanwhile readers wait: they would count the worker twice.
        self._move(begin=True)
        try:
            if last:
                self._write(_PAST, merge(past, last))
            self._write(slot, b"")
        finally:
            self._move(begin=False)

    # In a worker.

    def publish(self, snapshot: bytes) -> None:
        """Replace this worker's snapshot; log once if it is too long, and keep the last one."""
        if self._own is None or snapshot == self._last:
            return
        if len(snapshot) > self._room:
            if not self._warned:
                self._warned = True
                _LOG.warning("metrics are incomplete: %d bytes are too many", len(snapshot))
            return
        self._write(self._own, snapshot)
        self._last = snapshot

    def others(self) -> tuple[bytes, list[bytes]]:
        """Return the snapshot of ended workers, and those of the others that live."""
        for _ in range(_ATTEMPTS):
            moves = self._moves()
            if moves % 2 == 0:
                found = self._read(_PAST), [*self._living()]
                if self._moves() == moves:
                    return found
            time.sleep(_PAUSE_SECONDS)
        return self._read(_PAST), [*self._living()]

    def _living(self) -> Iterator[bytes]:
        for slot in range(1, self._slots):
            if slot != self._own and (snapshot := self._read(slot)):
                yield snapshot

    # The memory: a slot is its version, the number of moves (in the first slot), and two snapshots.

    def _offset(self, slot: int, version: int) -> int:
        half = self._slot_bytes // 2
        return slot * self._slot_bytes + (version % 2) * half + _VERSION.size

    def _version(self, slot: int) -> int:
        version: int
        (version,) = _VERSION.unpack_from(self._memory, slot * self._slot_bytes)
        return version

    def _read(self, slot: int) -> bytes:
        """Return the whole snapshot of a slot; empty if there is none."""
        for _ in range(_ATTEMPTS):
            version = self._version(slot)
            if not version:
                return b""
            start = self._offset(slot, version)
            length, checksum = _HEAD.unpack_from(self._memory, start)
            start += _HEAD.size
            snapshot = self._memory[start : start + min(length, self._room)]
            # The checksum: processors other than x86 may show the version before the content.
            if zlib.crc32(snapshot) == checksum and self._version(slot) == version:
                return snapshot
            time.sleep(_PAUSE_SECONDS)
        return b""

    def _write(self, slot: int, snapshot: bytes) -> None:
        version = self._version(slot) + 1
        start = self._offset(slot, version)
        _HEAD.pack_into(self._memory, start, len(snapshot), zlib.crc32(snapshot))
        start += _HEAD.size
        self._memory[start : start + len(snapshot)] = snapshot
        _VERSION.pack_into(self._memory, slot * self._slot_bytes, version)

    def _moves(self) -> int:
        moves: int
        (moves,) = _VERSION.unpack_from(self._memory, self._slot_bytes // 2)
        return moves

    def _move(self, *, begin: bool) -> None:
        """Mark the begin or the end of a move between slots: the number is odd meanwhile."""
        moves = self._moves()
        if (moves % 2 == 0) == begin:
            _VERSION.pack_into(self._memory, self._slot_bytes // 2, moves + 1)
