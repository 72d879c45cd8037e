"""Warnings about what an edit brings, and about what it leaves."""

from __future__ import annotations

from authenticator.admin.mappings.advice import advice
from authenticator.aws.arns import PrincipalArn
from authenticator.editing.desired import applied
from authenticator.editing.documents import AwsAuth, Document
from authenticator.editing.entry import MappingEntry
from authenticator.editing.grants import Grant, granted

NOW = 1_900_000_000.0
HOUR = 3600.0
DEV = "arn:aws:iam::111122223333:role/Dev"
ENTRY = MappingEntry("mapRoles", {"rolearn": DEV, "username": "dev", "groups": ["admins"]})
PLAIN = AwsAuth({}).edited(additions=[ENTRY])
GRANT = Grant(PrincipalArn.parse(DEV), ("on-call",), NOW + HOUR, "INC-1")
GRANTED = granted(PLAIN, GRANT, (), NOW)


def demoted(document: Document, now: float = NOW) -> list[str]:
    """What is said when the principal loses a group."""
    wanted = MappingEntry("mapRoles", {**ENTRY.fields, "groups": ["devs"]})
    return advice(document, applied(document, [wanted], prune=False, now=now), (), now)


def test_a_grant_that_keeps_the_groups_of_a_demoted_principal_is_named() -> None:
    (line,) = demoted(GRANTED)
    assert "the grant mapRoles[1] keeps its username and groups until 2030-03-17T18:46:40Z" in line
    assert "'mappings remove mapRoles[1]'" in line


def test_a_grant_that_outlives_its_removed_entry_is_named() -> None:
    first, _ = GRANTED.entries()
    (line,) = advice(GRANTED, GRANTED.edited(removals=[first]), (), NOW)
    assert "the grant mapRoles[0] keeps" in line


def test_no_grant_is_named_that_is_over_or_is_what_changes() -> None:
    assert demoted(PLAIN) == []
    assert demoted(GRANTED, NOW + HOUR) == []
    assert not any("keeps" in line for line in advice(PLAIN, GRANTED, (), NOW))
    _, grant = GRANTED.entries()
    assert advice(GRANTED, GRANTED.edited(removals=[grant]), (), NOW) == []
