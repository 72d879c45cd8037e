"""What only the dynamic file can hold: JSON, with unique ids in strict mode."""

from __future__ import annotations

import json
from typing import Any

from tests.oracle.cases import Case, Step, dynamic


def _role(name: str = "admin", **more: Any) -> dict[str, Any]:
    return {"rolearn": f"@role/{name}", "username": "admin", "groups": ["a"], **more}


def _user(name: str = "alice", **more: Any) -> dict[str, Any]:
    return {"userarn": f"@user/{name}", "username": "alice", "groups": ["a"], **more}


_ADMIN = {"mapRoles": [_role()]}
_TEXT = json.dumps(_ADMIN)

# By name: the content, as JSON or as text.
_CONTENTS: dict[str, Any] = {
    "with its time and version": {"LastUpdatedDateTime": "1", "Version": "1", **_ADMIN},
    "keys in lower case": {"maproles": [_role()], "mapusers": [_user()]},
    "keys in upper case": {"MAPROLES": [_role()], "MAPUSERS": [_user()]},
    "entries in upper case": {
        "mapRoles": [{"ROLEARN": "@role/admin", "USERNAME": "admin", "GROUPS": ["a"]}]
    },
    "a section in two cases": '{"mapRoles": [], "maproles": ' + json.dumps([_role()]) + "}",
    "a section twice": '{"mapRoles": [], "mapRoles": ' + json.dumps([_role()]) + "}",
    "a key of an entry twice": (
        '{"mapRoles": [{"rolearn": "@role/admin", "username": "one", "username": "two"}]}'
    ),
    "roles null": {"mapRoles": None, "mapUsers": [_user()]},
    "roles an empty list": {"mapRoles": [], "mapUsers": [_user()]},
    "roles an empty map": {"mapRoles": {}, "mapUsers": [_user()]},
    "roles an empty text": {"mapRoles": "", "mapUsers": [_user()]},
    "a null role": {"mapRoles": [None, _role()]},
    "an empty map": {},
    "an empty list": [],
    "null": "null",
    "no text": "",
    "blanks": "  \n",
    "broken": '{"mapRoles": [',
    "a comma too many": '{"mapRoles": [' + json.dumps(_role()) + ",]}",
    "a comment": _TEXT + " # comment",
    "text behind it": _TEXT + " {}",
    "line ends behind it": _TEXT + "\n\n",
    "a byte order mark": "\ufeff" + _TEXT,
    "single quotes": _TEXT.replace('"', "'"),
    "in YAML": "mapRoles:\n- rolearn: @role/admin\n  username: admin\n  groups: [a]\n",
    "groups a text": {"mapRoles": [_role(groups="a")]},
    "groups null": {"mapRoles": [_role(groups=None)]},
    "groups of numbers": {"mapRoles": [_role(groups=["a", 7])]},
    "groups with null": {"mapRoles": [_role(groups=["a", None])]},
    "username a number": {"mapRoles": [_role(username=7)]},
    "username null": {"mapRoles": [_role(username=None)]},
    "version a number": {"Version": 7, **_ADMIN},
    "time a number": {"LastUpdatedDateTime": 7, **_ADMIN},
    "escapes": r'{"mapRoles": [{"rolearn": "@role\/admin", "username": "J\u00f6rg\u0020x"}]}',
    "surrogates": r'{"mapRoles": [{"rolearn": "@role/admin", "username": "\ud83d\ude00"}]}',
    "surrogates in another entry": (
        r'{"mapRoles": [{"rolearn": "@role/x", "username": "\ud83d\ude00"}, '
        + json.dumps(_role())
        + "]}"
    ),
    "a lone surrogate": r'{"mapRoles": [{"rolearn": "@role/admin", "username": "a\ud83d"}]}',
    "a lone surrogate in another entry": (
        r'{"mapRoles": [{"rolearn": "@role/x", "username": "\ude00"}, ' + json.dumps(_role()) + "]}"
    ),
    "an escape of YAML": r'{"mapRoles": [{"rolearn": "@role/admin", "username": "\x61"}]}',
    "a raw tab": '{"mapRoles": [{"rolearn": "@role/admin", "username": "a\tb"}]}',
    "a slash that is not escaped": _TEXT,
    "written by json.dumps": json.dumps({"mapRoles": [_role(username="Jürgen 😀")]}),
    "written by json.dumps with its letters": json.dumps(
        {"mapRoles": [_role(username="Jürgen")]}, ensure_ascii=False
    ),
    "indented by json.dumps": json.dumps(_ADMIN, indent=4),
    "indented with tabs": json.dumps(_ADMIN, indent="\t"),
    "accounts": {"mapAccounts": ["444455556666"]},
    "accounts of numbers": {"mapAccounts": [444455556666]},
    "accounts and entries": {"mapAccounts": ["111122223333"], **_ADMIN},
    "userid another's": {"mapRoles": [_role(userid="AROA1OTHER0000000000")]},
    "more keys": {"ClusterId": "x", "mapRoles": [_role(comment="x", since=7)]},
}

