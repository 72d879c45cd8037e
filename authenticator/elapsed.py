"""The timer for everything that is remembered or waited for: seconds that only ever grow.

Setting the machine's time does not change it, unlike `time.time`. It also counts the time that the
machine is suspended, unlike `time.monotonic` on Linux: a verdict grows old meanwhile.

Source: clock_gettime(2), CLOCK_BOOTTIME.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

# NTP corrects less than this without a step, and no token outlives it.
_STEP_SECONDS = 3600.0
_SETTLED_SECONDS = 86400.0

if sys.platform == "linux":

    def elapsed() -> float:
        """Return seconds since any moment, the same in every process of the machine."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:
    # Where the kernel has no such clock, the monotonic one may stop while the machine is suspended.
    elapsed = time.monotonic


class ClockSteps:
    """Notices that the machine's time is set while a process runs.

    A time that has just been set may be set back: a host can be weeks ahead until it finds its time
    server. Decisions that cannot be undone wait until it has stayed for a day.
    """

    def __init__(
        self, clock: Callable[[], float] = time.time, timer: Callable[[], float] = elapsed
    ) -> None:
        """Take the present time for the true one.

        Args:
            clock: Unix seconds.
            timer: seconds that only ever grow.
        """
        self._clock = clock
        self._timer = timer
        self._offset = clock() - timer()
        self._settled_at = timer()

    def is_settled(self) -> bool:
        """Whether the time has not been set, by more than an hour, within the last day."""
        now = self._timer()
        offset = self._clock() - now
        if abs(offset - self._offset) > _STEP_SECONDS:
            self._offset, self._settled_at = offset, now + _SETTLED_SECONDS
        return now >= self._settled_at
