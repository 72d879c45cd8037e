"""Which ARNs a mapping's ARN stands for."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.aws.arns import PARTITIONS, CallerIdentity
from authenticator.mapping.selectors import account, by_arn, by_permission_set
from tests.authenticator.mapping.callers import caller, role, user
from tests.authenticator.mapping.slow import glob

ARN = "arn:aws:iam::111122223333:"
SSO = "AWSReservedSSO_Admin_0123456789abcdef"

COVERED = {
    "role": (ARN + "role/Dev", role("Dev")),
    "other case": ("ARN:AWS:IAM::111122223333:ROLE/dev", role("DEV")),
    "role path ignored": (ARN + "role/team/a/Dev", role("Dev")),
    "assumed role, any session": (
        "arn:aws:sts::111122223333:assumed-role/Dev/x",
        role("Dev", "yy"),
    ),
    "spaces around": (f"  {ARN}role/Dev\n", role("Dev")),
    "user": (ARN + "user/bob", user("bob")),
    "user with path": (ARN + "user/team/bob", user("team/bob")),
    "root": (ARN + "root", caller(ARN + "root")),
    "federated": (
        "arn:aws:sts::111122223333:federated-user/bob",
        caller("arn:aws:sts::111122223333:federated-user/bob"),
    ),
    "prefix": (ARN + "role/Dev-*", role("dev-1")),
    "empty star": (ARN + "role/Dev*", role("Dev")),
    "suffix": (ARN + "role/*-admin", role("team-Admin")),
    "two stars": (ARN + "role/a*b*c", role("aXbYbZc")),
    "question mark": (ARN + "role/Dev?", role("Dev1")),
    "dots are literal": (ARN + "role/a.b*", role("a.bc")),
    "user pattern with path": (ARN + "user/team/*", user("team/bob")),
    "star as path segment": (ARN + "user/*/bob", user("team/bob")),
    "government": (
        "arn:aws-us-gov:iam::111122223333:role/Dev",
        role("Dev", partition="aws-us-gov"),
    ),
}
NOT_COVERED = {
    "other role": (ARN + "role/Dev", role("Devs")),
    "other account": (ARN + "role/Dev", role("Dev", account="999922223333")),
    "other partition": (ARN + "role/Dev", role("Dev", partition="aws-cn")),
    "user path kept": (ARN + "user/bob", user("team/bob")),
    "user is no role": (ARN + "role/bob", user("bob")),
    "pattern in another account": (ARN + "role/*", role("Dev", account="999922223333")),
    "pattern of another kind": (ARN + "role/*", user("bob")),
    "star does not cross a slash": (ARN + "user/*", user("team/bob")),
    "star does not cross a colon": (ARN + "user/*/x", user("a:b/x")),
    "question mark is one": (ARN + "role/Dev?", role("Dev")),
    "question mark is no slash": (ARN + "user/team?bob", user("team/bob")),
    "dot is no wildcard": (ARN + "role/a.b*", role("aXbc")),
    "anchored at the end": (ARN + "role/*-admin", role("x-admin-1")),
    "root by user pattern": (ARN + "user/*", caller(ARN + "root")),
}
REFUSED = {
    "star for account": ("arn:aws:iam::*:role/Dev", "partition or account"),
    "star for partition": ("arn:*:iam::111122223333:role/Dev", "partition or account"),
    "star for all": ("*", "of the form"),
    "star for kind": (ARN + "*/Dev", "resource"),
    "star in kind": (ARN + "r*le/Dev", "resource"),
    "star for resource": (ARN + "*", "resource"),
    "path in a role pattern": (ARN + "role/team/*", "cannot have a path"),
    "star in a role's path": (ARN + "role/*/Dev", "cannot have a path"),
    "star in an assumed role": ("arn:aws:sts::111122223333:assumed-role/Dev/*", "may stand in"),
    "11 digits": ("arn:aws:iam::11112222333:role/Dev", "12 digits"),
    "invisible space": (ARN + "role/Dev\u200b", "invisible"),
    "Kelvin sign": (ARN + "role/\u212a", "invisible"),
    "another service": ("arn:aws:s3:::bucket", "12 digits"),
    "empty": ("", "of the form"),
}


@pytest.mark.parametrize(("arn", "identity"), COVERED.values(), ids=COVERED)
def test_covered(arn: str, identity: CallerIdentity) -> None:
    assert by_arn(arn).covers(identity.canonical_arn.lower())


@pytest.mark.parametrize(("arn", "identity"), NOT_COVERED.values(), ids=NOT_COVERED)
def test_not_covered(arn: str, identity: CallerIdentity) -> None:
    assert not by_arn(arn).covers(identity.canonical_arn.lower())


@pytest.mark.parametrize(("arn", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused(arn: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        by_arn(arn)


@pytest.mark.parametrize("partition", sorted(PARTITIONS))
def test_permission_sets_match_in_every_partition(partition: str) -> None:
    selector = by_permission_set("Admin", "111122223333", partition)
    assert selector.covers(role(SSO, partition=partition).canonical_arn.lower())


@pytest.mark.parametrize(
    "name",
    [
        "AWSReservedSSO_Admin_ReadOnly_0123456789abcdef",
        "AWSReservedSSO_Admin_0123456789abcdeg",
        "AWSReservedSSO_Admin_0123456789abcdef0",
        "AWSReservedSSO_Admin_0123456789abcde",
        "AWSReservedSSO_Admin_",
        "AWSReservedSSO_Administrator_0123456789abcdef",
        "Admin",
    ],
)
def test_permission_set_admin_matches_no_other_role(name: str) -> None:
    selector = by_permission_set("Admin", "111122223333", "aws")
    assert not selector.covers(role(name).canonical_arn.lower())


@pytest.mark.parametrize(
    ("name", "account_id", "partition", "reason"),
    [
        ("Adm*n", "111122223333", "aws", "permissionSetName"),
        ("", "111122223333", "aws", "permissionSetName"),
        ("x" * 33, "111122223333", "aws", "permissionSetName"),
        ("Admin", "11112222333", "aws", "leading zero"),
        ("Admin", "111122223333", "aws-mars", "partition"),
    ],
)
def test_permission_set_refused(name: str, account_id: str, partition: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        by_permission_set(name, account_id, partition)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("12345678901", "leading zero"),
        ("1.11122223333e+11", "another notation"),
        ("0o1747272000000", "another notation"),
        ("111_122_223_333", "another notation"),
        ("\uff11" * 12, "another notation"),
        ("1111222233334", "another notation"),
    ],
)
def test_account_ids_that_lost_their_form_are_refused_with_the_reason(
    text: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        account(text)


_name = st.text(st.sampled_from("ab"), min_size=1, max_size=8)


@given(st.text(st.sampled_from("ab*?"), min_size=1, max_size=8), _name)
def test_patterns_agree_with_a_slow_matcher(pattern: str, name: str) -> None:
    expected = glob(pattern, name)
    assert by_arn(f"{ARN}role/{pattern}").covers(f"{ARN}role/{name}") is expected


@given(
    st.lists(st.text(st.sampled_from("a:*?"), min_size=1, max_size=4), min_size=1, max_size=3),
    st.lists(st.text(st.sampled_from("ab:"), min_size=1, max_size=4), min_size=1, max_size=3),
)
def test_patterns_with_paths_agree_with_a_slow_matcher(pattern: list[str], name: list[str]) -> None:
    # A name itself has no colon.
    pattern[-1], name[-1] = pattern[-1].replace(":", "b"), name[-1].replace(":", "b")
    expected = glob("/".join(pattern), "/".join(name))
    assert (
        by_arn(f"{ARN}user/{'/'.join(pattern)}").covers(f"{ARN}user/{'/'.join(name)}") is expected
    )


def test_many_stars_do_not_backtrack_exponentially() -> None:
    # A backtracking matcher would never come to an end; pytest's time limit ends it.
    selector = by_arn(f"{ARN}user/" + "*a" * 40 + "*b")
    assert not selector.covers(f"{ARN}user/{'a' * 128}")


def test_no_pattern_is_compiled_at_a_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of new patterns would hold up every login for a second after a reload."""
    selectors = [by_arn(f"{ARN}role/*-{number}?x*") for number in range(3)]
    selectors.append(by_permission_set("Admin", "111122223333", "aws"))

    def refuse(*_: object) -> None:
        raise AssertionError("a regular expression was compiled")

    monkeypatch.setattr(re, "compile", refuse)
    found = [selector.covers(f"{ARN}role/a-1-xy".lower()) for selector in selectors]
    assert found == [False, True, False, False]


@pytest.mark.parametrize(
    "text", ["arn:aws:iam::111122223333:role/Team/Dev", "arn:aws:iam::111122223333:role/Dev-*"]
)
def test_the_text_of_the_mapping_is_kept_and_takes_no_part_in_comparisons(text: str) -> None:
    assert by_arn(f" {text}\n").written == text
    assert by_arn(text) == by_arn(text.lower())


def test_a_permission_set_is_shown_by_its_name() -> None:
    selector = by_permission_set("Dev", "111122223333", "aws")
    assert selector.written == "permission set Dev in 111122223333"
