"""Makes the corpus's JWTs, as AWS issues them. Independent of the code under test.

Each case of `jwts.json` starts from a correct token and changes what it names; then it is signed,
so that nothing but the change can be what a verifier refuses:

* `header`, `claims`, `aws`: members to set (null removes one); `aws` holds AWS's own claims;
* `at`: claims to set to a number of seconds after the present;
* `header_text`, `claims_text`: what replaces a text in the JSON of a segment, as [from, to];
* `nested`: how deep a list in the claims is;
* `sign`: how it is signed, if not by the issuer's own key for `alg`: see `_SIGNERS`;
* `token`: the token's text around `{header}`, `{claims}` and `{signature}`; `pad`: its length.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ACCOUNT = "111122223333"
ISSUER = "https://11112222-3333-4444-5555-666677778888.tokens.sts.global.api.aws"
AUDIENCE = "urn:k8s-aws:test-cluster"
NAMESPACE = "https://sts.amazonaws.com/"
RSA_KEY_ID, EC_KEY_ID = "RSA_0", "EC384_0"
LIFETIME_SECONDS = 900


@dataclass(frozen=True)
class Keys:
    """An issuer's private keys."""

    rsa: rsa.RSAPrivateKey
    p384: ec.EllipticCurvePrivateKey

    @classmethod
    def generate(cls) -> Keys:
        return cls(
            rsa.generate_private_key(public_exponent=65537, key_size=2048),
            ec.generate_private_key(ec.SECP384R1()),
        )

    def jwks(self) -> dict[str, Any]:
        """The public keys as AWS publishes them: the RSA key has no `alg`."""
        one, two = self.rsa.public_key().public_numbers(), self.p384.public_key().public_numbers()
        return {
            "keys": [
                {"kty": "RSA", "kid": RSA_KEY_ID, "use": "sig", "n": number(one.n), "e": "AQAB"},
                {
                    "kty": "EC",
                    "kid": EC_KEY_ID,
                    "use": "sig",
                    "alg": "ES384",
                    "crv": "P-384",
                    "x": number(two.x, 48),
                    "y": number(two.y, 48),
                },
            ]
        }


@functools.cache
def own_keys() -> Keys:
    """The keys of the issuer."""
    return Keys.generate()


@functools.cache
def other_keys() -> Keys:
    """The keys of another issuer, whose `kid`s are the same."""
    return Keys.generate()


def claims(*, now: float, role: str = "team/Dev", audience: str = AUDIENCE) -> dict[str, Any]:
    """The claims of a correct token."""
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    issued = int(now)
    return {
        "iss": ISSUER,
        "aud": audience,
        "sub": arn,
        "iat": issued,
        "exp": issued + LIFETIME_SECONDS,
        "jti": "9d1a5c1e-0000-4000-8000-000000000001",
        NAMESPACE: {
            "aws_account": ACCOUNT,
            "source_region": "eu-west-1",
            "org_id": "o-abcd1234ef",
            "ou_path": ["o-abcd1234ef/r-ab12/ou-ab12-11111111/ou-ab12-22222222/"],
            "principal_tags": {"team": "data"},
            "request_tags": {"team": "admin"},
            "principal_id": arn,
        },
    }


def token(case: dict[str, Any], now: float | None = None) -> str:
    """The token of one case of `jwts.json`, issued at `now`."""
    moment = time.time() if now is None else now
    head = {"alg": "RS256", "kid": RSA_KEY_ID, "typ": "JWT"}
    body = claims(now=moment)
    _change(head, case.get("header", {}))
    _change(body, case.get("claims", {}))
    _change(body, {name: int(moment) + seconds for name, seconds in case.get("at", {}).items()})
    if isinstance(body.get(NAMESPACE), dict):
        _change(body[NAMESPACE], case.get("aws", {}))
    header = _segment(head, case.get("header_text"))
    levels = case.get("nested", 0)
    deep = ['{"iss"', f'{{"deep":{"[" * levels}{"]" * levels},"iss"']
    middle = _segment(body, deep if levels else case.get("claims_text"))
    signed = f"{header}.{middle}".encode()
    signature = encoded(_SIGNERS[case.get("sign", head.get("alg", "RS256"))](signed))
    text = case.get("token", "{header}.{claims}.{signature}")
    for name, part in (("header", header), ("claims", middle), ("signature", signature)):
        text = text.replace("{" + name + "}", part)
    return str(text).ljust(case.get("pad", 0), "A")


def sign(document: bytes, key: rsa.RSAPrivateKey | None = None, kid: str = RSA_KEY_ID) -> str:
    """A token with these bytes as its claims, signed with RS256."""
    head = json.dumps({"alg": "RS256", "kid": kid, "typ": "JWT"}).encode()
    text = f"{encoded(head)}.{encoded(document)}"
    return f"{text}.{encoded(_rs256(key or own_keys().rsa, text.encode()))}"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def number(value: int, size: int = 0) -> str:
    """A number as JWKs hold it."""
    return encoded(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def _change(members: dict[str, Any], changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        if value is None:
            members.pop(name, None)
        else:
            members[name] = value


def _segment(document: dict[str, Any], change: list[str] | None) -> str:
    text = json.dumps(document, separators=(",", ":"))
    if change:
        assert change[0] in text
        text = text.replace(change[0], change[1], 1)
    return encoded(text.encode("utf-8", "surrogatepass"))


def _rs256(key: rsa.RSAPrivateKey, data: bytes) -> bytes:
    return key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def _es384(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    one, two = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA384())))
    return one.to_bytes(48, "big") + two.to_bytes(48, "big")


def _hmac_with(encoding: serialization.Encoding, form: serialization.PublicFormat) -> Any:
    def signed(data: bytes) -> bytes:
        secret = own_keys().rsa.public_key().public_bytes(encoding, form)
        return hmac.digest(secret, data, hashlib.sha256)

    return signed


_SIGNERS: dict[str, Any] = {
    "RS256": lambda data: _rs256(own_keys().rsa, data),
    "ES384": lambda data: _es384(own_keys().p384, data),
    "other": lambda data: _rs256(other_keys().rsa, data),
    "other-es384": lambda data: _es384(other_keys().p384, data),
    "none": lambda _: b"",
    # The public key as the secret of an HMAC.
    "HS256": _hmac_with(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ),
    "jwk": lambda data: hmac.digest(
        json.dumps(own_keys().jwks()["keys"][0]).encode(), data, hashlib.sha256
    ),
    "pss": lambda data: own_keys().rsa.sign(
        data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()
    ),
    "zero": lambda _: bytes(96),
    "der": lambda data: own_keys().p384.sign(data, ec.ECDSA(hashes.SHA384())),
}
