"""The verb `verify`: every check of one token, and the identity that STS proves.

It runs the server's own prover, so that the two cannot disagree.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable

import click

from authenticator.admin.verify_steps import (
    Step,
    asking,
    identity_fields,
    prover,
    steps,
    takes_as_jwt,
    token_in,
)
from authenticator.aws.arns import CallerIdentity
from authenticator.config import Loaded
from authenticator.errors import AuthenticatorError
from authenticator.login import ProvesCallers
from authenticator.options import colour, command
from authenticator.verdicts.verdict import Proof


@command(
    "verify",
    "Check a token as the server would, and show whose it is.",
    frozenset({"partition"}),
)
@click.option("-t", "--token", required=True, help="The token; - reads it from standard input.")
@click.option("-o", "--output", type=click.Choice(["json"]), help="Write it for machines.")
def verify(loaded: Loaded, *, token: str, output: str | None) -> int:
    """Check a token, print the steps, and return 0 if STS proved it."""
    ask, text = asking(loaded.settings), token_in(token)
    by_key = takes_as_jwt(loaded.settings, text)
    caller: CallerIdentity | None = None
    failure: AuthenticatorError | None = None
    try:
        caller = asyncio.run(_prove(prover(loaded.settings, ask), text))
    except AuthenticatorError as error:
        failure = error
    checked = steps(failure, ask.host, by_key=by_key)
    _show(checked, identity_fields(caller) if caller else {}, output)
    return 0 if caller else 1


async def _prove(by: ProvesCallers, token: str) -> CallerIdentity:
    recalled = by.recall(token)
    proof = recalled if isinstance(recalled, Proof) else await by.ask(recalled)
    return proof.identity


def _show(made: Iterable[Step], identity: dict[str, str], output: str | None) -> None:
    if output == "json":
        checks = [{"check": s.check, "passed": s.passed, "detail": s.detail} for s in made]
        click.echo(json.dumps({"proven": bool(identity), "identity": identity, "checks": checks}))
        return
    for step in made:
        mark = click.style("ok  ", fg="green") if step.passed else click.style("FAIL", fg="red")
        detail = f": {step.detail}" if step.detail else ""
        click.echo(f"{mark} {step.check}{detail}", color=colour())
    for key, value in identity.items():
        click.echo(f"{key:<14} {value}")
