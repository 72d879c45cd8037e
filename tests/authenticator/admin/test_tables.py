"""Tables as kubectl prints them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.admin.tables import listed, moment, table

_CELLS = st.text("ab 日é\n\x1b\u202e", max_size=200)


def plain(text: str) -> str:
    return text.replace("\x1b[1m", "").replace("\x1b[31m", "").replace("\x1b[0m", "")


@given(st.lists(st.tuples(_CELLS, _CELLS, _CELLS), max_size=5))
def test_a_row_is_one_line_whatever_is_in_it_and_no_character_is_lost(
    rows: list[tuple[str, str, str]],
) -> None:
    lines = plain(table(("A", "B", "C"), rows, ["red"] * len(rows))).split("\n")
    assert len(lines) == len(rows) + 1
    for line, row in zip(lines[1:], rows, strict=True):
        assert line.isprintable()
        for mark in "ab日é":
            assert line.count(mark) >= sum(cell.count(mark) for cell in row)


def test_arns_were_cut_in_the_middle_at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    arn = f"arn:aws:iam::111122223333:role/{'x' * 64}"
    header, first, second = plain(
        table(("ONE", "TWO", "STATE"), [(arn, "日", "yes"), ("y", "b", "no")])
    ).split("\n")
    assert first == f"{arn}   日    yes"
    assert second == f"y{' ' * (len(arn) - 1)}   b     no"
    assert header.index("TWO") == first.index("日")


@pytest.mark.parametrize(
    ("cell", "columns"),
    [("ab", 2), ("é", 1), ("e\u0301", 1), ("日本", 4), ("\uff21", 2), ("\N{ROCKET}", 2)],
)
def test_columns_are_those_of_a_terminal(cell: str, columns: int) -> None:
    _, wide, narrow = plain(table(("A", "B"), [(cell, "x"), ("123456", "y")])).split("\n")
    assert wide == f"{cell}{' ' * (6 - columns)}   x"
    assert narrow == "123456   y"


@pytest.mark.parametrize(("colour", "ends"), [("red", "\x1b[31mno\x1b[0m"), (None, "   no")])
def test_the_last_cell_has_its_colour(colour: str | None, ends: str) -> None:
    assert table(("A", "B"), [("a", "no")], [colour]).endswith(ends)


def test_several_values_share_a_cell_as_in_kubectl() -> None:
    assert (listed(["a", "b"]), listed([])) == ("a,b", "<none>")


@pytest.mark.parametrize(
    ("away", "said"),
    [(8 * 3600, "in 8h"), (0, "in 0s"), (-90, "1m30s ago"), (-200_000.5, "2d7h ago")],
)
def test_a_time_is_absolute_and_relative(away: float, said: str) -> None:
    assert moment(1_900_000_000 + away, 1_900_000_000).endswith(f"Z ({said})")
