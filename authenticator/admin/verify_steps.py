"""The server's own checks of a token as a list of steps, for `verify` and `explain`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from authenticator.aws.arns import CallerIdentity
from authenticator.aws.https import HttpsPool, verifying_context
from authenticator.aws.proxy import Proxies
from authenticator.aws.sts import Sts
from authenticator.elapsed import elapsed
from authenticator.errors import (
    AuthenticatorError,
    ConfigError,
    Denied,
    NotProven,
    TokenRefused,
)
from authenticator.settings import Settings
from authenticator.tokens import jwt, presigned
from authenticator.tokens.presigned import PresignedRequest
from authenticator.verdicts.budget import Budget
from authenticator.verdicts.limits import Limits
from authenticator.verdicts.memory import Remembering
from authenticator.verdicts.prover import AsksSts, Prover
from authenticator.verdicts.provers import Provers, is_jwt
from authenticator.verdicts.web_identity import WebIdentity
from authenticator.web_identity import issuer_keys, policy

STS = "sts"
_KEY = "key"
# Those that need the key.
_WITH_KEY = 2


@dataclass(frozen=True, slots=True)
class Step:
    """One check and how it ended.

    Attributes:
        check: its name.
        passed: whether it passed.
        detail: why it failed, or what was learnt.
    """

    check: str
    passed: bool
    detail: str = ""


class Asking:
    """Asks STS, and notes which of its hosts.

    Attributes:
        host: the host's name; "" before it is asked.
    """

    def __init__(self, ask: AsksSts) -> None:
        self.host = ""
        self._ask = ask

    async def __call__(self, request: PresignedRequest, timeout: float) -> CallerIdentity:
        """See `AsksSts`."""
        self.host = request.host.name
        return await self._ask(request, timeout)


class _Silent:
    def sts_response(self, code: int, region: str, seconds: float) -> None: ...
    def sts_throttled(self, region: str) -> None: ...
    def sts_connection_failed(self, region: str) -> None: ...
    def cache_hit(self, kind: str) -> None: ...
    def call_collapsed(self) -> None: ...
    def budget_refused(self, standing: str) -> None: ...
    def degraded_answer(self) -> None: ...
    def key_fetch_failed(self, issuer: str) -> None: ...
    def issuer_keys(self, issuer: str, number: int, since: float) -> None: ...


def asking(settings: Settings) -> Asking:
    """What asks STS as a server with these settings does.

    Raises:
        ConfigError: the environment's proxy or certificates cannot be used.
    """
    pool = HttpsPool(context=verifying_context(), proxies=Proxies.from_environment())
    return Asking(Sts(settings.cluster_id, pool, _Silent()).prove)


def prover(
    settings: Settings, ask: AsksSts, clock: Callable[[], float] = time.time
) -> Prover | Provers:
    """A prover as a server with these settings has, which remembers nothing yet.

    The keys of issuers are fetched now, or read from their files.

    Args:
        settings: what the server was told.
        ask: asks STS.
        clock: Unix seconds.
    """
    by_sts = Prover(
        ask=ask,
        hosts=settings.hosts,
        budget=Budget(settings.sts_calls_per_second, elapsed),
        limits=Limits.of(settings.sts_calls_per_second, 1, elapsed),
        observer=_Silent(),
        remembering=Remembering(),
        clock=clock,
    )
    if not settings.web_identity.issuers:
        return by_sts
    # Not in the server's own directory: a file of this user's would be in its way.
    keys = issuer_keys(settings, _Silent(), directory=None)
    keys.start()
    return Provers(by_sts, WebIdentity(policy(settings), keys, clock, time.monotonic))


def takes_as_jwt(settings: Settings, token: str) -> bool:
    """Whether a server with these settings checks a token as a JWT."""
    return bool(settings.web_identity.issuers) and is_jwt(token)


def steps(error: AuthenticatorError | None, host: str, *, by_key: bool) -> Sequence[Step]:
    """Every check of a token, and how it ended.

    Args:
        error: what the prover raised; None if it proved the token.
        host: the STS host that was asked.
        by_key: whether the token was checked as a JWT.
    """
    checks = jwt.CHECKS if by_key else presigned.CHECKS
    if isinstance(error, TokenRefused):
        passed = checks[: checks.index(error.check)]
        return (*map(_passed, passed), Step(error.check, passed=False, detail=str(error)))
    if by_key and error is None:
        return tuple(map(_passed, checks))
    if by_key:
        detail = str(error) if isinstance(error, Denied) else f"{error}; nothing is known of it"
        return (*map(_passed, checks[:-_WITH_KEY]), Step(_KEY, passed=False, detail=detail))
    return (*map(_passed, presigned.CHECKS), _asked(error, host))


def _passed(check: str) -> Step:
    return Step(check, passed=True)


def _asked(error: AuthenticatorError | None, host: str) -> Step:
    if error is None:
        return Step(STS, passed=True, detail=f"{host} proved the signature")
    if isinstance(error, NotProven):
        return Step(STS, passed=False, detail=f"{error} ({error.code})")
    return Step(STS, passed=False, detail=f"{error}; nothing is known of the token")


def token_in(text: str | None, file: str | None = None) -> str:
    """The token that a command was given.

    Args:
        text: the token; "-" for standard input.
        file: a file that holds it instead.

    Returns:
        the bearer token, also if what was given is the exec credential that kubectl is given.

    Raises:
        ConfigError: the file cannot be read.
    """
    if file:
        try:
            text = Path(file).read_text("utf-8", "replace")
        except OSError as error:
            raise ConfigError((f"{file}: cannot be read: {error.strerror}",)) from error
    elif text == "-":
        text = sys.stdin.read()
    text = (text or "").strip()
    if not text.startswith("{"):
        return text
    try:
        return str(json.loads(text)["status"]["token"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return text  # and its first check says what it is not


def identity_fields(identity: CallerIdentity) -> dict[str, str]:
    """Who the caller is, as the commands show it."""
    known = {
        "arn": str(identity.arn),
        "canonicalArn": identity.canonical_arn,
        "account": identity.arn.account_id,
    }
    if identity.claims is None:
        return {
            **known,
            "userId": identity.user_id,
            "accessKeyId": identity.access_key_id,
            "sessionName": identity.arn.session,
        }
    claims = identity.claims
    told = {
        "proof": identity.proof.value,
        "tokenId": claims.token_id,
        "organization": claims.organization,
        "organizationalUnits": ", ".join(sorted(claims.organizational_units)),
        "principalTags": ", ".join(f"{key}={value}" for key, value in claims.principal_tags),
        "identityStoreUserId": claims.identity_store_user_id,
        "sourceIdentity": claims.source_identity,
        "instanceId": claims.instance_id,
    }
    return known | {key: value for key, value in told.items() if value}
