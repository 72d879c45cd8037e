"""Puts the server together from its settings: the one place where the parts meet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from authenticator.aws.https import HttpsPool, Proxy, verifying_context
from authenticator.aws.sts import Sts
from authenticator.aws.sts_hosts import sts_hosts
from authenticator.login import Login
from authenticator.mapping.guards import Guard
from authenticator.serving.app import build_app
from authenticator.serving.audit import as_json, as_text
from authenticator.serving.lines import LineWriter
from authenticator.serving.logs import LogHandler
from authenticator.serving.metrics import Metrics
from authenticator.serving.node_names import NodeNames
from authenticator.serving.readiness import Readiness, readiness
from authenticator.serving.reviews import Reviews
from authenticator.serving.server import THREADS
from authenticator.settings import Settings
from authenticator.sources.chain import StoreStatus
from authenticator.sources.mappings import Mappings, SourceOptions
from authenticator.sources.modes import DYNAMIC_FILE, MODES
from authenticator.verdicts.budget import Budget, InFlight, KeyLimit
from authenticator.verdicts.memory import Remembering
from authenticator.verdicts.prover import Prover

# A token's signature changes with the second, so that one key makes one new token a second.
_CALLS_PER_KEY = 10.0


class ReviewService:
    """The webhook: what `authenticator.serving.server.Service` asks for."""

    wsgi: Callable[..., Iterable[bytes]]

    def __init__(self, settings: Settings, config: Path | None, log: LogHandler) -> None:
        """Make everything and start nothing: workers are forked from this process.

        Args:
            settings: what the server was told.
            config: the config file, whose mappings the source MountedFile follows.
            log: writes the log.

        Raises:
            ConfigError: the environment's proxy or certificates cannot be used.
        """
        metrics = Metrics()
        pool = HttpsPool(context=verifying_context(), proxy=Proxy.from_environment())
        self._metrics = metrics
        self._mappings = Mappings(
            _source_options(settings, config), metrics=metrics, on_change=self._report
        )
        self._names = NodeNames(settings, metrics)
        prover = Prover(
            ask=Sts(settings.cluster_id, pool, metrics).prove,
            hosts=sts_hosts(settings.partition, settings.further_sts_hosts),
            budget=Budget(settings.sts_calls_per_second, time.monotonic),
            key_limit=KeyLimit(_CALLS_PER_KEY, time.monotonic),
            in_flight=InFlight(THREADS * 3 // 4),
            observer=metrics,
            remembering=Remembering(settings.verdict_seconds, settings.degraded_seconds),
        )
        login = Login(
            prover=prover,
            rules=self._mappings.current,
            name_instance=self._names,
            clock=time.time,
        )
        self._scrubbed = frozenset(settings.scrubbed_accounts)
        render = as_json if settings.log_format == "json" else as_text
        self._audit = LineWriter(sys.stderr.fileno(), render, dropped=metrics.audit_dropped)
        self._log = log
        reviews = Reviews(
            login=login,
            metrics=metrics,
            audit=self._audit.add,
            scrubbed_accounts=self._scrubbed,
        )
        self.begin_review = reviews.begin
        self.reviews_waiting = metrics.reviews_waiting
        self.wsgi = build_app(reviews.begin, metrics.render, self.readiness)

    def readiness(self) -> Readiness:
        """Whether every source of mappings has been read, and what is wrong with them."""
        return readiness(self._mappings.status(), self._scrubbed)

    def start(self) -> None:
        """Start what runs beside the requests; called in each worker."""
        self._log.start(self._metrics.audit_dropped)
        self._audit.start()
        self._mappings.start()

    def stop(self) -> None:
        """Stop it, and write what waits to be written."""
        self._mappings.stop()
        self._names.stop()
        self._audit.stop()
        self._log.stop()

    def _report(self, status: StoreStatus) -> None:
        faults = {
            state.name: sum(not fault.in_force for fault in state.faults)
            for state in status.sources
        }
        self._metrics.mappings(in_force=status.size, faults=faults, overlaps=len(status.overlaps))
        modes = [state.name for state in status.sources]
        self._metrics.dynamic_file(enabled=DYNAMIC_FILE in modes, only=modes == [DYNAMIC_FILE])


def _source_options(settings: Settings, config: Path | None) -> SourceOptions:
    def path(text: str) -> Path | None:
        return Path(text) if text else None

    return SourceOptions(
        modes=settings.backend_mode,
        state_dir=settings.state_dir,
        config=config,
        modes_file=path(settings.dynamic_backend_mode_path),
        dynamic_file=path(settings.dynamic_file_path),
        user_id_strict=settings.dynamic_file_user_id_strict,
        kubeconfig=path(settings.kubeconfig),
        master=settings.master,
        break_glass=path(settings.break_glass_path),
        administrators=settings.bootstrap_administrators,
        guards={mode: _guard(mode, settings) for mode in MODES.values()},
    )


def _guard(mode: str, settings: Settings) -> Guard:
    reserved = [entry for entry in settings.reserved_prefixes if entry.backendmode == mode]
    return Guard(
        tuple(prefix for entry in reserved for prefix in entry.usernameprefixreservelist),
        tuple(prefix for entry in reserved for prefix in entry.groupprefixreservelist),
        system_names=mode in settings.system_name_sources,
    )
