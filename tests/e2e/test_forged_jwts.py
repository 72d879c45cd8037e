"""A flood of forged JWTs: nobody is let in by one, STS is not asked, and known users log in."""

from __future__ import annotations

import json
import statistics
import time
from typing import TYPE_CHECKING

import pytest

from dev.aws_double import AwsDouble
from dev.server import WebhookServer, write_config
from dev.waiting import wait_until
from tests.corpus import forge, jwts
from tests.e2e import callers, flooding
from tests.e2e.callers import ALICE
from tests.e2e.flooding import review

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.attacks import Attack

_USERNAME = "dev-by-jwt"
_ROLE = f"arn:aws:iam::{jwts.ACCOUNT}:role/team/Dev"
_MEMORY_MIB = 384


@pytest.fixture
def aws() -> Iterator[AwsDouble]:
    with AwsDouble(callers.PRINCIPALS) as double:
        yield double


@pytest.fixture
def server(aws: AwsDouble, tmp_path: Path) -> Iterator[WebhookServer]:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(jwts.own_keys().jwks()))
    issuer = {"url": jwts.ISSUER, "accountID": jwts.ACCOUNT, "keysFile": str(keys)}
    configuration = callers.configuration()
    configuration["server"] |= {
        "webIdentity": {
            "issuers": [issuer],
            "audiences": [jwts.AUDIENCE],
            "algorithms": ["RS256", "ES384"],
        }
    }
    configuration["server"]["mapRoles"].append({"roleARN": _ROLE, "username": _USERNAME})
    with WebhookServer(write_config(tmp_path, configuration), aws.environment()) as running:
        yield running


def forgeries() -> list[str]:
    """The corpus's forgeries, and good tokens whose signature is of other bytes."""
    refused = [case for case in forge.cases("jwts") if not case.get("granted")]
    # A token of another time may be good when it is sent.
    made = [jwts.token(case) for case in refused if "at" not in case]
    good = [jwts.token(case) for case in forge.cases("jwts") if case.get("granted")]
    for number, token in enumerate(good * 8):
        head, claims, signature = token.split(".")
        at = number % len(signature) // 2
        other = "A" if signature[at] != "A" else "B"
        made.append(f"{head}.{claims}.{signature[:at]}{other}{signature[at + 1 :]}")
    return made


@pytest.mark.attack("Forged JWTs")
@pytest.mark.parametrize(
    ("rate", "seconds"), [(150, 8), pytest.param(800, 60, marks=pytest.mark.nightly)]
)
def test_forged_jwts_let_nobody_in_and_keep_nobody_out(
    server: WebhookServer, aws: AwsDouble, rate: float, seconds: float, attack: Attack
) -> None:
    attack.load(f"{rate:g} forgeries/s over 32 connections for {seconds:g} s")
    attack.bound(
        f"none let in, no call of STS for them; known users in, half of them within 1 s;"
        f" {_MEMORY_MIB} MiB"
    )
    known = callers.fresh_token(ALICE.principal)
    by_jwt = jwts.token({})
    wait_until(lambda: review(server, by_jwt) == _USERNAME, "no JWT is let in")
    wait_until(lambda: review(server, known) == ALICE.username, "no known user is let in")
    tokens = forgeries()
    aws.calls.clear()
    times: list[float] = []
    memory = 0.0
    with flooding.flood(
        server, lambda number: tokens[number % len(tokens)], connections=32, rate=rate
    ) as outcomes:
        wait_until(lambda: outcomes["200"] > 50, lambda: f"no flood: {outcomes}")
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.monotonic()
            assert review(server, known) == ALICE.username
            assert review(server, by_jwt) == _USERNAME
            times.append((time.monotonic() - began) / 2)
            memory = max(memory, flooding.memory(server.pid))
    calls = aws.calls.counts().total
    sent = sum(count for name, count in outcomes.items() if name != flooding.GRANTED)
    attack.saw(
        f"{outcomes[flooding.GRANTED]} of {sent} let in, {calls} calls of STS; {len(times) * 2}"
        f" logins, half within {statistics.median(times):.2f} s; {memory:.0f} MiB"
    )
    assert outcomes[flooding.GRANTED] == 0
    # The known user's own verdict may be asked about again.
    assert calls <= 2
    assert statistics.median(times) < 1.0
    assert memory < _MEMORY_MIB
