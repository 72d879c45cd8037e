"""What is remembered of one exact token: who STS proved its signer to be, or that it refused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from authenticator.aws.arns import CallerIdentity, PrincipalArn


class Source(str, Enum):
    """Where a proof comes from. Goes into the audit log."""

    STS = "sts"
    CACHE = "cache"
    # From the cache, past its time, since STS cannot be asked.
    DEGRADED = "degraded"
    # From the signature of a JWT, now or a moment ago: no service is asked.
    JWT = "jwt"


@dataclass(frozen=True, slots=True)
class Proof:
    """A proven caller, and how we know.

    Attributes:
        identity: the caller.
        source: whether STS was asked now.
    """

    identity: CallerIdentity
    source: Source


@dataclass(frozen=True, slots=True)
class Proven:
    """STS proved the signer.

    Attributes:
        identity: the caller.
        proven_at: when, in Unix seconds.
        valid_until: the token's own end, in Unix seconds.
    """

    identity: CallerIdentity
    proven_at: float
    valid_until: float


@dataclass(frozen=True, slots=True)
class Refused:
    """STS refused the signature.

    Attributes:
        code: STS's error code.
        reason: the reason that was given to the log.
    """

    code: str
    reason: str


Verdict = Proven | Refused

_PROVEN, _REFUSED = b"P", b"R"
_BETWEEN = "\n"


def encode(verdict: Verdict) -> bytes:
    """Give a verdict as bytes for `decode`. No field can hold a line break."""
    if isinstance(verdict, Proven):
        identity = verdict.identity
        fields = (
            str(identity.arn),
            identity.user_id,
            identity.access_key_id,
            repr(verdict.proven_at),
            repr(verdict.valid_until),
        )
        return _PROVEN + _BETWEEN.join(fields).encode()
    return _REFUSED + _BETWEEN.join((verdict.code, verdict.reason)).encode()


def decode(data: bytes) -> Verdict:
    """Read what `encode` gave, and nobody but us can have written.

    Raises:
        ValueError: it is something else.
    """
    kind, fields = data[:1], data[1:].decode().split(_BETWEEN)
    if kind == _PROVEN:
        arn, user_id, access_key_id, proven_at, valid_until = fields
        identity = CallerIdentity(PrincipalArn.parse(arn), user_id, access_key_id)
        return Proven(identity, float(proven_at), float(valid_until))
    if kind == _REFUSED:
        code, reason = fields
        return Refused(code, reason)
    raise ValueError("no verdict")
