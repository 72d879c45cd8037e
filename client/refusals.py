"""Remedies for the refusals of AWS, by error code."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from . import clock

if TYPE_CHECKING:
    from collections.abc import Mapping

_CURES = {
    "AccessDenied": "have the role's trust policy and the caller's own policies allow it, and check"
    " the external id",
    "ExpiredToken": "renew the credentials that ask",
    "ExpiredTokenException": "renew the credentials that ask",
    "InvalidClientTokenId": "check the access key that asks: AWS does not know it",
    "RegionDisabledException": "enable STS for the region in the account, or choose another one",
    "ResourceNotFoundException": "check the cluster's name and --region, and whose account the"
    " credentials belong to (`aws-iam-authenticator whoami`)",
    "SignatureDoesNotMatch": "check the secret access key that asks, and this computer's clock",
    "ForbiddenException": "check sso_account_id and sso_role_name in profile {profile}",
}
_DEFAULT_CURE = "see AWS's reason"


def describe(
    operation: str,
    code: str,
    message: str,
    *,
    profile: str,
    date: str,
    now: float,
    cures: Mapping[str, str] | None = None,
) -> str:
    """Say what AWS refused, why, and what to do.

    Args:
        operation: such as ``AssumeRole``.
        code: AWS's error code.
        message: AWS's reason; only the first paragraph is shown, since a later one of
            SignatureDoesNotMatch quotes the request, session token and all.
        profile: the name of the profile in force.
        date: the answer's HTTP header ``Date``, by which this computer's clock is judged.
        now: seconds since the epoch.
        cures: by code, those that are particular to the operation.
    """
    found = {**_CURES, **(cures or {})}.get(code, _DEFAULT_CURE)
    cure = clock.complaint(date, now=now) or found.replace("{profile}", shlex.quote(profile))
    reason = message.partition("\n\n")[0]
    return f"AWS refused {operation}: {code}: {reason}; {cure}"
