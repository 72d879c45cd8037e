"""A whole server with a use case for tests: `python webhook.py DIRECTORY PORT HEALTH_PORT`.

The token `fast` is answered at once, `gate` when the file DIRECTORY/gate is there; so is the path
`/gate`, by the WSGI application.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from authenticator.aws.arns import CallerIdentity, PrincipalArn
from authenticator.errors import ConfigError, TokenRefused
from authenticator.login import Pending
from authenticator.mapping.rules import Match
from authenticator.review import Decision
from authenticator.serving import endpoints
from authenticator.serving.admission_peers import AdmissionPeers, Peer
from authenticator.serving.app import build_app
from authenticator.serving.audit import as_json
from authenticator.serving.certificates.admission_client import AdmissionClient
from authenticator.serving.certificates.pair import ServerCertificate, Wanted, load_or_create
from authenticator.serving.lines import LineWriter
from authenticator.serving.metrics import CONTENT_TYPE, Metrics
from authenticator.serving.readiness import Readiness
from authenticator.serving.reviews import Answer, Reviews
from authenticator.serving.server import ServeOptions, serve
from authenticator.verdicts.verdict import Source

DIRECTORY = Path(sys.argv[1])
SECRET = DIRECTORY / "secret"
PEERS = AdmissionPeers(DIRECTORY, str(SECRET) if SECRET.exists() else "")


def wait_at_gate() -> Iterator[float]:
    """Mark that something waits, and yield the seconds to pause until the gate is open."""
    (DIRECTORY / f"waiting.{os.getpid()}.{time.monotonic_ns()}").touch()
    while not (DIRECTORY / "gate").exists():
        yield 0.01


def decide(token: str) -> Decision:
    if token not in ("fast", "gate"):
        raise TokenRefused("prefix", "not one of ours")
    identity = CallerIdentity(
        PrincipalArn.parse("arn:aws:iam::111122223333:user/bob"), "AIDA1", "AKIA1"
    )
    match = cast("Match", SimpleNamespace(origin="test", reason=""))
    return Decision(f"worker-{os.getpid()}", (), identity, match, Source.STS)


class Login:
    """Waits for everything, as a login that has to ask STS."""

    def begin(self, token: str) -> Pending:
        return cast("Pending", token)

    async def finish(self, pending: Pending) -> Decision:
        token = str(pending)
        if token == "gate":
            for seconds in wait_at_gate():
                await asyncio.sleep(seconds)
        return decide(token)


class Service:
    def __init__(self) -> None:
        metrics = Metrics()
        descriptor = os.open(DIRECTORY / "audit", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._audit = LineWriter(descriptor, as_json, dropped=metrics.audit_dropped)
        self.reviews = Reviews(login=Login(), metrics=metrics, audit=self._audit.add)
        self.handlers = {
            endpoints.METRICS: endpoints.metrics(metrics.render, CONTENT_TYPE),
            endpoints.HEALTHZ: endpoints.healthz(lambda: ()),
            endpoints.READYZ: endpoints.readyz(lambda: Readiness(ready=True, detail=b"{}")),
        }
        self.look = metrics.flush
        self.refused = metrics.refused
        self.forking = metrics.forking
        self.ended = metrics.ended
        self.untrusted_client = metrics.untrusted_client
        PEERS.count(metrics)
        self.identify = PEERS.identify
        self._app = build_app(self.handlers, self.refused)

    def wsgi(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/gate":
            for seconds in wait_at_gate():
                time.sleep(seconds)
        return self._app(environ, start_response)

    def validate(self, body: bytes, _peer: Peer) -> Answer:
        """The size of what was posted; a gate as for tokens."""
        if body.startswith(b"gate"):
            for seconds in wait_at_gate():
                time.sleep(seconds)
        return Answer(200, str(len(body)).encode())

    def certificate_loaded(self, pair: ServerCertificate) -> None:
        (DIRECTORY / f"loaded.{os.getpid()}").write_bytes(pair.pem)

    def start(self, _context: object) -> None:
        self._audit.start()
        (DIRECTORY / f"started.{os.getpid()}").touch()

    def stop(self) -> None:
        self._audit.stop()
        (DIRECTORY / f"stopped.{os.getpid()}").touch()


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    wanted = Wanted(hostname="localhost", address="127.0.0.1")
    pair = load_or_create(DIRECTORY, wanted, datetime.now(timezone.utc))
    AdmissionClient(DIRECTORY, DIRECTORY / "admission.kubeconfig", "localhost", 1).follow(
        datetime.now(timezone.utc)
    )
    PEERS.look()
    options = ServeOptions(
        address="127.0.0.1",
        port=int(sys.argv[2]),
        health_port=int(sys.argv[3]),
        certificate=pair.certificate,
        key=pair.key,
        workers=2,
        peers=PEERS,
    )
    try:
        serve(options, Service)
    except ConfigError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
