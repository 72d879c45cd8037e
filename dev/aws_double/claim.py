"""What a request says about its own signature, before anything of it is checked.

Source: AWS IAM User Guide, "Create a signed AWS API request"; in the query of a presigned URL, or
in the Authorization header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dev.aws_double.answers import AwsError
from dev.aws_double.wire import Pairs, Request

ALGORITHM = "AWS4-HMAC-SHA256"

_DATE = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)
_HEADER_PART = re.compile(r"(Credential|SignedHeaders|Signature)=([!-+\--~]+)", re.ASCII)
_QUERY_PARTS = (
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
)
_CREDENTIAL_PARTS = 5


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says about its signature; nothing of it has been checked.

    Attributes:
        presigned: the claim came in the query, not in the Authorization header.
        access_key_id: whose key signed, it says.
        scope: date, region, service and terminator.
        date: X-Amz-Date.
        signed_headers: names in the order given.
        signature: in hexadecimal.
        session_token: None without one.
    """

    presigned: bool
    access_key_id: str
    scope: tuple[str, str, str, str]
    date: str
    signed_headers: tuple[str, ...]
    signature: str
    session_token: str | None


def read_claim(request: Request) -> Claim:
    """Find who a request claims to be from.

    Raises:
        AwsError: MissingAuthenticationToken when it claims nothing, IncompleteSignature when a
            part is missing, occurs twice or is malformed.
    """
    query = request.query
    if any(name == "X-Amz-Signature" for name, _ in query):
        algorithm, *parts = (_single(query, name) for name in _QUERY_PARTS)
        token = dict(query).get("X-Amz-Security-Token")
        return _claim(algorithm, *parts, token=token, presigned=True)
    authorization = request.header("authorization")
    if not authorization:
        raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token")
    algorithm, _, rest = authorization.partition(" ")
    pairs = tuple(
        (match[1], match[2])
        for match in (_HEADER_PART.fullmatch(part.strip()) for part in rest.split(","))
        if match is not None
    )
    return _claim(
        algorithm,
        _single(pairs, "Credential"),
        _single(request.headers, "x-amz-date"),
        _single(pairs, "SignedHeaders"),
        _single(pairs, "Signature"),
        token=request.header("x-amz-security-token") or None,
        presigned=False,
    )


def incomplete(message: str) -> AwsError:
    """Give the refusal of a request whose signature is malformed."""
    return AwsError("IncompleteSignature", message, 400)


def _single(pairs: Pairs, name: str) -> str:
    values = [value for key, value in pairs if key == name]
    if len(values) != 1:
        raise incomplete(f"The signature requires '{name}' exactly once.")
    return values[0]


def _claim(
    algorithm: str,
    credential: str,
    date: str,
    signed_headers: str,
    signature: str,
    *,
    token: str | None,
    presigned: bool,
) -> Claim:
    if algorithm != ALGORITHM:
        raise incomplete(f"Unsupported AWS 'algorithm': only {ALGORITHM} is known.")
    parts = credential.split("/")
    if len(parts) != _CREDENTIAL_PARTS:
        raise incomplete("Credential must have exactly 5 slash-delimited elements.")
    if _DATE.fullmatch(date) is None:
        raise incomplete("Date must be in ISO-8601 'basic format'.")
    key, day, region, service, terminator = parts
    return Claim(
        presigned=presigned,
        access_key_id=key,
        scope=(day, region, service, terminator),
        date=date,
        signed_headers=tuple(signed_headers.split(";")),
        signature=signature,
        session_token=token,
    )
