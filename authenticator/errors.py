"""Every error that the server can end a review with, under one root.

Three answers exist, and the API server treats each in its own way:

* `Denied`: the caller may not enter. HTTP 200 with `authenticated: false`, which the API server
  caches; with `UnknownKey` it does not.
* `MalformedRequest`: whoever posted this is no API server. A 4xx that is never retried.
* `Unavailable`: a passing fault. 429, 500 or 504 without `Retry-After`: the API server asks again
  within seconds and caches nothing, so that an outage is never mistaken for a denial. With
  `Retry-After` it would ask 32 times in 30 s (client-go, `rest.Request` retries).

A message says what was wrong, where, and what to do next. It never holds a token, a key, a
signature, or text of the caller's beyond what has been validated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Claim:
    """The parts of a token that name its signer. Nothing has proven them: anyone can write them.

    Attributes:
        access_key_id: the access key, of the characters and length of one; "" if unread.
        host: the STS host.
        region: the region of the signature's scope; "" if unread.
    """

    access_key_id: str = ""
    host: str = ""
    region: str = ""


class AuthenticatorError(Exception):
    """The root.

    Attributes:
        result: the value of the label `result` in `authenticate_latency_seconds`.
        claim: what the token claims, where it was read and nothing has proven it.
    """

    result: ClassVar[str] = "internal_error"
    claim: Claim | None = None


class Denied(AuthenticatorError):
    """The caller is refused, whoever asks and however often."""

    result = "invalid_token"


class TokenRefused(Denied):
    """The token failed one of the checks of its text.

    Attributes:
        check: the name of the check in `authenticator.tokens` that failed.
    """

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(reason)
        self.check = check


class NotProven(Denied):
    """STS refused the signed request, so nobody is known to have signed it.

    Attributes:
        code: the STS error code, one of a fixed set.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class UnknownKey(Denied):
    """A JWT names a key that its issuer's last key set does not hold.

    It may be a new one: the answer carries `status.error`, so that the API server does not cache
    it, and is no fault, which the API server would ask about five times.
    """

    result = "unknown_key"


class UnknownUser(Denied):
    """The caller is proven, and no mapping lets them in.

    Attributes:
        arn: the caller's ARN, once it is known here.
        access_key_id: the caller's access key, likewise.
    """

    result = "unknown_user"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.arn = ""
        self.access_key_id = ""


class MalformedRequest(AuthenticatorError):
    """The body is not a TokenReview.

    Attributes:
        status: the HTTP status to answer with (400, 405, 411, 413 or 415).
    """

    result = "malformed_request"

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.status = status


class Unavailable(AuthenticatorError):
    """The review could not be decided now; the API server should ask again.

    Attributes:
        status: the HTTP status to answer with, one that the API server retries.
    """

    result = "sts_error"
    status: ClassVar[int] = 504


class StsUnavailable(Unavailable):
    """A call was sent to STS, and STS left it unanswered: an outage.

    No connection, no answer in time, a 5xx, or an answer that is not STS's. Only these count
    against a host's circuit, and only these let an older verdict be used.
    """


class StsRefusedOddly(Unavailable):
    """STS answered about one signer or one request, in a way that is neither yes nor no.

    It says nothing of STS's health: a caller who can provoke such an answer must not be able to
    make STS look down for others. Nor does it let an older verdict be used.
    """


class StsThrottled(Unavailable):
    """STS refused for its quota (600 calls/s for each signer account and Region)."""

    result = "sts_throttling"
    status = 429


class NamesUnavailable(Unavailable):
    """EC2 could not be asked for an instance's private DNS name."""

    result = "ec2_error"


class KeysUnavailable(Unavailable):
    """No keys are known of a JWT's issuer, or only ones that are too old."""

    result = "keys_unavailable"
    status = 500


class Overloaded(Unavailable):
    """There is no room for the review now."""

    result = "overloaded"
    status = 429


class InternalFault(Unavailable):
    """A fault of ours: the details are in the log, never in the answer."""

    result = "internal_error"
    status = 500


class ConfigError(AuthenticatorError):
    """The settings cannot be used.

    Attributes:
        problems: one sentence for each problem, with the file and key or the flag it concerns.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
