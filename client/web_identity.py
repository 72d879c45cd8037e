"""Ask STS for a JWT (GetWebIdentityToken), signed and sent without botocore.

The request takes as long as the network; to import botocore would double that. Proxies, the CA
bundle, attempts and waits are those of botocore and the AWS CLI; the request is signed as botocore
signs it (``tests/contract/test_client_web_identity.py``). A proxy that speaks TLS itself is left to
botocore.

Source: AWS STS API Reference, "GetWebIdentityToken"; AWS, "Create a signed AWS API request".
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import importlib.util
import os
import random
import ssl
import time
import urllib.parse
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import jwt_claims, proxy, refusals, sigv4
from .errors import ClientError
from .imports import botocore_session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .credentials import Credentials
    from .endpoints import Endpoint
    from .profiles import Section

OPERATION = "GetWebIdentityToken"
LONGEST_SECONDS = 900
SHORTEST_SECONDS = 60

_CONNECT_SECONDS = 3
_READ_SECONDS = 10
_ATTEMPTS = 3
_PAUSE_SECONDS = 0.1
_MAX_ANSWER_BYTES = 64 * 1024
_OK = 200
_SERVER_FAULT = 500
_CONTENT_TYPE = "application/x-www-form-urlencoded; charset=utf-8"
_RETRYABLE = frozenset(
    {"InternalFailure", "RequestTimeout", "ServiceUnavailable", "Throttling", "ThrottlingException"}
)
_TOO_LONG = frozenset({"SessionDurationEscalation", "SessionDurationEscalationException"})
_ENABLE = (
    "an administrator of the account has to run `aws iam"
    " enable-outbound-web-identity-federation` once; until then leave out --jwt"
)
_UNKNOWN = (
    "STS has no JWTs in this Region or partition: choose another --region, or leave out --jwt"
)
_CURES = {
    "AccessDenied": "have a policy allow sts:GetWebIdentityToken, on condition that"
    " sts:IdentityTokenAudience is {audience}",
    "InvalidAction": _UNKNOWN,
    "OutboundWebIdentityFederationDisabled": _ENABLE,
    "OutboundWebIdentityFederationDisabledException": _ENABLE,
    "SessionDurationEscalation": "renew the credentials, which end in less than a minute",
    "SessionDurationEscalationException": "renew the credentials, which end in less than a minute",
    "UnsupportedOperation": _UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One JWT.

    Attributes:
        value: the token.
        lifetime: how long it counts, in seconds, by the clock of STS.
    """

    value: str
    lifetime: int


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An error of STS, and the date of its answer."""

    code: str
    message: str
    date: str


@dataclass(frozen=True, slots=True)
class WebIdentity:
    """The tokens of one caller at one STS endpoint.

    Attributes:
        signer: who asks.
        endpoint: which STS; a regional one.
        profile: the name of the profile in force.
        settings: what it says.
    """

    signer: Credentials
    endpoint: Endpoint
    profile: str
    settings: Section

    def ask(self, audience: str, *, now: float) -> Asked:
        """Return a token that lasts 15 minutes, or until the credentials end.

        Args:
            audience: of the token.
            now: seconds since the epoch.

        Raises:
            ClientError: STS refused or could not be reached.
        """
        lifetimes = [LONGEST_SECONDS]
        if self.signer.expiration is not None:
            left = int(self.signer.expiration - now) - 1
            lifetimes = [min(LONGEST_SECONDS, max(SHORTEST_SECONDS, left))]
        elif self.signer.session_token:
            # Their end is unknown here and known to STS, which refuses a token that outlives it.
            lifetimes += [LONGEST_SECONDS // 3, SHORTEST_SECONDS]
        found = self._ask(audience, lifetimes.pop(0))
        while isinstance(found, _Refusal) and found.code in _TOO_LONG and lifetimes:
            found = self._ask(audience, lifetimes.pop(0))
        if isinstance(found, _Refusal):
            raise ClientError(self._explain(found, audience))
        return found

    def _ask(self, audience: str, lifetime: int) -> Asked | _Refusal:
        answer = self._send(form(audience, lifetime))
        root = _parse(answer, self.endpoint.host)
        if answer.status != _OK:
            code = root.findtext(".//{*}Code") or "unknown"
            message = root.findtext(".//{*}Message") or ""
            return _Refusal(code, message, answer.headers.get("date", ""))
        value = root.findtext(".//{*}WebIdentityToken") or ""
        claims = jwt_claims.read(value)
        if jwt_claims.audiences(claims) != [audience]:
            raise ClientError(f"{self.endpoint.host} answers with a token for another audience")
        return Asked(value, claims["exp"] - claims["iat"])

    def _send(self, body: bytes) -> _Answer:
        """Return the answer; what may pass is tried again, as botocore does."""
        attempts = _attempts(self.settings)
        for attempt in range(attempts):
            last = attempt + 1 == attempts
            try:
                answer = self._send_once(body)
                if last or not _may_pass(answer):
                    return answer
            except ssl.SSLCertVerificationError as error:
                raise self._unreachable(
                    error, "check AWS_CA_BUNDLE, or what intercepts TLS on the way"
                ) from error
            except (OSError, http.client.HTTPException) as error:
                if last:
                    raise self._unreachable(
                        error, "check the network, HTTPS_PROXY, NO_PROXY and the region"
                    ) from error
            time.sleep(random.random() * _PAUSE_SECONDS * 2**attempt)  # noqa: S311 - a pause
        raise AssertionError("the last attempt returns or raises")

    def _send_once(self, body: bytes) -> _Answer:
        # Signed for each attempt: it counts for minutes around its date.
        headers = sign(self.signer, self.endpoint, body, now=time.time())
        url = f"https://{self.endpoint.host}/"
        through = proxy.for_url(url)
        parts = urllib.parse.urlsplit(through)
        if through and parts.scheme != "http":
            session = botocore_session(self.profile)
            return _Answer(*session.fetch(url, headers, body))
        connection = self._connection(parts)
        with contextlib.closing(connection):
            connection.connect()
            connection.sock.settimeout(_READ_SECONDS)
            connection.request("POST", "/", body, dict(headers))
            response = connection.getresponse()
            answered = {name.lower(): value for name, value in response.getheaders()}
            return _Answer(response.status, answered, response.read(_MAX_ANSWER_BYTES))

    def _connection(self, through: urllib.parse.SplitResult) -> http.client.HTTPSConnection:
        context = tls(self.settings)
        host = self.endpoint.host
        if not through.netloc:
            return http.client.HTTPSConnection(host, timeout=_CONNECT_SECONDS, context=context)
        try:
            port = through.port or proxy.PORTS["http"]
        except ValueError as error:
            raise ClientError("HTTPS_PROXY is not a URL; correct it") from error
        connection = http.client.HTTPSConnection(
            through.hostname or "", port, timeout=_CONNECT_SECONDS, context=context
        )
        connection.set_tunnel(host, 443, headers=_proxy_headers(through))
        return connection

    def _unreachable(self, error: Exception, cure: str) -> ClientError:
        # The words of http.client may quote what a server sent, over several lines.
        reason = error.strerror if isinstance(error, OSError) else None
        text = reason or (str(error) if isinstance(error, OSError) else type(error).__name__)
        return ClientError(f"cannot reach {self.endpoint.host}: {text}; {cure}")

    def _explain(self, refusal: _Refusal, audience: str) -> str:
        text = refusals.describe(
            OPERATION,
            refusal.code,
            refusal.message,
            profile=self.profile,
            date=refusal.date,
            now=time.time(),
            cures={code: cure.replace("{audience}", audience) for code, cure in _CURES.items()},
        )
        return f"cannot get a JWT with the credentials from {self.signer.source}: {text}"


def form(audience: str, lifetime: int) -> bytes:
    """Return the request's body.

    Args:
        audience: of the token.
        lifetime: in seconds.
    """
    return urllib.parse.urlencode(
        {
            "Action": OPERATION,
            "Version": "2011-06-15",
            "Audience.member.1": audience,
            "DurationSeconds": lifetime,
            # Verified in 83 microseconds; ES384, the other one, takes 551.
            "SigningAlgorithm": "RS256",
        }
    ).encode()


def sign(signer: Credentials, endpoint: Endpoint, body: bytes, *, now: float) -> Mapping[str, str]:
    """Return the headers of a signed POST to STS.

    Args:
        signer: whose signature.
        endpoint: the STS that is asked.
        body: a form.
        now: seconds since the epoch; fractions are cut off.
    """
    timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = f"{timestamp[:8]}/{endpoint.region}/sts/aws4_request"
    headers = {
        "content-type": _CONTENT_TYPE,
        "host": endpoint.host,
        "x-amz-date": timestamp,
    }
    if signer.session_token:
        headers["x-amz-security-token"] = signer.session_token
    names = ";".join(headers)
    lines = "".join(f"{name}:{' '.join(value.split())}\n" for name, value in headers.items())
    canonical = f"POST\n/\n\n{lines}\n{names}\n{sigv4.sha256(body).hexdigest()}"
    signature = sigv4.sign(signer.secret_key, canonical, scope=scope, timestamp=timestamp)
    headers["authorization"] = (
        f"{sigv4.ALGORITHM} Credential={signer.access_key}/{scope}, SignedHeaders={names},"
        f" Signature={signature}"
    )
    return headers


def _parse(answer: _Answer, host: str) -> ET.Element:
    try:
        # From AWS over TLS, and at most 64 KB; expat bounds the expansion of entities.
        return ET.fromstring(answer.body)  # noqa: S314
    except ET.ParseError as error:
        raise ClientError(
            f"{host} answers {answer.status}, and not as STS does; check HTTPS_PROXY and what"
            " intercepts TLS on the way"
        ) from error


def _may_pass(answer: _Answer) -> bool:
    if answer.status >= _SERVER_FAULT:
        return True
    return answer.status != _OK and any(
        f"<Code>{code}</Code>".encode() in answer.body for code in _RETRYABLE
    )


def _attempts(settings: Section) -> int:
    text = os.environ.get("AWS_MAX_ATTEMPTS") or settings.get("max_attempts") or str(_ATTEMPTS)
    if not (isinstance(text, str) and text.isascii() and text.isdigit() and int(text)):
        raise ClientError(
            f"AWS_MAX_ATTEMPTS (max_attempts in the profile) is {text!r}; set it to a number"
        )
    return int(text)


def tls(settings: Section) -> ssl.SSLContext:
    """Return what verifies the server, with the CA bundle that botocore would use."""
    environ = os.environ
    # Empty counts as unset: botocore then verifies nothing.
    bundle = (
        environ.get("AWS_CA_BUNDLE")
        or settings.get("ca_bundle")
        or environ.get("REQUESTS_CA_BUNDLE")
    )
    context = ssl.create_default_context()
    if not bundle:
        paths = ssl.get_default_verify_paths()
        found = importlib.util.find_spec("botocore")
        if paths.cafile or paths.capath or found is None or found.origin is None:
            return context
        # A Python without CA certificates of the system's, as on macOS.
        bundle = str(Path(found.origin).with_name("cacert.pem"))
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        name = str(bundle)
        path = Path(name).expanduser()
        if path.is_dir():
            context.load_verify_locations(capath=path)
        else:
            context.load_verify_locations(cafile=path)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "it holds no certificates"
        raise ClientError(
            f"cannot read the CA bundle {name}: {reason}; correct AWS_CA_BUNDLE (ca_bundle in the"
            " profile)"
        ) from error
    return context


def _proxy_headers(through: urllib.parse.SplitResult) -> dict[str, str]:
    if through.username is None:
        return {}
    pair = (
        f"{urllib.parse.unquote(through.username)}:{urllib.parse.unquote(through.password or '')}"
    )
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
