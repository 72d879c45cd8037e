"""Keys and signatures of JWTs, made with `cryptography` alone.

The product verifies with PyJWT, so that neither side can repeat the other's mistake.
Source: RFC 7515 (JWS), RFC 7517 (JWK), RFC 7518, 3.3 and 3.4 (RS256 and ES384).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

Algorithm = Literal["RS256", "ES384"]
Jwk = dict[str, str]

_COORDINATE_BYTES = 48
_PREFIXES: dict[Algorithm, str] = {"RS256": "RSA", "ES384": "EC384"}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key pair of an issuer.

    Attributes:
        kid: `RSA_0`, `EC384_1` and so on, as seen at AWS; every issuer has a `RSA_0`.
        private_key: signs.
    """

    kid: str
    private_key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def algorithm(self) -> Algorithm:
        """The algorithm that the key is for."""
        return "RS256" if isinstance(self.private_key, rsa.RSAPrivateKey) else "ES384"

    def jwk(self) -> Jwk:
        """Give the public key as AWS publishes it: the RSA key carries no `alg`."""
        if isinstance(self.private_key, rsa.RSAPrivateKey):
            numbers = self.private_key.public_key().public_numbers()
            return {
                "e": encode_number(numbers.e),
                "kid": self.kid,
                "kty": "RSA",
                "n": encode_number(numbers.n),
                "use": "sig",
            }
        point = self.private_key.public_key().public_numbers()
        return {
            "alg": "ES384",
            "crv": "P-384",
            "kid": self.kid,
            "kty": "EC",
            "use": "sig",
            "x": encode(point.x.to_bytes(_COORDINATE_BYTES, "big")),
            "y": encode(point.y.to_bytes(_COORDINATE_BYTES, "big")),
        }

    def sign(self, data: bytes) -> bytes:
        """Give the signature of RFC 7518."""
        if isinstance(self.private_key, rsa.RSAPrivateKey):
            return self.private_key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        r, s = decode_dss_signature(self.private_key.sign(data, ec.ECDSA(hashes.SHA384())))
        return r.to_bytes(_COORDINATE_BYTES, "big") + s.to_bytes(_COORDINATE_BYTES, "big")


def generate(algorithm: Algorithm, number: int) -> SigningKey:
    """Make a key pair (about 0.1 s for RSA)."""
    kid = f"{_PREFIXES[algorithm]}_{number}"
    if algorithm == "RS256":
        return SigningKey(kid, rsa.generate_private_key(public_exponent=65537, key_size=2048))
    return SigningKey(kid, ec.generate_private_key(ec.SECP384R1()))


def compact(key: SigningKey, header: Mapping[str, object], claims: Mapping[str, object]) -> str:
    """Give a signed JWT in compact form; header and claims are taken as they are."""
    parts = ".".join(encode(_json(part)) for part in (header, claims))
    return f"{parts}.{encode(key.sign(parts.encode()))}"


def encode(data: bytes) -> str:
    """Give base64url without padding (RFC 7515, 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def encode_number(number: int) -> str:
    """Give a positive number as Base64urlUInt (RFC 7518, 2)."""
    return encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _json(part: Mapping[str, object]) -> bytes:
    return json.dumps(part, separators=(",", ":")).encode()
