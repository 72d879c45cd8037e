"""A line on standard error about anything that takes longer than a second."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click

from authenticator.display import printable

_AFTER_SECONDS = 1.0


@contextmanager
def progress(text: str, after: float = _AFTER_SECONDS) -> Iterator[None]:
    """Say at a terminal what is being done, if it is not done soon; a log stays as it is.

    The line is a line of its own, so that warnings that are printed meanwhile stay whole.

    Args:
        text: what is being done.
        after: in seconds, how long to wait before saying so.
    """
    if not (sys.stderr and sys.stderr.isatty()):
        yield
        return
    timer = threading.Timer(after, click.echo, (f"{printable(text)} ...",), {"err": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
