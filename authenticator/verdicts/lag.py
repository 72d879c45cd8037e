"""Tells a slow STS from a slow process of ours.

A flood can keep the event loop so busy that an answer which has arrived is read too late. Such a
call says nothing of STS.
"""

from __future__ import annotations

import asyncio

_TICK_SECONDS = 0.1
# A timer of an idle loop comes this late.
_ORDINARY_SECONDS = 0.02


class Lag:
    """Measures how late the event loop is, while a call is under way and at no other time."""

    def __init__(self) -> None:
        self._calls = 0
        self._lost = 0.0
        self._due: float | None = None

    def begin(self) -> float:
        """Begin to measure for one call; returns what `lost` was then. Every call must `end`."""
        self._calls += 1
        if self._due is None:
            self._schedule(asyncio.get_running_loop())
        return self.lost()

    def end(self) -> None:
        """End measuring for one call."""
        self._calls -= 1

    def lost(self) -> float:
        """Return the seconds that the loop was late, in all."""
        if self._due is None:
            return self._lost
        late = asyncio.get_running_loop().time() - self._due - _ORDINARY_SECONDS
        return self._lost + max(0.0, late)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + _TICK_SECONDS
        loop.call_at(self._due, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._lost = self.lost()
        self._due = None
        if self._calls:
            self._schedule(loop)
