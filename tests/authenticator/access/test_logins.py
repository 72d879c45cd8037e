"""`access` names the mapping by which a login is let in, and `hidden` none that lets one in."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from authenticator.access.principals import entrants
from authenticator.aws.arns import CallerIdentity, PrincipalArn, SignedClaims
from authenticator.mapping.documents import read_data
from authenticator.mapping.guards import Guard
from authenticator.mapping.precedence import behind_accounts, hidden, in_order, is_behind
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import Section, SectionReader
from tests.authenticator.access.clusters import Object, mapped
from tests.examples import examples

NOW = 1_800_000_000.0
ACCOUNT = "111122223333"
OLD, NEW = "AROAOLD1", "AROANEW1"
PRESIGNED = PrincipalArn.parse(f"arn:aws:sts::{ACCOUNT}:assumed-role/A/alice")
BY_JWT = PrincipalArn.parse(f"arn:aws:iam::{ACCOUNT}:role/A")
CALLERS = [
    *(CallerIdentity(PRESIGNED, user_id, "ASIAEXAMPLE") for user_id in (OLD, NEW)),
    *(
        CallerIdentity(
            BY_JWT, "", "", SignedClaims(organization=org, identity_store_user_id=person)
        )
        for org in ("o-a", "o-b")
        for person in ("", "person")
    ),
]
LATER, PAST = "2030-01-01T00:00:00Z", "2020-01-01T00:00:00Z"
_LIMITS: list[dict[str, Any]] = [
    {},
    {},
    {"userid": OLD},
    {"userid": NEW},
    {"proof": "jwt"},
    {"proof": "presigned"},
    {"organization": "o-a"},
    {"organization": "o-b"},
    {"groups": ["{{IdentityStoreUserID}}"]},
]
_ENDS: list[dict[str, Any]] = [{}, {}, {"expires": LATER}, {"expires": PAST}, {"expires": "soon"}]
_entry = st.builds(
    lambda name, limit, end: {**mapped(name, "dev"), **limit, **end},
    st.sampled_from(["A", "A", "path/A", "*", "?"]),
    st.sampled_from(_LIMITS),
    st.sampled_from(_ENDS),
)
_source = st.tuples(st.lists(_entry, max_size=4), st.booleans())
# Entries, and whether the account is mapped as well.
_Source = tuple[list[Object], bool]


def read(name: str, source: _Source) -> list[Section]:
    roles, account = source
    data = {"mapRoles": json.dumps(roles), "mapAccounts": json.dumps([ACCOUNT] * account)}
    return list(read_data(data, SectionReader(name, Guard())))


def one(name: str, **more: str) -> Object:
    return mapped(name, "dev", **more)


NO_ENTRIES: _Source = ([], False)


@given(_source, _source, _source)
@settings(max_examples=examples(200), deadline=None)
# The source of the entry to the letter comes behind the account.
@example(([one("path/A")], True), ([one("A")], False), NO_ENTRIES)
# An entry that cannot be used comes behind the account.
@example(([], True), ([one("?", expires="soon")], True), NO_ENTRIES)
@example(([], True), ([one("?", expires="soon")], False), NO_ENTRIES)
# A narrowed entry that ends refuses the caller, so that the next one is passed over.
@example(
    ([one("A"), one("A", proof="jwt", expires=LATER), one("path/A", proof="presigned")], False),
    NO_ENTRIES,
    NO_ENTRIES,
)
# A token may lack a claim that a name needs.
@example(
    ([one("A", proof="jwt"), mapped("A", "dev", "{{IdentityStoreUserID}}")], False),
    NO_ENTRIES,
    NO_ENTRIES,
)
# A narrowed entry refuses the caller before one that cannot be used.
@example(
    ([one("A", proof="presigned"), one("*", expires="soon")], False),
    NO_ENTRIES,
    ([one("A", proof="jwt")], False),
)
# Until the narrowed entry ends, its refusals pass over a pinned one without conditions as well.
@example(
    NO_ENTRIES,
    ([one("A", userid=OLD), one("A", proof="presigned", expires=LATER)], False),
    ([one("A", proof="jwt")], False),
)
def test_access_names_what_a_login_gets(first: _Source, second: _Source, last: _Source) -> None:
    chain, glass = [*read("first", first), *read("second", second)], read("glass", last)
    rules, found = RuleSet.of((), chain, glass), entrants(chain, NOW, (), glass)
    behind = behind_accounts(chain)
    asked = [
        rule
        for tier in (chain, glass)
        for rule in in_order(r for part in tier for r in (*part.rules, *part.denials))
        if not (rule.has_expired(NOW) or is_behind(rule, behind))
    ]
    never = {rule.match.origin for rule, _ in hidden(asked)}
    for caller in CALLERS:
        match = rules.find(caller, NOW)
        if match is not None:
            assert match.origin in {principal.origin for principal in found.of(caller.arn)}
            assert match.origin not in never


def test_an_account_comes_before_broken_entries_of_later_sources() -> None:
    """They refused its callers, unless their source had an entry in force as well."""
    chain = [*read("first", ([], True)), *read("second", ([one("A", expires="soon")], False))]
    match = RuleSet.of((), chain, ()).find(CALLERS[0], NOW)
    assert match is not None
    assert match.origin.source == "first"
