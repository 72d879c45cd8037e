"""One document after the other: what an edit takes away, and what it does not."""

from __future__ import annotations

from tests.oracle.cases import Case, Step, aws_auth, config, dynamic, objects

_ADMIN = '- {rolearn: "@role/admin", username: admin, groups: ["system:masters"]}\n'
_VIEWER = '- {rolearn: "@role/admin", username: viewer, groups: [viewers]}\n'
_ALICE = '- {userarn: "@user/alice", username: alice, groups: ["system:masters"]}\n'
_ROLE = {"rolearn": "@role/admin", "username": "admin", "groups": ["a"]}
_FULL = aws_auth(mapRoles=_ADMIN, mapUsers=_ALICE, mapAccounts='- "444455556666"')
_FULL_FILE = dynamic({"mapRoles": [_ROLE]})


def _users(text: str) -> tuple[Step, Step]:
    """aws-auth with users, then with this text in their place."""
    return _FULL, aws_auth(mapRoles=_ADMIN, mapUsers=text, mapAccounts='- "444455556666"')


_AWS_AUTH: dict[str, tuple[Step, ...]] = {
    "changed": (aws_auth(mapRoles=_ADMIN), aws_auth(mapRoles=_VIEWER)),
    "removed": (_FULL, Step()),
    "removed and made again": (_FULL, Step(), aws_auth(mapRoles=_VIEWER)),
    "without its keys": (_FULL, aws_auth()),
    "users removed": (_FULL, aws_auth(mapRoles=_ADMIN)),
    "users of no text": _users(""),
    "users of blanks": _users(" \n"),
    "users of two double quotes": _users('""'),
    "users of two single quotes": _users("''"),
    "users of two back quotes": _users("``"),
    "users null": _users("null"),
    "users a tilde": _users("~"),
    "users an empty list": _users("[]"),
    "users an empty list and a line break": _users("[]\n"),
    "users a comment": _users("# none\n"),
    "users dashes": _users("---\n"),
    "users an empty map": _users("{}"),
    "users not closed": _users("- {"),
    "users a word": _users("none"),
    "users a template": _users("{{ .Values.users }}"),
    "users broken, then mended": (*_users("- {"), aws_auth(mapUsers=_ALICE)),
    "users broken, then empty": (*_users("- {"), aws_auth(mapUsers='""')),
    "users with one bad entry": _users(
        '- {username: nobody}\n- {userarn: "@user/Bob", username: b}'
    ),
    "users with bad entries only": _users("- {username: nobody}\n"),
    "users a list of words": _users("- alice\n"),
    "accounts broken": (_FULL, aws_auth(mapRoles=_ADMIN, mapUsers=_ALICE, mapAccounts="- [")),
    "accounts of two quotes": (_FULL, aws_auth(mapRoles=_ADMIN, mapUsers=_ALICE, mapAccounts='""')),
    "roles broken, users changed": (
        _FULL,
        aws_auth(mapRoles="- {", mapUsers=_ALICE.replace("system:masters", "viewers")),
    ),
    "the key in another case": (_FULL, aws_auth(maproles=_ADMIN, mapUsers=_ALICE)),
}

_DYNAMIC: dict[str, tuple[Step, ...]] = {
    "changed": (_FULL_FILE, dynamic({"mapRoles": [{**_ROLE, "groups": ["b"]}]})),
    "removed": (_FULL_FILE, Step()),
    "of no bytes": (_FULL_FILE, dynamic("")),
    "of blanks": (_FULL_FILE, dynamic("\n\n")),
    "broken": (_FULL_FILE, dynamic('{"mapRoles": [')),
    "an empty map": (_FULL_FILE, dynamic({})),
    "an empty list": (_FULL_FILE, dynamic([])),
    "null": (_FULL_FILE, dynamic("null")),
    "no roles": (_FULL_FILE, dynamic({"mapRoles": []})),
    "roles null": (_FULL_FILE, dynamic({"mapRoles": None})),
    "roles an empty map": (_FULL_FILE, dynamic({"mapRoles": {}})),
    "a bad entry": (_FULL_FILE, dynamic({"mapRoles": [{"username": "nobody"}]})),
    "broken, then mended": (_FULL_FILE, dynamic("{"), dynamic({"mapRoles": []})),
    "removed, then made again": (_FULL_FILE, Step(), dynamic({"mapRoles": []})),
}

_CRD: dict[str, tuple[Step, ...]] = {
    "changed": (
        objects(one={"arn": "@role/admin", "username": "admin", "groups": ["a"]}),
        objects(one={"arn": "@role/admin", "username": "admin", "groups": ["b"]}),
    ),
    "to another ARN": (
        objects(one={"arn": "@role/admin", "username": "admin", "groups": ["a"]}),
        objects(one={"arn": "@role/Dev", "username": "admin", "groups": ["a"]}),
    ),
    "removed": (
        objects(one={"arn": "@role/admin", "username": "admin", "groups": ["a"]}),
        objects(),
    ),
    "one of two removed": (
        objects(
            a={"arn": "@role/admin", "username": "first", "groups": ["a"]},
            b={"arn": "@role/admin", "username": "second", "groups": ["b"]},
        ),
        objects(b={"arn": "@role/admin", "username": "second", "groups": ["b"]}),
    ),
}

# The reference reads its config file once: each step is a restart.
_CONFIG: dict[str, tuple[Step, ...]] = {
    "changed": (config(f"mapRoles:\n{_ADMIN}"), config(f"mapRoles:\n{_VIEWER}")),
    "emptied": (config(f"mapRoles:\n{_ADMIN}"), config("mapRoles: []\n")),
    "without the section": (config(f"mapRoles:\n{_ADMIN}"), config("address: 127.0.0.1\n")),
}


CASES = tuple(
    Case(theme, name, steps, (mode,))
    for theme, mode, sequences in (
        ("edit of aws-auth", "EKSConfigMap", _AWS_AUTH),
        ("edit of the dynamic file", "DynamicFile", _DYNAMIC),
        ("edit of custom resources", "CRD", _CRD),
        ("edit of the config file", "MountedFile", _CONFIG),
    )
    for name, steps in sequences.items()
)
