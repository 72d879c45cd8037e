"""Builds the Go program of this directory, and asks it questions."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev import gotools

MODULE = Path(__file__).parent
_REFERENCE = "sigs.k8s.io/aws-iam-authenticator"


class OracleError(Exception):
    """The oracle ended before it had answered; the message is what it wrote last."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One AWS identity as STS describes it.

    Attributes:
        arn: the ARN in STS's answer to GetCallerIdentity.
        user_id: its UserId.
        access_key_id: the access key that signed.
        token: what is sent; "" for a token as clients make it. STS accepts every signature.
    """

    arn: str
    user_id: str
    access_key_id: str
    token: str = ""

    @property
    def account(self) -> str:
        """The account id."""
        return self.arn.split(":")[4]

    def as_json(self) -> dict[str, str]:
        """The caller as the program reads it."""
        return {
            "arn": self.arn,
            "account": self.account,
            "userId": self.user_id,
            "accessKeyId": self.access_key_id,
            "token": self.token,
        }


@dataclass(frozen=True, slots=True)
class Step:
    """What each source holds at one time; None for a document that does not exist.

    Attributes:
        config: the config file.
        aws_auth: the data of the ConfigMap aws-auth.
        objects: by name, the spec of each IAMIdentityMapping.
        dynamic: the dynamic file.
    """

    config: bytes | None = None
    aws_auth: Mapping[str, str] | None = None
    objects: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    dynamic: bytes | None = None

    def as_json(self) -> dict[str, Any]:
        """The step as the program reads it."""
        return {
            "config": _encoded(self.config),
            "awsAuth": None if self.aws_auth is None else dict(self.aws_auth),
            "objects": {name: dict(spec) for name, spec in self.objects.items()},
            "dynamic": _encoded(self.dynamic),
        }


@dataclass(frozen=True, slots=True)
class Question:
    """A chain of sources, what they hold one after the other, and who asks after the last step.

    Attributes:
        modes: the sources in order, in the reference's words.
        steps: the documents; each step replaces the one before.
        callers: who asks.
        strict: the setting `dynamicfileUserIDStrict`.
    """

    modes: tuple[str, ...]
    steps: tuple[Step, ...]
    callers: tuple[Caller, ...]
    strict: bool = False

    def as_json(self) -> dict[str, Any]:
        """The question as the program reads it."""
        return {
            "modes": self.modes,
            "strict": self.strict,
            "steps": [step.as_json() for step in self.steps],
            "callers": [caller.as_json() for caller in self.callers],
        }


@dataclass(frozen=True, slots=True)
class User:
    """The user of a TokenReview, whole.

    Attributes:
        username: the username.
        uid: the uid.
        groups: the groups in order.
        extra: the keys in order of their names, each with its values.
    """

    username: str
    uid: str
    groups: tuple[str, ...]
    extra: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def of(cls, user: Mapping[str, Any]) -> User:
        """Read `status.user` of a TokenReview; what is missing there is empty."""
        extra = user.get("extra") or {}
        return cls(
            user.get("username", ""),
            user.get("uid", ""),
            tuple(user.get("groups") or ()),
            tuple((key, tuple(extra[key])) for key in sorted(extra)),
        )

    def __str__(self) -> str:
        """`alice [readers]`."""
        return f"{self.username} [{','.join(self.groups)}]"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the reference makes of a question.

    Attributes:
        refusal: why the reference does not start with the documents; "" if it does.
        users: for each caller, every user that the reference may make of them, None for a denial:
            more than one where its answer depends on the order of a Go map.
    """

    refusal: str
    users: tuple[frozenset[User | None], ...]


def build() -> Path:
    """Return the program, built if need be. Raises gotools.GoBuildError."""
    return gotools.build(gotools.Program(name="oracle", module=MODULE, package="."))


def ask(questions: Sequence[Question]) -> list[Answer]:
    """Have the reference answer each question, some thousand a second.

    Raises:
        OracleError: it ended before it had answered all.
        gotools.GoBuildError: it cannot be built.
    """
    lines = "".join(json.dumps(question.as_json()) + "\n" for question in questions)
    # No setting of a developer's own account, and no look for an instance's metadata.
    environment = {"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true"}
    result = subprocess.run(
        [str(build())], input=lines, env=environment, capture_output=True, text=True, check=False
    )
    # Not splitlines(), which ends a line at other letters too.
    lines_out = result.stdout.split("\n")[:-1]
    if result.returncode or len(lines_out) != len(questions):
        raise OracleError(f"{len(lines_out)} of {len(questions)} answered: {result.stderr[-2000:]}")
    return [_answer(json.loads(line)) for line in lines_out]


def deployment() -> Path:
    """The reference's own deploy/example.yaml, in Go's module cache.

    Raises:
        gotools.GoBuildError: Go does not have the module.
    """
    return gotools.module_directory(MODULE, _REFERENCE) / "deploy" / "example.yaml"


def _answer(found: Mapping[str, Any]) -> Answer:
    return Answer(
        found["refusal"],
        tuple(
            frozenset(User.of(o["user"]) if o["user"] else None for o in outcomes)
            for outcomes in found["callers"]
        ),
    )


def _encoded(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()
