"""Signature Version 4, verified the way STS does: computed anew from the request as received.

The signature itself is computed by botocore, which the product's own signer and checks share
nothing with. Source: AWS IAM User Guide, "Create a signed AWS API request". STS ignores
X-Amz-Expires: a request is good for 15 minutes around its date. Codes and statuses are STS's.
Which of two faults STS names first, and most of its messages, are not documented: do not rely on
those here.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta, timezone

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from dev.aws_double.answers import AwsError
from dev.aws_double.claim import Claim, incomplete, read_claim
from dev.aws_double.hosts import Endpoint
from dev.aws_double.principals import Principal, Principals
from dev.aws_double.wire import Request

WINDOW = timedelta(minutes=15)

_DATE_FORMAT = "%Y%m%dT%H%M%SZ"


def verify(request: Request, endpoint: Endpoint, principals: Principals, now: float) -> Principal:
    """Prove who signed a request.

    Args:
        request: as received.
        endpoint: where it was received.
        principals: the keys that are known.
        now: seconds since the epoch.

    Raises:
        AwsError: with the code and message of STS.
    """
    claim = read_claim(request)
    _check_scope(claim, endpoint)
    if "host" not in claim.signed_headers:
        raise _mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
    principal = principals.find(claim.access_key_id)
    if principal is None or principal.partition != endpoint.partition:
        raise _unknown()
    if principal.session_token != claim.session_token:
        raise _unknown()
    _check_date(claim, now)
    _check_signature(request, claim, endpoint, principal)
    if now >= principal.expires_at:
        raise AwsError("ExpiredToken", "The security token included in the request is expired")
    return principal


def _check_scope(claim: Claim, endpoint: Endpoint) -> None:
    day, region, service, terminator = claim.scope
    if terminator != "aws4_request":
        raise _mismatch("Credential should be scoped with a valid terminator: 'aws4_request'.")
    if region != endpoint.region:
        raise _mismatch(f"Credential should be scoped to a valid region, not '{region}'.")
    if service != endpoint.service.value:
        raise _mismatch(
            f"Credential should be scoped to correct service: '{endpoint.service.value}'."
        )
    if day != claim.date[:8]:
        raise _mismatch(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
            f"HTTP: '{day}' != '{claim.date[:8]}', from '{claim.date}'."
        )


def _check_date(claim: Claim, now: float) -> None:
    try:
        date = datetime.strptime(claim.date, _DATE_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError as error:
        raise incomplete("Date must be in ISO-8601 'basic format'.") from error
    moment = datetime.fromtimestamp(now, timezone.utc)
    server = moment.strftime(_DATE_FORMAT)
    if date < moment - WINDOW:
        edge = (moment - WINDOW).strftime(_DATE_FORMAT)
        raise _mismatch(
            f"Signature expired: {claim.date} is now earlier than {edge} ({server} - 15 min.)"
        )
    if date > moment + WINDOW:
        edge = (moment + WINDOW).strftime(_DATE_FORMAT)
        raise _mismatch(
            f"Signature not yet current: {claim.date} is still later than {edge} "
            f"({server} + 15 min.)"
        )


def _check_signature(
    request: Request, claim: Claim, endpoint: Endpoint, principal: Principal
) -> None:
    payload_hash = request.header("x-amz-content-sha256")
    if payload_hash and payload_hash != hashlib.sha256(request.body).hexdigest():
        raise _mismatch("The value of 'x-amz-content-sha256' is not the hash of the payload.")
    kind = SigV4QueryAuth if claim.presigned else SigV4Auth
    keys = Credentials(principal.access_key_id, principal.secret_access_key)
    signer = kind(keys, endpoint.service.value, endpoint.region)
    signed = AWSRequest(
        method=request.method,
        url=f"https://{endpoint.service.value}{request.path}",  # The host is among the headers.
        params=[(name, value) for name, value in request.query if name != "X-Amz-Signature"],
        data=request.body,
    )
    for name in claim.signed_headers:
        signed.headers[name] = request.header(name)
    signed.context["timestamp"] = claim.date
    # botocore signs no User-Agent, and sorts; what it would sign must be what is claimed.
    names = signer.signed_headers(signer.headers_to_sign(signed))
    text = signer.string_to_sign(signed, signer.canonical_request(signed))
    expected = f"{names} {signer.signature(text, signed)}"
    received = f"{';'.join(claim.signed_headers)} {claim.signature}"
    if not hmac.compare_digest(expected.encode(), received.encode()):
        raise _mismatch(
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method. Consult the service "
            "documentation for details."
        )


def _mismatch(message: str) -> AwsError:
    return AwsError("SignatureDoesNotMatch", message)


def _unknown() -> AwsError:
    return AwsError(
        "InvalidClientTokenId", "The security token included in the request is invalid."
    )
