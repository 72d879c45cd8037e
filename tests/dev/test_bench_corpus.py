"""What the section of the attack corpus shows, from results made up by hand."""

from __future__ import annotations

from dev.bench.corpus import written
from tests.corpus.runner import Outcome, Result, Wrong

GOOD = Result("plain", "a token", Outcome.GRANTED, 200, None)
TAKEN = Result("forged", "a forgery", Outcome.GRANTED, 200, Wrong.GRANTED)
REFUSED = Result("forged", "a forgery", Outcome.REFUSED, 403, None)
GONE = Result("plain", "a token", Outcome.NONE, 0, Wrong.REFUSED)


def test_each_case_that_one_server_gets_wrong_is_shown_for_both() -> None:
    text = written({"reference": [GONE, TAKEN], "ours": [GOOD, REFUSED]})
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    assert ["reference", "2", "1", "1", "1"] in lines
    assert ["ours", "2", "0", "0", "0"] in lines
    assert ["forged", "a forgery", "wrongly granted", "refused"] in lines
    assert ["plain", "a token", "wrongly refused", "granted"] in lines


def test_when_all_is_right_no_case_is_shown() -> None:
    assert "plain" not in written({"ours": [GOOD]})
