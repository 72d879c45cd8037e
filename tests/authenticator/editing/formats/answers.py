"""Entries and callers to try them with, and what the server answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hypothesis import settings
from hypothesis import strategies as st

from authenticator.aws.arns import CallerIdentity
from authenticator.editing.entry import MappingEntry
from authenticator.editing.formats.checking import Usable, check
from authenticator.editing.formats.conversion import entry_for
from authenticator.errors import UnknownUser
from authenticator.mapping.rules import Match, Rule
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import MAP_ACCOUNTS, MAP_ROLES, MAP_USERS
from tests.authenticator.mapping.callers import caller

# Every caller is asked for each example, on machines that may be busy.
patient = settings(deadline=None)

ACCOUNTS = ("111122223333", "444455556666")
EXPIRY = "2027-01-15T08:00:00Z"
TIMES = (1_799_999_999.0, 1_800_000_001.0)  # before and after
IDS = ("AROAEXAMPLEEXAMPLE001", "AROAEXAMPLEEXAMPLE002")
SSO = "AWSReservedSSO_Admin_0123456789abcdef"
ROLE_NAMES = ("dev", "dev1", "dev_1", "dev-1", "ops", SSO, "AWSReservedSSO_Admin_ops")
PATTERNS = ("*", "d*", "de*", "*1", "dev?", "dev*", "?ev*", "AWSReservedSSO_*")

usernames = st.sampled_from(
    ("alice", "u:{{SessionName}}", "{{CanonicalARN}}", "x-{{AccountID}}", "k:{{AccessKeyID}}")
)
groups = st.sampled_from(([], ["a"], ["b", "a"], ["system:masters"], ["g-{{AccountID}}"]))
conditions = st.sampled_from(({}, {}, {}, {"userid": IDS[0]}, {"expires": EXPIRY}))


def _arn(kind: str, account: str, name: str) -> str:
    return f"arn:aws:iam::{account}:{kind}/{name}"


@st.composite
def principals(draw: st.DrawFn) -> MappingEntry:
    """Entries for roles and users, as ARNs or patterns."""
    section = draw(st.sampled_from((MAP_ROLES, MAP_ROLES, MAP_USERS)))
    kind, key = ("role", "rolearn") if section == MAP_ROLES else ("user", "userarn")
    name = draw(st.sampled_from((*ROLE_NAMES, *PATTERNS)))
    arn = _arn(kind, draw(st.sampled_from(ACCOUNTS)), name)
    fields = {key: arn, "username": draw(usernames), "groups": draw(groups)}
    return entry_for(section, **fields, **draw(conditions))


# Of each of the first two pairs, both name dev1, and neither goes first for what it is.
rivals = st.sampled_from(("d*", "*1", "dev?", "dev*", "d?v*")).map(
    lambda name: {"rolearn": _arn("role", ACCOUNTS[0], name)}
)
some_rivals = st.lists(rivals, max_size=5).map(
    lambda all_arns: [
        entry_for(MAP_ROLES, **arn, username=f"n-{place}") for place, arn in enumerate(all_arns)
    ]
)


@st.composite
def permission_sets(draw: st.DrawFn) -> MappingEntry:
    sso = {"permissionSetName": "Admin", "accountID": draw(st.sampled_from(ACCOUNTS))}
    fields = {"sso": sso, "username": draw(usernames), "groups": draw(groups)}
    return entry_for(MAP_ROLES, **fields, **draw(conditions))


nodes = st.sampled_from(
    [
        entry_for(
            MAP_ROLES,
            rolearn=_arn("role", ACCOUNTS[0], "dev"),
            username="system:node:{{SessionName}}",
            groups=["system:nodes", "system:bootstrappers"],
        )
    ]
)
accounts = st.sampled_from([entry_for(MAP_ACCOUNTS, account=account) for account in ACCOUNTS])
anything = st.one_of(principals(), principals(), permission_sets(), accounts, nodes)
some_principals = st.lists(principals(), max_size=8)
some_entries = st.lists(anything, max_size=8)

CALLERS: tuple[CallerIdentity, ...] = tuple(
    caller(arn, user_id)
    for account in ACCOUNTS
    for name in ROLE_NAMES
    for user in IDS
    for arn, user_id in (
        (f"arn:aws:sts::{account}:assumed-role/{name}/s-1", f"{user}:s-1"),
        (_arn("user", account, name), user),
    )
)


def in_document_order(entries: Iterable[MappingEntry]) -> list[MappingEntry]:
    """Roles before users before accounts, as a document has them."""
    order = (MAP_ROLES, MAP_USERS, MAP_ACCOUNTS)
    return sorted(entries, key=lambda entry: order.index(entry.section))


def usables(entries: Iterable[MappingEntry]) -> list[Usable]:
    """The entries, all of which must be in force."""
    found, notes = check(entries)
    assert not [note for note in notes if note.left_out]
    return found


def ruleset(*places: Iterable[MappingEntry]) -> RuleSet:
    """What is in force with the entries of one place, or of several in order."""
    checked = [check(entries, f"place {number}") for number, entries in enumerate(places)]
    assert not [note for _, notes in checked for note in notes if note.left_out]
    found = [usable for usables, _ in checked for usable in usables]
    rules = [usable.rule for usable in found if usable.rule]
    return RuleSet((rules,), dict(usable.account for usable in found if usable.account))


def ruleset_of(rules: Sequence[Rule]) -> RuleSet:
    return RuleSet((rules,))


Answer = tuple[str, tuple[str, ...]] | str | None


def answers(rules: RuleSet) -> list[Answer]:
    """What every caller is told, before and after entries end; groups in no order."""
    return [_answer(rules.find(identity, now), identity) for identity in CALLERS for now in TIMES]


def _answer(match: Match | None, identity: CallerIdentity) -> Answer:
    if match is None:
        return None
    try:
        username, names = match.render(identity, "ip-10-0-0-1")
    except UnknownUser:
        return "refused"
    return username, tuple(sorted(names))
