"""The JWT that AWS issues (sts:GetWebIdentityToken): a caller proven without a call.

`check` runs a flat list of checks over everything but the signature, cheapest first, and needs no
key. `UnprovenJwt.verify` then has one key prove it. All text of the token is hostile until then.

Source: AWS Security Token Service API reference, GetWebIdentityToken; RFC 7515; RFC 7519; RFC 8725.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from authenticator.aws.arns import CallerIdentity, PrincipalArn, PrincipalKind, SignedClaims
from authenticator.errors import MalformedRequest, TokenRefused
from authenticator.posted_json import decode
from authenticator.tokens import base64url
from authenticator.tokens.jwks import Algorithm, SigningKey

MAX_TOKEN_BYTES = 16 * 1024
# Deeper than any token of AWS's, whose claims hold one object and lists or objects within it.
MAX_DEPTH = 8
# How far the issuer's clock may be ahead.
MAX_AHEAD_SECONDS = 60
# The longest lifetime that GetWebIdentityToken grants.
MAX_LIFETIME_SECONDS = 3600
# Where AWS's own claims stand.
NAMESPACE = "https://sts.amazonaws.com/"

_SEGMENTS = 3
_HEADER = frozenset({"alg", "kid", "typ"})
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_KINDS = frozenset({PrincipalKind.ROLE, PrincipalKind.USER})
_ORGANIZATION = re.compile(r"o-[a-z0-9]{1,32}", re.ASCII)
_UNIT = re.compile(r"ou-[a-z0-9]{1,32}-[a-z0-9]{1,32}", re.ASCII)
_IDENTIFIER = re.compile(r"[!-~]{1,256}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Issuer:
    """An AWS account's issuer.

    Attributes:
        url: what `iss` must be, byte for byte. No URL is ever made of a token's own text.
        account_id: the account whose principals it may name: 12 digits.
    """

    url: str
    account_id: str


@dataclass(frozen=True, slots=True)
class JwtPolicy:
    """Which JWTs a server takes.

    Attributes:
        issuers: by their URL.
        audiences: what `aud` may be.
        algorithms: what `alg` may be.
        max_age_seconds: how long after `iat` a token counts.
        partition: the AWS partition of the principals.
    """

    issuers: Mapping[str, Issuer]
    audiences: frozenset[str]
    algorithms: frozenset[Algorithm]
    max_age_seconds: int
    partition: str


@dataclass(frozen=True, slots=True)
class UnprovenJwt:
    """A JWT whose every part but the signature has been checked.

    Attributes:
        issuer: one of the configured ones.
        key_id: the name of the key that claims to have signed; only ever looked up.
        algorithm: what the header claims; the key decides.
        valid_from: Unix seconds before which it does not count.
        valid_until: Unix seconds from which it no longer counts.
    """

    issuer: Issuer
    key_id: str
    algorithm: Algorithm
    valid_from: int
    valid_until: int
    _token: str = field(repr=False)
    _arn: PrincipalArn
    _claims: SignedClaims

    @property
    def subject(self) -> PrincipalArn:
        """Who the token claims to be; anyone can write that."""
        return self._arn

    def verify(self, key: SigningKey) -> CallerIdentity:
        """Return the caller that the token names, if `key` signed it.

        Raises:
            TokenRefused: by `signature-algorithm` or `signature`.
        """
        if key.algorithm is not self.algorithm:
            raise TokenRefused(
                "signature-algorithm", f"its key is for {key.algorithm.value} and nothing else"
            )
        # One algorithm, which is the key's, and an object rather than text that could be taken for
        # a secret (CVE-2026-48526).
        message, _, signature = self._token.rpartition(".")
        if not key.has_signed(message.encode(), base64url.decode(signature)):
            raise TokenRefused("signature", "its signature is not its key's")
        return CallerIdentity(self._arn, "", "", self._claims)


@dataclass(slots=True)
class _Parts:
    """A decoded token, and what the checks need."""

    header: dict[str, Any]
    claims: dict[str, Any]
    now: float
    policy: JwtPolicy

    @property
    def issuer(self) -> Issuer:
        return self.policy.issuers[self.claims["iss"]]

    @property
    def aws(self) -> dict[str, Any]:
        found: dict[str, Any] = self.claims[NAMESPACE]
        return found

    @property
    def subject(self) -> PrincipalArn:
        return PrincipalArn.parse(self.claims["sub"])


def _is_whole(value: object) -> bool:
    # A bool is an int to Python.
    return type(value) is int


# Each check returns why it fails, or "". It may rely on those before it in `_CHECKS`.


def _header(parts: _Parts) -> str:
    if parts.header.keys() != _HEADER:
        return "its header has other members than alg, kid and typ"
    return ""


def _type(parts: _Parts) -> str:
    return "" if parts.header["typ"] == "JWT" else "the typ of its header is not JWT"


def _algorithm(parts: _Parts) -> str:
    algorithm = parts.header["alg"]
    if not isinstance(algorithm, str) or algorithm not in parts.policy.algorithms:
        return "the alg of its header is not allowed here (webIdentity.algorithms)"
    return ""


def _key_id(parts: _Parts) -> str:
    kid = parts.header["kid"]
    if not isinstance(kid, str) or not _KEY_ID.fullmatch(kid):
        return "the kid of its header is not 1 to 64 letters, digits, - or _"
    return ""


def _issuer(parts: _Parts) -> str:
    issuer = parts.claims.get("iss")
    if not isinstance(issuer, str) or issuer not in parts.policy.issuers:
        return "its issuer is not configured (webIdentity.issuers)"
    return ""


def _audience(parts: _Parts) -> str:
    audience = parts.claims.get("aud")
    if isinstance(audience, list) and len(audience) == 1:
        audience = audience[0]
    if not isinstance(audience, str) or audience not in parts.policy.audiences:
        return "its audience is not this cluster's alone; compare the cluster ids"
    return ""


def _times(parts: _Parts) -> str:
    claims = parts.claims
    if not (_is_whole(claims.get("exp")) and _is_whole(claims.get("iat"))):
        return "its exp and iat are not whole numbers"
    return "" if _is_whole(claims.get("nbf", 0)) else "its nbf is not a whole number"


def _expired(parts: _Parts) -> str:
    return "" if parts.now < parts.claims["exp"] else "it has expired; kubectl gets a new one"


def _lifetime(parts: _Parts) -> str:
    lifetime = parts.claims["exp"] - parts.claims["iat"]
    return "" if lifetime <= MAX_LIFETIME_SECONDS else "it lives for more than an hour"


def _not_yet(parts: _Parts) -> str:
    if parts.claims["iat"] > parts.now + MAX_AHEAD_SECONDS:
        return "it is dated more than a minute ahead; compare this machine's clock"
    return ""


def _age(parts: _Parts) -> str:
    most = parts.policy.max_age_seconds
    if parts.now - parts.claims["iat"] > most:
        return f"it is older than {most} s (webIdentity.maxAgeSeconds)"
    return ""


def _not_before(parts: _Parts) -> str:
    if parts.claims.get("nbf", 0) > parts.now + MAX_AHEAD_SECONDS:
        return "it does not count yet (nbf); compare this machine's clock"
    return ""


def _aws_claims(parts: _Parts) -> str:
    if not isinstance(parts.claims.get(NAMESPACE), dict):
        return f"it has no claims of AWS's ({NAMESPACE})"
    return ""


def _account(parts: _Parts) -> str:
    if parts.aws.get("aws_account") != parts.issuer.account_id:
        return "its account is not the one that its issuer is configured for"
    return ""


def _subject(parts: _Parts) -> str:
    subject = parts.claims.get("sub")
    arn = _principal(subject)
    if arn is None or arn.kind not in _KINDS:
        return "its subject is not a role or user"
    return "" if arn.partition == parts.policy.partition else "its subject is of another partition"


def _subject_account(parts: _Parts) -> str:
    if parts.subject.account_id != parts.issuer.account_id:
        return "its subject is of another account than its issuer"
    return ""


def _principal_account(parts: _Parts) -> str:
    arn = _principal(parts.aws.get("principal_id"))
    if arn is None or arn.account_id != parts.issuer.account_id:
        return "its principal_id is not of its issuer's account"
    return "" if arn.partition == parts.policy.partition else "its principal_id is elsewhere"


def _subject_mode(parts: _Parts) -> str:
    if "subject_mode" in parts.claims or "subject_mode" in parts.aws:
        return "its subject is not an AWS principal (subject_mode)"
    return ""


_CHECKS: Mapping[str, Callable[[_Parts], str]] = {
    "header": _header,
    "type": _type,
    "algorithm": _algorithm,
    "key-id": _key_id,
    "issuer": _issuer,
    "audience": _audience,
    "times": _times,
    "expired": _expired,
    "lifetime": _lifetime,
    "not-yet": _not_yet,
    "age": _age,
    "not-before": _not_before,
    "aws-claims": _aws_claims,
    "account": _account,
    "subject": _subject,
    "subject-account": _subject_account,
    "principal-account": _principal_account,
    "subject-mode": _subject_mode,
}
# Every check, in the order in which they are made. The last two need a key.
CHECKS = (
    *("size", "segments", "base64", "json"),
    *_CHECKS,
    *("signature-algorithm", "signature"),
)


def check(token: str, *, now: float, policy: JwtPolicy) -> UnprovenJwt:
    """Check everything but the signature.

    Args:
        token: the bearer token as the API server posted it.
        now: the time in Unix seconds.
        policy: what this server takes.

    Raises:
        TokenRefused: the first check that failed.
    """
    header, claims = _decode(token)
    parts = _Parts(header, claims, now, policy)
    for name, failing in _CHECKS.items():
        if reason := failing(parts):
            raise TokenRefused(name, reason)
    issued = claims["iat"]
    return UnprovenJwt(
        parts.issuer,
        header["kid"],
        Algorithm(header["alg"]),
        max(issued, claims.get("nbf", issued)) - MAX_AHEAD_SECONDS,
        min(claims["exp"], issued + policy.max_age_seconds),
        token,
        parts.subject,
        _signed_claims(parts),
    )


def check_size(token: str) -> None:
    """Check no more than a token's length, before any cost is incurred for it.

    Raises:
        TokenRefused: it is too long.
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenRefused("size", f"it is longer than {MAX_TOKEN_BYTES} bytes")


