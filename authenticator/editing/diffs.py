"""What an edit changes, for people to read before they agree to it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

_NO_NEWLINE = "\\ No newline at end of file"


def diff(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The lines of a unified diff of all texts that differ; none if nothing does."""
    names = [*before, *(name for name in after if name not in before)]
    return [line for name in names for line in _diff(name, before.get(name), after.get(name))]


def _diff(name: str, old: str | None, new: str | None) -> Iterator[str]:
    if old == new:
        return
    lines = difflib.unified_diff(
        _lines(old or ""),
        _lines(new or ""),
        fromfile=f"{name} (now)" if old is not None else "(absent)",
        tofile=f"{name} (then)" if new is not None else "(absent)",
        lineterm="",
    )
    for line in lines:
        # A line break of Windows is shown, since nothing else tells it from an ordinary one.
        text, _, rest = line.partition("\n")
        yield text.replace("\r", "\\r")
        if rest:
            yield rest


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    if lines[-1]:
        lines[-1] += f"\n{_NO_NEWLINE}"
    else:
        lines.pop()
    return lines
