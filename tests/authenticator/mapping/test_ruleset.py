"""Which of several mappings applies (docs/adr/0002)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.aws.arns import CallerIdentity
from authenticator.errors import UnknownUser
from authenticator.mapping.documents import read_data
from authenticator.mapping.guards import Guard
from authenticator.mapping.problems import Origin
from authenticator.mapping.rules import Rule, administrator
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import Section, SectionReader
from tests.authenticator.mapping.callers import ROLE_ID, caller, role, user
from tests.authenticator.mapping.slow import Entry, find

ROLES = "arn:aws:iam::111122223333:role/"
NOW = 1_800_000_000.0
BEFORE = "2027-01-15T07:59:59Z"  # a second before NOW
AFTER = "2027-01-15T08:00:01Z"


def rules(*entries: dict[str, Any], source: str = "Test", **guard: Any) -> tuple[Rule, ...]:
    """The rules of `mapRoles` entries; all must be in force."""
    reader = SectionReader(
        source,
        Guard(**guard),
        by_user_id=all(e.keys().isdisjoint({"rolearn", "sso"}) for e in entries),
    )
    section = read_data({"mapRoles": json.dumps(entries)}, reader)[0]
    assert len(section.rules) == len(entries), section.problems
    return section.rules


def entry(name: str, username: str, **more: str) -> dict[str, Any]:
    """An entry for a role."""
    return {"rolearn": ROLES + name, "username": username, **more}


def winner(ruleset: RuleSet, identity: CallerIdentity, now: float = NOW) -> str | None:
    """The username that `identity` gets."""
    match = ruleset.find(identity, now)
    return match.render(identity, "")[0] if match else None


ORDER = {
    "exact before an earlier pattern": ([entry("*", "a"), entry("Dev1", "b")], "b"),
    "exact before an earlier longer pattern": ([entry("Dev?*", "a"), entry("Dev1", "b")], "b"),
    "more literal characters first": ([entry("D*", "a"), entry("De*", "b")], "b"),
    "literal characters, not length": ([entry("D????????*", "a"), entry("De*", "b")], "b"),
    "of equal patterns the later": ([entry("D*1", "a"), entry("De*", "b")], "b"),
    "of duplicates the later, as in the reference": ([entry("Dev1", "a"), entry("dev1", "b")], "b"),
    "an expired one is skipped": ([entry("Dev1", "a", expires=BEFORE), entry("D*", "b")], "b"),
    "one that has not expired applies": (
        [entry("Dev1", "a", expires=AFTER), entry("D*", "b")],
        "a",
    ),
    "an expired duplicate counts as absent": (
        [entry("Dev1", "a"), entry("Dev1", "b", expires=BEFORE)],
        "a",
    ),
    "another's userid refuses, and nothing wider applies": (
        [entry("Dev1", "a", userid="AROAOTHER"), entry("D*", "b")],
        None,
    ),
    "another's userid leaves the entry with the caller's": (
        [entry("Dev1", "a", userid=ROLE_ID), entry("Dev1", "b", userid="AROAOTHER")],
        "a",
    ),
    "another's userid refuses though an entry above it is open": (
        [entry("Dev1", "a"), entry("Dev1", "b", userid="AROAOTHER")],
        None,
    ),
    "another's userid that has expired counts as absent": (
        [entry("Dev1", "a", userid="AROAOTHER", expires=BEFORE), entry("D*", "b")],
        "b",
    ),
    "a path that was dropped comes after the ARN to the letter": (
        [entry("Dev1", "a"), entry("team/Dev1", "b")],
        "a",
    ),
    "a session's ARN comes after the ARN to the letter": (
        [
            entry("Dev1", "a"),
            {
                "rolearn": "arn:aws:sts::111122223333:assumed-role/Dev1/x",
                "username": "b",
            },
        ],
        "a",
    ),
    "a path that was dropped comes before patterns": (
        [entry("team/Dev1", "a"), entry("D*", "b")],
        "a",
    ),
    "a permission set comes before a path that was dropped": (
        [
            entry("aws-reserved/AWSReservedSSO_A_0123456789abcdef", "a"),
            {"sso": {"permissionSetName": "A", "accountID": "111122223333"}, "username": "b"},
        ],
        "b",
    ),
    "the caller's userid applies": ([entry("Dev1", "a", userid=ROLE_ID), entry("D*", "b")], "a"),
    "userid on a pattern": ([entry("D*", "a", userid="AROAOTHER")], None),
    "nobody": ([entry("Ops", "a")], None),
}


@pytest.mark.parametrize(("entries", "expected"), ORDER.values(), ids=ORDER)
def test_order_of_entries(entries: list[dict[str, Any]], expected: str | None) -> None:
    sso = any("sso" in entry for entry in entries)
    name = "AWSReservedSSO_A_0123456789abcdef" if sso else "Dev1"
    assert winner(RuleSet((rules(*entries),)), role(name)) == expected


def test_a_pinned_entry_refuses_a_recreated_role_whose_account_is_mapped() -> None:
    """A role deleted and made anew came in by mapAccounts, as if it had never been pinned."""
    section = read_data({"mapAccounts": "['111122223333']"}, SectionReader("Test", Guard()))[2]
    pinned = rules(entry("Dev1", "a", userid="AROAOTHER"))
    assert winner(RuleSet((pinned,), dict(section.accounts)), role("Dev1")) is None


UNUSABLE = {
    "an unknown placeholder": {"username": "{{Nonsense}}"},
    "a reserved name": {"username": "aws:x"},
    "a userid that is none": {"username": "x", "userid": "a b"},
    "an expiry that is none": {"username": "x", "expires": "soon"},
    "a mistyped limit": {"username": "x", "expire": AFTER},
    "blanks around a group": {"username": "x", "groups": ["viewers "]},
}


@pytest.mark.parametrize("broken", UNUSABLE.values(), ids=UNUSABLE)
@pytest.mark.parametrize("earlier", ["Dev1", "D*", "team/Dev1"])
def test_an_entry_that_cannot_be_used_does_not_revive_an_earlier_or_wider_one(
    broken: dict[str, Any], earlier: str
) -> None:
    """It was left out, and gave its caller system:masters by the entry that it was to replace."""
    entries = [entry(earlier, "a"), {"rolearn": f"{ROLES}Dev1", **broken}, entry("Ops", "c")]
    reader = SectionReader("Test", Guard(username_prefixes=("aws:",)))
    (section, *_) = read_data({"mapRoles": json.dumps(entries)}, reader)
    assert [rule.match.origin.index for rule in section.rules] == [0, 2]
    assert [problem.in_force for problem in section.problems if problem.origin.index == 1] == [
        False
    ]
    ruleset = RuleSet.of((), (section, mapped_account()), ())
    assert winner(ruleset, role("Dev1")) is None
    assert winner(ruleset, role("Ops")) == "c"
    assert ruleset.size == 3
    assert {rule.match.origin.index for rule in ruleset} == {0, 2}


def test_an_entry_that_cannot_be_used_leaves_a_later_one_for_its_caller() -> None:
    entries = [entry("Dev1", "{{Nonsense}}"), entry("Dev1", "b")]
    (section, *_) = read_data({"mapRoles": json.dumps(entries)}, SectionReader("Test", Guard()))
    assert winner(RuleSet.of((), (section,), ()), role("Dev1")) == "b"


def mapped_account() -> Section:
    """The account of all callers, mapped."""
    data = {"mapAccounts": "['111122223333']"}
    return read_data(data, SectionReader("Test", Guard()))[2]


LOOSE_ARNS = {
    "blanks at the end": {"rolearn": f"{ROLES}Dev1 "},
    "a line break": {"rolearn": f"{ROLES}Dev1\n"},
    "a path": {"rolearn": f"{ROLES}team/Dev1"},
}


@pytest.mark.parametrize("arn", LOOSE_ARNS.values(), ids=LOOSE_ARNS)
def test_an_arn_that_other_servers_do_not_match_follows_one_to_the_letter(
    arn: dict[str, str],
) -> None:
    loose = {**arn, "username": "loose"}
    for entries in ([loose, entry("Dev1", "exact")], [entry("Dev1", "exact"), loose]):
        assert winner(RuleSet((rules(*entries),)), role("Dev1")) == "exact"
    assert winner(RuleSet((rules(loose),)), role("Dev1")) == "loose"


def test_of_one_permission_set_the_entry_that_other_servers_match_precedes() -> None:
    sso = {"permissionSetName": "A", "accountID": "111122223333"}
    entries = [{"sso": sso, "username": "a"}, {"sso": {**sso, "partition": "aws"}, "username": "b"}]
    caller_of_a = role("AWSReservedSSO_A_0123456789abcdef")
    assert winner(RuleSet((rules(*entries),)), caller_of_a) == "a"


def test_of_two_sources_the_earlier_applies_whatever_stands_in_it() -> None:
    tier = (*rules(entry("Dev1", "a"), source="One"), *rules(entry("Dev1", "b"), source="Two"))
    assert winner(RuleSet((tier,)), role("Dev1")) == "a"


def test_roles_come_before_users_as_in_the_reference() -> None:
    arn = ROLES + "Dev1"
    data = {
        "mapUsers": json.dumps([{"userarn": arn, "username": "by mapUsers"}]),
        "mapRoles": json.dumps([{"rolearn": arn, "username": "by mapRoles"}]),
    }
    sections = read_data(data, SectionReader("Test", Guard()))
    tier = [rule for section in sections for rule in section.rules]
    assert winner(RuleSet((tier,)), role("Dev1")) == "by mapRoles"


def test_whoever_asks_is_told_of_each_rule_that_is_tried_and_of_no_other() -> None:
    entries = [
        entry("D*9", "a"),
        entry("Dev1", "b", expires=BEFORE),
        entry("Ops", "c"),
        entry("D*", "e"),
        entry("*", "f"),
    ]
    tried: list[tuple[int, str]] = []
    ruleset = RuleSet((rules(*entries),))
    ruleset.find(
        role("Dev1"), NOW, lambda rule, refusal: tried.append((rule.match.origin.index, refusal))
    )
    assert tried == [
        (1, "it expired at 2027-01-15T07:59:59Z"),
        (0, "its pattern begins like the caller's ARN and does not cover it"),
        (3, ""),
    ]


def test_whoever_asks_is_told_why_a_pinned_entry_refuses() -> None:
    tried: list[tuple[int, str]] = []
    ruleset = RuleSet((rules(entry("Dev1", "a", userid="AROAOTHER"), entry("D*", "b")),))
    ruleset.find(
        role("Dev1"), NOW, lambda rule, refusal: tried.append((rule.match.origin.index, refusal))
    )
    assert tried == [(0, "its userid is another principal's (recreated under the same name?)")]


def test_all_rules_and_accounts_can_be_listed() -> None:
    mapped = read_data({"mapAccounts": "['111122223333']"}, SectionReader("Test", Guard()))[2]
    tiers = [rules(entry("Dev", "a"), entry("D*", "b")), rules(entry("Dev", "c"))]
    ruleset = RuleSet(tiers, dict(mapped.accounts))
    assert {rule.match.username.head for rule in ruleset} == {"a", "b", "c"}
    assert list(ruleset.accounts) == ["111122223333"]


def test_an_entry_expires_at_its_time() -> None:
    ruleset = RuleSet((rules(entry("Dev", "a", expires="2027-01-15T08:00:00Z")),))
    assert winner(ruleset, role("Dev"), NOW - 1) == "a"
    assert winner(ruleset, role("Dev"), NOW) is None


def test_tiers_come_in_order_whatever_is_in_them() -> None:
    bootstrap = administrator(ROLES + "path/Admin", Origin("config", "bootstrapAdministratorARN"))
    chain = rules(entry("Admin", "chain"), entry("Dev*", "chain"))
    last = rules(entry("Dev1", "glass"), entry("Ops", "glass"))
    ruleset = RuleSet(((bootstrap,), chain, last))
    match = ruleset.find(role("Admin"), NOW)
    assert match
    assert match.render(role("Admin"), "") == (ROLES + "Admin", ("system:masters",))
    assert winner(ruleset, role("Dev1")) == "chain"
    assert winner(ruleset, role("Ops")) == "glass"


def test_accounts_come_last() -> None:
    section = read_data({"mapAccounts": "['111122223333']"}, SectionReader("Test", Guard()))[2]
    ruleset = RuleSet((rules(entry("D*", "a")),), dict(section.accounts))
    assert winner(ruleset, role("Dev")) == "a"
    assert winner(ruleset, role("Ops")) == ROLES + "Ops"
    assert winner(ruleset, role("Ops", account="999922223333")) is None


def test_an_account_comes_before_the_entries_of_later_sources() -> None:
    """The reference asks each source for its accounts as well before it asks the next source."""

    def of(source: str, *entries: dict[str, Any], accounts: str = "[]") -> list[Section]:
        data = {"mapRoles": json.dumps(entries), "mapAccounts": accounts}
        return list(read_data(data, SectionReader(source, Guard())))

    first = of("One", entry("Ops", "ops"), accounts="['111122223333']")
    second = of("Two", entry("Dev", "dev"), entry("Ops", "no"))
    glass = of("BreakGlass", entry("Glass", "glass"))
    ruleset = RuleSet.of((), [*first, *second], glass)
    assert winner(ruleset, role("Dev")) == ROLES + "Dev"
    assert winner(ruleset, role("Ops")) == "ops"
    assert winner(ruleset, role("Glass")) == "glass"
    assert winner(RuleSet.of((), [*second, *first], ()), role("Dev")) == "dev"


def test_a_user_id_alone_names_its_principal() -> None:
    ruleset = RuleSet((rules({"userid": ROLE_ID, "username": "a"}),))
    assert winner(ruleset, role("Anything")) == "a"
    assert winner(ruleset, user("bob")) is None


def test_a_federated_user_is_not_root_by_its_user_id() -> None:
    ruleset = RuleSet((rules({"userid": "111122223333", "username": "root"}),))
    assert winner(ruleset, caller("arn:aws:iam::111122223333:root")) == "root"
    assert winner(ruleset, caller("arn:aws:sts::111122223333:federated-user/bob")) is None


def test_a_bootstrap_administrator_is_one_principal() -> None:
    with pytest.raises(ValueError, match="without wildcards"):
        administrator(ROLES + "*", Origin("config", "bootstrapAdministratorARN"))


UNUSABLE = {
    "empty": ({"username": "{{SessionName}}"}, user("bob"), "empty"),
    "reserved by a session name": (
        {"username": "{{SessionName}}"},
        role("Dev", "eks-x"),
        "reserved",
    ),
    "reserved group by a session name": (
        {"groups": ["{{SessionName}}"]},
        role("Dev", "eks-x"),
        "reserved",
    ),
    "no instance name": (
        {"username": "system:node:{{EC2PrivateDNSName}}"},
        role("Dev"),
        "instance",
    ),
}


@pytest.mark.parametrize(("grant", "identity", "reason"), UNUSABLE.values(), ids=UNUSABLE)
def test_names_that_may_not_be_granted(
    grant: dict[str, Any], identity: CallerIdentity, reason: str
) -> None:
    prefixes = ("eks-",)
    made = {"rolearn": identity.canonical_arn, **grant}
    ruleset = RuleSet((rules(made, username_prefixes=prefixes, group_prefixes=prefixes),))
    match = ruleset.find(identity, NOW)
    assert match
    with pytest.raises(UnknownUser, match=reason):
        match.render(identity, "")


def test_instance_names_are_asked_for_only_when_needed() -> None:
    nodes = {"rolearn": ROLES + "Node", "username": "system:node:{{EC2PrivateDNSName}}"}
    ruleset = RuleSet((rules(nodes, entry("Dev", "dev:{{SessionName}}")),))
    node, dev = ruleset.find(role("Node"), NOW), ruleset.find(role("Dev"), NOW)
    assert node
    assert dev
    assert node.needs_instance_name
    assert not dev.needs_instance_name
    assert node.render(role("Node"), "ip-1.internal") == ("system:node:ip-1.internal", ())


_names = st.text(st.sampled_from("ab"), min_size=1, max_size=4)
_entries = st.builds(
    Entry,
    account=st.sampled_from(["111122223333", "999922223333"]),
    name=_names
    | _names.map(lambda name: f"x/{name}")
    | st.text(st.sampled_from("aB*?"), min_size=1, max_size=4),
    user_id=st.sampled_from(["", "", ROLE_ID, "AROAOTHER"]),
    expires=st.sampled_from(["", "", BEFORE, AFTER]),
)


@given(
    st.lists(st.lists(_entries, max_size=6), min_size=1, max_size=3),
    st.sets(st.sampled_from(["111122223333", "999922223333"])),
    st.sampled_from(["111122223333", "999922223333"]),
    _names,
)
def test_the_rule_set_agrees_with_a_slow_obvious_matcher(
    tiers: list[list[Entry]], accounts: set[str], account: str, name: str
) -> None:
    reader = SectionReader("Test", Guard())
    built = [
        read_data(
            {"mapRoles": json.dumps([e.written(f"{t}-{i}") for i, e in enumerate(tier)])}, reader
        )[0]
        for t, tier in enumerate(tiers)
    ]
    mapped = read_data({"mapAccounts": json.dumps(sorted(accounts))}, reader)[2]
    ruleset = RuleSet([section.rules for section in built], dict(mapped.accounts))
    identity = role(name, account=account)
    expected = find(tiers, accounts, account, name, user_id=ROLE_ID, expired={BEFORE})
    assert winner(ruleset, identity) == expected
