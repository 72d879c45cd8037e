"""JWTs for the load: signed beforehand, since to sign one takes longer than to verify ten."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dev.aws_double.federation import Federation
from dev.aws_double.principals import assumed_role
from dev.bench.webhook import ACCOUNT, CLUSTER, ROLES, role_name

if TYPE_CHECKING:
    from pathlib import Path

# The longest that STS gives, so that one supply serves every window.
LIFETIME_SECONDS = 3600
_AUDIENCE = f"urn:k8s-aws:{CLUSTER}"


@dataclass(frozen=True, slots=True)
class Supply:
    """Tokens that no server has seen, and what a server needs to take them.

    Attributes:
        tokens: a file with a token and its user's name in each line.
        settings: the server's `webIdentity`, with the issuer's keys in a file.
    """

    tokens: Path
    settings: dict[str, object]


def supply(directory: Path, count: int) -> Supply:
    """Sign tokens on every core, each with its own `jti`, of the callers of the other scenarios."""
    federation = Federation()
    issuer = federation.enable(ACCOUNT)
    keys = directory / "keys.json"
    keys.write_text(json.dumps(issuer.jwks()))
    names = [role_name(number) for number in range(ROLES)]
    callers = [(name, assumed_role(ACCOUNT, name, "session")) for name in names]

    def line(number: int) -> str:
        name, caller = callers[number % ROLES]
        return f"{federation.mint(caller, _AUDIENCE, seconds=LIFETIME_SECONDS)} {name}\n"

    tokens = directory / "tokens"
    with ThreadPoolExecutor(os.cpu_count()) as pool, tokens.open("w") as file:
        file.writelines(pool.map(line, range(count)))
    settings: dict[str, object] = {
        "issuers": [{"url": issuer.url, "accountID": ACCOUNT, "keysFile": str(keys)}],
        "maxAgeSeconds": LIFETIME_SECONDS,
    }
    return Supply(tokens, settings)
