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
from authenticator.errors import AuthenticatorError, ConfigError, NotProven, TokenRefused
from authenticator.settings import Settings
from authenticator.tokens import presigned
from authenticator.tokens.presigned import PresignedRequest
from authenticator.verdicts.budget import Budget
from authenticator.verdicts.limits import Limits
from authenticator.verdicts.memory import Remembering
from authenticator.verdicts.prover import AsksSts, Prover

STS = "sts"


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


def asking(settings: Settings) -> Asking:
    """What asks STS as a server with these settings does.

    Raises:
        ConfigError: the environment's proxy or certificates cannot be used.
    """
    pool = HttpsPool(context=verifying_context(), proxies=Proxies.from_environment())
    return Asking(Sts(settings.cluster_id, pool, _Silent()).prove)


def prover(settings: Settings, ask: AsksSts, clock: Callable[[], float] = time.time) -> Prover:
    """A prover as a server with these settings has, which remembers nothing yet.

    Args:
        settings: what the server was told.
        ask: asks STS.
        clock: Unix seconds.
    """
    return Prover(
        ask=ask,
        hosts=settings.hosts,
        budget=Budget(settings.sts_calls_per_second, elapsed),
        limits=Limits.of(settings.sts_calls_per_second, 1, elapsed),
        observer=_Silent(),
        remembering=Remembering(),
        clock=clock,
    )


def steps(error: AuthenticatorError | None, host: str) -> Sequence[Step]:
    """Every check of a token, and how it ended.

    Args:
        error: what the prover raised; None if it proved the token.
        host: the STS host that was asked.
    """
    if isinstance(error, TokenRefused):
        passed = presigned.CHECKS[: presigned.CHECKS.index(error.check)]
        return (*map(_passed, passed), Step(error.check, passed=False, detail=str(error)))
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
    return {
        "arn": str(identity.arn),
        "canonicalArn": identity.canonical_arn,
        "account": identity.arn.account_id,
        "userId": identity.user_id,
        "accessKeyId": identity.access_key_id,
        "sessionName": identity.arn.session,
    }
