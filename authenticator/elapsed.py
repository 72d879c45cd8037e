"""The timer for everything that is remembered or waited for: seconds that only ever grow.

Setting the machine's time does not change it, unlike `time.time`. It also counts the time that the
machine is suspended, unlike `time.monotonic` on Linux: a verdict grows old meanwhile.

Source: clock_gettime(2), CLOCK_BOOTTIME.
"""

from __future__ import annotations

import sys
import time

if sys.platform == "linux":

    def elapsed() -> float:
        """Return seconds since any moment, the same in every process of the machine."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:
    # Where the kernel has no such clock, the monotonic one may stop while the machine is suspended.
    elapsed = time.monotonic
