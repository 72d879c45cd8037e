"""The JWTs of the benchmark are what a server takes, each of them once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jwt

from dev.bench.jwts import supply
from dev.bench.webhook import callers


def test_every_token_is_new_and_of_a_mapped_role(tmp_path: Path) -> None:
    made = supply(tmp_path, 45)

    settings: dict[str, Any] = made.settings
    [issuer] = settings["issuers"]
    keys = jwt.PyJWKSet.from_json(Path(issuer["keysFile"]).read_text())
    mapped: dict[str, Any] = callers(quota=True, kubeconfig=None, web_identity=settings)
    names = {role["roleARN"]: role["username"] for role in mapped["mapRoles"]}
    lines = [line.split() for line in made.tokens.read_text().splitlines()]
    for token, username in lines:
        claims = jwt.decode(
            token, keys["RSA_0"], ["RS256"], audience="urn:k8s-aws:benchmark", issuer=issuer["url"]
        )
        assert names[claims["sub"]] == username
        assert claims["exp"] - time.time() > 3000
    assert len({token for token, _ in lines}) == len(lines) == 45
    assert mapped["webIdentity"] == settings
