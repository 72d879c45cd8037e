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

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Make the server's side of TLS.

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
    return context


class LiveContext:
    """The TLS context of new connections, made anew when the certificate's file changes.

    Open connections go on with what they have. Files that cannot be used, or do not fit together
    because only one of them has been replaced yet, leave the context in use as it is.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        """Make the first context.

        Raises:
            ConfigError: the certificate and key cannot be used.
        """
        self._files = certificate, key
        self._pair, self._context = self._made()
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
        try:
            if self._files[0].read_bytes() == self._pair.pem:
                self._fault = ""
                return
            self._pair, self._context = self._made()
        except (ConfigError, OSError) as error:
            if str(error) != self._fault:
                self._fault = str(error)
                _LOG.warning("keeping the certificate in use: %s", error)
            return
        _LOG.info("serving a new certificate, which is valid until %s", self._pair.ends.isoformat())
        self._on_load(self._pair)

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            self.look()

    def _made(self) -> tuple[ServerCertificate, ssl.SSLContext]:
        return load(*self._files, datetime.now(timezone.utc)), server_context(*self._files)
