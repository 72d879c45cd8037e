"""Tables of plain columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from authenticator.admin.columns import columns

_CELLS = st.text("ab 日é", max_size=40)


def plain(text: str) -> str:
    return text.replace("\x1b[1m", "").replace("\x1b[31m", "").replace("\x1b[0m", "")


@given(st.lists(st.tuples(_CELLS, _CELLS, _CELLS), max_size=5), st.integers(40, 120))
def test_no_line_is_wider_than_the_terminal_and_no_character_is_lost(
    rows: list[tuple[str, str, str]], width: int
) -> None:
    text = plain(columns(("A", "B", "C"), rows, ["red"] * len(rows), width))
    assert all(cell_len(line) <= width for line in text.split("\n"))
    for mark in "ab日é":
        assert text.count(mark) == sum(cell.count(mark) for row in rows for cell in row)


def test_in_a_pipe_lines_stay_whole_and_columns_align() -> None:
    rows = [("x" * 300, "日", "yes"), ("y", "b", "no")]
    _, first, second = plain(columns(("ONE", "TWO", "STATE"), rows)).split("\n")
    assert first == f"{'x' * 300}  日   yes"
    assert second == f"y{' ' * 299}  b    no"


@pytest.mark.parametrize(("colour", "ends"), [("red", "\x1b[31mno\x1b[0m"), (None, "  no")])
def test_the_last_cell_has_its_colour(colour: str | None, ends: str) -> None:
    assert columns(("A", "B"), [("a", "no")], [colour]).endswith(ends)
