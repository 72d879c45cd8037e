"""Edits that would lock somebody out, and edits that would not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authenticator.aws.arns import CallerIdentity, PrincipalArn, SignedClaims
from authenticator.editing.editor import Editor
from authenticator.editing.lockout import Elsewhere, refusals
from authenticator.errors import UnknownUser
from authenticator.mapping.documents import read_data
from authenticator.mapping.guards import Guard
from authenticator.mapping.problems import Origin
from authenticator.mapping.rules import MASTERS, administrator
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import Section, SectionReader
from authenticator.review import Decision, ReviewRequest, allow
from authenticator.verdicts.verdict import Source
from tests.authenticator.mapping.callers import ACCOUNT, ROLE_ID, USER_ID, role, user

# Other tests may keep the machine busy.
patient = settings(deadline=None)

NOW = 1_800_000_000.0
PAST, FUTURE = "2027-01-15T07:59:59Z", "2027-01-15T08:00:01Z"
NEXT_WEEK, YEARS = "2027-01-22T08:00:00Z", "2037-01-15T08:00:00Z"
ROLES = f"arn:aws:iam::{ACCOUNT}:role/"
ADMIN_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/alice"

ALICE = Editor("admin:alice", (MASTERS,), ADMIN_ARN, f"{ROLE_ID}:alice")
CERTIFICATE = Editor("kubernetes-admin", (MASTERS,))

Entry = dict[str, Any]


def masters(name: str = "Admin", **more: Any) -> Entry:
    return {
        "rolearn": ROLES + name,
        "username": "admin:{{SessionName}}",
        "groups": [MASTERS],
        **more,
    }


def viewers(name: str, **more: Any) -> Entry:
    return {"rolearn": ROLES + name, "username": "viewer", "groups": ["viewers"], **more}


def node(name: str = "Node", **more: Any) -> Entry:
    return {
        "rolearn": ROLES + name,
        "username": "system:node:{{EC2PrivateDNSName}}",
        "groups": ["system:bootstrappers", "system:nodes"],
        **more,
    }


def sections(
    *roles: Entry,
    users: tuple[Entry, ...] = (),
    accounts: tuple[str, ...] = (),
    guard: Guard | None = None,
    source: str = "EKSConfigMap",
) -> tuple[Section, ...]:
    data = {
        "mapRoles": json.dumps(roles),
        "mapUsers": json.dumps(users),
        "mapAccounts": json.dumps(accounts),
    }
    return read_data(data, SectionReader(source, guard or Guard()))


def ids(
    before: tuple[Section, ...],
    after: tuple[Section, ...],
    editor: Editor = ALICE,
    elsewhere: Elsewhere | None = None,
) -> list[str]:
    return [found.id for found in refusals(before, after, editor, NOW, elsewhere or Elsewhere())]


OWN, LAST, NODES = "own-access", "last-administrator", "node-roles"
OTHER = masters("Other")
START = (masters(), OTHER, node())

REFUSED: dict[str, tuple[tuple[Entry, ...], tuple[Entry, ...], list[str]]] = {
    "own entry removed": (START, (OTHER, node()), [OWN]),
    "own entry moved to another group": (START, (viewers("Admin"), OTHER, node()), [OWN]),
    "own entry without groups": (START, (masters(groups=[]), OTHER, node()), [OWN]),
    "own entry for another recreation": (
        START,
        (masters(userid="AROAOTHER"), OTHER, node()),
        [OWN],
    ),
    "own entry expired": (START, (masters(expires=PAST), OTHER, node()), [OWN]),
    "own entry in another account": (
        START,
        (masters(rolearn="arn:aws:iam::999988887777:role/Admin"), OTHER, node()),
        [OWN],
    ),
    "own role misspelt": (START, (masters("Amdin"), OTHER, node()), [OWN]),
    "own username with an unknown placeholder": (
        START,
        (masters(username="{{Session}}"), OTHER, node()),
        [OWN],
    ),
    "own entry shadowed by a later one": (START, (*START, viewers("Admin")), [OWN]),
    "own pattern beaten by an exact entry": (
        (masters("Adm*"), OTHER),
        (masters("Adm*"), viewers("Admin"), OTHER),
        [OWN],
    ),
    "own pattern beaten by a longer one": (
        (masters("A*"), OTHER),
        (masters("A*"), viewers("Ad*"), OTHER),
        [OWN],
    ),
    "own pattern no longer covers": ((masters("Adm*"), OTHER), (masters("Adn*"), OTHER), [OWN]),
    "last administrator expires": (
        (masters("Other"), node()),
        (masters("Other", expires=FUTURE), node()),
        [LAST],
    ),
    "last administrator, who had years, expires in a week": (
        (masters("Other", expires=YEARS), node()),
        (masters("Other", expires=NEXT_WEEK), node()),
        [LAST],
    ),
    "last administrator removed, who is somebody else": (
        (viewers("Admin"), OTHER),
        (viewers("Admin"),),
        [LAST],
    ),
    "last administrator shadowed": ((OTHER,), (OTHER, viewers("Other")), [LAST]),
    "last administrator's username never usable": (
        (OTHER,),
        (masters("Other", username="{{SessionName}}{{Nothing}}"),),
        [LAST],
    ),
    "own entry, which is the last": ((masters(), node()), (node(),), [OWN, LAST]),
    "last permission set": (
        ({"sso": {"permissionSetName": "Ops", "accountID": ACCOUNT}, "groups": [MASTERS]},),
        (),
        [LAST],
    ),
    "last pattern": ((masters("Op*"),), (), [LAST]),
    "node role removed": (START, (masters(), OTHER), [NODES]),
    "node group mistyped": (
        START,
        (masters(), OTHER, node(groups=["system:bootstrappers", "system:node"])),
        [NODES],
    ),
    "node username fixed": (START, (masters(), OTHER, node(username="node")), [NODES]),
    "node role in a user's key": (
        START,
        (masters(), OTHER, {**node(), "rolearn": f"{ROLES}path/*"}),
        [NODES],
    ),
    "both node roles removed": ((masters(), node("A"), node("B")), (masters(),), [NODES]),
    "everything removed": (START, (), [OWN, LAST, NODES]),
}


@pytest.mark.parametrize(("before", "after", "expected"), REFUSED.values(), ids=REFUSED)
def test_must_be_refused(
    before: tuple[Entry, ...], after: tuple[Entry, ...], expected: list[str]
) -> None:
    assert ids(sections(*before), sections(*after)) == expected


PASS: dict[str, tuple[tuple[Entry, ...], tuple[Entry, ...]]] = {
    "nothing changes": (START, START),
    "order changes": (START, START[::-1]),
    "somebody is added": (START, (*START, viewers("New"))),
    "somebody else is removed": ((*START, viewers("New")), START),
    "another administrator is removed": (START, (masters(), node())),
    "own entry is doubled above": (START, (viewers("Admin"), *START)),
    "own username changes": (START, (masters(username="root"), OTHER, node())),
    "own groups grow": (START, (masters(groups=[MASTERS, "more"]), OTHER, node())),
    "own other groups go": ((masters(groups=[MASTERS, "more"]),), (masters(),)),
    "own entry becomes a pattern": (START, (masters("Adm*"), OTHER, node())),
    "own entry becomes a path": (START, (masters("team/Admin"), OTHER, node())),
    "own entry is pinned to me": (START, (masters(userid=ROLE_ID), OTHER, node())),
    "own entry expires later, others do not": (
        START,
        (masters(expires=FUTURE), OTHER, node()),
    ),
    "a wider pattern for viewers beside": (START, (*START, viewers("*"))),
    "one of two node roles goes": ((masters(), node("A"), node("B")), (masters(), node("B"))),
    "node role is renamed": (START, (masters(), OTHER, node("NewNode"))),
    "Fargate takes over from nodes": (
        START,
        (masters(), OTHER, node("Fargate", username="system:node:{{SessionName}}")),
    ),
    "the last administrator gets more time": (
        (masters("Other", expires=FUTURE),),
        (masters("Other", expires=NEXT_WEEK),),
    ),
    "there were never administrators or nodes": ((viewers("A"),), ()),
    "an expired administrator goes": ((masters(), masters("Old", expires=PAST)), (masters(),)),
    "an entry that never was in force goes": ((*START, {"rolearn": "nonsense"}), START),
    "the first mappings": ((), START),
}


@pytest.mark.parametrize(("before", "after"), PASS.values(), ids=PASS)
def test_must_pass(before: tuple[Entry, ...], after: tuple[Entry, ...]) -> None:
    assert ids(sections(*before), sections(*after)) == []


def test_deleting_the_object_takes_everything() -> None:
    assert ids(sections(*START), ()) == [OWN, LAST, NODES]


def test_a_section_that_does_not_parse_leaves_the_one_before_in_force() -> None:
    broken = read_data({"mapRoles": "- {"}, SectionReader("EKSConfigMap", Guard()))
    assert ids(sections(*START), broken) == []


def test_whoever_is_no_iam_caller_has_nothing_to_lose_here() -> None:
    assert ids(sections(*START), sections(OTHER, node()), CERTIFICATE) == []
    assert ids(sections(*START), (), CERTIFICATE) == [LAST, NODES]


def test_an_administrator_by_another_authenticator_has_nothing_to_lose_here() -> None:
    entry_of_mine = viewers("Admin")
    assert ids(sections(entry_of_mine, OTHER), sections(OTHER)) == []


def test_an_editor_by_another_authenticator_may_remove_their_old_entry() -> None:
    """Whoever moves to EKS access entries, and is no member of system:masters by them."""
    by_access_entry = Editor("arn:...", ("editors", "system:authenticated"), ADMIN_ARN)
    assert ids(sections(*START), sections(OTHER, node()), by_access_entry) == []


READERS = Editor("bob", ("editors", "readers"), f"arn:aws:iam::{ACCOUNT}:user/bob", USER_ID)
BOB = {"userarn": READERS.arn, "username": "bob", "groups": ["editors", "readers"]}
WITHOUT_MASTERS = {
    "entry removed": ((), [OWN]),
    "a group goes, which may be the one that lets them edit": (
        ({**BOB, "groups": ["readers"]},),
        [OWN],
    ),
    "username changes, which RBAC may name": (({**BOB, "username": "robert"},), [OWN]),
    "a group comes": (({**BOB, "groups": ["editors", "readers", "x"]},), []),
    "system:masters instead": (({**BOB, "username": "b", "groups": [MASTERS]},), []),
}


@pytest.mark.parametrize(("users", "expected"), WITHOUT_MASTERS.values(), ids=WITHOUT_MASTERS)
def test_an_editor_without_masters(users: tuple[Entry, ...], expected: list[str]) -> None:
    assert ids(sections(users=(BOB,)), sections(users=users), READERS) == expected


OPS = {"rolearn": f"{ROLES}Ops", "username": "ops", "groups": ["editors"]}
BY_JWT: tuple[dict[str, Any], ...] = (
    {},
    {"proof": "jwt"},
    {"organization": "o-abcd1234ef"},
    {"principalTags": {"team": "ops"}},
)


@pytest.mark.parametrize("limits", BY_JWT, ids=str)
def test_an_editor_who_logged_in_with_a_jwt(limits: dict[str, Any]) -> None:
    """Whatever their entry demanded, it could be removed or closed to them without a word."""
    arn = PrincipalArn.parse(f"{ROLES}team/Ops")
    identity = CallerIdentity(arn, "", "", SignedClaims(token_id="t"))
    entry = {**OPS, **limits}
    match = sections(entry)[0].rules[0].match
    decision = Decision("ops", ("editors",), identity, match, Source.JWT)
    request = ReviewRequest("authentication.k8s.io/v1", "token")
    told = json.loads(allow(request, decision, scrubbed=False))["status"]["user"]
    editor = Editor.from_user_info(told)
    assert ids(sections(entry), sections(), editor) == [OWN]
    assert ids(sections(entry), sections({**OPS, "proof": "presigned"}), editor) == [OWN]
    assert ids(sections(entry), sections({**entry, "groups": ["editors", "x"]}), editor) == []
    assert ids(sections(entry), sections(entry, viewers("B")), editor) == []


def test_an_editor_who_comes_in_by_their_account() -> None:
    assert ids(sections(accounts=(ACCOUNT,)), sections(), READERS) == [OWN]


def elsewhere(*roles: Entry) -> tuple[Section, ...]:
    return sections(*roles, source="Elsewhere")


CREATOR = Elsewhere(administrators=(administrator(f"{ROLES}Admin", Origin("config", "x")),))
KEPT = {
    "by bootstrapAdministrators": CREATOR,
    "by an earlier source": Elsewhere(earlier=elsewhere(masters(), node())),
    "by a later source": Elsewhere(later=elsewhere(masters("A*"), node())),
    "by the break-glass file": Elsewhere(break_glass=elsewhere(masters(), node())),
}


@pytest.mark.parametrize("others", KEPT.values(), ids=KEPT)
def test_what_is_granted_elsewhere_may_go(others: Elsewhere) -> None:
    assert ids(sections(masters()), (), elsewhere=others) == []


def test_an_entry_can_shadow_a_later_source() -> None:
    others = Elsewhere(later=elsewhere(masters()))
    assert ids((), sections(viewers("Admin")), elsewhere=others) == [OWN, LAST]


def test_an_entry_cannot_shadow_an_earlier_source() -> None:
    others = Elsewhere(earlier=elsewhere(masters()))
    assert ids((), sections(viewers("Admin")), elsewhere=others) == []


def test_what_its_source_may_not_grant_is_no_way_in() -> None:
    guarded = Guard(system_names=False)
    assert ids(sections(*START), sections(*START, guard=guarded)) == [OWN, LAST, NODES]


def test_a_thousand_shadowed_administrators_are_looked_at_but_briefly() -> None:
    shadowed = [entry for n in range(1000) for entry in (masters(f"R{n}"), viewers(f"R{n}"))]
    assert ids(sections(OTHER), sections(*shadowed, OTHER), CERTIFICATE) == [LAST]


def test_each_refusal_says_what_to_do() -> None:
    for found in refusals(sections(*START), (), ALICE, NOW):
        assert found.reason
        assert found.advice


def test_the_editor_is_read_as_a_login_told_the_api_server() -> None:
    identity = role("Admin")
    match = sections(masters())[0].rules[0].match
    decision = Decision("admin:alice", (MASTERS,), identity, match, Source.STS)
    request = ReviewRequest("authentication.k8s.io/v1", "token")
    told = json.loads(allow(request, decision, scrubbed=False))["status"]["user"]
    assert Editor.from_user_info(told) == replace(ALICE, user_id=identity.principal_id)
    assert ALICE.identity is not None
    assert ALICE.identity.arn == identity.arn
    assert ALICE.identity.principal_id == identity.principal_id


MALFORMED: dict[str, dict[str, object]] = {
    "empty": {},
    "no lists": {"groups": "system:masters", "extra": {"arn": ADMIN_ARN}},
    "no texts": {"username": 1, "groups": [None], "extra": {"arn": [7]}, "uid": []},
    "no map": {"extra": []},
    "no ARN": {"extra": {"arn": ["me"]}},
}


@pytest.mark.parametrize("info", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_user_is_no_iam_caller(info: dict[str, object]) -> None:
    assert Editor.from_user_info(info).identity is None


def test_the_canonical_arn_will_do() -> None:
    editor = Editor.from_user_info({"extra": {"canonicalArn": [f"{ROLES}Admin"]}})
    assert ids(sections(*START), sections(OTHER, node()), editor) == [OWN]


# A small world, in which everybody can be asked. "=" is what the guard fills wildcards with.
_NAMES = [first + second for first in ("A", "B", "=") for second in ("", "A", "B", "=")]
_PATTERNS = st.sampled_from([*_NAMES, "*", "?", "A*", "?A", "B?", "*B"])
_ENTRY = st.builds(
    lambda name, group, expires, user_id: {
        "rolearn": ROLES + name,
        "username": "u:{{SessionName}}",
        "groups": [group],
        **({"expires": expires} if expires else {}),
        **({"userid": user_id} if user_id else {}),
    },
    _PATTERNS,
    st.sampled_from([MASTERS, "viewers"]),
    st.sampled_from(["", PAST, "9999-01-01T00:00:00Z"]),
    st.sampled_from(["", ROLE_ID, "AROAOTHER"]),
)
_DOCUMENT = st.lists(_ENTRY, max_size=5).map(lambda entries: sections(*entries))
_EDITOR = st.sampled_from(_NAMES).map(role)


def _groups(found: tuple[Section, ...], identity: CallerIdentity) -> tuple[str, ...]:
    match = RuleSet([[rule for section in found for rule in section.rules]]).find(identity, NOW)
    try:
        return match.render(identity, "")[1] if match else ()
    except UnknownUser:
        return ()


def _editor(identity: CallerIdentity) -> Editor:
    return Editor("?", (), str(identity.arn), identity.user_id)


@patient
@given(_DOCUMENT, _EDITOR)
def test_an_edit_that_changes_nothing_passes(
    found: tuple[Section, ...], identity: CallerIdentity
) -> None:
    assert ids(found, found, _editor(identity)) == []


@patient
@given(_DOCUMENT, _DOCUMENT, _EDITOR)
def test_nobody_who_passes_has_lost_masters(
    before: tuple[Section, ...], after: tuple[Section, ...], identity: CallerIdentity
) -> None:
    refused = ids(before, after, _editor(identity))
    had, has = _groups(before, identity), _groups(after, identity)
    assert (OWN in refused) == (not set(had) <= set(has) and MASTERS not in has)


@patient
@given(_DOCUMENT, _DOCUMENT)
def test_somebody_stays_administrator_of_what_passes(
    before: tuple[Section, ...], after: tuple[Section, ...]
) -> None:
    """Whoever shares a role with the guard's example of it is asked as well."""
    everybody = [role(name) for name in _NAMES]
    everybody += [CallerIdentity(one.arn, "AROAOTHER:alice", "-") for one in everybody]
    had = any(MASTERS in _groups(before, one) for one in everybody)
    has = any(MASTERS in _groups(after, one) for one in everybody)
    if had and not has:
        assert LAST in ids(before, after, CERTIFICATE)


@patient
@given(_DOCUMENT, _DOCUMENT)
def test_a_bootstrap_administrator_is_never_locked_out(
    before: tuple[Section, ...], after: tuple[Section, ...]
) -> None:
    assert ids(before, after, ALICE, CREATOR) == []


def test_an_iam_user_is_an_editor_too() -> None:
    bob = user("bob")
    editor = Editor("bob", (), str(bob.arn), bob.user_id)
    assert editor.identity is not None
    assert editor.identity.canonical_arn == bob.canonical_arn
