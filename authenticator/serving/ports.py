"""The sockets to listen on: those that a supervisor has passed, or else our own.

A supervisor that holds them, as systemd does with a socket unit, keeps the ports open while the
server is replaced, even when it was killed: clients wait for the next one instead of being refused.
Where nobody holds them, the next server can be started beside the one that is to go
(docs/adr/0014-high-availability.md).
"""

from __future__ import annotations

import errno
import logging
import socket

from gunicorn import systemd

from authenticator.errors import ConfigError

_LOG = logging.getLogger(__name__)
_BACKLOG = 1024


def listen(address: str, port: int, health_port: int) -> list[int]:
    """Give the descriptors of listening sockets: that for TLS, then that of the health port if any.

    Args:
        address: the IP address to listen on.
        port: the TCP port of HTTPS.
        health_port: the TCP port of plain `/healthz` and `/readyz`; 0 for none.

    Raises:
        ConfigError: the address or port cannot be used.
    """
    passed = systemd.listen_fds()
    if passed:
        # In the order of the unit's ListenStream= (sd_listen_fds(3)).
        first = systemd.SD_LISTEN_FDS_START
        return list(range(first, first + passed))
    listeners = [_listen(address, port)]
    if health_port:
        listeners += _listen_if_free(address, health_port)
    return listeners


def _listen(address: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        # A host without IPv6 has no such socket either.
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _bind(sock, address, port)
            sock.listen(_BACKLOG)
            return sock.detach()
    except OSError as error:
        problem = (
            f"cannot listen on {address} port {port}: {error.strerror or error};"
            " choose others with --address and --port or --health-port, or stop what listens there"
        )
        raise ConfigError((problem,)) from error


def _bind(sock: socket.socket, address: str, port: int) -> None:
    """Bind, beside another server of this user's if there is one.

    Linux lets sockets share a port only if all of them ask for it and belong to one user
    (socket(7), SO_REUSEPORT), so that no other program can listen in.
    """
    try:
        sock.bind((address, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((address, port))
        _LOG.warning("sharing port %d with another server of this user, until that ends", port)
    else:
        # For the one that comes after us.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def _listen_if_free(address: str, port: int) -> list[int]:
    try:
        return [_listen(address, port)]
    except ConfigError as error:
        _LOG.warning("serving without the health port: %s", error)
        return []
