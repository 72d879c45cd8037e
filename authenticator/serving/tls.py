"""The TLS that we speak: 1.2 and 1.3, and HTTP/1.1 only."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from authenticator.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


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
