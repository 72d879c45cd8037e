"""Puts the server together from its settings: the one place where the parts meet."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from authenticator.aws.arns import CallerIdentity
from authenticator.aws.https import HttpsPool, Proxy, verifying_context
from authenticator.aws.sts import Sts
from authenticator.aws.sts_hosts import StsHost, sts_hosts
from authenticator.errors import NamesUnavailable
from authenticator.login import Login
from authenticator.mapping.guards import Guard
from authenticator.mapping.sections import SectionReader
from authenticator.serving.app import build_app
from authenticator.serving.audit import AuditLog, as_json, as_text
from authenticator.serving.metrics import Metrics
from authenticator.serving.reviews import Reviews
from authenticator.settings import Settings
from authenticator.sources.base import Source
from authenticator.sources.chain import MappingStore, StoreStatus
from authenticator.sources.file import FileSource
from authenticator.tokens import presigned
from authenticator.tokens.presigned import PresignedRequest

_LOG = logging.getLogger(__name__)
# Well below the 30 s after which the API server gives up, so that it gets an answer.
_STS_SECONDS = 10.0


class ReviewService:
    """The webhook: what `authenticator.serving.server.Service` asks for."""

    wsgi: Callable[..., Iterable[bytes]]

    def __init__(self, settings: Settings, config: Path | None) -> None:
        """Make everything and start nothing: workers are forked from this process.

        Args:
            settings: what the server was told.
            config: the config file, whose mappings the source MountedFile follows.

        Raises:
            ConfigError: the environment's proxy or certificates cannot be used.
        """
        metrics = Metrics()
        hosts = sts_hosts(settings.partition, settings.further_sts_hosts)
        pool = HttpsPool(
            timeout=_STS_SECONDS, context=verifying_context(), proxy=Proxy.from_environment()
        )
        self._store = MappingStore(_sources(settings, config), on_change=_report)
        login = Login(
            check=partial(_check, hosts=hosts),
            prove=Sts(settings.cluster_id, pool, metrics).prove,
            rules=self._store.current,
            name_instance=_no_names,
            clock=time.time,
        )
        render = as_json if settings.log_format == "json" else as_text
        self._audit = AuditLog(sys.stderr.fileno(), render, dropped=metrics.audit_dropped)
        reviews = Reviews(
            decide=login.decide,
            metrics=metrics,
            audit=self._audit.add,
            scrubbed_accounts=frozenset(settings.scrubbed_accounts),
        )
        self.wsgi = build_app(reviews.answer, metrics.render)

    def start(self) -> None:
        """Start what runs beside the requests; called in each worker."""
        self._audit.start()
        self._store.start()

    def stop(self) -> None:
        """Stop it, and write what waits to be written."""
        self._store.stop()
        self._audit.stop()


def _check(token: str, *, hosts: Mapping[str, StsHost]) -> PresignedRequest:
    return presigned.check(token, now=time.time(), hosts=hosts)


def _sources(settings: Settings, config: Path | None) -> list[Source]:
    sources: list[Source] = []
    for mode in settings.backend_mode:
        if mode == "MountedFile" and config is not None:
            sources.append(FileSource(SectionReader(mode, Guard()), config, under="server"))
    return sources


def _report(status: StoreStatus) -> None:
    for state in status.sources:
        for fault in state.faults:
            _LOG.warning("%s", fault)
    _LOG.info("%d mappings are in force", status.size)


def _no_names(_identity: CallerIdentity) -> str:
    raise NamesUnavailable("no source of instance names is configured")
