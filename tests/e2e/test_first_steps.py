"""What users, administrators and operators type first ends as it should, and with a remedy."""

from __future__ import annotations

import pytest

from dev import first_steps
from dev.first_steps import PERSONS, Result, Step

Played = dict[str, list[tuple[Step, Result]]]

pytestmark = pytest.mark.cluster

EVERY = [(person, number) for person, steps in PERSONS.items() for number in range(len(steps))]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return first_steps.play(tmp_path_factory.mktemp("desk"))


def test_there_are_forty_steps() -> None:
    assert len(EVERY) >= 40
    failing = [step for steps in PERSONS.values() for step in steps if step.code]
    assert len(failing) >= 20


@pytest.mark.parametrize(
    ("person", "number"), EVERY, ids=[f"{p}: {PERSONS[p][n].aim}" for p, n in EVERY]
)
def test_a_step_ends_as_it_should(person: str, number: int, played: Played) -> None:
    step, result = played[person][number]
    assert result.code == step.code, result
    for text, stream in ((step.out, result.out), (step.err, result.err)):
        assert text in stream
        assert bool(text) is bool(stream), stream
    assert "Traceback" not in result.err


def test_the_page_shows_what_happens(played: Played) -> None:
    made = first_steps.page(played)
    assert first_steps.PAGE.read_text() == made, "run: .venv/bin/python -m dev.first_steps"
