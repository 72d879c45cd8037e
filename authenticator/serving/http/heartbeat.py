"""A worker's sign of life, in memory: a file needs a disk with room at each start of a worker."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gunicorn.config import Config


# How much later than usual the first sign of life of a worker is due.
_START_SECONDS = 30.0


class Heartbeat:
    """Replaces gunicorn's `WorkerTmp`: anonymous memory (memfd_create(2)) whose time is set."""

    def __init__(self, _config: Config) -> None:
        """Create it, before the fork.

        Raises:
            OSError: there are too many open files.
        """
        self._file = os.fdopen(os.memfd_create("heartbeat"), "w+b", 0)
        self._set(time.monotonic() + _START_SECONDS)

    def notify(self) -> None:
        """Say that the worker is alive."""
        self._set(time.monotonic())

    def last_update(self) -> float:
        """Return when the worker said so last, by the monotonic clock."""
        return os.fstat(self._file.fileno()).st_mtime

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._file.fileno()

    def close(self) -> None:
        """Close it in this process."""
        self._file.close()

    def _set(self, at: float) -> None:
        os.utime(self._file.fileno(), (at, at))
