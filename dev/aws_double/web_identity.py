"""GetWebIdentityToken: the parameters, checked as botocore's service model states them.

AWS does not document the largest payload, the order of the checks, and most messages: they are
guesses here.

Source: AWS STS API Reference, "GetWebIdentityToken"; IAM User Guide, "Condition keys".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import get_args

from dev.aws_double.answers import AwsError, Result
from dev.aws_double.federation import Federation
from dev.aws_double.hosts import Endpoint
from dev.aws_double.jose import Algorithm
from dev.aws_double.principals import Principal
from dev.aws_double.trust import Parameters

ACTION = "GetWebIdentityToken"
_DEFAULT_SECONDS = 300
_SECONDS = range(60, 3600 + 1)
_MOST_AUDIENCES = 10
_LONGEST_AUDIENCE = 1000
_MOST_TAGS = 50
_LARGEST_PAYLOAD = 8192
_NUMBER = re.compile(r"[0-9]{1,6}", re.ASCII)
# \p{L}\p{Z}\p{N} and a few signs, at most 128 or 256 of them.
_TAG_KEY = re.compile(r"[\w .:/=+\-@]{1,128}")
_TAG_VALUE = re.compile(r"[\w .:/=+\-@]{0,256}")


@dataclass(frozen=True, slots=True)
class WebIdentity:
    """Issues JWTs.

    Attributes:
        federation: the issuers, and who may ask for tokens.
        clock: seconds since the epoch.
    """

    federation: Federation
    clock: Callable[[], float]

    def issue(self, caller: Principal, parameters: Parameters, endpoint: Endpoint) -> Result:
        """Answer a signed request. Raises AwsError."""
        if not endpoint.regional:
            raise AwsError(
                "InvalidAction", f"{ACTION} is not available on the global endpoint.", 400
            )
        audiences = read_list(parameters, "Audience")
        algorithm = parameters.get("SigningAlgorithm", "")
        seconds = _read_seconds(parameters)
        tags = _read_tags(parameters)
        _check_audiences(audiences)
        if algorithm not in get_args(Algorithm):
            raise _invalid("signingAlgorithm", algorithm, "one of RS256 and ES384")
        self._authorize(caller, audiences, algorithm, seconds, tagged=bool(tags))
        issuer = self.federation.find(caller.account)
        if issuer is None or not issuer.enabled:
            raise AwsError(
                "OutboundWebIdentityFederationDisabledException",
                "Outbound web identity federation is not enabled for this account.",
            )
        now = self.clock()
        if now + seconds > caller.expires_at:
            raise AwsError(
                "SessionDurationEscalationException",
                "The requested token duration would extend the session beyond its original "
                "expiration time.",
            )
        claims = self.federation.claims(
            caller,
            audiences[0] if len(audiences) == 1 else audiences,
            seconds=seconds,
            region=endpoint.region,
            request_tags=tags,
        )
        if len(json.dumps(claims)) > _LARGEST_PAYLOAD:
            raise AwsError(
                "JWTPayloadSizeExceededException",
                "The requested token payload size exceeds the maximum allowed size.",
                400,
            )
        token = issuer.sign(claims, "RS256" if algorithm == "RS256" else "ES384")
        ends = datetime.fromtimestamp(int(now) + seconds, timezone.utc)
        # With milliseconds, as AWS writes this one.
        return {"WebIdentityToken": token, "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%S.000Z")}

    def _authorize(
        self,
        caller: Principal,
        audiences: Sequence[str],
        algorithm: str,
        seconds: int,
        *,
        tagged: bool,
    ) -> None:
        """Raise AwsError: AccessDenied, if IAM policy does not allow the request."""
        permission = self.federation.permission(caller.subject)
        # GetFederationToken's sessions may call no STS action but GetCallerIdentity.
        federated = ":federated-user/" in caller.arn
        if federated or permission is None:
            raise _denied(caller, ACTION)
        if permission.audiences is not None and not permission.audiences >= set(audiences):
            raise _denied(caller, ACTION)
        if seconds > permission.longest or algorithm not in permission.algorithms:
            raise _denied(caller, ACTION)
        if tagged and not permission.tags:
            raise _denied(caller, "TagGetWebIdentityToken")


def read_list(parameters: Parameters, name: str) -> list[str]:
    """Give the members of a list in AWS's query form, `NAME.member.1` and so on."""
    found: list[str] = []
    while (value := parameters.get(f"{name}.member.{len(found) + 1}")) is not None:
        found.append(value)
    return found


def read_tags(parameters: Parameters) -> dict[str, str]:
    """Give `Tags.member.N.Key` and `.Value`, unchecked."""
    tags: dict[str, str] = {}
    number = 1
    while (key := parameters.get(f"Tags.member.{number}.Key")) is not None:
        tags[key] = parameters.get(f"Tags.member.{number}.Value", "")
        number += 1
    return tags


def _check_audiences(audiences: Sequence[str]) -> None:
    if not 1 <= len(audiences) <= _MOST_AUDIENCES:
        raise _invalid("audience", str(len(audiences)), f"1 to {_MOST_AUDIENCES} members")
    for audience in audiences:
        if not 1 <= len(audience) <= _LONGEST_AUDIENCE:
            raise _invalid("audience", audience[:20], f"1 to {_LONGEST_AUDIENCE} characters")


def _read_seconds(parameters: Parameters) -> int:
    text = parameters.get("DurationSeconds", str(_DEFAULT_SECONDS))
    if _NUMBER.fullmatch(text) is None or int(text) not in _SECONDS:
        raise _invalid("durationSeconds", text, "60 to 3600")
    return int(text)


def _read_tags(parameters: Parameters) -> dict[str, str]:
    tags = read_tags(parameters)
    if len(tags) > _MOST_TAGS:
        raise _invalid("tags", str(len(tags)), f"at most {_MOST_TAGS} members")
    for key, value in tags.items():
        if _TAG_KEY.fullmatch(key) is None or _TAG_VALUE.fullmatch(value) is None:
            raise _invalid("tags", key[:20], "letters, digits, blanks and _.:/=+-@")
    return tags


def _denied(caller: Principal, action: str) -> AwsError:
    return AwsError(
        "AccessDenied",
        f"User: {caller.arn} is not authorized to perform: sts:{action} on resource: * because no "
        f"identity-based policy allows the sts:{action} action",
    )


def _invalid(name: str, value: str, expected: str) -> AwsError:
    return AwsError(
        "ValidationError",
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: "
        f"Member must have {expected}",
        400,
    )
