"""Access that ends: in force at once, and everything as it was at the end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from authenticator.aws.arns import CallerIdentity, PrincipalArn
from authenticator.editing.desired import applied
from authenticator.editing.documents import AwsAuth, Document, MappingFile
from authenticator.editing.edits import EditError
from authenticator.editing.entry import MappingEntry
from authenticator.editing.grants import Grant, granted, principal
from authenticator.editing.objects import IdentityMappings
from authenticator.lint import Context, Severity, lint_data
from authenticator.mapping.guards import Guard
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import Section, SectionReader
from authenticator.timestamps import rfc3339

NOW = 1_900_000_000.0
HOUR = 3600
DEV = "arn:aws:iam::111122223333:role/Dev"
BASE = {"rolearn": DEV, "username": "dev:{{SessionName}}", "groups": ["devs"]}
Entry = Mapping[str, Any]
Answer = tuple[str, frozenset[str]] | None


def aws_auth(*entries: Entry, accounts: Sequence[str] = ()) -> AwsAuth:
    return AwsAuth({"mapRoles": json.dumps(entries), "mapAccounts": json.dumps(accounts)})


def objects(**entries: Entry) -> IdentityMappings:
    specs = {
        name: {("arn" if key == "rolearn" else key): value for key, value in entry.items()}
        for name, entry in entries.items()
    }
    return IdentityMappings({name: {"spec": spec} for name, spec in specs.items()})


def answer(sections: Sequence[Section], at: float, user_id: str = "AROADEV") -> Answer:
    """What a session of the role is given at a time."""
    arn = PrincipalArn.parse("arn:aws:sts::111122223333:assumed-role/Dev/alice")
    identity = CallerIdentity(arn, f"{user_id}:alice", "ASIA")
    match = RuleSet.of((), sections, ()).find(identity, at)
    if match is None:
        return None
    username, groups = match.render(identity, "")
    return username, frozenset(groups)


def grant(hours: float = 2, *groups: str) -> Grant:
    return Grant(principal(DEV), groups or ("on-call",), NOW + hours * HOUR, "ticket 7")


def give(document: Document, of: Grant | None = None, others: Sequence[Section] = ()) -> Document:
    return granted(document, of or grant(), others, NOW)


DOCUMENTS: dict[str, Document] = {
    "aws-auth": aws_auth(BASE),
    "a file": MappingFile("m.yaml", json.dumps({"mapRoles": [BASE]})),
    "a config file": MappingFile("c.yaml", json.dumps({"server": {"mapRoles": [BASE]}})),
    "custom resources": objects(dev=BASE),
    "a pattern": aws_auth({**BASE, "rolearn": DEV.replace("Dev", "D*")}),
    "a role path": aws_auth({**BASE, "rolearn": DEV.replace("Dev", "team/Dev")}),
    "a pin": aws_auth({**BASE, "userid": "AROADEV"}),
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
def test_it_is_in_force_until_its_end_and_everything_is_as_it_was_then(document: Document) -> None:
    after = give(document).sections()
    for moment in (NOW, NOW + 2 * HOUR - 1):
        assert answer(after, moment) == ("dev:alice", frozenset({"devs", "on-call"}))
    assert answer(after, NOW + 2 * HOUR) == ("dev:alice", frozenset({"devs"}))


def test_the_entry_says_why_and_until_when() -> None:
    entry = give(aws_auth(BASE)).entries()[-1].entry.fields
    assert entry == {
        **BASE,
        "groups": ["devs", "on-call"],
        "expires": rfc3339(NOW + 2 * HOUR),
        "reason": "ticket 7",
    }


def test_another_principal_of_the_same_name_gets_nothing() -> None:
    after = give(aws_auth({**BASE, "userid": "AROADEV"})).sections()
    assert answer(after, NOW, "AROAOTHER") is None


def test_an_account_that_is_mapped_is_added_to() -> None:
    after = give(aws_auth(accounts=["111122223333"])).sections()
    assert answer(after, NOW) == (DEV, frozenset({"on-call"}))
    assert answer(after, NOW + 3 * HOUR) == (DEV, frozenset())


@pytest.mark.parametrize("order", [(8, 2), (2, 8), (2, 2)])
@pytest.mark.parametrize("kind", ["aws-auth", "custom resources"])
def test_a_second_grant_makes_none_longer(order: tuple[int, int], kind: str) -> None:
    first, second = order
    after = give(DOCUMENTS[kind], grant(first, "a"))
    after = give(after, grant(second, "b"))
    for hours in (0, 1, 2, 3, 7, 8, 9):
        groups = {"devs", *(["a"] if hours < first else []), *(["b"] if hours < second else [])}
        assert answer(after.sections(), NOW + hours * HOUR) == ("dev:alice", frozenset(groups))


@pytest.mark.parametrize("kind", ["aws-auth", "custom resources"])
def test_a_grant_that_is_over_makes_room_for_the_next(kind: str) -> None:
    once = give(DOCUMENTS[kind])
    again = granted(once, Grant(principal(DEV), ("b",), NOW + 9 * HOUR, "x"), (), NOW + 3 * HOUR)
    assert len(again.entries()) == len(once.entries()) == 2
    assert answer(again.sections(), NOW + 3 * HOUR) == ("dev:alice", frozenset({"devs", "b"}))


def test_without_access_there_is_nothing_to_add_to() -> None:
    with pytest.raises(EditError, match="has no access that a group could be added to"):
        give(aws_auth())


def test_it_outlives_no_other_access() -> None:
    ends = aws_auth({**BASE, "expires": rfc3339(NOW + HOUR)})
    with pytest.raises(EditError, match=r"ends at .* before this grant would"):
        give(ends)
    assert give(ends, grant(1))


def other(*entries: Entry) -> tuple[Section, ...]:
    reader = SectionReader("CRD", Guard())
    return tuple(
        reader.identity(f"o{number}", {("arn" if k == "rolearn" else k): v for k, v in e.items()})
        for number, e in enumerate(entries)
    )


def test_what_another_source_has_is_added_to() -> None:
    pattern = other({**BASE, "rolearn": DEV.replace("Dev", "D*")})
    after = give(aws_auth(), others=pattern).sections()
    assert answer([*after, *pattern], NOW) == ("dev:alice", frozenset({"devs", "on-call"}))


def test_an_entry_of_another_source_that_may_come_before_is_named() -> None:
    with pytest.raises(EditError, match=r"may not come into force, since CRD o0 .*--source"):
        give(aws_auth(), others=other(BASE))


def test_two_sources_that_differ_are_named() -> None:
    with pytest.raises(EditError, match="depends on the server's backendMode"):
        give(aws_auth(BASE), others=other({**BASE, "groups": ["other"]}))


@pytest.mark.parametrize(
    "text", ["", "arn:aws:iam::111122223333:role/*", "Dev", "arn:aws:s3:::bucket"]
)
def test_a_principal_is_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"wildcards|ARN|arn|account"):
        principal(text)


def test_a_session_stands_for_its_role() -> None:
    assert str(principal("arn:aws:sts::111122223333:assumed-role/Dev/alice")) == DEV


def test_neither_lint_nor_the_webhook_takes_it_for_a_conflict() -> None:
    texts = give(aws_auth(BASE)).texts
    findings = lint_data(texts, "aws-auth", Context(now=NOW))
    assert [f for f in findings if f.severity is not Severity.NOTE] == []


@pytest.mark.parametrize("prune", [False, True])
@pytest.mark.parametrize("kind", ["aws-auth", "custom resources"])
def test_applying_a_file_ends_no_grant(kind: str, prune: bool) -> None:
    given_now = give(DOCUMENTS[kind])
    wanted = [MappingEntry("mapRoles", {**BASE, "groups": ["renamed"]})]
    after = applied(given_now, wanted, prune=prune, now=NOW).sections()
    assert answer(after, NOW) == ("dev:alice", frozenset({"devs", "on-call"}))
    assert answer(after, NOW + 3 * HOUR) == ("dev:alice", frozenset({"renamed"}))


_GROUPS = st.lists(st.sampled_from("abc"), max_size=2)
_ENTRIES = st.lists(
    st.fixed_dictionaries(
        {"rolearn": st.sampled_from([DEV, DEV.replace("Dev", "D*")]), "groups": _GROUPS},
        optional={"expires": st.integers(-2, 6).map(lambda h: rfc3339(NOW + h * HOUR))},
    ).map(lambda entry: {**entry, "username": "u"}),
    min_size=1,
    max_size=4,
)


@given(_ENTRIES, st.integers(1, 6), st.booleans())
def test_at_every_moment_a_grant_adds_its_group_and_nothing_else(
    entries: list[Entry], hours: int, resources: bool
) -> None:
    named = {f"n{number}": entry for number, entry in enumerate(entries)}
    document = objects(**named) if resources else aws_auth(*entries)
    before = document.sections()
    try:
        after = give(document, grant(hours, "new")).sections()
    except EditError:
        assume(False)
    for at in range(9):
        moment = NOW + at * HOUR
        had = answer(before, moment)
        assert had or at >= hours
        expected = (had[0], had[1] | {"new"}) if had and at < hours else had
        assert answer(after, moment) == expected


def test_a_grant_does_not_widen_an_entry_with_conditions() -> None:
    document = aws_auth({**BASE, "username": "dev", "proof": "presigned"})
    with pytest.raises(EditError, match="has conditions"):
        give(document)
