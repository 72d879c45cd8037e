"""Notices that logins fail by an internal error, which the API server reports as a denial."""

from __future__ import annotations

import time
from collections.abc import Callable

from authenticator.errors import AuthenticatorError
from authenticator.serving.reviews import CountsReviews

_INTERNAL = AuthenticatorError.result
# One may be of a request that found a bug; a worker that works answers others in between.
_MOST = 3
_REMEMBERED_SECONDS = 600.0


class InternalErrors:
    """Counts reviews, and how many internal errors came since the last login that succeeded."""

    def __init__(
        self, metrics: CountsReviews, *, timer: Callable[[], float] = time.monotonic
    ) -> None:
        """Pass everything on to `metrics`; `timer` gives seconds, never falling."""
        self._metrics = metrics
        self._timer = timer
        self._number = 0
        self._last = 0.0

    def observe_review(self, result: str, seconds: float) -> None:
        """Count one review."""
        self._metrics.observe_review(result, seconds)
        if result == _INTERNAL:
            self._number += 1
            self._last = self._timer()
        elif result == "success":
            self._number = 0

    def faults(self) -> list[str]:
        """Return what keeps this worker from being ready, if anything does."""
        if self._number < _MOST or self._timer() - self._last > _REMEMBERED_SECONDS:
            return []
        problem = f"{self._number} reviews failed with an internal error since the last login"
        return [f"{problem}; the log has a trace of each"]
