"""gunicorn's main process, as calm as the host around it is not.

gunicorn replaces a dead worker at once, and ends when one cannot be started. A host without memory,
processes or files to spare then sees workers start and die ten times a second, or the server end.
Here the next worker waits longer after each that dies at once, and the main process stays.
"""

from __future__ import annotations

import logging
import signal
import time
from typing import TYPE_CHECKING, cast

from gunicorn.arbiter import Arbiter

from authenticator.serving.http.worker import ReviewWorker

if TYPE_CHECKING:
    from collections.abc import Callable

    from gunicorn.app.base import BaseApplication

_LOG = logging.getLogger(__name__)
# A worker that lived for so long is well.
_WELL_SECONDS = 5.0
_MOST_SECONDS = 30.0
_CAUSES = "look for its error above, and at the limits of memory, processes and open files"


class Backoff:
    """When the next worker may start. Times are those of a monotonic clock, in seconds."""

    def __init__(self, workers: int) -> None:
        """Set up for a number of workers, each of which may die once without a wait."""
        self.failures = 0
        self._free = workers
        self._delay = 0.0
        self._next = 0.0

    def failed(self, now: float) -> float:
        """Note that a worker died soon after its start, or could not start.

        Returns:
            how long the next one waits: not at all for as many as there are workers, then 1 s, 2 s
            and so on.
        """
        self.failures += 1
        if self.failures > self._free:
            self._delay = min(max(1.0, 2 * self._delay), _MOST_SECONDS)
        self._next = now + self._delay
        return self._delay

    def succeeded(self) -> None:
        """Note that the latest worker is well."""
        self.failures = 0
        self._delay = 0.0

    def may_start(self, now: float) -> bool:
        """Return whether the time of waiting is over."""
        return now >= self._next


class Supervisor(Arbiter):
    """The main process."""

    # A worker that cannot start ends with these codes (modulo 256), and gunicorn would end with it.
    WORKER_BOOT_ERROR = 256 + Arbiter.WORKER_BOOT_ERROR
    APP_LOAD_ERROR = 256 + Arbiter.APP_LOAD_ERROR

    def __init__(self, app: BaseApplication, on_end: Callable[[int], None]) -> None:
        """Set up.

        Args:
            app: gunicorn's view of the service.
            on_end: told of the serial number of each worker that has ended or could not start.
        """
        self._backoff = Backoff(app.cfg.workers)
        self._on_end = on_end
        self._reloading = False
        super().__init__(app)

    def spawn_workers(self) -> None:
        """Start the workers that are missing, unless the last ones died at once."""
        if self._backoff.may_start(time.monotonic()):
            super().spawn_workers()

    def spawn_worker(self) -> int:
        """Start a worker; return its process, or 0 if the host has no room for it."""
        try:
            # In the worker this does not return.
            return super().spawn_worker()
        except (OSError, MemoryError) as error:
            self._on_end(self.worker_age)
            self._failed(f"a worker cannot be started: {error}")
            return 0

    def reload(self) -> None:
        """Replace all workers, and wait for the old ones, of which some may hang."""
        self._reloading = True
        try:
            super().reload()
        finally:
            self._reloading = False

    def reap_workers(self) -> None:
        """Take note of workers that have ended; while a reload waits, end those that hang."""
        super().reap_workers()
        if self._reloading:
            self.murder_workers()

    def manage_workers(self) -> None:
        """Start workers that are missing, and end those beyond the number."""
        if self._backoff.failures and self._are_well():
            self._backoff.succeeded()
        super().manage_workers()

    def kill_worker(self, pid: int, sig: int) -> None:
        """Send a signal to a worker, and remember which ones were told to end."""
        if sig in (signal.SIGTERM, signal.SIGQUIT) and pid in self.WORKERS:
            cast("ReviewWorker", self.WORKERS[pid]).dismissed = True
        super().kill_worker(pid, sig)

    def bury(self, worker: ReviewWorker) -> None:
        """Take note of a worker that has ended."""
        self._on_end(worker.age)
        lived = time.monotonic() - worker.started
        if lived < _WELL_SECONDS and not worker.dismissed:
            self._failed(f"worker {worker.pid} ended {lived:.1f} s after its start")

    def _are_well(self) -> bool:
        """Return whether all workers are there, and the youngest is no longer starting."""
        if len(self.WORKERS) < self.num_workers:
            return False
        youngest = max(cast("ReviewWorker", worker).started for worker in self.WORKERS.values())
        return time.monotonic() - youngest >= _WELL_SECONDS

    def _failed(self, what: str) -> None:
        delay = self._backoff.failed(time.monotonic())
        _LOG.error(
            "%s (failure %d in a row); the next worker starts in %.0f s; %s",
            what,
            self._backoff.failures,
            delay,
            _CAUSES,
        )
