"""IAMIdentityMapping objects, as their schema lets them be."""

from __future__ import annotations

from typing import Any

from tests.oracle.cases import Case, objects


def _spec(arn: str, username: str = "admin", *groups: str) -> dict[str, Any]:
    return {"arn": arn, "username": username, "groups": list(groups or ("a",))}


_OBJECTS: dict[str, dict[str, dict[str, Any]]] = {
    "of a role": {"one": _spec("@role/admin")},
    "of a role in upper case": {"one": _spec("@role/ADMIN")},
    "of a role with a path": {"one": _spec("@role/team/admin")},
    "of a user": {"one": _spec("@user/alice")},
    "of a user in another case": {"one": _spec("@user/ALICE")},
    "of a user with a path": {"one": _spec("@user/staff/alice")},
    "of a session": {"one": _spec("@sts/assumed-role/admin/s1")},
    "of root": {"one": _spec("@root")},
    "of a federated user": {"one": _spec("@sts/federated-user/fred")},
    "of another partition": {"one": _spec("arn:aws-cn:iam::111122223333:role/admin")},
    "of a wildcard": {"one": _spec("@role/adm*")},
    "of no ARN": {"one": _spec("nonsense"), "two": _spec("@role/Dev", "dev")},
    "of an empty ARN": {"one": _spec(""), "two": _spec("@role/Dev", "dev")},
    "of an ARN with a blank": {"one": _spec("@role/admin "), "two": _spec("@role/Dev", "dev")},
    "twins": {
        "a": _spec("@role/admin", "first", "one"),
        "b": _spec("@role/admin", "second", "two"),
    },
    "twins of three": {
        "a": _spec("@role/admin", "first", "one"),
        "b": _spec("@role/admin", "second", "two"),
        "c": _spec("@role/ADMIN", "third", "three"),
    },
    "twins of a user": {
        "b": _spec("@user/Bob", "second", "two"),
        "a": _spec("@user/bob", "first", "one"),
    },
    "path twins": {
        "a": _spec("@role/team/admin", "old", "system:masters"),
        "b": _spec("@role/admin", "now", "viewers"),
    },
    "path twins, the other way": {
        "a": _spec("@role/admin", "now", "viewers"),
        "b": _spec("@role/team/admin", "old", "system:masters"),
    },
    "session and role": {
        "a": _spec("@sts/assumed-role/admin/s1", "session", "one"),
        "b": _spec("@role/admin", "role", "two"),
    },
    "without groups": {"one": {"arn": "@role/admin", "username": "admin"}},
    "with no group": {"one": {"arn": "@role/admin", "username": "admin", "groups": []}},
    "with an empty username": {"one": {"arn": "@role/admin", "username": "", "groups": ["a"]}},
    "with templates": {"one": _spec("@role/admin", "a:{{SessionName}}", "{{AccountID}}")},
    "with the instance's name": {"one": _spec("@role/node", "system:node:{{EC2PrivateDNSName}}")},
    "with a userid that is another's": {
        "one": {**_spec("@role/admin"), "userid": "AROA1OTHER0000000000"}
    },
    "none": {},
}


CASES = tuple(
    Case(
        "custom resources",
        name,
        (objects(**specs),),
        ("CRD",),
    )
    for name, specs in _OBJECTS.items()
)
