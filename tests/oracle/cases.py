"""What a written case is, and who asks in each of them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from dev.oracle import Caller, Question, Step

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
ZERO_ACCOUNT = "012345678901"

SSO = "AWSReservedSSO_Developer_0123456789abcdef"
SSO_LONGER = "AWSReservedSSO_Developer_Extra_0123456789abcdef"


def session(role: str, session: str, account: str = ACCOUNT, partition: str = "aws") -> Caller:
    """A session of a role."""
    arn = f"arn:{partition}:sts::{account}:assumed-role/{role}/{session}"
    return _caller(arn, f"{_unique('AROA', role)}:{session}")


def user(name: str, account: str = ACCOUNT) -> Caller:
    """A user, its path in its name."""
    return _caller(f"arn:aws:iam::{account}:user/{name}", _unique("AIDA", name))


def _unique(kind: str, name: str) -> str:
    """A unique id of the right form: `AROA1ADMIN0000000000`."""
    letters = "".join(filter(str.isalnum, name)).upper()
    return f"{kind}1{letters[-15:]}".ljust(20, "0")


def _caller(arn: str, user_id: str) -> Caller:
    key = base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode()[:16]
    return Caller(arn, user_id, f"AKIA{key}")


CALLERS: Mapping[str, Caller] = MappingProxyType(
    {
        "admin": session("admin", "s1"),
        "admin-ci": session("admin", "ci@example.com"),
        "dev": session("Dev", "s2"),
        "node": session("node", "i-0123456789abcdef0"),
        "lost-node": session("node", "i-dead56789abcdef00"),
        "sso": session(SSO, "carol@example.com"),
        "sso-longer": session(SSO_LONGER, "dave"),
        "china": session("admin", "s1", partition="aws-cn"),
        "zero": session("admin", "s1", ZERO_ACCOUNT),
        "guest": session("admin", "s1", OTHER_ACCOUNT),
        "alice": user("alice"),
        "staff-alice": user("staff/alice"),
        "bob": user("Bob"),
        "root": _caller(f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT),
        "fred": _caller(f"arn:aws:sts::{ACCOUNT}:federated-user/fred", f"{ACCOUNT}:fred"),
    }
)

# Our answer, as `dev.oracle.User` writes it, or the word for none.
DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Case:
    """Documents, one after the other, that both sides read.

    Attributes:
        theme: what it is about.
        name: what is special about it.
        steps: what the sources hold; each step replaces the one before.
        modes: the sources in order.
        strict: the setting `dynamicfileUserIDStrict`.
        differs: by the name of a caller, the row of the table of differences, and our answer
            ("username [groups]" or `DENIED`). All other callers get one of the reference's answers.
        refused: the row that says why only one of the two servers starts; "" if both do.
    """

    theme: str
    name: str
    steps: tuple[Step, ...]
    modes: tuple[str, ...]
    strict: bool = False
    differs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    refused: str = ""

    @property
    def id(self) -> str:
        """The theme and the name."""
        return f"{self.theme}: {self.name}"

    def question(self) -> Question:
        """The case as both sides are asked."""
        return Question(self.modes, self.steps, tuple(CALLERS.values()), self.strict)


def full(text: str) -> str:
    """Write out the ARNs of a document: `@role/x`, `@user/x`, `@root`, `@sts/...`."""
    iam = f"arn:aws:iam::{ACCOUNT}:"
    for word in ("role/", "user/", "root"):
        text = text.replace(f"@{word}", f"{iam}{word}")
    return text.replace("@sts/", f"arn:aws:sts::{ACCOUNT}:")


def aws_auth(**data: str) -> Step:
    """The ConfigMap with these keys."""
    return Step(aws_auth={key: full(text) for key, text in data.items()})


def config(server: str) -> Step:
    """The config file with these lines under `server`."""
    indented = "".join(f"  {line}\n" for line in full(server).splitlines())
    return Step(config=f"clusterID: oracle\nserver:\n{indented}".encode())


def dynamic(content: object) -> Step:
    """The dynamic file with this JSON, or this text."""
    text = content if isinstance(content, str) else json.dumps(content)
    return Step(dynamic=full(text).encode())


def objects(**specs: Mapping[str, Any]) -> Step:
    """Custom resources by name."""
    return Step(objects=json.loads(full(json.dumps(specs))))
