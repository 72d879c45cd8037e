"""Daemon threads of the server's workers."""

from __future__ import annotations

import threading
from collections.abc import Callable


class BackgroundThread:
    """A daemon thread that is created when it is started, not before.

    The server builds its parts in the main process and starts them in the workers that it forks.
    Python 3.13.0 to 3.13.3 take a `Thread` object made before the fork for one that has already
    been started (https://github.com/python/cpython/issues/134381).
    """

    def __init__(self, run: Callable[[], None], name: str) -> None:
        """Keep what to run.

        Args:
            run: the thread's function.
            name: the thread's name.
        """
        self._run = run
        self._name = name
        self._thread: threading.Thread | None = None

    @property
    def started(self) -> bool:
        """Whether `start` has been called."""
        return self._thread is not None

    def start(self) -> None:
        """Start the thread.

        Raises:
            RuntimeError: it has been started before.
        """
        if self._thread is not None:
            raise RuntimeError(f"thread {self._name} has already been started")
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end of the thread, and return whether it has ended.

        A thread that was never started counts as ended.

        Args:
            timeout: seconds to wait; None waits without a limit.
        """
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()
