"""Wrong key documents that an issuer, or a proxy in front of it, may serve."""

from __future__ import annotations

import json
from collections.abc import Callable

from dev.aws_double import jose
from dev.aws_double.jose import Jwk
from dev.aws_double.wire import Response

_HUGE = 8 * 1024 * 1024
_DEEP = 100_000
_MANY = 1000
_JSON = "application/json"

Keys = list[Jwk]


def _set(keys: object) -> bytes:
    return json.dumps({"keys": keys}).encode()


def _changed(keys: Keys, **members: object) -> bytes:
    return _set([{**key, **members} for key in keys])


def _without(keys: Keys, name: str) -> bytes:
    return _set([{key: value for key, value in jwk.items() if key != name} for jwk in keys])


def _secret(jwk: Jwk) -> dict[str, str]:
    """Give a symmetric key made of a public one: who verifies with it lets everyone sign."""
    return {"kty": "oct", "kid": jwk["kid"], "k": jose.encode(json.dumps(jwk).encode())}


def _of_strangers(keys: Keys) -> bytes:
    """Give other keys under the same `kid`s."""
    return _set(
        [
            {
                **jose.generate("RS256" if jwk["kty"] == "RSA" else "ES384", 0).jwk(),
                "kid": jwk["kid"],
            }
            for jwk in keys
        ]
    )


def _rsa(bits: int, exponent: int = 65537) -> Callable[[Keys], bytes]:
    modulus = (1 << (bits - 1)) | 1
    numbers = {"n": jose.encode_number(modulus), "e": jose.encode_number(exponent)}
    return lambda keys: _changed([jwk for jwk in keys if jwk["kty"] == "RSA"], **numbers)


_DOCUMENTS: dict[str, Callable[[Keys], bytes]] = {
    "array": lambda keys: json.dumps(keys).encode(),
    "deep": lambda _: b'{"keys":' + b"[" * _DEEP,
    "duplicate-kid": lambda keys: _set([*keys, {**keys[-1], "kid": keys[0]["kid"]}]),
    "duplicate-member": lambda keys: b'{"keys":[],"keys":' + json.dumps(keys).encode() + b"}",
    "empty": lambda _: b"",
    "encryption": lambda keys: _changed(keys, use="enc"),
    "huge": lambda keys: json.dumps({"keys": keys, "padding": "x" * _HUGE}).encode(),
    "key-not-object": lambda _: _set(["RSA_0"]),
    "keys-not-array": lambda keys: _set({jwk["kid"]: jwk for jwk in keys}),
    "many": lambda keys: _set([{**keys[0], "kid": f"RSA_{n}"} for n in range(_MANY)]),
    "no-keys": lambda _: _set([]),
    "no-kid": lambda keys: _without(keys, "kid"),
    "none": lambda keys: _changed(keys, alg="none"),
    "not-base64": lambda keys: _changed(keys, n="!", x="!"),
    "not-utf-8": lambda _: b'{"keys": "\xff"}',
    "null": lambda _: b"null",
    "oct": lambda keys: _set([_secret(jwk) for jwk in keys]),
    "oct-among-others": lambda keys: _set([*keys, {**_secret(keys[0]), "kid": "OCT_0"}]),
    "of-strangers": _of_strangers,
    "rsa-1024": _rsa(1024),
    "rsa-16384": _rsa(16384),
    "rsa-exponent-3": _rsa(2048, exponent=3),
    "strange-kid": lambda keys: _changed(keys, kid="../../etc/passwd"),
    "truncated": lambda keys: _set(keys)[:-2],
    "wrong-algorithm": lambda keys: _changed(keys, alg="HS256"),
    "wrong-curve": lambda keys: _changed([jwk for jwk in keys if jwk["kty"] == "EC"], crv="P-256"),
}
_PAGE = b"<!DOCTYPE html><title>Welcome</title><p>Please accept the terms."

WRONG_KEYS = frozenset(_DOCUMENTS) | {"html", "wrong-type"}


def wrong_keys_response(kind: str, keys: Keys) -> Response:
    """Give the wrong key document of a kind in `WRONG_KEYS`, with status 200.

    Args:
        kind: one of `WRONG_KEYS`.
        keys: what the issuer publishes; most kinds are made of it.
    """
    if kind == "html":
        return Response(200, "text/html", _PAGE)
    if kind == "wrong-type":
        return Response(200, "text/html", _set(keys))
    return Response(200, _JSON, _DOCUMENTS[kind](keys))
