"""The verb `verify`: every check of one token, and whom STS says it is of.

It runs the server's own verifier, so that the two cannot disagree.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from authenticator.aws.https import HttpsPool, Proxy, verifying_context
from authenticator.aws.sts import Sts
from authenticator.aws.sts_hosts import sts_hosts
from authenticator.config import Loaded
from authenticator.errors import AuthenticatorError, NotProven, TokenRefused
from authenticator.options import command
from authenticator.settings import Settings
from authenticator.tokens import presigned

_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Step:
    """One check and how it ended.

    Attributes:
        check: its name.
        passed: whether it passed.
        detail: why it failed, or what was learnt.
    """

    check: str
    passed: bool
    detail: str = ""


class _Silent:
    def sts_response(self, code: int, region: str, seconds: float) -> None: ...
    def sts_throttled(self, region: str) -> None: ...
    def sts_connection_failed(self, region: str) -> None: ...


@command(
    "verify",
    "Check a token as the server would, and show whose it is.",
    frozenset({"partition"}),
    click.Option(
        ["-t", "--token"], required=True, help="The token; - reads it from standard input."
    ),
    click.Option(["-o", "--output"], type=click.Choice(["json"]), help="Write it for machines."),
)
def verify(loaded: Loaded, *, token: str, output: str | None) -> int:
    """Check a token, print the steps, and return 0 if STS proved it."""
    text = sys.stdin.read().strip() if token == "-" else token  # noqa: S105 (the dash is no token)
    identity: dict[str, Any] = {}
    steps = list(_steps(text, loaded.settings, identity))
    if output == "json":
        shown = [
            {"check": step.check, "passed": step.passed, "detail": step.detail} for step in steps
        ]
        click.echo(json.dumps({"proven": bool(identity), "identity": identity, "checks": shown}))
    else:
        for step in steps:
            mark = click.style("ok  ", fg="green") if step.passed else click.style("FAIL", fg="red")
            click.echo(f"{mark} {step.check}{': ' if step.detail else ''}{step.detail}")
        for key, value in identity.items():
            click.echo(f"{key:<14} {value}")
    return 0 if identity else 1


def _steps(token: str, settings: Settings, identity: dict[str, Any]) -> Iterator[Step]:
    hosts = sts_hosts(settings.partition, settings.further_sts_hosts)
    try:
        request = presigned.check(token, now=time.time(), hosts=hosts)
    except TokenRefused as error:
        passed = presigned.CHECKS[: presigned.CHECKS.index(error.check)]
        yield from (Step(check, passed=True) for check in passed)
        yield Step(error.check, passed=False, detail=str(error))
        return
    yield from (Step(check, passed=True) for check in presigned.CHECKS)
    pool = HttpsPool(context=verifying_context(), proxy=Proxy.from_environment())
    try:
        caller = Sts(settings.cluster_id, pool, _Silent()).prove(request, _TIMEOUT_SECONDS)
    except NotProven as error:
        yield Step("sts", passed=False, detail=f"{error} ({error.code})")
        return
    except AuthenticatorError as error:
        yield Step("sts", passed=False, detail=f"{error}; nothing is known of the token")
        return
    yield Step("sts", passed=True, detail=f"{request.host.name} proved the signature")
    identity.update(
        arn=str(caller.arn),
        canonicalArn=caller.canonical_arn,
        account=caller.arn.account_id,
        userId=caller.user_id,
        accessKeyId=caller.access_key_id,
        sessionName=caller.arn.session,
    )
