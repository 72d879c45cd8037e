"""Posts reviews to a webhook, with what its kubeconfig says and nothing else."""

from __future__ import annotations

import base64
import http
import http.client
import json
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self


class NobodyThereError(ConnectionError):
    """No connection came about, so that nothing has been posted."""


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    status: int
    body: bytes

    @property
    def user(self) -> dict[str, Any] | None:
        """Whom a TokenReview grants; None if it denies. Raises AssertionError if it is none."""
        if self.status != http.HTTPStatus.OK:
            raise AssertionError(self)
        status = json.loads(self.body)["status"]
        return status["user"] if status["authenticated"] else None


class Poster:
    """One connection, which is kept for as long as the server keeps it, and then made anew."""

    def __init__(self, kubeconfig: Path) -> None:
        cluster = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=authority)
        url = urlsplit(cluster["server"])
        self._path = url.path
        self._connection = http.client.HTTPSConnection(url.netloc, timeout=30, context=context)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def review(self, token: str) -> Answer:
        """Post a TokenReview as the API server does. Raises OSError, HTTPException."""
        document = {
            "kind": "TokenReview",
            "apiVersion": "authentication.k8s.io/v1",
            "spec": {"token": token},
        }
        return self.post(json.dumps(document).encode())

    def post(self, body: bytes) -> Answer:
        """Post anything to the webhook's URL. Raises OSError, HTTPException."""
        return self._request("POST", f"{self._path}?timeout=30s", body)

    def get(self, path: str) -> Answer:
        """Ask for `/healthz`, `/readyz` or `/metrics`. Raises OSError, HTTPException."""
        return self._request("GET", path)

    def _request(self, method: str, path: str, body: bytes | None = None) -> Answer:
        try:
            if self._connection.sock is None:
                self._connect()
            self._connection.request(method, path, body)
            response = self._connection.getresponse()
            return Answer(response.status, response.read())
        except BaseException:
            self._connection.close()  # or else it would go on where it failed
            raise

    def _connect(self) -> None:
        try:
            self._connection.connect()
        except OSError as error:
            # Refused; or reset before TLS was agreed on, by a server that closes its socket.
            raise NobodyThereError(str(error)) from error
