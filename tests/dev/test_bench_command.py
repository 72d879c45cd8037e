"""The command line of the benchmarks."""

from __future__ import annotations

import pytest

from dev.bench import sections
from dev.bench.__main__ import parser, routine


def test_without_a_name_the_routine_scenarios_are_meant() -> None:
    assert parser().parse_args([]).scenario == []
    assert set(routine()) < set(sections.not_taken())
    assert {"mappings", "nodes"} < set(routine())
    assert "soak" not in routine()


def test_several_scenarios_and_their_size() -> None:
    arguments = parser().parse_args(["new", "soak", "--runs", "2", "--connections", "2", "4"])
    assert (arguments.scenario, arguments.runs) == (["new", "soak"], 2)
    assert arguments.connections == [2, 4]


def test_an_unknown_scenario_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["news"])
    assert "no scenario is called 'news'" in capsys.readouterr().err
