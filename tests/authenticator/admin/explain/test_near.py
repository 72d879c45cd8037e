"""The nearest miss: what an administrator most likely meant."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authenticator.admin.explain.near import MOST, nearest
from authenticator.aws.arns import CallerIdentity
from authenticator.mapping.documents import read_data
from authenticator.mapping.guards import Guard
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import SectionReader
from tests.authenticator.mapping.callers import caller, role, user

NOW = 1_800_000_000.0
ROLES = "arn:aws:iam::111122223333:role/"
USERS = "arn:aws:iam::111122223333:user/"


def ruleset(*arns: str | dict[str, Any], accounts: tuple[str, ...] = ()) -> RuleSet:
    entries = [{"rolearn": arn} if isinstance(arn, str) else arn for arn in arns]
    data = {"mapRoles": json.dumps(entries), "mapAccounts": json.dumps(accounts)}
    roles, _, mapped = read_data(data, SectionReader("Test", Guard()))
    assert len(roles.rules) == len(entries), roles.problems
    return RuleSet((roles.rules,), dict(mapped.accounts))


NEAR = {
    "another account": (
        role("Dev"),
        "arn:aws:iam::999922223333:role/Dev",
        "it is for the account 999922223333, the caller is of 111122223333",
    ),
    "another partition": (
        role("Dev"),
        "arn:aws-cn:iam::111122223333:role/Dev",
        "it is for the partition aws-cn, the caller is of aws",
    ),
    "a user's path": (
        user("bob"),
        f"{USERS}team/a/bob",
        "its path is /team/a/, the caller's is /",
    ),
    "a user mapped as a role": (
        user("bob"),
        f"{ROLES}bob",
        "it names a role, the caller is a user",
    ),
    "a role mapped as a user": (role("ci"), f"{USERS}ci", "it names a user, the caller is a role"),
    "a federated user mapped as a user": (
        caller("arn:aws:sts::111122223333:federated-user/bob"),
        f"{USERS}bob",
        "it names a user, the caller is a federated user",
    ),
    "a slip of the pen": (
        role("Developer"),
        f"{ROLES}Develpoer",
        "its name is Develpoer, the caller's is Developer",
    ),
    "a pattern of another account": (
        role("team-a"),
        "arn:aws:iam::999922223333:role/team-*",
        "it is for the account 999922223333, the caller is of 111122223333",
    ),
    "a pattern that begins nearly so": (
        role("team_dev"),
        f"{ROLES}team-*",
        "its name is team-*, the caller's is team_dev",
    ),
    "a permission set provisioned anew": (
        role("AWSReservedSSO_Admin_0123456789abcdef"),
        f"{ROLES}AWSReservedSSO_Admin_fedcba9876543210",
        (
            "the permission set is the same, but its role's random end is another one since it was"
            " provisioned anew; name it with sso instead of its ARN"
        ),
    ),
    "a permission set of nearly this name": (
        role("AWSReservedSSO_Developers_0123456789abcdef"),
        {"sso": {"permissionSetName": "Developer", "accountID": "111122223333"}},
        "its name is Developer, the caller's is Developers",
    ),
    "a permission set of another account": (
        role("AWSReservedSSO_Admin_0123456789abcdef"),
        {"sso": {"permissionSetName": "Admin", "accountID": "999922223333"}},
        "it is for the account 999922223333, the caller is of 111122223333",
    ),
    "one that has expired": (
        role("Dev"),
        {"rolearn": f"{ROLES}Dev", "expires": "2020-01-01T00:00:00Z"},
        "it expired at 2020-01-01T00:00:00Z",
    ),
    "a principal recreated": (
        role("Dev"),
        {"rolearn": f"{ROLES}Dev", "userid": "AROAANOTHER0000000000"},
        "its userid is another principal's (recreated under the same name?)",
    ),
    "root of another account": (
        caller("arn:aws:iam::111122223333:root"),
        "arn:aws:iam::999922223333:root",
        "it is for the account 999922223333, the caller is of 111122223333",
    ),
    "two differences": (
        role("Dev"),
        "arn:aws-cn:iam::999922223333:role/Dev",
        (
            "it is for the partition aws-cn, the caller is of aws and"
            " it is for the account 999922223333, the caller is of 111122223333"
        ),
    ),
}


@pytest.mark.parametrize(("identity", "arn", "reason"), NEAR.values(), ids=NEAR)
def test_what_nearly_names_the_caller(
    identity: CallerIdentity, arn: str | dict[str, Any], reason: str
) -> None:
    assert ruleset(arn).find(identity, NOW) is None
    [miss] = nearest(identity, ruleset(f"{ROLES}Unrelated-thing", arn), NOW)
    assert (miss.reason, miss.origin.index) == (reason, 1)


FAR = {
    "another name": (role("Dev"), f"{ROLES}Operations"),
    "permission sets have only their beginning in common": (
        role("AWSReservedSSO_Admin_0123456789abcdef"),
        f"{ROLES}AWSReservedSSO_Billing_0123456789abcdef",
    ),
    "a permission set and a role of its name": (
        role("AWSReservedSSO_Admin_0123456789abcdef"),
        f"{ROLES}Admin",
    ),
    "root and a role": (caller("arn:aws:iam::111122223333:root"), f"{ROLES}root"),
}


@pytest.mark.parametrize(("identity", "arn"), FAR.values(), ids=FAR)
def test_what_is_not_near(identity: CallerIdentity, arn: str) -> None:
    assert nearest(identity, ruleset(arn), NOW) == ()


def test_the_nearest_come_first_and_there_are_few() -> None:
    rules = ruleset(
        f"{ROLES}Developpers",
        "arn:aws-cn:iam::999922223333:role/Developers",
        {"rolearn": f"{ROLES}Developers", "expires": "2020-01-01T00:00:00Z"},
        "arn:aws:iam::999922223333:role/Developers",
    )
    found = [miss.origin.index for miss in nearest(role("Developers"), rules, NOW)]
    assert len(found) == MOST
    assert found == [2, 0, 3]


def test_an_account_with_two_digits_swapped_is_near() -> None:
    [miss] = nearest(role("Dev", account="111122223333"), ruleset(accounts=("111212223333",)), NOW)
    assert str(miss.origin) == "Test mapAccounts[0], line 1"
    assert "111212223333" in miss.reason


def test_another_account_is_not_near() -> None:
    assert nearest(role("Dev"), ruleset(accounts=("444455556666",)), NOW) == ()
