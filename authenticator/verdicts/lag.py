"""Tells a slow STS from a slow process of ours.

A flood can keep the event loop so busy that an answer which has arrived is read too late. Such a
call says nothing of STS.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_TICK_SECONDS = 0.1
# A timer of an idle loop comes this late.
_ORDINARY_SECONDS = 0.02


class Lag:
    """Measures how late the event loop is, while a call is under way and at no other time."""

    def __init__(self) -> None:
        self._calls = 0
        self._lost = 0.0
        self._due: float | None = None

    @contextmanager
    def watch(self) -> Iterator[Callable[[], float]]:
        """Measure while the block runs; yields what returns the seconds lost since it began."""
        loop = asyncio.get_running_loop()
        self._calls += 1
        if self._due is None:
            self._schedule(loop)
        before = self._total(loop)
        try:
            yield lambda: self._total(loop) - before
        finally:
            self._calls -= 1

    def _total(self, loop: asyncio.AbstractEventLoop) -> float:
        late = 0.0 if self._due is None else loop.time() - self._due - _ORDINARY_SECONDS
        return self._lost + max(0.0, late)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + _TICK_SECONDS
        loop.call_at(self._due, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._lost = self._total(loop)
        self._due = None
        if self._calls:
            self._schedule(loop)
