"""What STS says of a presigned request: who signed it, or why nobody is known to have.

The answer is read as hostile input until every field has been checked, since a wrong one would
name a caller.

Source: STS API reference, GetCallerIdentity and "Common error types".
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any, Protocol

from authenticator.aws.arns import CallerIdentity, PrincipalArn, PrincipalKind
from authenticator.errors import NotProven, StsRefusedOddly, StsThrottled, StsUnavailable
from authenticator.tokens.presigned import CLUSTER_ID_HEADER, PresignedRequest

_OK = 200
_TOO_MANY_REQUESTS = 429
# RFC 9110, section 15.5: the fault is in the request.
_OF_THE_REQUEST = range(400, 500)
_ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII)

# What STS says when the signer is not who the token claims, with the reason in our words: STS's
# own message quotes the canonical request, which holds parts of the token.
REFUSALS = {
    "AccessDenied": "access was denied; a VPC endpoint's policy can do that",
    "AccessDeniedException": "access was denied; a VPC endpoint's policy can do that",
    "ExpiredToken": "the session credentials that signed it have expired",
    "ExpiredTokenException": "the session credentials that signed it have expired",
    "IncompleteSignature": "the signature is incomplete",
    "InvalidClientTokenId": "the access key does not exist, or is not active",
    "MissingAuthenticationToken": "the signature is missing",
    "OptInRequired": "the signer's account has not enabled this Region",
    "RegionDisabledException": "the signer's account has not enabled this Region",
    "RequestExpired": "the signature is too old",
    "SignatureDoesNotMatch": (
        "the signature does not match: it was forged, made for another cluster id,"
        " or made with a wrong secret key"
    ),
    "UnrecognizedClientException": "the access key does not exist, or is not active",
}
_THROTTLES = frozenset({"RequestLimitExceeded", "Throttling", "ThrottlingException"})


class Fetches(Protocol):
    """Sends one GET request to an STS host. One contract: `tests/contract/test_sts.py`."""

    def __call__(
        self, host: str, target: str, headers: Mapping[str, str], /, timeout: float
    ) -> tuple[int, bytes]:
        """Send `GET https://host{target}` and return the status and body of the answer.

        Never follows a redirect, limits the answer's size, and ends within `timeout` seconds.

        Raises:
            StsUnavailable: there was no answer, or one that is too long or late.
        """
        ...


class ObservesSts(Protocol):
    """Counts STS's answers, for the metrics."""

    def sts_response(self, code: int, region: str, seconds: float) -> None:
        """Count an answer: its HTTP status, the region of the host, and how long it took."""

    def sts_throttled(self, region: str) -> None:
        """Count a refusal for quota."""

    def sts_connection_failed(self, region: str) -> None:
        """Count a call without an answer."""


class Sts:
    """Has STS prove presigned requests."""

    def __init__(self, cluster_id: str, fetch: Fetches, observer: ObservesSts) -> None:
        self._fetch = fetch
        self._observer = observer
        # The cluster id is ours, never the caller's: a signature for another cluster's fails.
        self._headers = {"Accept": "application/json", CLUSTER_ID_HEADER: cluster_id}

    def prove(self, request: PresignedRequest, timeout: float) -> CallerIdentity:
        """Ask STS who signed `request`, for at most `timeout` seconds.

        Raises:
            NotProven: STS refused the signature or the key.
            StsThrottled: STS refused for its quota.
            StsUnavailable: STS could not be reached, or what answered is not STS.
        """
        host = request.host
        started = time.monotonic()
        try:
            status, body = self._fetch(host.name, request.target, self._headers, timeout=timeout)
        except StsUnavailable:
            self._observer.sts_connection_failed(host.region)
            raise
        self._observer.sts_response(status, host.region, time.monotonic() - started)
        try:
            return read_answer(request, status, body)
        except StsThrottled:
            self._observer.sts_throttled(host.region)
            raise


def read_answer(request: PresignedRequest, status: int, body: bytes) -> CallerIdentity:
    """Read STS's answer to `request`. Pure.

    Raises:
        NotProven: STS refused the signature or the key, or the caller is no IAM principal.
        StsThrottled: STS refused for its quota.
        StsRefusedOddly: STS refused the request for a reason that is not known here.
        StsUnavailable: the answer is not one of STS's.
    """
    if status != _OK:
        raise _refusal(request, status, body)
    result = _fields(body, "GetCallerIdentityResponse", "GetCallerIdentityResult")
    account, arn_text, user_id = (_text(result, key) for key in ("Account", "Arn", "UserId"))
    if not _ACCOUNT.fullmatch(account):
        raise StsUnavailable("STS's answer holds an account id that is not 12 digits")
    partition = request.host.partition
    if not arn_text.startswith(
        (f"arn:{partition}:iam::{account}:", f"arn:{partition}:sts::{account}:")
    ):
        raise StsUnavailable("STS's answer holds an ARN of another account or partition")
    try:
        arn = PrincipalArn.parse(arn_text)
    except ValueError as error:
        # Some callers are no principals that anyone could map: an instance's own identity role.
        raise NotProven("UnknownPrincipal", f"STS proved a caller of no use: {error}") from None
    if not _belongs(user_id, arn):
        raise StsUnavailable("STS's answer holds a UserId that does not fit its ARN")
    return CallerIdentity(arn, user_id, request.access_key_id)


_UNIQUE_ID = re.compile(r"[A-Z0-9]{16,128}", re.ASCII)


def _belongs(user_id: str, arn: PrincipalArn) -> bool:
    # AWS IAM User Guide, "Principal key values" for aws:userid.
    unique_id, colon, rest = user_id.partition(":")
    if arn.kind is PrincipalKind.ROOT:
        return user_id == arn.account_id
    if arn.kind is PrincipalKind.FEDERATED_USER:
        return user_id == f"{arn.account_id}:{arn.name}"
    if arn.kind is PrincipalKind.ASSUMED_ROLE:
        return bool(_UNIQUE_ID.fullmatch(unique_id)) and rest == arn.session
    return arn.kind is PrincipalKind.USER and bool(_UNIQUE_ID.fullmatch(unique_id)) and not colon


def _refusal(request: PresignedRequest, status: int, body: bytes) -> Exception:
    if status == _TOO_MANY_REQUESTS:
        return StsThrottled("STS refused the call for its quota")
    try:
        code = _text(_fields(body, "Error"), "Code")
    except StsUnavailable:
        code = ""  # what stands before STS refuses what is too long, in words of its own
    if code in _THROTTLES:
        return StsThrottled("STS refused the call for its quota")
    reason = REFUSALS.get(code)
    if reason is None:
        kind = StsRefusedOddly if status in _OF_THE_REQUEST else StsUnavailable
        return kind(f"{request.host.name} answered {status} with an unexpected error")
    return NotProven(code, f"STS refused it: {reason}")


def _fields(body: bytes, *path: str) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
        for key in path:
            value = value[key]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise StsUnavailable("what answered in STS's place gave no JSON of STS's")
    return value


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str):
        raise StsUnavailable(f"STS's answer lacks {key}")
    return value
