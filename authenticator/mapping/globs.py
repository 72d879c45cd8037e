"""Patterns with `*` and `?`, which cross neither `:` nor `/`.

No regular expression is made of them: compiling one takes a hundred times as long as this match,
and the first lookup after a reload would pay for thousands.
"""

from __future__ import annotations

from collections.abc import Sequence

_SEPARATORS = frozenset(":/")


def fits(chunks: Sequence[str], text: str) -> bool:
    """Whether a pattern covers all of `text`.

    Each chunk takes the first place that fits, which is never worse than a later one: nothing is
    tried twice, and no pattern makes this exponential.

    Args:
        chunks: the pattern split at its runs of `*`; each may hold `?`.
        text: without wildcards.
    """
    first, last = chunks[0], chunks[-1]
    start, end = len(first), len(text) - len(last)
    if len(chunks) == 1:
        return end == 0 and _stands(first, text, 0)
    if start > end or not _stands(last, text, end) or not _stands(first, text, 0):
        return False
    for chunk in chunks[1:-1]:
        place = _place(chunk, text, start)
        if place < 0 or _crosses(text[start:place]):
            return False
        start = place + len(chunk)
    return start <= end and not _crosses(text[start:end])


def _place(chunk: str, text: str, start: int) -> int:
    """The first place of `chunk` in `text` from `start` on; -1 if there is none."""
    if "?" not in chunk:
        return text.find(chunk, start)
    places = range(start, len(text) - len(chunk) + 1)
    return next((place for place in places if _stands(chunk, text, place)), -1)


def _stands(chunk: str, text: str, place: int) -> bool:
    """Whether `chunk` fits at `place`, where `text` is long enough for it."""
    if "?" not in chunk:
        return text.startswith(chunk, place)
    return all(
        wanted == letter or (wanted == "?" and letter not in _SEPARATORS)
        for wanted, letter in zip(chunk, text[place : place + len(chunk)], strict=True)
    )


def _crosses(skipped: str) -> bool:
    return not _SEPARATORS.isdisjoint(skipped)
