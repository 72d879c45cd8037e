"""The difference that people agree to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.editing import diffs
from authenticator.editing.diffs import diff

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
# Few letters, so that lines are repeated, and some that are not.
_TEXTS = st.lists(st.sampled_from([*"aaabc", "", *"0123456789"]), max_size=40).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)


def patched(text: str, lines: list[str]) -> str:
    """What `patch` makes of a text, where the diff must fit to the line."""
    old, new, at = text.split("\n")[:-1], list[str](), 0
    for number, line in enumerate(lines[2:], 2):
        if found := _HUNK.fullmatch(line):
            first, length, start, width = (int(part or 1) for part in found.groups())
            first -= length > 0
            start -= width > 0
            new += old[at:first]
            at = first
            hunk = [part[0] for part in _hunk(lines[number + 1 :])]
            assert (hunk.count(" ") + hunk.count("-"), start) == (length, len(new))
            assert hunk.count(" ") + hunk.count("+") == width
            continue
        if line[0] != "+":
            assert old[at] == line[1:]
            at += 1
        if line[0] != "-":
            new.append(line[1:])
    return "".join(f"{line}\n" for line in (*new, *old[at:]))


def _hunk(lines: list[str]) -> list[str]:
    ends = [number for number, line in enumerate(lines) if line.startswith("@@")]
    return lines[: min(ends, default=len(lines))]


@given(_TEXTS, _TEXTS)
def test_a_diff_applied_to_the_old_text_gives_the_new_one(old: str, new: str) -> None:
    lines = diff({"a": old}, {"a": new})
    assert patched(old, lines) == new if lines else old == new


def test_what_is_between_differences_is_left_out() -> None:
    old = [f"line {number}" for number in range(30)]
    new = [*old[:10], "new", *old[10:20], *old[21:]]
    assert diff({"a": "\n".join(old) + "\n"}, {"a": "\n".join(new)})[2:] == [
        "@@ -8,6 +8,7 @@",
        *(f" line {number}" for number in (7, 8, 9)),
        "+new",
        *(f" line {number}" for number in (10, 11, 12)),
        "@@ -18,7 +19,6 @@",
        *(f" line {number}" for number in (17, 18, 19)),
        "-line 20",
        *(f" line {number}" for number in (21, 22, 23)),
        "@@ -27,4 +27,4 @@",
        *(f" line {number}" for number in (26, 27, 28)),
        "-line 29",
        "+line 29",
        "\\ No newline at end of file",
    ]


def test_many_differences_in_a_long_text_are_compared_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`difflib` alone takes eight seconds for these."""
    old = [line for number in range(5000) for line in (f"- role {number}", "  groups:", "  - a")]
    new = [("  - b" if number % 30 == 2 else line) for number, line in enumerate(old)]
    compared = 0

    def counting(junk: None, one: Sequence[str], other: Sequence[str]) -> SequenceMatcher[str]:
        nonlocal compared
        compared += len(one) + len(other)
        return SequenceMatcher(junk, one, other)

    monkeypatch.setattr(diffs, "SequenceMatcher", counting)
    lines = diffs.diff({"a": "\n".join(old)}, {"a": "\n".join(new)})
    assert sum(line == "+  - b" for line in lines) == 500
    assert compared <= 500 * 4
