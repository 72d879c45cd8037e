"""Puts together what proves JWTs, from the settings."""

from __future__ import annotations

import time
from pathlib import Path

from authenticator.aws.https import HttpsPool, verifying_context
from authenticator.aws.proxy import Proxies
from authenticator.settings import Settings
from authenticator.tokens.jwks import Algorithm
from authenticator.tokens.jwt import Issuer, JwtPolicy
from authenticator.verdicts.issuer_keys import IssuerKeys, KeySource, ObservesKeys

_DIRECTORY = "web-identity"


def directory_of(settings: Settings) -> Path:
    """Return where a server keeps the key sets of its issuers."""
    return settings.state_dir / _DIRECTORY


def policy(settings: Settings) -> JwtPolicy:
    """Return which JWTs a server with these settings takes."""
    given = settings.web_identity
    return JwtPolicy(
        issuers={issuer.url: Issuer(issuer.url, issuer.accountid) for issuer in given.issuers},
        audiences=settings.audiences,
        algorithms=frozenset(map(Algorithm, given.algorithms)),
        max_age_seconds=given.maxageseconds,
        partition=settings.partition,
    )


def issuer_keys(
    settings: Settings, observer: ObservesKeys, *, directory: Path | None
) -> IssuerKeys:
    """Return the keys of the configured issuers, which are yet to be started.

    Args:
        settings: what the server was told.
        observer: counts.
        directory: see `IssuerKeys`.

    Raises:
        ConfigError: the environment's proxy or certificates cannot be used.
    """
    proxies, context = Proxies.from_environment(), verifying_context()
    given = settings.web_identity
    return IssuerKeys(
        sources=[KeySource(issuer.url, issuer.keysfile) for issuer in given.issuers],
        directory=directory,
        # Of the thread's own event loop, and apart from the connections to STS.
        fetch=lambda: HttpsPool(context=context, proxies=proxies),
        max_age_seconds=given.keysmaxageseconds,
        observer=observer,
        clock=time.time,
    )
