"""The replacement of one stretch of a text, as a value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from authenticator.editing.places import Unspliceable


@dataclass(frozen=True, slots=True)
class Splice:
    """`new` in the place of `text[start:end]`."""

    start: int
    end: int
    new: str


def spliced(text: str, found: Iterable[Splice]) -> str:
    """The text with all splices made; at one place, they stay in the order given.

    Raises:
        Unspliceable: two of them overlap.
    """
    parts: list[str] = []
    done = 0
    for splice in sorted(found, key=_span):
        if splice.start < done:
            raise Unspliceable("two changes overlap")
        parts += (text[done : splice.start], splice.new)
        done = splice.end
    return "".join((*parts, text[done:]))


def _span(splice: Splice) -> tuple[int, int]:
    return splice.start, splice.end
