"""Programs that start our command on a machine that is not here: `SHIM COMMAND ARGUMENT...`."""

from __future__ import annotations

import sys
from pathlib import Path


def wrapper(name: str) -> tuple[str, ...]:
    """What to put before a command, so that it runs under a shim of this package."""
    return sys.executable, str(Path(__file__).with_name(f"{name}.py"))
