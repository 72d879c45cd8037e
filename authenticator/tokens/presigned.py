"""The token `k8s-aws-v1.`: a presigned STS GetCallerIdentity request.

`check` runs a flat list of checks over the token's text, cheapest first. What it returns holds
the validated parts only: the request that goes to STS is built from those, and no byte of the
caller's URL is ever forwarded (CVE-2022-2385 was a verifier that read one of two parameters and
forwarded both).

Source: AWS Signature Version 4, "Authenticating requests: using query parameters"; STS API
reference, GetCallerIdentity.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from authenticator.errors import Claim, TokenRefused
from authenticator.tokens import base64url

if TYPE_CHECKING:
    from authenticator.aws.sts_hosts import StsHost

PREFIX = "k8s-aws-v1."
CLUSTER_ID_HEADER = "x-k8s-aws-id"

# Session tokens make valid tokens of more than 4 KiB; nothing valid comes near this.
MAX_TOKEN_BYTES = 16 * 1024
# STS accepts a signature for 15 minutes from its date and ignores X-Amz-Expires.
VALID_SECONDS = 15 * 60
# STS accepts dates 15 minutes ahead, which would make a token live 30 minutes.
MAX_AHEAD_SECONDS = 5 * 60

# One lower-case host, the path "/", a query: no user, port, fragment, dot segment or other text.
_URL = re.compile(r"https://(?P<host>[a-z0-9.-]{1,255})/\?(?P<query>[A-Za-z0-9%&=._~-]+)", re.ASCII)
# A value as signers write it: unreserved characters and whole escapes of printable ASCII, so that
# there is one way to read it ("+", ";", "%00", "%0d", "60%gh" and over-long UTF-8 have none). An
# alternation would be tried for each of a session token's thousand characters.
_VALUE = re.compile(r"[A-Za-z0-9._~-]*(?:%[2-7][0-9A-Fa-f][A-Za-z0-9._~-]*)*", re.ASCII)
# Every character of `_PARAMETERS` that is not unreserved (RFC 3986), and its escape.
_USUAL = {"/": "%2F", "+": "%2B", "=": "%3D", ";": "%3B"}
_CREDENTIAL = re.compile(
    r"(?P<key>[A-Z0-9]{16,128})/(?P<day>[0-9]{8})/(?P<region>[a-z0-9-]{1,32})/sts/aws4_request",
    re.ASCII,
)
_DATE = re.compile(r"(?P<day>[0-9]{8})T(?P<time>[0-9]{6})Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What one parameter's value must look like, and the name of the check that says so."""

    check: str
    pattern: re.Pattern[str]
    wanted: str


def _shape(check: str, pattern: str, wanted: str) -> _Shape:
    return _Shape(check, re.compile(pattern, re.ASCII), wanted)


