"""Generated documents: with the intended differences undone, the reference says what we say."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dev import oracle
from dev.oracle import Caller
from tests.oracle import generated, ours
from tests.oracle.differences import ROWS
from tests.oracle.generated import Made

pytestmark = pytest.mark.reference

_CHUNK = 500
_CALLERS = generated.callers()


@pytest.fixture
def size(request: pytest.FixtureRequest) -> int:
    """How many cases a chunk has: 20 times as many at night."""
    return _CHUNK * (20 if request.config.getoption("--nightly") else 1)


@pytest.mark.parametrize("chunk", range(10))
def test_both_answer_alike_but_for_the_table(chunk: int, size: int) -> None:
    made = [generated.make(number) for number in range(chunk * size, (chunk + 1) * size)]
    assert differences(made)[:3] == []


def differences(made: Sequence[Made]) -> list[str]:
    """What is wrong with some cases."""
    asked = [(number, group) for number, case in enumerate(made) for group in _groups(case)]
    answers = oracle.ask([case.question(callers) for _, (case, callers) in asked])
    here = [ours.answer(case.question(_CALLERS)) for case in made]
    problems = []
    for (number, (case, callers)), answer in zip(asked, answers, strict=True):
        if answer.refusal or here[number].refusal:
            problems.append(f"{made[number]}: {answer.refusal} {here[number].refusal}")
            continue
        for caller, users in zip(callers, answer.users, strict=True):
            user = here[number].users[_CALLERS.index(caller)]
            if user not in users:
                theirs = ", ".join(map(str, users))
                problems.append(f"{caller.arn}: {user}; theirs {theirs}\n{made[number]}\n{case}")
    return problems


def _groups(case: Made) -> list[tuple[Made, tuple[Caller, ...]]]:
    """The documents to ask the reference about, each with the callers whom it is for."""
    groups: dict[Made, tuple[Caller, ...]] = {}
    for caller in _CALLERS:
        last = case
        for row, last in generated.as_reference(case, caller):  # noqa: B007 (the last one counts)
            assert not row or row in ROWS
        groups[last] = (*groups.get(last, ()), caller)
    return list(groups.items())


def test_the_cases_meet_what_they_are_for() -> None:
    """ARNs collide, chains and edits occur, and each step of the translation is taken."""
    made = [generated.make(number) for number in range(500)]
    rows = {row for case in made for c in _CALLERS for row, _ in generated.as_reference(case, c)}
    assert rows - {""} == generated.STEPS
    assert sum(len(case.steps) > 1 for case in made) > 50
    assert sum(len(case.steps[0]) > 1 for case in made) > 100
