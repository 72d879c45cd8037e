"""Puts the server together from its settings: the one place where the parts meet."""

from __future__ import annotations

import os
import ssl
import sys
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from pathlib import Path

from authenticator.aws.https import HttpsPool, verifying_context
from authenticator.aws.proxy import Proxies
from authenticator.aws.sts import Sts
from authenticator.elapsed import elapsed
from authenticator.login import Login
from authenticator.modes import DYNAMIC_FILE
from authenticator.serving import endpoints
from authenticator.serving.admission_peers import AdmissionPeers, Peer
from authenticator.serving.admissions import Admissions, judge_of
from authenticator.serving.app import build_app
from authenticator.serving.audit import as_json, as_text
from authenticator.serving.certificates.pair import ServerCertificate
from authenticator.serving.certificates.renewal import Renewal
from authenticator.serving.endpoints import HEALTHZ, METRICS, READYZ, Handlers
from authenticator.serving.file_trust import FileTrust
from authenticator.serving.internal_errors import InternalErrors
from authenticator.serving.lines import LineWriter
from authenticator.serving.logs import LogHandler
from authenticator.serving.metrics import CONTENT_TYPE, Metrics
from authenticator.serving.node_names import NodeNames
from authenticator.serving.readiness import Readiness, readiness
from authenticator.serving.reviews import Answer, Reviews
from authenticator.serving.self_test import SelfTest
from authenticator.serving.tracing import tracing
from authenticator.settings import Settings
from authenticator.sources.chain import StoreStatus
from authenticator.sources.mappings import Mappings
from authenticator.sources.options import source_options
from authenticator.verdicts.budget import Budget
from authenticator.verdicts.limits import Limits
from authenticator.verdicts.memory import Remembering
from authenticator.verdicts.prover import Prover
from authenticator.verdicts.provers import Provers
from authenticator.verdicts.web_identity import WebIdentity
from authenticator.web_identity import directory_of, issuer_keys, policy


