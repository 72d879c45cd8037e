"""JWTs are proven by keys, remembered as long as that is sound, and bounded in what they cost."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Future
from contextlib import suppress

import pytest

from authenticator.errors import KeysUnavailable, Overloaded, TokenRefused, UnknownKey
from authenticator.tokens.jwks import parse
from authenticator.verdicts.issuer_keys import KeySet
from authenticator.verdicts.provers import Provers
from authenticator.verdicts.verdict import Proof, Source
from authenticator.verdicts.web_identity import KeyWait, WebIdentity
from tests.authenticator.tokens.test_jwt import NOW, POLICY
from tests.corpus import jwts

SET = parse(json.dumps(jwts.own_keys().jwks()).encode())
TOKEN = jwts.token({}, now=NOW)


class Keys:
    """The keys of one issuer, as a test sets them."""

    def __init__(self, found: KeySet | None) -> None:
        self.found = found
        self.fetched: Future[None] | None = None
        self.requests = 0

    def current(self, url: str) -> KeySet | None:
        assert url == jwts.ISSUER
        return self.found

    def request(self, url: str) -> Future[None] | None:
        self.requests += 1
        return self.fetched


class Host:
    def __init__(self, keys: Keys | None = None) -> None:
        self.now, self.timer = NOW, 50.0
        self.keys = keys or Keys(KeySet(SET, NOW))
        self.prover = WebIdentity(POLICY, self.keys, lambda: self.now, lambda: self.timer)

    def proves(self, token: str = TOKEN) -> Proof:
        proof = self.prover.recall(token)
        assert isinstance(proof, Proof)
        return proof


def count_verifications(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    made = [0]
    real = POLICY and __import__("authenticator.tokens.jwt", fromlist=["x"]).UnprovenJwt.verify

    def counting(self: object, key: object) -> object:
        made[0] += 1
        return real(self, key)

    monkeypatch.setattr("authenticator.tokens.jwt.UnprovenJwt.verify", counting)
    return made


def test_a_signature_proves_the_caller() -> None:
    proof = Host().proves()
    assert proof.source is Source.JWT
    assert str(proof.identity.arn) == "arn:aws:iam::111122223333:role/team/Dev"


def test_a_verified_token_is_not_verified_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made, host = count_verifications(monkeypatch), Host()
    assert host.proves() == host.proves()
    assert made == [1]


def test_other_keys_have_it_verified_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made, host = count_verifications(monkeypatch), Host()
    host.proves()
    host.keys.found = KeySet({**SET}, NOW)
    host.proves()
    assert made == [2]


def test_a_withdrawn_key_ends_what_is_remembered() -> None:
    host = Host()
    host.proves()
    host.keys.found = KeySet({"EC384_0": SET["EC384_0"]}, NOW)
    with pytest.raises(UnknownKey):
        host.prover.recall(TOKEN)


def test_keys_that_are_too_old_end_what_is_remembered() -> None:
    host = Host()
    host.proves()
    host.keys.found = None
    with pytest.raises(KeysUnavailable):
        host.prover.recall(TOKEN)


@pytest.mark.parametrize(("seconds", "check"), [(-61, "not-yet"), (900, "expired")])
def test_what_is_remembered_counts_within_the_tokens_bounds(seconds: int, check: str) -> None:
    host = Host()
    host.proves()
    host.now = int(NOW) + seconds
    with pytest.raises(TokenRefused) as caught:
        host.prover.recall(TOKEN)
    assert caught.value.check == check


def test_forgeries_push_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authenticator.verdicts.web_identity._REMEMBERED", 1)
    made, host = count_verifications(monkeypatch), Host()
    host.proves()
    for _ in range(3):
        with pytest.raises(TokenRefused):
            host.prover.recall(jwts.token({"sign": "other"}, now=NOW))
    host.proves()
    assert made == [4]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authenticator.verdicts.web_identity._REMEMBERED", 2)
    host = Host()
    for number in range(5):
        host.proves(jwts.token({"claims": {"jti": f"id-{number}"}}, now=NOW))
    assert len(host.prover._verified) == 2


def test_without_keys_it_is_a_fault_and_no_denial() -> None:
    with pytest.raises(KeysUnavailable) as caught:
        Host(Keys(None)).prover.recall(TOKEN)
    assert caught.value.status == 500


def test_an_unknown_key_is_answered_at_once_within_the_minute() -> None:
    host = Host()
    with pytest.raises(UnknownKey):
        host.prover.recall(jwts.token({"header": {"kid": "RSA_9"}}, now=NOW))
    assert host.keys.requests == 1


def test_a_login_waits_for_keys_that_are_fetched() -> None:
    keys = Keys(None)
    keys.fetched = Future()
    host = Host(keys)

    async def login() -> Proof:
        waiting = host.prover.recall(TOKEN)
        assert isinstance(waiting, KeyWait)
        assert TOKEN not in repr(waiting)
        asked = asyncio.create_task(host.prover.ask(waiting))
        await asyncio.sleep(0)
        keys.found = KeySet(SET, NOW)
        assert keys.fetched is not None
        keys.fetched.set_result(None)
        return await asked

    assert asyncio.run(login()).identity.arn.name == "Dev"


@pytest.mark.parametrize("found", [None, KeySet({"EC384_0": SET["EC384_0"]}, NOW)])
def test_a_login_that_waited_in_vain(found: KeySet | None) -> None:
    keys = Keys(found)
    keys.fetched = Future()
    keys.fetched.set_result(None)
    host = Host(keys)

    async def login() -> None:
        waiting = host.prover.recall(TOKEN)
        assert isinstance(waiting, KeyWait)
        await host.prover.ask(waiting)

    with pytest.raises(UnknownKey if found else KeysUnavailable):
        asyncio.run(login())


def test_a_flood_of_unknown_keys_waits_in_few_places() -> None:
    host = Host()
    host.keys.fetched = Future()
    token = jwts.token({"header": {"kid": "RSA_9"}}, now=NOW)

    async def flood() -> int:
        tasks = []
        refused = 0
        for _ in range(200):
            try:
                waiting = host.prover.recall(token)
            except UnknownKey:
                refused += 1
                continue
            tasks.append(asyncio.create_task(host.prover.ask(waiting)))
            await asyncio.sleep(0)
        host.keys.fetched.set_result(None)
        await asyncio.gather(*tasks, return_exceptions=True)
        return refused

    assert asyncio.run(flood()) == 200 - 64
    host.proves()


def test_the_work_of_one_issuer_is_bounded_and_of_verified_tokens_is_not() -> None:
    host = Host()
    host.proves()
    host.prover._left[jwts.ISSUER] = 0.5, host.timer
    other = jwts.token({"claims": {"sub": f"arn:aws:iam::{jwts.ACCOUNT}:role/Other"}}, now=NOW)
    with pytest.raises(Overloaded):
        host.prover.recall(other)
    host.proves()
    host.timer += 1.0
    host.proves(other)


def test_forgeries_that_use_the_budget_up_keep_no_proven_caller_out() -> None:
    host = Host()
    host.proves()
    claims = {"sub": f"arn:aws:iam::{jwts.ACCOUNT}:role/Stranger"}
    dear = {"alg": "ES384", "kid": "EC384_0"}
    for header in (dear, {}):
        forged = jwts.token({"header": header, "claims": claims, "sign": "other"}, now=NOW)
        with suppress(Overloaded):
            while True:
                with suppress(TokenRefused):
                    host.prover.recall(forged)
    host.proves(jwts.token({"claims": {"jti": "new"}}, now=NOW))


def test_forgeries_in_the_name_of_a_proven_caller_are_bounded() -> None:
    host = Host()
    host.proves()
    host.prover._left[jwts.ISSUER] = 0.5, host.timer
    checks = []
    for _ in range(4):
        with pytest.raises((TokenRefused, Overloaded)) as caught:
            host.prover.recall(jwts.token({"sign": "other"}, now=NOW))
        checks.append(caught.type)
    assert checks == [TokenRefused] * 3 + [Overloaded]


def test_a_dear_algorithm_uses_more_of_it() -> None:
    host = Host()
    host.proves(jwts.token({"header": {"alg": "ES384", "kid": "EC384_0"}}, now=NOW))
    assert host.prover._left[jwts.ISSUER][0] == 3000.0 - 7.0


class Presigned:
    def recall(self, token: str) -> Proof:
        raise TokenRefused("prefix", "presigned")


@pytest.mark.parametrize("token", ["", "k8s-aws-v1.a.b", "abc", "k8s-aws-v1."])
def test_what_is_no_jwt_goes_to_the_presigned_prover(token: str) -> None:
    provers = Provers(Presigned(), Host().prover)  # type: ignore[arg-type]
    with pytest.raises(TokenRefused, match="presigned"):
        provers.recall(token)


def test_a_jwt_never_goes_to_the_presigned_prover() -> None:
    provers = Provers(Presigned(), Host().prover)  # type: ignore[arg-type]
    assert isinstance(provers.recall(TOKEN), Proof)
