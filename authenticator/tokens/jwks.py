"""The public keys of an issuer (JWKS, RFC 7517), read strictly.

A key that cannot sign these tokens is left out, so that a kind of key that AWS adds later does no
harm. A set that can be read in two ways is refused as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

from authenticator.errors import MalformedRequest
from authenticator.posted_json import decode

MAX_BYTES = 64 * 1024
MAX_KEYS = 16

_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
# Verifying with a larger one would cost milliseconds.
_RSA_BITS = range(2048, 8192 + 1)
_EXPONENT = 65537
_P384_BITS = 384


class Algorithm(str, Enum):
    """The signature algorithms of GetWebIdentityToken."""

    RS256 = "RS256"
    ES384 = "ES384"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key, and the one algorithm that it is for.

    Attributes:
        algorithm: decided by the key's kind, never by a token.
        key: the key object.
    """

    algorithm: Algorithm
    key: RSAPublicKey | EllipticCurvePublicKey

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Return whether the key made the signature of a message."""
        return bool(_VERIFIERS[self.algorithm].verify(message, self.key, signature))


# PyJWT's algorithms without its reader of tokens: `authenticator.tokens.jwt` has read the token
# already, and reading it again takes three times as long as the signature.
_VERIFIERS = MappingProxyType(
    {
        Algorithm.RS256: RSAAlgorithm(RSAAlgorithm.SHA256),
        Algorithm.ES384: ECAlgorithm(ECAlgorithm.SHA384),
    }
)


class KeySetRefused(ValueError):
    """A key set that cannot be used; the message completes a sentence that begins with "it"."""


def parse(data: bytes) -> Mapping[str, SigningKey]:
    """Read a key set.

    Args:
        data: the JSON document.

    Returns:
        the keys that can sign these tokens, by `kid`; never empty.

    Raises:
        KeySetRefused: it is too large, not a key set, names two keys alike, or has no such key.
    """
    if len(data) > MAX_BYTES:
        raise KeySetRefused(f"is larger than {MAX_BYTES // 1024} KiB")
    try:
        document = decode(data)
    except MalformedRequest:
        raise KeySetRefused("is not JSON in UTF-8 with unique keys") from None
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not all(isinstance(key, dict) for key in listed):
        raise KeySetRefused("has no list of keys")
    if len(listed) > MAX_KEYS:
        raise KeySetRefused(f"has more than {MAX_KEYS} keys")
    names = [key["kid"] for key in listed if isinstance(key.get("kid"), str)]
    if len(set(names)) < len(names):
        raise KeySetRefused("has two keys with one kid")
    found = {key["kid"]: made for key in listed if (made := _signing_key(key)) is not None}
    if not found:
        raise KeySetRefused("has no key for RS256 or ES384")
    return found


def _signing_key(jwk: Mapping[str, Any]) -> SigningKey | None:
    """Make the key of a JWK; None if it is not for signatures of these tokens."""
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not _KEY_ID.fullmatch(kid) or not _is_for_signatures(jwk):
        return None
    # AWS's RSA key states no alg.
    made = _rsa(jwk) if jwk.get("kty") == "RSA" else _p384(jwk) if jwk.get("kty") == "EC" else None
    return made if made and jwk.get("alg", made.algorithm.value) == made.algorithm.value else None


def _is_for_signatures(jwk: Mapping[str, Any]) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    usable = isinstance(operations, list) and "verify" in operations
    return jwk.get("use", "sig") == "sig" and usable


def _rsa(jwk: Mapping[str, Any]) -> SigningKey | None:
    key = _made(RSAAlgorithm, {"kty": "RSA", "n": jwk.get("n"), "e": jwk.get("e")})
    if not isinstance(key, RSAPublicKey) or key.key_size not in _RSA_BITS:
        return None
    return SigningKey(Algorithm.RS256, key) if key.public_numbers().e == _EXPONENT else None


def _p384(jwk: Mapping[str, Any]) -> SigningKey | None:
    if jwk.get("crv") != "P-384":
        return None
    members = {"kty": "EC", "crv": "P-384", "x": jwk.get("x"), "y": jwk.get("y")}
    key = _made(ECAlgorithm, members)
    if not isinstance(key, EllipticCurvePublicKey) or key.curve.key_size != _P384_BITS:
        return None
    return SigningKey(Algorithm.ES384, key)


def _made(kind: type[RSAAlgorithm | ECAlgorithm], members: dict[str, Any]) -> object:
    """Have PyJWT make a key of its public members alone; None if they are not those of one."""
    if not all(isinstance(value, str) for value in members.values()):
        return None
    try:
        return kind.from_jwk(members)
    except (PyJWTError, ValueError, TypeError):
        return None
