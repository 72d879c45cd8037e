"""Runs the installed server in a process of its own, for the demo and for tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

COMMAND = Path(sys.executable).with_name("aws-iam-authenticator")
_START_SECONDS = 30.0


class ServerError(Exception):
    """The server did not start; the message holds the end of its log."""


class Server:
    """A running server with all of its files under one directory.

    Attributes:
        kubeconfig: the webhook kubeconfig that it generated.
        log: what it writes, the audit lines included.
    """

    def __init__(self, directory: Path, config: Path, environment: Mapping[str, str]) -> None:
        self.kubeconfig = directory / "webhook.kubeconfig"
        self.log = directory / "server.log"
        self._state = directory / "state"
        self._config = config
        self._environment = environment
        self._port, self._health_port = _free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            ServerError: it ended, or does not answer.
        """
        command = [
            str(COMMAND), "server", "--config", str(self._config), "--log-format", "json",
            "--port", str(self._port), "--health-port", str(self._health_port),
            "--state-dir", str(self._state), "--generate-kubeconfig", str(self.kubeconfig),
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env={**os.environ, **self._environment}, stdout=log, stderr=log
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                tail = self.log.read_text()[-2000:]
                self.stop()
                raise ServerError(f"the server did not start:\n{tail}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it, and wait until it has answered what it was asked."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=30)
            self._process = None

    def review(self, token: str, version: str = "v1") -> dict[str, Any]:
        """Post a TokenReview as an API server does, and return the answer's status."""
        review = {
            "kind": "TokenReview",
            "apiVersion": f"authentication.k8s.io/{version}",
            "metadata": {},
            "spec": {"token": token},
            "status": {"user": {}},
        }
        answer = self._fetch("/authenticate?timeout=30s", json.dumps(review).encode())
        status: dict[str, Any] = json.loads(answer)["status"]
        return status

    def audit(self) -> Iterator[dict[str, Any]]:
        """The audit lines so far."""
        for line in self.log.read_text().splitlines():
            with contextlib.suppress(ValueError):
                record = json.loads(line)
                if isinstance(record, dict) and record.get("event") == "review":
                    yield record

    def _answers(self) -> bool:
        try:
            return self._fetch("/healthz") == b"ok"
        except OSError:
            return False

    def _fetch(self, path: str, body: bytes | None = None) -> bytes:
        context = ssl.create_default_context(cafile=self._state / "cert.pem")
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"https://localhost:{self._port}{path}", body, headers)
        no_proxy = urllib.request.ProxyHandler({})
        opener = urllib.request.build_opener(no_proxy, urllib.request.HTTPSHandler(context=context))
        with opener.open(request, timeout=30) as response:
            content: bytes = response.read()
            return content


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [
            held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)
        ]
        return [listening.getsockname()[1] for listening in sockets]
