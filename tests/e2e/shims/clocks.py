"""A machine whose clocks step while the server runs, as the file named by CLOCK_STEPS says.

The file is JSON: `wall`, the seconds that the machine's time is wrong by; `suspended`, the seconds
that it was suspended for, which CLOCK_BOOTTIME counts and CLOCK_MONOTONIC does not.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import runpy
import sys
import time
from pathlib import Path
from typing import Any

_FILE = Path(os.environ["CLOCK_STEPS"])
_time, _clock_gettime = time.time, time.clock_gettime


def _step(name: str) -> float:
    return float(json.loads(_FILE.read_text())[name])


def _stepped_time() -> float:
    return _time() + _step("wall")


def _stepped_gettime(clock: int) -> float:
    return _clock_gettime(clock) + (_step("suspended") if clock == time.CLOCK_BOOTTIME else 0.0)


class _Datetime(dt.datetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Any:
        return cls.fromtimestamp(time.time(), tz)


time.time, time.clock_gettime = _stepped_time, _stepped_gettime
dt.datetime = _Datetime  # type: ignore[misc]

if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
