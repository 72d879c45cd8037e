"""Lines for a log, written by a thread that nobody ever waits for."""

from __future__ import annotations

import os
import queue
import select
import time
from typing import TYPE_CHECKING, Generic, TypeVar

from authenticator.background import BackgroundThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Record = TypeVar("Record")
_BATCH = 256
# Writing each line as it comes would wake a thread, and stop another, for each review.
_PAUSE_SECONDS = 0.02


class LineWriter(Generic[Record]):
    """Takes records from any thread at once, and writes them from one of its own.

    A reader of the log that stalls (a full pipe) delays nobody: up to `capacity` records wait, and
    what comes beyond them is dropped and counted.
    """

    def __init__(
        self,
        descriptor: int,
        render: Callable[[Record], str],
        *,
        dropped: Callable[[], None],
        capacity: int = 10_000,
    ) -> None:
        """Set up a log that is not running yet; `start` it after the last fork.

        Args:
            descriptor: the open file that lines are written to.
            render: makes one line of a record.
            dropped: is called for each record that is dropped.
            capacity: how many records may wait.
        """
        self._descriptor = descriptor
        self._render = render
        self._dropped = dropped
        self._capacity = capacity
        self._waiting: queue.SimpleQueue[Record | None] = queue.SimpleQueue()
        self._thread = BackgroundThread(self._write, "lines")

    def start(self) -> None:
        """Start writing."""
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> bool:
        """Write what waits, for at most `timeout` seconds; whether that was enough.

        Without effect on a log that was never started.
        """
        if self._thread.started:
            self._waiting.put(None)
        return self._thread.join(timeout)

    def add(self, record: Record) -> None:
        """Have `record` written soon; never blocks."""
        if self._waiting.qsize() >= self._capacity:
            self._dropped()
        else:
            self._waiting.put(record)

    def _write(self) -> None:
        going_on = True
        while going_on:
            records = [self._waiting.get()]
            while len(records) < _BATCH and not self._waiting.empty():
                records.append(self._waiting.get())
            going_on = None not in records
            lines = [self._render(record) + "\n" for record in records if record is not None]
            for piece in _atomic_pieces(line.encode() for line in lines):
                self._put(piece)
            if going_on and len(records) < _BATCH:
                time.sleep(_PAUSE_SECONDS)

    def _put(self, piece: bytes) -> None:
        """Write whole lines; a log that cannot be written costs its lines, never a login."""
        try:
            os.write(self._descriptor, piece)
        except OSError:
            for _ in range(piece.count(b"\n")):
                self._dropped()


def _atomic_pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines into pieces that a pipe takes whole, so that workers do not mix theirs (pipe(7)).

    A line that is longer stands alone.
    """
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > select.PIPE_BUF:
            yield piece
            piece = b""
        piece += line
    if piece:
        yield piece
