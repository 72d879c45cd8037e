"""What is claimed twice, and who is said to win."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.mapping.documents import read_data
from authenticator.mapping.guards import Guard
from authenticator.mapping.overlaps import LIMIT, overlaps
from authenticator.mapping.problems import Code
from authenticator.mapping.rules import Rule
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import SectionReader
from tests.authenticator.mapping.callers import role


def rules(*names: str, **more: Any) -> tuple[Rule, ...]:
    """Rules for roles; `NAME!KEY=VALUE` gives one more key."""
    entries = []
    for name in names:
        plain, _, extra = name.partition("!")
        key, _, value = extra.partition("=")
        entry = {"rolearn": f"arn:aws:iam::111122223333:role/{plain}", "username": "x"}
        entries.append(entry | ({key: value} if key else {}))
    section = read_data({"mapRoles": json.dumps(entries)}, SectionReader("Test", Guard()))[0]
    assert len(section.rules) == len(names)
    return section.rules


EXPECTED = {
    "different roles": (["a", "b"], []),
    "the same role": (["a", "b", "A"], ["[0] never applies, since [2]"]),
    "three times": (
        ["a", "a", "a"],
        ["[1] never applies, since [2]", "[0] never applies, since [2]"],
    ),
    "the same pattern": (["a*", "a*"], ["[0] never applies, since [1]", "[1] wins over [0]"]),
    "two pins": (["a!userid=AROAONE", "a!userid=AROATWO"], []),
    "the same pin": (["a!userid=AROAONE", "a!userid=AROAONE"], ["[0] never applies, since [1]"]),
    "pinned after any": (["a", "a!userid=AROAONE"], ["[0] never applies, since [1]"]),
    "pinned before any": (["a!userid=AROAONE", "a"], ["[0] never applies, since [1]"]),
    "the last one ends": (["a", "a!expires=2030-01-01T00:00:00Z"], []),
    "a path above the ARN to the letter": (["x/a", "a"], ["[0] never applies, since [1]"]),
    "a path below the ARN to the letter": (["a", "x/a"], ["[1] never applies, since [0]"]),
    "exact and pattern": (["a*", "ab"], ["[1] wins over [0]"]),
    "exact beside pattern": (["a*c", "ab"], []),
    "wide and narrow": (["a*", "ab*"], ["[1] wins over [0]"]),
    "equally narrow": (["ab*", "a*b"], ["[1] wins over [0]"]),
    "other beginning": (["a*", "b*"], []),
    "other end": (["a*x", "a*y"], []),
    "crossing": (["a*", "*b"], ["[1] wins over [0]"]),
}


@pytest.mark.parametrize(("names", "expected"), EXPECTED.values(), ids=EXPECTED)
def test_overlaps(names: list[str], expected: list[str]) -> None:
    said = []
    for problem in overlaps(rules(*names)):
        index, reason = problem.origin.index, problem.reason
        other = reason[reason.index("mapRoles[") + 8 :].split(",")[0]
        never = "never applies" in reason
        assert problem.in_force is not never
        said.append(
            f"[{index}] never applies, since {other}" if never else f"{other} wins over [{index}]"
        )
    assert said == expected


def granting(*groups: str, source: str = "Test") -> tuple[Rule, ...]:
    """Entries for one role, each with a group of its own."""
    arn = "arn:aws:iam::111122223333:role/a"
    entries = [{"rolearn": arn, "username": "x", "groups": [group]} for group in groups]
    return read_data({"mapRoles": json.dumps(entries)}, SectionReader(source, Guard()))[0].rules


def test_duplicates_that_grant_different_things_are_told_from_equal_ones() -> None:
    """The reference applies the last: whoever edits the first takes nothing away."""
    (equal,) = overlaps(granting("viewers", "viewers"))
    assert equal.code is Code.DUPLICATE_ENTRY
    (different,) = overlaps(granting("system:masters", "viewers"))
    assert different.code is Code.CONFLICTING_ENTRY
    assert different.origin.index == 0
    assert "mapRoles[1]" in different.reason


def test_two_sources_may_grant_different_things() -> None:
    tier = (*granting("system:masters", source="One"), *granting("viewers", source="Two"))
    assert [problem.code for problem in overlaps(tier)] == [Code.DUPLICATE_ENTRY]


def test_two_custom_resources_that_grant_different_things_conflict() -> None:
    """Which of them the reference applies is up to chance."""
    reader = SectionReader("CRD", Guard())
    arn = "arn:aws:iam::111122223333:role/a"
    tier = [
        rule
        for name, group in (("one", "system:masters"), ("two", "viewers"))
        for rule in reader.identity(name, {"arn": arn, "username": "x", "groups": [group]}).rules
    ]
    (found,) = overlaps(tier)
    assert (found.code, found.origin.section) == (Code.CONFLICTING_ENTRY, "two")


def test_no_more_are_named_than_can_be_read() -> None:
    assert len(overlaps(rules(*["a"] * 200))) == LIMIT
    assert len(overlaps(rules(*(f"{'a' * n}*" for n in range(1, 40))))) == LIMIT


_patterns = st.text(st.sampled_from("ab*?"), min_size=1, max_size=4)


@given(
    st.lists(_patterns, min_size=2, max_size=4),
    st.text(st.sampled_from("ab"), min_size=1, max_size=5),
)
def test_every_caller_of_two_entries_is_in_an_overlap(names: list[str], name: str) -> None:
    made = rules(*names)
    matching = [
        rule for rule in RuleSet((made,)).candidates(role(name)) if not rule.refusal(role(name), 0)
    ]
    named = {str(problem.origin) for problem in overlaps(made)}
    # All but the winner lose to somebody.
    assert {str(rule.match.origin) for rule in matching[1:]} <= named


def test_thousands_of_patterns_that_begin_alike_are_not_all_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """13,000 of them, which a ConfigMap can hold, took six minutes, in which probes stood still."""
    alike = rules("*aaa", "*aa", "*a")
    assert len(overlaps(alike)) == 3
    monkeypatch.setattr("authenticator.mapping.overlaps._PAIRS", 2)
    assert len(overlaps(alike)) < 3
