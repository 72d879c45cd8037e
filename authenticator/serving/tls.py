"""The TLS that we speak: 1.2 and 1.3, and HTTP/1.1 only."""

from __future__ import annotations

import logging
import ssl
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from authenticator.background import BackgroundThread
from authenticator.errors import ConfigError
from authenticator.serving.certificates.pair import ServerCertificate, load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from authenticator.serving.admission_peers import AdmissionPeers

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0


# X509_V_FLAG_NO_CHECK_TIME (x509_vfy.h), which the module `ssl` does not name.
_NO_CHECK_TIME = 0x200000


def server_context(certificate: Path, key: Path, clients: str = "") -> ssl.SSLContext:
    """Make the server's side of TLS.

    Args:
        certificate: the PEM file of the certificate chain.
        key: the PEM file of its key.
        clients: the PEM of the client certificates that count. A client is asked for one, and may
            show none; with another one the handshake fails. One that has expired is left to
            `AdmissionPeers`, whose refusal can be seen, and which looks at each request.

    Raises:
        ConfigError: the certificate and key cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # For TLS 1.2; those of 1.3 are all good and not affected.
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    # A client that knows HTTP/2 as well, as the API server does, speaks HTTP/1.1 then.
    context.set_alpn_protocols(["http/1.1"])
    # Clients would make us work for nothing (CVE-2011-1473).
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        problem = f"{certificate}, {key}: TLS cannot use them: {error.strerror or error}"
        raise ConfigError((problem,)) from error
    if clients:
        context.verify_mode = ssl.CERT_OPTIONAL
        # Each certificate counts by itself, also one that a CA has signed which is not among them.
        context.verify_flags |= _NO_CHECK_TIME | ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=clients)
    return context


class LiveContext:
    """The TLS context of new connections, made anew when the certificate's file changes.

    Open connections go on with what they have. Files that cannot be used, or do not fit together
    because only one of them has been replaced yet, leave the context in use as it is.
    """

    def __init__(self, certificate: Path, key: Path, peers: AdmissionPeers) -> None:
        """Make the first context.

        Args:
            certificate: the PEM file of the certificate chain.
            key: the PEM file of its key.
            peers: knows the client certificates that count; told to look at its files too.

        Raises:
            ConfigError: the certificate and key cannot be used.
        """
        self._files = certificate, key
        self._peers = peers
        self._pair, self._context, self._clients = self._made()
        self._fault = ""
        self._on_load: Callable[[ServerCertificate], None] = lambda _pair: None
        self._stop = threading.Event()
        self._thread = BackgroundThread(self._run, "certificate")

    @property
    def current(self) -> ssl.SSLContext:
        """What to shake hands with now."""
        return self._context

    def start(self, on_load: Callable[[ServerCertificate], None]) -> None:
        """Follow the files from a thread.

        Args:
            on_load: told of the pair in use, now and whenever another has taken its place.
        """
        self._on_load = on_load
        on_load(self._pair)
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """Stop following. Without effect if not started."""
        self._stop.set()
        self._thread.join()

    def look(self) -> None:
        """Look at the files once."""
        self._peers.look()
        clients = self._peers.credentials.pem
        try:
            pem = self._files[0].read_bytes()
            if pem == self._pair.pem and clients == self._clients:
                self._fault = ""
                return
            before = self._pair
            self._pair, self._context, self._clients = self._made()
        except (ConfigError, OSError) as error:
            if str(error) != self._fault:
                self._fault = str(error)
                _LOG.warning("keeping the certificate in use: %s", error)
            return
        if self._pair.pem != before.pem:
            ends = self._pair.ends.isoformat()
            _LOG.info("serving a new certificate, which is valid until %s", ends)
        self._on_load(self._pair)

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            self.look()

    def _made(self) -> tuple[ServerCertificate, ssl.SSLContext, str]:
        clients = self._peers.credentials.pem
        pair = load(*self._files, datetime.now(timezone.utc))
        return pair, server_context(*self._files, clients), clients
