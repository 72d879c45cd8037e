"""A line on standard error about anything that takes longer than a second."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import click

from authenticator.display import printable

_AFTER_SECONDS = 1.0


# Takes what is being done now.
Say: TypeAlias = Callable[[str], None]


@contextmanager
def progress(text: str, after: float = _AFTER_SECONDS) -> Iterator[Say]:
    """Say at a terminal what is being done, if it is not done soon; a log stays as it is.

    The line is a line of its own, so that warnings that are printed meanwhile stay whole.

    Args:
        text: what is being done.
        after: in seconds, how long to wait before saying so.

    Returns:
        what takes the next thing that is being done, in case it has not been said by then.
    """
    doing = [text]
    if not (sys.stderr and sys.stderr.isatty()):
        yield doing.append
        return
    timer = threading.Timer(after, lambda: click.echo(f"{printable(doing[-1])} ...", err=True))
    timer.daemon = True
    timer.start()
    try:
        yield doing.append
    finally:
        timer.cancel()
