"""`make attack`: its table says what each attack did and whether it went beyond its bound."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from dev.attack import Row, table

ROOT = Path(__file__).parents[2]
_ATTACKS = """
import pytest

@pytest.mark.attack("One that holds")
@pytest.mark.parametrize("rate", [20, 100])
def test_holds(rate, record_property):
    record_property("load", f"{rate} a second")
    record_property("bound", "none let in")
    record_property("seen", "5 let in")
    record_property("seen", "none let in")

@pytest.mark.attack("One that does not")
def test_fails(record_property):
    record_property("seen", "1 let in")
    assert False

@pytest.mark.attack("One that cannot begin")
def test_cannot_begin(missing):
    pass

def test_that_is_no_attack():
    pass
"""
_RUN = """
import sys, pytest
from dev.attack import Collector, table
found = Collector()
flags = ["-q", "-p", "no:cacheprovider", "--noconftest", "-c", "/dev/null", sys.argv[1]]
pytest.main(flags, plugins=[found])
print("=" * 80)
print(table(found.rows))
"""


def test_each_attack_is_a_row_with_its_result(tmp_path: Path) -> None:
    file = tmp_path / "test_attacks.py"
    file.write_text(_ATTACKS)
    done = subprocess.run(
        [sys.executable, "-c", _RUN, file], cwd=ROOT, capture_output=True, text=True, check=True
    )
    header, *rows = done.stdout.rpartition("=" * 80)[2].strip().splitlines()
    assert header.split() == ["ATTACK", "LOAD", "SEEN", "BOUND", "RESULT"]
    assert [" ".join(row.split()).rpartition(" ")[0].rpartition(" ")[0] for row in rows[:-1]] == [
        "One that holds (20) 20 a second none let in none let in pass",
        "One that holds (100) 100 a second none let in none let in pass",
        "One that does not - 1 let in - FAIL",
        "One that cannot begin - - - FAIL",
    ]
    assert rows[-1] == "4 attacks, 2 beyond their bounds"


def test_long_cells_go_on_below() -> None:
    row = Row("a name of several words that is longer than a column", "x", "y", "z", True, 1.0)
    first, second = table([row]).splitlines()[1:3]
    assert first.endswith("pass  1 s")
    assert f"{first[:34].strip()} {second}" == row.name


def test_the_attacks_of_the_threat_model_are_there() -> None:
    """With the budgets and the connections of the flood that once kept a revoked key in."""
    flags = ("--collect-only", "-q", "-m", "attack", "--nightly", "-p", "no:cacheprovider")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *flags, "tests/e2e"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in (
        "test_floods.py::test_slow_connections_take_little_memory_and_keep_no_known_user_out[10000]",
        "test_floods.py::test_logins_that_wait_for_a_hanging_sts_cost_neither_threads",
        "holders_own_flood[20-60-400]",
        "holders_own_flood[20-400-1600]",
        "holders_own_flood[100-60-400]",
        "holders_own_flood[100-400-1600]",
        "holders_own_flood[500-60-400]",
        "holders_own_flood[500-400-1600]",
        "test_floods.py::test_a_revoked_key_is_out_in_time_for_a_real_api_server",
        "test_floods.py::test_tokens_for_regions_out_of_reach_keep_nobody_out[830-60]",
        "test_silent_dns.py::test_reviews_are_answered_in_time",
        "test_sts_answers.py::test_an_unsolicited_answer_names_no_caller[stray bytes]",
        "test_admission.py::test_anonymous_connections_do_not_switch_the_guard_off",
        "test_forged_jwts.py::test_forged_jwts_let_nobody_in_and_keep_nobody_out[800-60]",
    ):
        assert name in done.stdout, name
