"""The corpus's tokens, to both verifiers; STS, which is simulated, accepts every signature."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from authenticator.aws.sts_hosts import sts_hosts
from authenticator.errors import TokenRefused
from authenticator.tokens import presigned
from dev import oracle
from dev.oracle import Question, Step
from tests.corpus import forge
from tests.oracle.cases import CALLERS

pytestmark = pytest.mark.reference

# The two rows of the table of differences that are about tokens.
ROWS = {"strict-tokens", "long-tokens"}
# The checks that refuse what the reference sends to STS.
STRICTER = {
    *("algorithm", "base64", "credential", "expires", "host", "not-yet", "parameters", "scope"),
    *("security-token", "signature", "signed-headers", "url", "version"),
}
_ALICE = CALLERS["alice"]
_CONFIG = f'''\
clusterID: oracle
server: {{mapUsers: [{{userarn: "{_ALICE.arn}", username: alice}}]}}
'''


def _passes(token: str, now: float) -> bool:
    try:
        presigned.check(token, now=now, hosts=sts_hosts("aws"))
    except TokenRefused:
        return False
    return True


def test_ours_accepts_what_the_reference_accepts_but_for_the_rows() -> None:
    now = time.time()
    cases = {case["name"]: forge.token(case, now=now) for case in forge.cases("tokens")}
    asking = tuple(replace(_ALICE, token=token) for token in cases.values())
    step = Step(config=_CONFIG.encode())
    (answer,) = oracle.ask([Question(("MountedFile",), (step,), asking)])
    theirs = {name for name, users in zip(cases, answer.users, strict=True) if None not in users}
    here = {name for name, token in cases.items() if _passes(token, now)}
    assert here - theirs == {"session-token-of-6-kib"}
    assert len(here & theirs) > 10
    checks = {case["name"]: case.get("check") for case in forge.cases("tokens")}
    assert {checks[name] for name in theirs - here} == STRICTER
    granted = {case["name"] for case in forge.cases("tokens") if case.get("granted")}
    assert granted <= here
