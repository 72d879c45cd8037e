"""The fuzz targets hold for all seeds and for what Hypothesis makes; the fuzzer itself runs apart.

`make fuzz` runs it, and `python -m dev.fuzz --examples 1000000` makes as many tokens.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from authenticator.errors import TokenRefused
from authenticator.review import Decision
from authenticator.tokens import presigned
from dev.fuzz import generate, targets
from tests.corpus import forge
from tests.examples import examples


@pytest.mark.parametrize("name", targets.TARGETS)
def test_every_seed(name: str) -> None:
    seeds = list(generate.seeds(name))
    assert len(seeds) > 5
    for seed in seeds:
        targets.TARGETS[name](seed)


@given(data=st.binary(max_size=300))
@example(data=b"")
@example(data=targets.WRAPPED + b"https://sts.us-west-2.amazonaws.com/?")
def test_any_bytes(data: bytes) -> None:
    for target in targets.TARGETS.values():
        target(data)


@settings(max_examples=examples(30))
@given(generate.tokens)
def test_tokens_that_are_nearly_right(texts: list[str]) -> None:
    for text in texts:
        targets.review(targets.WRAPPED + text.encode("utf-8", "replace"))
        targets.token(targets.RAW + text.encode("utf-8", "surrogatepass"))


def test_the_generated_tokens_pass_and_fail_everywhere() -> None:
    reached = {outcome(generate.token(seed)) for seed in range(6000)}
    assert reached >= {"passed", *presigned.CHECKS} - {"size", "expired"}


def outcome(text: str) -> str:
    try:
        presigned.check(text, now=targets.NOW, hosts=targets.HOSTS)
    except TokenRefused as error:
        return error.check
    return "passed"


def test_a_grant_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    granted = json.dumps({"status": {"authenticated": True, "user": {"username": "x"}}}).encode()
    monkeypatch.setattr("authenticator.review.deny", lambda request: granted)
    with pytest.raises(targets.Finding, match="a grant"):
        targets.review(targets.WRAPPED + forge.token({}, now=targets.NOW).encode())


def test_a_fault_of_ours_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Decision:
        raise KeyError

    monkeypatch.setattr("authenticator.tokens.presigned.check_prefix", fail)
    with pytest.raises(targets.Finding, match="a fault of ours"):
        targets.review(targets.WRAPPED + b"x")
