"""Asks STS who signed a presigned request, and reads its answer.

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
# RFC 9110, section 15.5: the fault is in the request, and with some of them in its form.
_OF_THE_REQUEST = range(400, 500)
_OF_ITS_FORM = frozenset({400, 404, 405, 411, 413, 414, 417, 431})
_ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII)
# Of any service and kind: partition and account.
_ARN = re.compile(r"arn:([^:]+):[^:]*:[^:]*:([^:]*):.+", re.DOTALL)

# STS's error codes for a signer who is not proven, with the reason in our words: STS's own
# message quotes the canonical request, which holds parts of the token.
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
    """Sends one GET request to an STS host."""

    async def __call__(
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

    async def prove(self, request: PresignedRequest, timeout: float) -> CallerIdentity:
        """Ask STS who signed `request`, for at most `timeout` seconds.

        Raises:
            NotProven: STS refused the signature or the key.
            StsThrottled: STS refused for its quota.
            StsUnavailable: STS could not be reached, or what answered is not STS.
        """
        host = request.host
        started = time.monotonic()
        try:
            status, body = await self._fetch(
                host.name, request.target, self._headers, timeout=timeout
            )
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

    An answer in STS's envelope concerns this request's signer alone, whatever it says; only
    what is not one can mean that STS is down.

    Raises:
        NotProven: STS refused the signature or the key, or the caller is not a principal that a
            mapping can name.
        StsThrottled: STS refused for its quota.
        StsRefusedOddly: STS's answer is about this signer or request, but neither yes nor no.
        StsUnavailable: it is a fault of STS's, or not an answer of STS's.
    """
    if status != _OK:
        raise _refusal(request, status, body)
    result = _fields(body, "GetCallerIdentityResponse", "GetCallerIdentityResult")
    if result is None:
        raise StsUnavailable("what answered in STS's place gave no JSON of STS's")
    account, arn_text, user_id = (_text(result, key) for key in ("Account", "Arn", "UserId"))
    if not _ACCOUNT.fullmatch(account):
        raise StsRefusedOddly("STS's answer holds an account id that is not 12 digits")
    found = _ARN.fullmatch(arn_text)
    if found is None or found.groups() != (request.host.partition, account):
        raise StsRefusedOddly("STS's answer holds an ARN of another account or partition")
    try:
        arn = PrincipalArn.parse(arn_text)
    except ValueError as error:
        # An instance's own identity role, or a kind that AWS has added since.
        raise _unknown(f"a caller that no mapping can name: {error}") from None
    if not _belongs(user_id, arn):
        raise _unknown(f"{arn.kind.value} {arn}, with a UserId of another kind")
    return CallerIdentity(arn, user_id, request.access_key_id)


def _unknown(caller: str) -> NotProven:
    return NotProven("UnknownPrincipal", f"STS proved {caller}")


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
    code = (_fields(body, "Error") or {}).get("Code")
    if not isinstance(code, str):
        code = ""
    if status == _TOO_MANY_REQUESTS or code in _THROTTLES:
        return StsThrottled("STS refused the call for its quota")
    if code in REFUSALS:
        return NotProven(code, f"STS refused it: {REFUSALS[code]}")
    # A load balancer of STS's refuses the form of a request without STS's envelope. Any other 4xx
    # without it comes from another program in STS's place, such as a proxy that blocks STS.
    of_the_request = status in (_OF_THE_REQUEST if code else _OF_ITS_FORM)
    kind = StsRefusedOddly if of_the_request else StsUnavailable
    return kind(f"{request.host.name} answered {status} with an unexpected error")


def _fields(body: bytes, *path: str) -> Mapping[str, Any] | None:
    """Return the object at `path` in STS's envelope; None if the body is something else."""
    try:
        value = json.loads(body)
        for key in path:
            value = value[key]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str):
        raise StsRefusedOddly(f"STS's answer lacks {key}")
    return value
