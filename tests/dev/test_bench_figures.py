"""The arithmetic of the benchmarks."""

from __future__ import annotations

import pytest

from dev.bench.figures import Ratio, percent, ratio_of_pairs, shares, table


def test_the_ratio_is_that_of_the_pairs_and_not_of_the_medians() -> None:
    # The machine becomes ten times slower half-way; ours stays at half of theirs.
    assert ratio_of_pairs([1, 1, 10, 10], [2, 2, 20, 20]) == Ratio(0.5, 0.5, 0.5)


def test_the_ratio_shows_its_spread() -> None:
    assert ratio_of_pairs([1, 2, 9], [1, 4, 3]) == Ratio(1.0, 0.5, 3.0)
    assert str(Ratio(1.0, 0.5, 3.0)) == "1.00 (0.50 to 3.00)"


def test_runs_without_a_partner_are_left_out() -> None:
    assert ratio_of_pairs([1, 1, 100], [2, 2]) == Ratio(0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("ours", "theirs"), [([], []), ([1.0], []), ([1.0], [0.0])], ids=["none", "alone", "zero"]
)
def test_without_a_pair_to_divide_there_is_no_ratio(ours: list[float], theirs: list[float]) -> None:
    assert ratio_of_pairs(ours, theirs) is None


@pytest.mark.parametrize(
    ("count", "total", "written"),
    [
        (5, 5, "100 %"),
        (0, 5, "0 %"),
        (99_999, 100_000, "99.9 %"),
        (1, 100_000, "0.1 %"),
        (44, 100, "44.0 %"),
    ],
    ids=["all", "none", "all but one is not all", "one is not none", "between"],
)
def test_percent(count: int, total: int, written: str) -> None:
    assert percent(count, total) == written


def test_shares_begin_with_the_most_frequent() -> None:
    assert shares({"HTTP 403": 1, "authenticated": 3}) == "authenticated 75.0 %, HTTP 403 25.0 %"


def test_shares_of_nothing() -> None:
    assert shares({}) == "none"


def test_table() -> None:
    assert table(("a", "b"), [("x", "1")]) == "| a | b |\n| --- | ---: |\n| x | 1 |"