class ReviewService:
    """The webhook: what `authenticator.serving.http.worker.Service` asks for."""

    wsgi: Callable[..., Iterable[bytes]]
    validate: Callable[[bytes, Peer], Answer]
    handlers: Handlers

    def __init__(
        self,
        settings: Settings,
        config: Path | None,
        log: LogHandler,
        renewal: Renewal,
        peers: AdmissionPeers,
    ) -> None:
        """Make everything and start nothing: workers are forked from this process.

        Args:
            settings: what the server was told.
            config: the config file, whose mappings the source MountedFile follows.
            log: writes the log.
            renewal: has the certificate replaced before it ends.
            peers: knows the API servers that may ask about edits.

        Raises:
            ConfigError: the environment's proxy or certificates cannot be used.
        """
        metrics = Metrics()
        pool = HttpsPool(context=verifying_context(), proxies=Proxies.from_environment())
        self._metrics = metrics
        self._tracing = tracing(os.environ)
        options = source_options(settings, config)
        self._mappings = Mappings(options, metrics=metrics, on_change=self._report)
        self._names = NodeNames(settings, metrics)
        hosts = settings.hosts
        fetch = self._tracing.sts(pool, hosts)
        self._prover = Prover(
            ask=Sts(settings.cluster_id, fetch, metrics).prove,
            hosts=hosts,
            budget=Budget(settings.sts_calls_per_second, elapsed),
            limits=Limits.of(settings.sts_calls_per_second, settings.workers, elapsed),
            observer=metrics,
            remembering=Remembering(settings.verdict_seconds, settings.degraded_seconds),
            is_mapped=lambda account: account in self._mappings.current().mapped_accounts,
        )
        self._keys = issuer_keys(settings, metrics, directory=directory_of(settings))
        by_jwt = WebIdentity(policy(settings), self._keys, time.time, time.monotonic)
        login = Login(
            prover=Provers(self._prover, by_jwt) if self._keys.issuers else self._prover,
            rules=self._mappings.current,
            name_instance=self._tracing.ec2(self._names),
            clock=time.time,
        )
        self._scrubbed = frozenset(settings.scrubbed_accounts)
        render = as_json if settings.log_format == "json" else as_text
        self._audit = LineWriter(sys.stderr.fileno(), render, dropped=metrics.audit_dropped)
        self._log = log
        self._renewal = renewal
        self._certificate: ServerCertificate | None = None
        self._self_test: SelfTest | None = None
        self._hosts = hosts
        self._internal_errors = InternalErrors(metrics)
        reviews = Reviews(
            login=login,
            metrics=self._internal_errors,
            audit=self._tracing.audit(self._audit.add),
            scrubbed_accounts=self._scrubbed,
        )
        self.reviews = self._tracing.reviews(reviews)
        self._files = FileTrust(settings, config)
        self._peers = peers
        peers.count(metrics)
        self.identify = peers.identify
        self.validate = Admissions(
            judge=judge_of(settings, options.guards, self._mappings.status),
            metrics=metrics,
            audit=self._audit.add,
            scrubbed_accounts=self._scrubbed,
        ).answer
        self.handlers = {
            METRICS: endpoints.metrics(metrics.render, CONTENT_TYPE),
            HEALTHZ: endpoints.healthz(self._self_test_faults),
            READYZ: endpoints.readyz(self.readiness),
        }
        self.refused = metrics.refused
        self.untrusted_client = metrics.untrusted_client
        self.wsgi = build_app(self.handlers, self.refused)

    def readiness(self) -> Readiness:
        """Whether this worker can do its work, and what is wrong."""
        return readiness(
            self._mappings.status(),
            certificate=self._certificate,
            sts=self._prover.sts_health(),
            admission=self._peers.detail(),
            loose_files=self._files.loose,
            scrubbed_accounts=self._scrubbed,
            now=datetime.now(timezone.utc),
            issuers=self._keys.states(),
            warnings=self._warnings(),
            faults=[
                *self._self_test_faults(),
                *self._internal_errors.faults(),
                *self._renewal.untrusted,
            ],
        )

    def certificate_loaded(self, pair: ServerCertificate) -> None:
        """Take note of the certificate that this worker serves from now on."""
        self._certificate = pair
        self._metrics.certificate_in_use(pair.begins.timestamp(), pair.ends.timestamp())
        self._metrics.admission_certificate_ends(self._peers.certificate_ends)

    def forking(self, number: int) -> None:
        """See `authenticator.serving.http.worker.Service`."""
        self._metrics.forking(number)

    def ended(self, number: int) -> None:
        """See `authenticator.serving.http.worker.Service`."""
        self._metrics.ended(number)

    def start(self, context: Callable[[], ssl.SSLContext]) -> None:
        """See `authenticator.serving.http.worker.Service`."""
        self._log.start(self._metrics.audit_dropped)
        self._self_test = SelfTest(self._hosts, context, self._certificate_pem)
        self._self_test.faults()
        self._audit.start()
        self._tracing.start()
        self._mappings.start()
        self._keys.start()
        self._renewal.start()
        self._files.start()

    def _certificate_pem(self) -> bytes:
        return b"" if self._certificate is None else self._certificate.pem

    def _self_test_faults(self) -> tuple[str, ...]:
        return () if self._self_test is None else self._self_test.faults()

    def _warnings(self) -> list[str]:
        return [*self._renewal.warnings, *self._mappings.unwritten]

    def look(self) -> None:
        """See `authenticator.serving.http.worker.Service`."""
        self._metrics.reviews_waiting(self._prover.waiting)
        self._metrics.circuits_open(self._prover.sts_health())
        self._keys.observe()
        self._metrics.trouble(
            recreated=self._renewal.recreated,
            unwritten=bool(self._renewal.fault) + len(self._mappings.unwritten),
            faults=len(self._self_test_faults()),
        )
        self._metrics.flush()

    def stop(self) -> None:
        """Stop it, and write what waits to be written."""
        self._metrics.flush()
        self._renewal.stop()
        self._files.stop()
        self._mappings.stop()
        self._names.stop()
        self._keys.stop()
        self._audit.stop()
        self._tracing.stop()
        self._log.stop()

    def _report(self, status: StoreStatus) -> None:
        faults = {
            state.name: sum(not fault.in_force for fault in state.faults)
            for state in status.sources
        }
        stale = {state.name: state.stale_since or 0.0 for state in status.sources}
        self._metrics.mappings(
            in_force=status.size, faults=faults, stale=stale, overlaps=len(status.overlaps)
        )
        modes = [state.name for state in status.sources]
        self._metrics.dynamic_file(enabled=DYNAMIC_FILE in modes, only=modes == [DYNAMIC_FILE])
