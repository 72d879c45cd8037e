"""What moves between aws-auth and custom resources, and what would be noticed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.editing.entry import MappingEntry
from authenticator.editing.formats.conversion import entry_for
from authenticator.editing.formats.migration import additions, plan
from authenticator.editing.objects import IdentityMappings
from authenticator.mapping.sections import MAP_ACCOUNTS, MAP_ROLES
from tests.authenticator.editing.formats import answers as a

ROLES = "arn:aws:iam::111122223333:role/"
EXPIRY = "2030-01-31T18:00:00Z"


def role(name: str, username: str = "x", **fields: Any) -> MappingEntry:
    return entry_for(MAP_ROLES, rolearn=ROLES + name, username=username, **fields)


def copied(entries: Iterable[MappingEntry]) -> list[MappingEntry]:
    """The entries as custom resources; of several for one principal the first name applies."""
    objects = IdentityMappings({}).edited(additions=list(entries))
    return [located.entry for located in objects.entries()][::-1]


@given(st.one_of(a.some_principals, a.some_rivals))
@a.patient
def test_roles_and_users_move_without_a_difference(entries: list[MappingEntry]) -> None:
    entries = a.in_document_order(entries)
    migration = plan(entries, to_objects=True)
    assert migration.rest == ()
    objects = copied(migration.to_add([]))
    assert migration.differences(objects) == []
    assert migration.to_add(objects) == []
    assert all(migration.moved(entries))

    back = plan(objects, to_objects=False)
    assert back.differences(a.in_document_order(back.to_add([]))) == []


@given(a.some_entries)
@a.patient
def test_what_is_left_and_what_is_copied_answer_together_as_before(
    entries: list[MappingEntry],
) -> None:
    entries = a.in_document_order(entries)
    migration = plan(entries, to_objects=True)
    objects = copied(migration.to_add([]))
    if migration.differences(objects):
        return
    gone = migration.moved(entries)
    left = [entry for entry, moved in zip(entries, gone, strict=True) if not moved]
    before = a.answers(a.ruleset(entries))
    assert a.answers(a.ruleset(left, objects)) == before
    assert a.answers(a.ruleset(objects, left)) == before


PRESENT = {
    "nothing": ([], "is missing, or differs"),
    "another username": ([role("Dev", "y")], "differs"),
    "another group": ([role("Dev", groups=["b"])], "differs"),
    "a placeholder written out": ([role("Dev", "AccountID")], "differs"),
    "an end": ([role("Dev", expires=EXPIRY)], "differs"),
    "somebody else": ([role("Ops")], "Ops was not there, or differs"),
    "an account": (
        [entry_for(MAP_ACCOUNTS, account="111122223333")],
        "account 111122223333 was not there",
    ),
}


@pytest.mark.parametrize(("present", "words"), PRESENT.values(), ids=PRESENT)
def test_what_would_be_answered_otherwise_is_named(present: list[MappingEntry], words: str) -> None:
    migration = plan([role("Dev", "{{AccountID}}")], to_objects=True)
    found = migration.differences(present)
    assert any(words in difference for difference in found)


def test_an_order_that_turns_round_is_named() -> None:
    entries = [role("z*", "z"), role("*9", "nine")]
    found = plan(entries, to_objects=False).differences(entries[::-1])
    assert found == [f"{ROLES}z* would come before {ROLES}*9"]


def test_an_order_that_nobody_notices_may_turn_round() -> None:
    entries = [role("Dev"), role("Ops"), role("a*"), role("b*")]
    assert plan(entries, to_objects=False).differences(entries[::-1]) == []


ADDED = {
    "somebody new": ([role("Dev")], [role("Ops")], 1, 0),
    "the same": ([role("Dev")], [role("dev")], 0, 0),
    "the same, otherwise": ([role("Dev")], [role("Dev", "y")], 0, 1),
    "the same, until some day": ([role("Dev")], [role("Dev", expires=EXPIRY)], 0, 1),
    "twice in the file": ([], [role("Dev", groups=["a"]), role("Dev", "y")], 1, 1),
    "the last one ends": ([], [role("Dev", "y"), role("Dev", expires=EXPIRY)], 2, 0),
}


@pytest.mark.parametrize(("present", "given_", "new", "left_out"), ADDED.values(), ids=ADDED)
def test_additions(
    present: list[MappingEntry], given_: list[MappingEntry], new: int, left_out: int
) -> None:
    entries, notes = additions(given_, present)
    assert (len(entries), len(notes)) == (new, left_out)
    assert all(note.left_out for note in notes)