# The same with dynamicfileUserIDStrict.
_STRICT: dict[str, Any] = {
    "the caller's id": {"mapRoles": [_role(userid="AROA1ADMIN0000000000")]},
    "another's id": {"mapRoles": [_role(userid="AROA1OTHER0000000000")]},
    "the caller's id and another ARN": {
        "mapRoles": [_role("other", userid="AROA1ADMIN0000000000")]
    },
    "the caller's id and a path": {
        "mapRoles": [_role("team/admin", userid="AROA1ADMIN0000000000")]
    },
    "the caller's id and no ARN": {
        "mapRoles": [{"username": "admin", "groups": ["a"], "userid": "AROA1ADMIN0000000000"}]
    },
    "the caller's id and an empty ARN": {
        "mapRoles": [{"rolearn": "", "username": "admin", "userid": "AROA1ADMIN0000000000"}]
    },
    "the caller's id and an ARN that is none": {
        "mapRoles": [{"rolearn": "nonsense", "username": "admin", "userid": "AROA1ADMIN0000000000"}]
    },
    "the caller's id in lower case": {"mapRoles": [_role(userid="aroa1admin0000000000")]},
    "the caller's id with a session": {"mapRoles": [_role(userid="AROA1ADMIN0000000000:s1")]},
    "an ARN in upper case": {
        "mapRoles": [{"rolearn": "@role/ADMIN", "username": "a", "userid": "AROA1ADMIN0000000000"}]
    },
    "the id twice": {
        "mapRoles": [
            _role(userid="AROA1ADMIN0000000000", username="first"),
            _role(userid="AROA1ADMIN0000000000", username="second"),
        ]
    },
    "the id twice, the second with another ARN": {
        "mapRoles": [
            _role(userid="AROA1ADMIN0000000000", username="first"),
            _role("other", userid="AROA1ADMIN0000000000", username="second"),
        ]
    },
    "one entry without an id": {
        "mapRoles": [_role(userid="AROA1ADMIN0000000000"), _role("Dev", username="dev")]
    },
    "a user's id": {"mapUsers": [_user(userid="AIDA1ALICE0000000000")]},
    "a user's id and another ARN": {"mapUsers": [_user("carol", userid="AIDA1ALICE0000000000")]},
    "a user's id and a path": {"mapUsers": [_user("staff/alice", userid="AIDA1STAFFALICE00000")]},
    "a user's id among the roles": {
        "mapRoles": [{"rolearn": "@user/alice", "username": "a", "userid": "AIDA1ALICE0000000000"}]
    },
    "a role's id among the users": {
        "mapUsers": [{"userarn": "@role/admin", "username": "a", "userid": "AROA1ADMIN0000000000"}]
    },
    "in both sections": {
        "mapRoles": [{"username": "of-roles", "userid": "AROA1ADMIN0000000000"}],
        "mapUsers": [{"username": "of-users", "userid": "AROA1ADMIN0000000000"}],
    },
    "a federated user's id": {
        "mapUsers": [{"username": "fred", "userid": "111122223333:fred", "groups": ["a"]}]
    },
    "root's id": {"mapUsers": [{"username": "boss", "userid": "111122223333", "groups": ["a"]}]},
    "accounts": {"mapAccounts": ["111122223333"]},
    "another ARN and the account": {
        "mapRoles": [_role("other", userid="AROA1ADMIN0000000000")],
        "mapAccounts": ["111122223333"],
    },
}


def _case(theme: str, name: str, step: Step, *, strict: bool = False) -> Case:
    return Case(theme, name, (step,), ("DynamicFile",), strict)


CASES = (
    *(_case("dynamic file", name, dynamic(content)) for name, content in _CONTENTS.items()),
    *(
        _case("unique ids (dynamic file)", name, dynamic(content), strict=True)
        for name, content in _STRICT.items()
    ),
    _case("dynamic file", "absent", Step()),
)
