"""Waits for conditions that send no signal, and how long tests and tools wait for anything."""

from __future__ import annotations

import time
from collections.abc import Callable

# How long to wait for an event that is certain to come. Only a failure takes this long, so that the
# value leaves room for a machine that is busy with other work.
PATIENCE_SECONDS = 90.0
_POLL_SECONDS = 0.02


def wait_until(condition: Callable[[], bool], complaint: str | Callable[[], str]) -> None:
    """Poll until the condition holds.

    Args:
        condition: what to wait for.
        complaint: what to say when it does not come true; a function is called only then.

    Raises:
        AssertionError: it did not hold within `PATIENCE_SECONDS`; the message is the complaint.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(complaint if isinstance(complaint, str) else complaint())
        time.sleep(_POLL_SECONDS)