# Every parameter that a token may have. Names are compared as they stand: another spelling of a
# name (other case, an escape) is another parameter, and there is no other parameter.
_PARAMETERS = {
    "Action": _shape("action", "GetCallerIdentity", "GetCallerIdentity"),
    "Version": _shape("version", r"2011-06-15", "2011-06-15"),
    "X-Amz-Algorithm": _shape("algorithm", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256"),
    "X-Amz-Credential": _shape(
        "credential", _CREDENTIAL.pattern, "KEY/YYYYMMDD/REGION/sts/aws4_request"
    ),
    "X-Amz-Date": _shape("date", _DATE.pattern, "YYYYMMDDTHHMMSSZ"),
    "X-Amz-Expires": _shape(
        "expires", r"0|[1-9][0-9]?|[1-8][0-9]{2}|900", "a whole number of seconds from 0 to 900"
    ),
    "X-Amz-Security-Token": _shape(
        "security-token", r"[A-Za-z0-9+/=_-]+", "one or more base64 characters"
    ),
    "X-Amz-SignedHeaders": _shape(
        "signed-headers", f"host;{CLUSTER_ID_HEADER}", f"host;{CLUSTER_ID_HEADER}"
    ),
    "X-Amz-Signature": _shape("signature", r"[0-9a-f]{64}", "64 lower-case hexadecimal digits"),
}
# Every check, in the order in which they are made.
CHECKS = (
    *("prefix", "size", "base64", "url", "host", "parameters", "escapes"),
    *(shape.check for shape in _PARAMETERS.values()),
    *("scope", "date-exists", "not-yet", "expired"),
)

# Long-lived keys have no session token; everything else is always there.
_REQUIRED = frozenset(_PARAMETERS) - {"X-Amz-Security-Token"}


@dataclass(frozen=True, slots=True)
class PresignedRequest:
    """A GetCallerIdentity request whose every part has been checked, and that nobody has proven.

    Attributes:
        host: the STS host, one of the set that the server was given.
        access_key_id: the access key that claims to have signed.
        signed_at: when, in Unix seconds.
        parameters: the query's parameters, each of the shape that its name demands.
        target: the path and query to send, built from the checked values.
    """

    host: StsHost
    access_key_id: str
    signed_at: int
    parameters: Mapping[str, str] = field(repr=False)  # the signature and the session token
    target: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        query = "&".join(f"{name}={_escaped(value)}" for name, value in self.parameters.items())
        object.__setattr__(self, "target", f"/?{query}")

    @property
    def claim(self) -> Claim:
        """The parts that name the signer, for the log."""
        return Claim(self.access_key_id, self.host.name, self.host.region)

    @property
    def valid_until(self) -> int:
        """When STS stops accepting the signature, in Unix seconds."""
        return self.signed_at + VALID_SECONDS


def check(token: str, *, now: float, hosts: Mapping[str, StsHost]) -> PresignedRequest:
    """Check every part of a token that can be checked without asking anyone.

    Args:
        token: the bearer token as the API server posted it.
        now: the time in Unix seconds.
        hosts: the STS hosts that a token may name, by name.

    Raises:
        TokenRefused: the first check that failed.
    """
    name, query = _read_url(_decode(token))
    claim = Claim(host=name)
    try:
        host = _known_host(name, hosts)
        parameters = _read_parameters(query)
        access_key_id, day, region, _, _ = parameters["X-Amz-Credential"].split("/")
        claim = Claim(access_key_id, name, region)
        _check_scope(region, host)
        signed_at = _check_time(parameters["X-Amz-Date"], day, now)
    except TokenRefused as error:
        error.claim = claim
        raise
    return PresignedRequest(host, access_key_id, signed_at, parameters)


def check_prefix(token: str) -> None:
    """Check no more than that a token is of this kind, before any cost is incurred for it.

    Raises:
        TokenRefused: it is another's: ServiceAccount and OIDC tokens that have expired come here.
    """
    if not token.startswith(PREFIX):
        raise TokenRefused("prefix", f"it does not begin with {PREFIX}")


def _decode(token: str) -> str:
    check_prefix(token)
    if len(token) > MAX_TOKEN_BYTES:
        raise TokenRefused("size", f"it is longer than {MAX_TOKEN_BYTES} bytes")
    try:
        decoded = base64url.decode(token[len(PREFIX) :])
    except ValueError as error:
        raise TokenRefused("base64", f"it {error}") from None
    try:
        return decoded.decode("ascii")
    except UnicodeDecodeError:
        raise TokenRefused("url", "its URL is not ASCII") from None


def _read_url(url: str) -> tuple[str, str]:
    found = _URL.fullmatch(url)
    if found is None:
        raise TokenRefused(
            "url",
            "its URL is not https://HOST/?QUERY with a bare lower-case host and escaped values",
        )
    return found["host"], found["query"]


def _known_host(name: str, hosts: Mapping[str, StsHost]) -> StsHost:
    host = hosts.get(name)
    if host is None:
        raise TokenRefused("host", f"{name} is not an STS host of this server's partition")
    return host


def _read_parameters(query: str) -> dict[str, str]:
    # All names first: one pair must not be judged while another could replace it.
    raw: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name not in _PARAMETERS:
            raise TokenRefused("parameters", "it has a parameter that no such token has")
        if name in raw:
            raise TokenRefused("parameters", f"it has {name} more than once")
        raw[name] = value
    missing = _REQUIRED - raw.keys()
    if missing:
        raise TokenRefused("parameters", f"it lacks {', '.join(sorted(missing))}")
    values = {name: _unescaped(name, raw[name]) for name in _PARAMETERS if name in raw}
    for name, value in values.items():
        shape = _PARAMETERS[name]
        if not shape.pattern.fullmatch(value):
            raise TokenRefused(shape.check, f"{name} is not {shape.wanted}")
    return values


def _unescaped(name: str, value: str) -> str:
    if "%" not in value and "=" not in value:
        return value  # `_URL` has taken no other character that has to be escaped
    if not _VALUE.fullmatch(value):
        raise TokenRefused("escapes", f"the value of {name} is not percent-encoded as signers do")
    # The usual escapes first: a session token has dozens.
    for character, escape in _USUAL.items():
        value = value.replace(escape, character)
    return unquote_to_bytes(value).decode("ascii") if "%" in value else value


def _escaped(value: str) -> str:
    # What urllib's quote gives for ASCII.
    for character, escape in _USUAL.items():
        value = value.replace(character, escape)
    return value


def _check_scope(region: str, host: StsHost) -> None:
    if region != host.region:
        raise TokenRefused("scope", f"it is signed for another region than {host.name}'s")


def _check_time(date: str, day: str, now: float) -> int:
    if not date.startswith(day):
        raise TokenRefused("scope", "its credential scope and its date name different days")
    try:
        signed_at = _unix_seconds(date)
    except ValueError:
        raise TokenRefused("date-exists", "X-Amz-Date is no date") from None
    if signed_at > now + MAX_AHEAD_SECONDS:
        raise TokenRefused(
            "not-yet", "it is dated more than 5 minutes ahead; compare the clocks of both machines"
        )
    if now >= signed_at + VALID_SECONDS:
        raise TokenRefused(
            "expired",
            "it is older than 15 minutes; kubectl makes a new one. If it is new, compare the clocks"
            " of both machines",
        )
    return signed_at


def _unix_seconds(date: str) -> int:
    # Only ASCII digits reach this: int() alone would take "6_0", " 60" and full-width digits.
    fields = (date[:4], date[4:6], date[6:8], date[9:11], date[11:13], date[13:15])
    year, month, day, hour, minute, second = map(int, fields)
    moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    return int(moment.timestamp())
