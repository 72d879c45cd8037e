"""A whole server, with a use case of its own: `python webhook.py DIRECTORY PORT HEALTH_PORT`.

The token `fast` is answered at once, `gate` when the file DIRECTORY/gate is there.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from authenticator.aws.arns import CallerIdentity, PrincipalArn
from authenticator.errors import ConfigError, TokenRefused
from authenticator.review import Decision
from authenticator.serving.app import build_app
from authenticator.serving.audit import as_json
from authenticator.serving.certificates import ServerCertificate, Wanted, load_or_create
from authenticator.serving.lines import LineWriter
from authenticator.serving.metrics import Metrics
from authenticator.serving.readiness import Readiness
from authenticator.serving.reviews import Answer, Reviews
from authenticator.serving.server import ServeOptions, serve

DIRECTORY = Path(sys.argv[1])


def decide(token: str) -> Decision:
    if token == "gate":
        (DIRECTORY / f"waiting.{os.getpid()}.{time.monotonic_ns()}").touch()
        while not (DIRECTORY / "gate").exists():
            time.sleep(0.01)
    elif token != "fast":
        raise TokenRefused("prefix", "not one of ours")
    identity = CallerIdentity(
        PrincipalArn.parse("arn:aws:iam::111122223333:user/bob"), "AIDA1", "AKIA1"
    )
    decision = SimpleNamespace(
        username=f"worker-{os.getpid()}",
        groups=(),
        identity=identity,
        match=SimpleNamespace(origin="test"),
        source=SimpleNamespace(value="sts"),
    )
    return cast("Decision", decision)


class Login:
    """Leaves everything to a thread, as a login that has to ask STS."""

    def begin(self, token: str) -> Callable[[], Decision]:
        return partial(decide, token)


class Service:
    def __init__(self) -> None:
        metrics = Metrics()
        descriptor = os.open(DIRECTORY / "audit", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._audit = LineWriter(descriptor, as_json, dropped=metrics.audit_dropped)
        reviews = Reviews(login=Login(), metrics=metrics, audit=self._audit.add)
        self.begin_review = reviews.begin
        self.reviews_waiting = metrics.reviews_waiting
        self.wsgi = build_app(reviews.begin, metrics.render, self.readiness, self.validate)

    def validate(self, body: bytes, _remote: str) -> Answer:
        """The size of what was posted; a gate as for tokens."""
        if body.startswith(b"gate"):
            decide("gate")
        return Answer(200, str(len(body)).encode())

    def readiness(self) -> Readiness:
        return Readiness(ready=True, detail=b"{}")

    def certificate_loaded(self, pair: ServerCertificate) -> None:
        (DIRECTORY / f"loaded.{os.getpid()}").write_bytes(pair.pem)

    def start(self) -> None:
        self._audit.start()
        (DIRECTORY / f"started.{os.getpid()}").touch()

    def stop(self) -> None:
        self._audit.stop()
        (DIRECTORY / f"stopped.{os.getpid()}").touch()


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    wanted = Wanted(hostname="localhost", address="127.0.0.1")
    pair = load_or_create(DIRECTORY, wanted, datetime.now(timezone.utc))
    options = ServeOptions(
        address="127.0.0.1",
        port=int(sys.argv[2]),
        health_port=int(sys.argv[3]),
        certificate=pair.certificate,
        key=pair.key,
        workers=2,
        threads=4,
    )
    try:
        serve(options, Service)
    except ConfigError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
