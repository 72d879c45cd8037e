"""Decides who may ask `/validate`: an API server that shows a certificate or knows a secret path.

An unauthenticated peer could otherwise use up the few places for reviews, so that the API server
stores edits without them (`failurePolicy: Ignore`), and ask about mappings
(docs/adr/0020-authenticated-admission.md).
"""

from __future__ import annotations

import hmac
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from authenticator.display import printable
from authenticator.errors import ConfigError
from authenticator.serving.certificates.admission_client import AdmissionClient, certificates
from authenticator.serving.endpoints import SECRET_PATH
from authenticator.timestamps import rfc3339

_LOG = logging.getLogger(__name__)
_SECRET = re.compile(r"[A-Za-z0-9_-]{32,128}", re.ASCII)
# A line for every review would let anyone who can connect fill the log.
_LOG_SECONDS = 60.0
_GUIDE = "docs/admission.md#authenticate-the-api-server"
# Of all unauthenticated peers, while they are answered at all.
_ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Peer:
    """Who asks.

    Attributes:
        address: the IP address.
        authenticated: whether it is an API server that has shown so.
    """

    address: str
    authenticated: bool

    @property
    def share(self) -> str:
        """Whose places it uses: an API server's own, or those of all unauthenticated peers."""
        return self.address if self.authenticated else _ANONYMOUS


@dataclass(frozen=True, slots=True)
class Accepted:
    """A client certificate that counts.

    Attributes:
        der: the certificate.
        begins: the Unix time from which it is valid.
        ends: the Unix time until which it is valid.
    """

    der: bytes
    begins: float
    ends: float


@dataclass(frozen=True, slots=True)
class Credentials:
    """What counts now; replaced whole when a file changes.

    Attributes:
        pem: the certificates as TLS is told to ask for them; empty for none.
        certificates: the certificates.
        secrets: what may follow `/validate/`.
        problems: what keeps a file from counting.
    """

    pem: str = ""
    certificates: tuple[Accepted, ...] = ()
    secrets: tuple[bytes, ...] = ()
    problems: tuple[str, ...] = ()


class CountsPeers(Protocol):
    """Counts who asks; `authenticator.serving.metrics.Metrics` does."""

    def admission(self, result: str, /) -> None:
        """Count one review that is refused."""
        ...

    def anonymous_admission(self) -> None:
        """Count one review of an unauthenticated peer that is answered."""
        ...