def _decode(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    check_size(token)
    segments = token.split(".")
    if len(segments) != _SEGMENTS:
        raise TokenRefused("segments", "it does not have three segments")
    try:
        header, claims, _signature = map(base64url.decode, segments)
    except ValueError as error:
        raise TokenRefused("base64", f"a segment of it {error}") from None
    return _object(header), _object(claims)


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = decode(data)
    except MalformedRequest:
        raise TokenRefused("json", "it is not JSON in UTF-8 with unique keys") from None
    if not isinstance(value, dict):
        raise TokenRefused("json", "it is not a JSON object")
    if _is_deeper(value, MAX_DEPTH):
        raise TokenRefused("json", f"it is nested deeper than {MAX_DEPTH} levels")
    return value


def _is_deeper(value: object, levels: int) -> bool:
    """Whether a value of JSON has more levels of objects and lists than `levels`."""
    if not isinstance(value, (dict, list)):
        return False
    if levels == 0:
        return True
    items = value.values() if isinstance(value, dict) else value
    return any(_is_deeper(item, levels - 1) for item in items)


def _principal(value: object) -> PrincipalArn | None:
    try:
        return PrincipalArn.parse(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _signed_claims(parts: _Parts) -> SignedClaims:
    """Read the claims that mappings may ask for; one of another shape counts as absent."""
    aws = parts.aws
    return SignedClaims(
        token_id=_matching(_IDENTIFIER, parts.claims.get("jti")),
        organization=_matching(_ORGANIZATION, aws.get("org_id")),
        organizational_units=_units(aws.get("ou_path")),
        principal_tags=_tags(aws.get("principal_tags")),
        identity_store_user_id=_matching(_IDENTIFIER, aws.get("identity_store_user_id")),
        source_identity=_matching(_IDENTIFIER, aws.get("source_identity")),
        instance_id=_instance_id(aws.get("ec2_source_instance_arn"), parts),
    )


def _matching(pattern: re.Pattern[str], value: object) -> str:
    return value if isinstance(value, str) and pattern.fullmatch(value) else ""


def _units(value: object) -> frozenset[str]:
    # Documented as a string, and seen as a list.
    paths = value if isinstance(value, list) else [value]
    words = (word for path in paths if isinstance(path, str) for word in path.split("/"))
    return frozenset(word for word in words if _UNIT.fullmatch(word))


def _tags(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        return ()
    return tuple(
        (key, tag)
        for key, tag in value.items()
        if isinstance(tag, str) and key.isprintable() and tag.isprintable()
    )


_INSTANCE = re.compile(
    r"arn:(?P<partition>[a-z-]+):ec2:[a-z0-9-]+:(?P<account>[0-9]{12})"
    r":instance/(?P<id>i-(?:[0-9a-f]{8}|[0-9a-f]{17}))",
    re.ASCII,
)


def _instance_id(value: object, parts: _Parts) -> str:
    found = _INSTANCE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return ""
    own = found["partition"], found["account"]
    return found["id"] if own == (parts.policy.partition, parts.issuer.account_id) else ""
