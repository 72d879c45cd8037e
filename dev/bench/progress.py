"""Tells the person who waits what is being measured; standard output stays empty."""

from __future__ import annotations

import sys


def progress(text: str) -> None:
    """Write a line of progress."""
    print(text, file=sys.stderr, flush=True)
