"""What the rules find beyond the examples of docs/lint.md, and what they leave alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authenticator.lint import Context, documents_of_file, lint, lint_data

ACCOUNT = "111122223333"
NOW = 1893456000.0  # 2030-01-01T00:00:00Z


def role(name: str, username: str = "{{CanonicalARN}}", **more: Any) -> dict[str, Any]:
    arn = name if name.startswith("arn:") else f"arn:aws:iam::{ACCOUNT}:role/{name}"
    return {"rolearn": arn, "username": username, **more}


def user(name: str, username: str = "bob", **more: Any) -> dict[str, Any]:
    return {"userarn": f"arn:aws:iam::{ACCOUNT}:{name}", "username": username, **more}


def sso(name: str, username: str = "{{SessionName}}", **more: Any) -> dict[str, Any]:
    permission_set = {"permissionSetName": name, "accountID": ACCOUNT}
    return {"sso": permission_set, "username": username, **more}


ROLES = {
    "nothing": ([role("Dev")], []),
    "session name of a permission set": ([sso("Dev")], []),
    "session name in the middle": ([role("Dev", "{{AccountID}}:{{SessionName}}")], []),
    "session name after system:": (
        [role("Dev", "system:{{SessionName}}")],
        ["caller-chosen-username"],
    ),
    "session name as ServiceAccount": (
        [role("Dev", "system:serviceaccount:a:{{SessionNameRaw}}")],
        ["caller-chosen-username"],
    ),
    "group by account": ([role("Dev", groups=["{{AccountID}}"])], []),
    "group by session of a permission set": ([sso("Dev", groups=["{{SessionName}}"])], []),
    "masters for one role": ([role("Dev", groups=["system:masters"])], []),
    "masters for a permission set": ([sso("Dev", groups=["system:masters"])], []),
    "ServiceAccounts of a namespace": (
        [role("Dev", groups=["system:serviceaccounts:a"])],
        ["built-in-group"],
    ),
    "node without its group": (
        [role("Node", "system:node:{{EC2PrivateDNSName}}")],
        ["node-identity"],
    ),
    "names in one other script": ([role("Dev", "dev", groups=["\u0430\u0434\u043c"])], []),
    "accents": ([role("Dev", "jos\u00e9")], []),
    "Greek among Latin": ([role("Dev", "d\u03b5v")], ["look-alike-name"]),
    "a word of Cyrillic that looks like Latin": (
        [role("Dev", "dev", groups=["\u0441\u043e\u0440\u0441"])],
        ["look-alike-name"],
    ),
    "Cyrillic that looks like nothing else": ([role("Dev", "\u0416\u0443\u043a")], []),
    "full-width letters": ([role("Dev", "\uff44\uff45\uff56")], ["look-alike-name"]),
    "mathematical letters": (
        [role("Dev", groups=["\U0001d41a\U0001d41d\U0001d426"])],
        ["look-alike-name"],
    ),
    "masters with a capital": ([role("Dev", groups=["System:masters"])], ["look-alike-name"]),
    "masters in capitals": ([role("Dev", groups=["SYSTEM:MASTERS"])], ["look-alike-name"]),
    "masters with another colon": (
        [role("Dev", groups=["system\u2236masters"])],
        ["look-alike-name"],
    ),
    "masters with two letters for one": (
        [role("Dev", groups=["system:rnasters"])],
        ["look-alike-name"],
    ),
    "masters with a digit": ([role("Dev", groups=["system:ma5ters"])], ["look-alike-name"]),
    "masters in part Cyrillic": (
        [role("Dev", groups=["system:m\u0430sters"])],
        ["look-alike-name"],
    ),
    "masters all but ASCII": (
        [role("Dev", groups=["\u0455\u0443\u0455tem:m\u0430\u0455ter\u0455"])],
        ["look-alike-name"],
    ),
    "a node with a capital": (
        [role("Node", "System:node:{{EC2PrivateDNSName}}")],
        ["look-alike-name"],
    ),
    "a group that begins otherwise": ([role("Dev", groups=["systems:masters"])], []),
    "groups in two cases": (
        [role("A", groups=["admins"]), role("B", groups=["Admins"])],
        ["look-alike-name"],
    ),
    "groups of two digits": ([role("A", groups=["team-1"]), role("B", groups=["team-2"])], []),
    "the same group": ([role("A", groups=["admins"]), role("B", groups=["admins"])], []),
    "a blank letter": ([role("Dev", groups=["admins\u3164"])], ["bad-groups"]),
    "a joined letter": ([role("Dev", groups=["ad\u200bmins"])], ["bad-groups"]),
    "a mark that draws nothing": ([role("Dev", "d\u034fev")], ["bad-username"]),
    "a permission set as a node": (
        [sso("Dev", "system:node:{{SessionName}}", groups=["system:nodes"])],
        ["node-by-session-name"],
    ),
    "a node of a longer name by session": (
        [role("Node", "system:node:a-{{SessionNameRaw}}", groups=["system:nodes"])],
        ["node-by-session-name"],
    ),
    "expires later": ([role("Dev", expires="2030-02-01T00:00:00Z")], []),
    "expires now": ([role("Dev", expires="2030-01-01T00:00:00Z")], ["expired"]),
    "expires in an hour": ([role("Dev", expires="2030-01-01T01:00:00Z")], ["expires-soon"]),
    "long name": ([role("a" * 65)], ["never-matches"]),
    "longest name": ([role("a" * 64)], []),
    "role with a user's id": ([role("Dev", userid="AIDAONE")], ["never-matches"]),
    "permission set by pattern": ([role("AWSReservedSSO_Dev_*")], ["permission-set-by-arn"]),
    "permission set with its path": (
        [role("aws-reserved/sso.amazonaws.com/AWSReservedSSO_Dev_0123456789abcdef")],
        ["permission-set-by-arn", "role-path"],
    ),
    "pattern of wildcards": ([role("?*")], ["wide-pattern"]),
    "fewer wildcards": ([role("a-*-*"), role("a-*-?")], ["overlap"]),
    "more wildcards": ([role("a-*-?"), role("a-*-*")], ["overlap", "shadowed-entry"]),
    "other letters between": ([role("a-*b"), role("a-b*")], ["overlap"]),
    "shadow that ends": (
        [role("a-?"), role("a-*", expires="2031-01-01T00:00:00Z")],
        ["overlap"],
    ),
    "same username for a recreated one": (
        [role("Dev", "dev", userid="AROAONE"), role("Dev", "dev", userid="AROATWO")],
        [],
    ),
    "same template": ([role("A", "x:{{SessionName}}"), role("B", "x:{{SessionName}}")], []),
    "short words": ([role("dev"), role("devs"), role("team-a"), role("team-b")], []),
    "plural": ([role("developer"), role("developers")], []),
    "numbers": ([role("developer1"), role("developer11")], []),
    "swapped": ([role("developer"), role("devleoper")], ["near-miss-name"]),
    "other account": (
        [role("A"), role("arn:aws:iam::444455556666:role/A")],
        [],
    ),
    "swapped digits": (
        [role("A"), role("arn:aws:iam::111122232333:role/B")],
        ["near-miss-account"],
    ),
    "lost and added digit": (
        [role("A"), role("arn:aws:iam::011112222333:role/B")],
        [],
    ),
}


@pytest.mark.parametrize(("entries", "expected"), ROLES.values(), ids=ROLES)
def test_on_roles(entries: list[dict[str, Any]], expected: list[str]) -> None:
    found = lint_data({"mapRoles": json.dumps(entries)}, "x", Context(NOW))
    assert [finding.rule.id for finding in found] == expected


USERS = {
    "user": ([user("user/bob", userid="AIDAONE")], []),
    "session name of a user": ([user("user/a", "x{{SessionName}}")], ["empty-session-name"]),
    "root": ([user("root", userid=ACCOUNT)], ["account-root"]),
    "root of another account": (
        [user("root", userid="444455556666")],
        ["account-root", "never-matches"],
    ),
    "root with a user's id": (
        [user("root", userid="AIDAONE")],
        ["account-root", "never-matches"],
    ),
}


@pytest.mark.parametrize(("entries", "expected"), USERS.values(), ids=USERS)
def test_on_users(entries: list[dict[str, Any]], expected: list[str]) -> None:
    found = lint_data({"mapUsers": json.dumps(entries)}, "x", Context(NOW))
    assert [finding.rule.id for finding in found] == expected


@pytest.mark.parametrize(
    ("user_id", "expected"),
    [
        (f"{ACCOUNT}:bob", []),
        (f"{ACCOUNT}:eve", ["never-matches"]),
        ("444455556666:bob", ["never-matches"]),
        ("AIDAONE", ["never-matches"]),
    ],
)
def test_ids_of_federated_users(user_id: str, expected: list[str]) -> None:
    entry = {
        "userarn": f"arn:aws:sts::{ACCOUNT}:federated-user/bob",
        "username": "b",
        "userid": user_id,
    }
    found = lint_data({"mapUsers": json.dumps([entry])}, "x")
    assert [finding.rule.id for finding in found] == expected


def test_whoever_gets_a_federated_token_chooses_its_name() -> None:
    entry = {
        "userarn": f"arn:aws:sts::{ACCOUNT}:federated-user/*",
        "username": "{{SessionName}}",
    }
    found = {finding.rule.id for finding in lint_data({"mapUsers": json.dumps([entry])}, "x")}
    assert found == {"caller-chosen-username", "wide-pattern"}


@pytest.mark.parametrize(
    ("grants", "expected"),
    [
        ({"username": "x", "groups": ["system:masters"]}, ["federated-system-name"]),
        (
            {"username": "system:serviceaccount:a:b"},
            ["federated-system-name", "system-username"],
        ),
        ({"username": "x", "groups": ["viewers"]}, []),
    ],
    ids=["group", "username", "other group"],
)
def test_federated_users_name_themselves(grants: dict[str, Any], expected: list[str]) -> None:
    entry = {"userarn": f"arn:aws:sts::{ACCOUNT}:federated-user/bob", **grants}
    found = lint_data({"mapUsers": json.dumps([entry])}, "x")
    assert [finding.rule.id for finding in found] == expected


KNOWN = {
    "known": ("Admin", False),
    "known with its path": ("x/Admin", False),
    "in another case": ("ADMIN", False),
    "a letter changed": ("Admim", True),
    "a letter lost": ("Admi", True),
    "a letter added": ("Admiin", True),
    "two swapped": ("Adimn", True),
    "another name": ("Developer", False),
    "two letters changed": ("Edmim", False),
    "a digit of the account": ("arn:aws:iam::111122223332:role/Admin", True),
}


@pytest.mark.parametrize(("name", "near"), KNOWN.values(), ids=KNOWN)
def test_near_misses_of_known_arns(name: str, *, near: bool) -> None:
    known = (f"arn:aws:iam::{ACCOUNT}:role/team/Admin", "no ARN")
    found = lint_data({"mapRoles": json.dumps([role(name)])}, "x", Context(known_arns=known))
    assert ("near-miss-known" in {finding.rule.id for finding in found}) is near


def test_documents_of_one_run_are_in_force_together() -> None:
    context = Context()
    contents = [json.dumps({"mapRoles": [role(name)]}).encode() for name in ("A*", "A*")]
    documents = [
        document
        for number, content in enumerate(contents)
        for document in documents_of_file(content, f"{number}.json", context)
    ]
    (finding,) = lint(documents, context)
    assert finding.rule.id == "duplicate-entry"
    assert finding.place.document == "1.json"
    assert "0.json mapRoles[0]" in finding.message


ALIKE = {
    "duplicates": ([role("A")] * 5000, "duplicate-entry", 4999),
    "neighbours": (
        [role(f"arn:aws:iam::{number:012}:role/A") for number in range(5000)],
        "near-miss-account",
        4999,
    ),
    "patterns": ([role(f"*{'?' * (n % 50)}A*{n // 50}") for n in range(2000)], "overlap", 1),
    "names": ([role(f"{'developer' * 6}{n}") for n in range(2000)], "near-miss-name", 0),
}


@pytest.mark.parametrize(("entries", "rule", "least"), ALIKE.values(), ids=ALIKE)
def test_thousands_of_entries_that_are_alike(
    entries: list[dict[str, Any]], rule: str, least: int
) -> None:
    """Compared pair by pair, these would take minutes."""
    found = lint_data({"mapRoles": json.dumps(entries)}, "x")
    assert sum(finding.rule.id == rule for finding in found) >= least
