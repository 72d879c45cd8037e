"""Runs the webhook under gunicorn: two processes or more, one set of ports, one set of metrics.

gunicorn starts, watches and replaces the workers; nothing is read from its own configuration files,
command line or environment variables.

    SIGTERM  finish what has begun, and end        SIGHUP  the same, and go on in new workers
    SIGINT   end at once
"""

from __future__ import annotations

import gc
import logging
import os
import resource
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from authenticator.serving import announcement, ports
from authenticator.serving.admission_peers import AdmissionPeers
from authenticator.serving.http.connection import IDLE_SECONDS
from authenticator.serving.http.worker import ReviewWorker, Service
from authenticator.serving.ports import Listening
from authenticator.serving.supervisor import Supervisor
from authenticator.serving.tls import LiveContext

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from gunicorn.arbiter import Arbiter
    from gunicorn.config import Config
    from gunicorn.workers.base import Worker


_LOG = logging.getLogger(__name__)
# Connections of each worker. A review that waits holds one, and a known caller needs one too.
_CONNECTIONS = 2048
_FILES = 8192
# Below the 30 s that Kubernetes gives a pod to end.
_GRACEFUL_SECONDS = 25
# A worker whose event loop has not come round for so long is replaced, 2 s later at most: before an
# API server that shakes hands with it gives up, after 10 s (net/http, TLSHandshakeTimeout).
_STUCK_SECONDS = 7
# Objects more than were freed, before a worker looks for cycles; Python's default is 700. A review
# makes hundreds that die with it, and few in cycles: with 700, looking took a tenth of the time.
_COLLECT_AFTER = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How to serve.

    Attributes:
        address: the IP address to listen on.
        port: the TCP port of HTTPS.
        health_port: the TCP port of plain `/healthz`; 0 for none.
        metrics: the address and TCP port of plain `/metrics`; None for none.
        certificate: the PEM file of the certificate chain.
        key: the PEM file of its key.
        workers: processes.
        peers: knows the API servers that may ask about edits.
    """

    address: str
    port: int
    health_port: int
    certificate: Path
    key: Path
    workers: int
    peers: AdmissionPeers
    metrics: tuple[str, int] | None = None


def serve(options: ServeOptions, build: Callable[[], Service]) -> NoReturn:
    """Serve until told to stop.

    Args:
        options: how.
        build: makes what is served; called once, before any worker is forked.

    Raises:
        ConfigError: the address or port cannot be used, or the certificate cannot.
        SystemExit: at the end.
    """
    context = LiveContext(options.certificate, options.key, options.peers)
    listeners = ports.listen(options.address, options.port, options.health_port, options.metrics)
    _LOG.info(announcement.listening(listeners))
    _allow_files()
    service = build()
    Supervisor(_Application(options, context, listeners, service), service.ended).run()
    raise SystemExit(0)


def _allow_files() -> None:
    """Let every worker have its connections; many systems start with 1,024 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Log(Logger):
    """gunicorn's messages, in the log and the format of everything else."""

    # `announcement` says the same, with the scheme that each port has.
    _SAID_ELSEWHERE = frozenset(
        {"Starting gunicorn %s", "Listening at: %s (%s)", "Using worker: %s"}
    )

    def setup(self, cfg: Config) -> None:
        super().setup(cfg)
        self.error_log.propagate = True
        self.error_log.addFilter(lambda record: record.msg not in self._SAID_ELSEWHERE)


class _Application(BaseApplication):
    """gunicorn's view of the service, and all of its settings."""

    def __init__(
        self,
        options: ServeOptions,
        context: LiveContext,
        listeners: list[Listening],
        service: Service,
    ) -> None:
        self._options = options
        self._context = context
        self._listeners = listeners
        self.roles = tuple(listening.role for listening in listeners)
        self.service = service
        super().__init__()

    def load_config(self) -> None:
        settings = {
            "bind": [f"fd://{listening.descriptor}" for listening in self._listeners],
            "workers": self._options.workers,
            "worker_class": ReviewWorker,
            "worker_connections": _CONNECTIONS,
            "keepalive": int(IDLE_SECONDS),
            "timeout": _STUCK_SECONDS,
            "graceful_timeout": _GRACEFUL_SECONDS,
            "certfile": str(self._options.certificate),
            "keyfile": str(self._options.key),
            "preload_app": True,
            "control_socket_disable": True,
            # Nobody stands between the API server and us.
            "forwarded_allow_ips": "",
            # `auto` would use any package of the name gunicorn_h1c that can be imported.
            "http_parser": "python",
            "proc_name": "aws-iam-authenticator",
            "logger_class": _Log,
            "errorlog": None,
            "when_ready": _freeze,
            "pre_fork": self._forking,
            "post_worker_init": self._start,
            "worker_exit": self._stop,
            "child_exit": self._ended,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[..., Iterable[bytes]]:
        return self.service.wsgi

    def reload(self) -> None:
        """Read the certificate again, for the workers that are started next."""
        self._context.look()
        super().reload()

    def tls(self) -> ssl.SSLContext:
        """What to shake hands with now.

        Made before the fork, so that a TLS session resumes in any worker.
        """
        return self._context.current

    def _forking(self, _arbiter: Arbiter, worker: Worker) -> None:
        # A worker that starts later serves what the others serve, whatever it can read itself.
        self._context.look()
        self.service.forking(int(worker.age))

    def _ended(self, arbiter: Arbiter, worker: Worker) -> None:
        """Clean up after a worker that has ended."""
        ReviewWorker.balance.of(worker.age).clear()
        cast("Supervisor", arbiter).bury(cast("ReviewWorker", worker))

    def _start(self, _worker: Worker) -> None:
        self._context.start(self.service.certificate_loaded)
        self.service.start(self.tls)

    def _stop(self, _arbiter: Arbiter, worker: Worker) -> None:
        # gunicorn calls this in the master too, for a worker that it finds gone.
        if int(worker.pid) == os.getpid():
            self._context.stop()
            self.service.stop()


def _freeze(_arbiter: Arbiter) -> None:
    """Leave what is there before the fork out of collections, which would unshare its memory."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
