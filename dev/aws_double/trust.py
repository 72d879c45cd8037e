"""Which roles the double has, and whom each of them trusts.

Source: AWS STS API Reference, "AssumeRole" and "AssumeRoleWithWebIdentity"; IAM User Guide, "AWS
JSON policy elements: Principal".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from dev.aws_double.answers import AwsError
from dev.aws_double.principals import Principal, role_id

Parameters = Mapping[str, str]

CHAINED_LIMIT = 3600
_SHORTEST = 900
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Role:
    """A role that can be assumed.

    Attributes:
        arn: with its path, as AssumeRole takes it.
        trusts: ARNs of who may assume it: of an account's root for the whole account, of a user,
            of a role (without its path) or of one session of a role.
        trusts_subjects: subjects of web identity tokens that may assume it.
        external_id: what AssumeRole must name, if anything.
        multi_factor: whether the caller must have given an MFA code.
        longest: the longest session, in seconds.
        tags: the role's own, which a session's tags override.
    """

    arn: str
    trusts: frozenset[str] = frozenset()
    trusts_subjects: frozenset[str] = frozenset()
    external_id: str | None = None
    multi_factor: bool = False
    longest: int = 3600
    tags: Mapping[str, str] = field(default_factory=dict, compare=False)

    def session(self, name: str) -> tuple[str, str]:
        """Give the ARN and the UserId of a session; the ARN has no path."""
        _, partition, _, _, account, resource = self.arn.split(":", 5)
        role = resource.rpartition("/")[2]
        arn = f"arn:{partition}:sts::{account}:assumed-role/{role}/{name}"
        return arn, f"{role_id(account, role)}:{name}"


def check_trust(role: Role, caller: Principal, parameters: Parameters, *, mfa: bool) -> None:
    """Check that a role trusts a caller. `mfa` tells that a code came with the request.

    Raises:
        AwsError: AccessDenied, in the words of STS.
    """
    if caller.arn.endswith(":root"):
        raise AwsError("AccessDenied", "Roles may not be assumed by root accounts.")
    satisfied = (
        role.trusts & _names_of(caller),
        role.external_id in (None, parameters.get("ExternalId")),
        mfa or caller.multi_factor or not role.multi_factor,
    )
    if not all(satisfied):
        raise not_authorized(caller, role.arn)


def not_authorized(caller: Principal, role_arn: str) -> AwsError:
    """Give the refusal, which is the same for a role that does not exist."""
    return AwsError(
        "AccessDenied",
        f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}",
    )


def read_session_name(parameters: Parameters) -> str:
    """Give RoleSessionName. Raises AwsError: ValidationError."""
    name = parameters.get("RoleSessionName", "")
    if _SESSION_NAME.fullmatch(name) is None:
        raise _invalid(
            f"1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy "
            r"constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*"
        )
    return name


def read_duration(parameters: Parameters, *, default: int, longest: int) -> int:
    """Give DurationSeconds. Raises AwsError: ValidationError."""
    text = parameters.get("DurationSeconds", str(default))
    if _SECONDS.fullmatch(text) is None or int(text) < _SHORTEST:
        raise _invalid(
            f"1 validation error detected: Value '{text}' at 'durationSeconds' failed to satisfy "
            f"constraint: Member must have value greater than or equal to {_SHORTEST}"
        )
    if int(text) > longest:
        raise _invalid("The requested DurationSeconds exceeds the MaxSessionDuration.")
    return int(text)


def _names_of(caller: Principal) -> set[str]:
    prefix = f"arn:{caller.partition}:iam::{caller.account}"
    names = {caller.arn, f"{prefix}:root"}
    kind, _, rest = caller.arn.split(":", 5)[5].partition("/")
    if kind == "assumed-role":
        names.add(f"{prefix}:role/{rest.partition('/')[0]}")
    return names


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationError", message, 400)
