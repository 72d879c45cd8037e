"""Lets an attack say what it did and saw, for the table of `make attack`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Attack:
    """What one test with the marker `attack` reports; call these before the assertions.

    The words are shown as they are: no token, key or signature belongs in them.
    """

    def __init__(self, record: Callable[[str, object], None]) -> None:
        self._record = record

    def load(self, text: str) -> None:
        """What is sent: how much of it, at what rate."""
        self._record("load", text)

    def bound(self, text: str) -> None:
        """What must hold, in the words of the assertions."""
        self._record("bound", text)

    def saw(self, text: str) -> None:
        """What was measured."""
        self._record("seen", text)
