"""Key sets: what is taken, what is left out, and what is refused as a whole."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from authenticator.tokens.jwks import Algorithm, KeySetRefused, parse
from tests.corpus import jwts

SET = jwts.own_keys().jwks()
RSA, EC = SET["keys"]


def read(*keys: Any) -> dict[str, Algorithm]:
    found = parse(json.dumps({"keys": keys}).encode())
    return {kid: key.algorithm for kid, key in found.items()}


def left_out(key: dict[str, Any]) -> bool:
    """Whether a key next to a good one is left out."""
    return read({**RSA, "kid": "good"}, key) == {"good": Algorithm.RS256}


def test_the_keys_as_aws_publishes_them() -> None:
    assert read(RSA, EC) == {"RSA_0": Algorithm.RS256, "EC384_0": Algorithm.ES384}


def rsa_of(bits: int, exponent: int = 65537) -> dict[str, Any]:
    numbers = rsa.generate_private_key(exponent, bits).public_key().public_numbers()
    return {**RSA, "kid": "x", "n": jwts.number(numbers.n), "e": jwts.number(numbers.e)}


def ec_of(curve: ec.EllipticCurve, name: str) -> dict[str, Any]:
    numbers = ec.generate_private_key(curve).public_key().public_numbers()
    size = (curve.key_size + 7) // 8
    x, y = jwts.number(numbers.x, size), jwts.number(numbers.y, size)
    return {**EC, "kid": "x", "crv": name, "x": x, "y": y}


def okp() -> dict[str, Any]:
    raw = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    return {"kty": "OKP", "crv": "Ed25519", "kid": "x", "x": jwts.encoded(raw)}


@pytest.mark.parametrize(
    "key",
    [
        pytest.param({"kty": "oct", "kid": "x", "k": "AAAA", "alg": "HS256"}, id="oct"),
        pytest.param(okp(), id="a-kind-that-aws-may-add"),
        pytest.param(rsa_of(1024), id="rsa-1024"),
        pytest.param(rsa_of(2048, 3), id="rsa-e-3"),
        pytest.param({**RSA, "kid": "x", "n": jwts.number((1 << 16384) + 1)}, id="rsa-16384"),
        pytest.param({**RSA, "kid": "x", "n": "AA"}, id="rsa-n-0"),
        pytest.param({**RSA, "kid": "x", "n": 3}, id="rsa-n-a-number"),
        pytest.param({**RSA, "kid": "x", "e": None}, id="rsa-without-e"),
        pytest.param({**RSA, "kid": "x", "alg": "HS256"}, id="rsa-for-hs256"),
        pytest.param({**RSA, "kid": "x", "alg": "RS512"}, id="rsa-for-rs512"),
        pytest.param({**RSA, "kid": "x", "use": "enc"}, id="for-encryption"),
        pytest.param({**RSA, "kid": "x", "key_ops": ["encrypt"]}, id="for-other-operations"),
        pytest.param({**RSA, "kid": "../x"}, id="kid-a-path"),
        pytest.param({key: RSA[key] for key in ("kty", "n", "e")}, id="without-kid"),
        pytest.param({**RSA, "kid": 3}, id="kid-a-number"),
        pytest.param(ec_of(ec.SECP256R1(), "P-256"), id="p-256"),
        pytest.param(ec_of(ec.SECP521R1(), "P-521"), id="p-521"),
        pytest.param({**ec_of(ec.SECP256R1(), "P-384")}, id="p-256-as-p-384"),
        pytest.param({**EC, "kid": "x", "x": EC["y"]}, id="not-on-the-curve"),
        pytest.param({**EC, "kid": "x", "alg": "ES256"}, id="p-384-for-es256"),
    ],
)
def test_a_key_that_cannot_sign_these_tokens_is_left_out(key: dict[str, Any]) -> None:
    assert left_out(key)


def test_a_private_key_is_read_as_its_public_half() -> None:
    private = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(jwts.own_keys().rsa))
    key = parse(json.dumps({"keys": [{**private, "kid": "x", "key_ops": ["verify"]}]}).encode())
    assert not hasattr(key["x"].key, "private_numbers")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "JSON"),
        (b"<html>", "JSON"),
        (b"[]", "no list of keys"),
        (b"{}", "no list of keys"),
        (b'{"keys":{}}', "no list of keys"),
        (b'{"keys":["x"]}', "no list of keys"),
        (b'{"keys":[]}', "no key for"),
        (b'{"keys":[],"keys":[]}', "unique"),
        (b'{"keys":' + b"[" * 20_000 + b"]" * 20_000 + b"}", "JSON"),
        (json.dumps({"keys": [{"kty": "oct", "kid": "x", "k": "AAAA"}]}).encode(), "no key for"),
        (json.dumps({"keys": [RSA, {**EC, "kid": "RSA_0"}]}).encode(), "two keys with one kid"),
        (json.dumps({"keys": [RSA, {"kty": "oct", "kid": "RSA_0"}]}).encode(), "two keys"),
        (json.dumps({"keys": [{**RSA, "kid": str(n)} for n in range(17)]}).encode(), "16 keys"),
        (json.dumps({"keys": [RSA], "x": "y" * 65536}).encode(), "larger than 64 KiB"),
    ],
)
def test_a_set_that_is_refused_as_a_whole(data: bytes, reason: str) -> None:
    with pytest.raises(KeySetRefused, match=reason):
        parse(data)


JSON = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=2)
KEY = st.dictionaries(
    st.sampled_from(["kty", "kid", "use", "alg", "n", "e", "crv", "x", "y", "key_ops"]), JSON
)


@given(st.lists(KEY | KEY.map(lambda key: {**RSA, **key}) | KEY.map(lambda key: {**EC, **key})))
def test_any_set(keys: list[Any]) -> None:
    try:
        found = parse(json.dumps({"keys": keys}).encode())
    except KeySetRefused:
        return
    assert found


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    with pytest.raises(KeySetRefused):
        parse(data)
