"""The written documents: both sides answer alike, but for the rows of the table of differences."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from dev import oracle
from dev.oracle import Answer, Caller, Question, Step, User
from tests.oracle import ours, test_tokens
from tests.oracle.cases import CALLERS, DENIED, Case
from tests.oracle.differences import ROWS, TABLE, Situation, page
from tests.oracle.documents import CASES, EXPECTED

pytestmark = pytest.mark.reference

MIGRATING = Path(__file__).parents[2] / "docs" / "migrating.md"


@pytest.fixture(scope="module")
def reference() -> Mapping[str, Answer]:
    """The reference's answers to all cases, asked at once."""
    answers = oracle.ask([case.question() for case in CASES])
    return {case.id: answer for case, answer in zip(CASES, answers, strict=True)}


@pytest.fixture(scope="module")
def whole() -> Mapping[tuple[str, str], User | None]:
    """By caller and answer of `differences.yaml`: the reference's user where it says just this.

    So uid and extra are compared with the reference's there too.
    """
    pairs = sorted({(name, answer) for case in CASES for name, (_, answer) in case.differs.items()})
    answers = oracle.ask([_saying(CALLERS[name], answer) for name, answer in pairs])
    found: dict[tuple[str, str], User | None] = {}
    for pair, answer in zip(pairs, answers, strict=True):
        (found[pair],) = answer.users[0]
    return found


def _saying(caller: Caller, answer: str) -> Question:
    """A config file that maps the caller to an answer, and nobody if it is a denial."""
    username, _, groups = answer.removesuffix("]").rpartition(" [")
    mapped = caller.arn.replace(":sts:", ":iam:").replace(":assumed-role/", ":role/")
    arn = mapped.rpartition("/")[0] if ":assumed-role/" in caller.arn else caller.arn
    entry = {"rolearn": arn, "username": username, "groups": [*filter(None, groups.split(","))]}
    server = {"mapRoles": [] if answer == DENIED else [entry]}
    content = json.dumps({"clusterID": "oracle", "server": server}).encode()
    return Question(("MountedFile",), (Step(config=content),), (caller,))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_both_answer_alike_but_for_the_table(
    case: Case,
    reference: Mapping[str, Answer],
    whole: Mapping[tuple[str, str], User | None],
) -> None:
    theirs, here = reference[case.id], ours.answer(case.question())
    assert not here.refusal
    assert bool(theirs.refusal) == bool(case.refused), theirs.refusal
    nobody = (frozenset({None}),) * len(CALLERS)
    users = nobody if theirs.refusal else theirs.users
    if case.refused:
        situations = (Situation(case, caller) for caller in CALLERS.values())
        assert any(map(ROWS[case.refused].holds, situations))
    for (name, caller), answers, user in zip(CALLERS.items(), users, here.users, strict=True):
        if name not in case.differs:
            assert user in answers, f"{name}: {user or DENIED}; theirs: {[*map(str, answers)]}"
            continue
        row, answer = case.differs[name]
        assert user == whole[name, answer], f"{name}: {user or DENIED}"
        assert user not in answers, f"{name}: no difference any more; take the line out"
        assert ROWS[row].holds(Situation(case, caller)), f"{name}: {row} does not hold here"


def test_there_are_enough() -> None:
    assert len(CASES) >= 300
    assert max(Counter(case.id for case in CASES).values()) == 1


def test_every_expectation_is_of_a_case() -> None:
    assert not EXPECTED.keys() - {case.id for case in CASES}


def test_every_row_is_needed() -> None:
    needed = {row for case in CASES for row, _ in case.differs.values()}
    needed |= test_tokens.ROWS
    assert [row.id for row in TABLE if row.id not in needed] == []


def test_administrators_are_shown_the_same_table() -> None:
    message = "put the table of tests/oracle/differences.py (page()) into docs/migrating.md"
    assert page() in MIGRATING.read_text(), message