class AdmissionPeers:
    """Knows the API servers. Create it before the fork; each worker calls `look` for itself."""

    def __init__(
        self,
        directory: Path,
        secret_file: str = "",
        client_file: str = "",
        *,
        client: AdmissionClient | None = None,
        anonymous: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Read the files.

        Args:
            directory: the state directory, with the certificates of `AdmissionClient`.
            secret_file: a file of secrets, one on a line; "" for none.
            client_file: a file of further certificates (PEM); "" for none.
            client: issues and replaces the certificate of the state directory; None if that, like
                the kubeconfig with it, is written by others.
            anonymous: whether an unauthenticated peer is answered too.
            clock: Unix time.
        """
        self._directory = directory
        self._client = client
        self._client_file = Path(client_file) if client_file else None
        self._secret_file = Path(secret_file) if secret_file else None
        self._anonymous = anonymous
        self._clock = clock
        self._metrics: CountsPeers | None = None
        self._last: dict[bool, float] = {}
        self._logged = -_LOG_SECONDS
        self.credentials = Credentials()
        self.look()

    def count(self, metrics: CountsPeers) -> None:
        """Count from now on."""
        self._metrics = metrics

    def look(self) -> None:
        """Read the files again. A file that cannot be used counts for nothing, and is reported."""
        problems: list[str] = []
        self._follow(problems)
        issued = self._certificates(problems)
        accepted = tuple(_accepted(found) for found in issued)
        pem = "".join(found.public_bytes(Encoding.PEM).decode("ascii") for found in issued)
        secrets = self._secrets(problems)
        for problem in problems:
            if problem not in self.credentials.problems:
                _LOG.warning("the admission webhook: %s", problem)
        self.credentials = Credentials(pem, accepted, secrets, tuple(problems))

    def identify(self, certificate: bytes | None, path: str, address: str) -> Peer | None:
        """Return who posts a review, or None for an unauthenticated peer that is refused.

        Args:
            certificate: the client certificate (DER) of the TLS session, whose key the peer has
                proven to hold. A resumed session has the one of its first handshake, so that the
                certificate has to count now.
            path: of the request.
            address: of the peer.
        """
        now = self._clock()
        if self._shows_certificate(certificate, now) or self._knows_secret(path):
            self._last[True] = now
            return Peer(address, authenticated=True)
        # Whoever tries secrets learns nothing from the answer, be there one or not.
        if self._anonymous and not path.startswith(SECRET_PATH):
            self._tell(address, now, "is answered for now (anonymousAdmission)")
            if self._metrics:
                self._metrics.anonymous_admission()
            return Peer(address, authenticated=False)
        self._last[False] = now
        self._tell(address, now, "is refused")
        if self._metrics:
            self._metrics.admission("unauthenticated")
        return None

    def detail(self) -> dict[str, Any]:
        """Return what `/readyz` shows."""
        known = self.credentials
        return {
            "clientCertificatesEnd": [rfc3339(found.ends) for found in known.certificates],
            "secretPath": bool(known.secrets),
            "anonymous": self._anonymous,
            "lastAuthenticated": _rfc3339(self._last.get(True)),
            "lastRefused": _rfc3339(self._last.get(False)),
            "problems": list(known.problems),
        }

    @property
    def certificate_ends(self) -> float:
        """The Unix time until which API servers can show a certificate; 0 if there is none."""
        return max((found.ends for found in self.credentials.certificates), default=0.0)

    def _shows_certificate(self, certificate: bytes | None, now: float) -> bool:
        return certificate is not None and any(
            known.der == certificate and known.begins <= now <= known.ends
            for known in self.credentials.certificates
        )

    def _knows_secret(self, path: str) -> bool:
        if not path.startswith(SECRET_PATH):
            return False
        said = path[len(SECRET_PATH) :].encode("utf-8", "surrogateescape")
        # All of them, whichever fits: the time tells nothing.
        fits = [hmac.compare_digest(said, secret) for secret in self.credentials.secrets]
        return any(fits)

    def _tell(self, address: str, now: float, outcome: str) -> None:
        if now - self._logged < _LOG_SECONDS:
            return
        self._logged = now
        _LOG.warning(
            "an AdmissionReview from %s %s: it came with neither the client certificate nor the"
            " secret path. If this is an API server, it stores edits of the mappings unchecked"
            " while it is refused (failurePolicy Ignore); see %s",
            address,
            outcome,
            _GUIDE,
        )

    def _follow(self, problems: list[str]) -> None:
        """Issue or replace the certificate; logins do not depend on it."""
        try:
            if self._client and self._client.is_behind():
                self._client.follow(datetime.fromtimestamp(self._clock(), timezone.utc))
        except ConfigError as error:
            problems.append(str(error))

    def _certificates(self, problems: list[str]) -> list[x509.Certificate]:
        paths = certificates(self._directory)
        if self._client_file:
            paths.append(self._client_file)
        return [found for path in paths for found in _read(path, problems)]

    def _secrets(self, problems: list[str]) -> tuple[bytes, ...]:
        if self._secret_file is None:
            return ()
        try:
            lines = self._secret_file.read_text("ascii").split()
        except OSError as error:
            problems.append(f"{self._secret_file} cannot be read: {error.strerror}")
            return ()
        except ValueError:
            lines = []
        good = tuple(line.encode("ascii") for line in lines if _SECRET.fullmatch(line))
        if not good or len(good) < len(lines):
            problems.append(
                f"{printable(str(self._secret_file))}: each line must be a secret of 32 to 128"
                " letters, digits, - and _ (`openssl rand -hex 32`)"
            )
        return good


def _read(path: Path, problems: list[str]) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        problems.append(f"{path} cannot be read: {error.strerror}")
    except ValueError:
        problems.append(f"{path} is not a PEM certificate")
    return []


def _accepted(found: x509.Certificate) -> Accepted:
    return Accepted(
        found.public_bytes(Encoding.DER),
        found.not_valid_before_utc.timestamp(),
        found.not_valid_after_utc.timestamp(),
    )


def _rfc3339(unix: float | None) -> str | None:
    return None if unix is None else rfc3339(unix)
