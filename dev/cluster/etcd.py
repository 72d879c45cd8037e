"""etcd, the store behind the API server."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any

from dev.cluster.process import HeldPort, Process
from dev.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from pathlib import Path


class Etcd:
    """One etcd. What it holds survives `stop` and `start`."""

    def __init__(self, binary: Path, directory: Path, address: str = "127.0.0.1") -> None:
        directory.mkdir(parents=True)
        self._address = address
        self._port = HeldPort(address)
        self.url = f"http://{address}:{self._port.number}"
        self._process = Process(
            [
                binary,
                f"--data-dir={directory / 'data'}",
                f"--listen-client-urls={self.url}",
                f"--advertise-client-urls={self.url}",
                # A cluster of one has no peers to listen to.
                "--listen-peer-urls=http://127.0.0.1:0",
                "--socket-reuse-port",
                # Nothing here has to outlive the machine's next crash.
                "--unsafe-no-fsync",
                "--log-level=warn",
            ],
            log=directory / "etcd.log",
        )

    def start(self) -> None:
        """Start it and wait until it serves. Raises ProcessError."""
        self._process.start(self._is_healthy)

    def stop(self) -> None:
        """Stop it, keeping its data."""
        self._process.stop()

    def close(self) -> None:
        """Stop it for good."""
        self.stop()
        self._port.close()

    def compact(self) -> None:
        """Forget every revision but the current one (etcd API, maintenance of history)."""
        # Any key will do: the answer's header carries the revision.
        now = self._post("/v3/kv/range", {"key": "AA=="})["header"]["revision"]
        self._post("/v3/kv/compaction", {"revision": now, "physical": True})

    def _is_healthy(self) -> bool:
        try:
            return self._request("GET", "/health", seconds=10)[0] == http.HTTPStatus.OK
        except OSError:
            return False

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        status, answer = self._request("POST", path, json.dumps(body))
        if status != http.HTTPStatus.OK:
            raise RuntimeError(f"etcd answered {path} with {status}: {answer.decode()}")
        return json.loads(answer)

    def _request(
        self,
        method: str,
        path: str,
        body: str | None = None,
        *,
        seconds: float = PATIENCE_SECONDS,
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._address, self._port.number, timeout=seconds)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
