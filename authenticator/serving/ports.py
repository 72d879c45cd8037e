"""The sockets to listen on: those that a supervisor has passed, or else our own.

A supervisor that holds them, as systemd does with a socket unit, keeps the ports open while the
server is replaced, even when it was killed: clients wait for the next one instead of being refused.
Where nobody holds them, the next server can be started beside the one that is to go
(docs/adr/0014-high-availability.md).
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from dataclasses import dataclass
from enum import Enum
from typing import Any

from gunicorn import systemd

from authenticator.errors import ConfigError

_LOG = logging.getLogger(__name__)
_BACKLOG = 1024
# Of both families, where the host has both.
EVERY_ADDRESS = "::"


class Role(Enum):
    """A listening socket's part, in the order in which a supervisor passes the sockets."""

    REVIEWS = "reviews"
    HEALTH = "health"
    METRICS = "metrics"


_FLAGS = {
    Role.REVIEWS: "--address and --port",
    Role.HEALTH: "--address and --health-port",
    Role.METRICS: "--metrics-address",
}


@dataclass(frozen=True, slots=True)
class Listening:
    """A listening socket.

    Attributes:
        role: what it serves.
        descriptor: its file descriptor.
        place: its address and port, as in a URL.
    """

    role: Role
    descriptor: int
    place: str


def listen(
    address: str, port: int, health_port: int, metrics: tuple[str, int] | None = None
) -> list[Listening]:
    """Return the listening sockets, that for reviews first.

    Args:
        address: the IP address to listen on; `::` is every address of both families.
        port: the TCP port of HTTPS.
        health_port: the TCP port of plain `/healthz` and `/readyz`; 0 for none.
        metrics: the address and TCP port of plain `/metrics`; None for none.

    Raises:
        ConfigError: the address or port cannot be used.
    """
    passed = systemd.listen_fds()
    if passed:
        # In the order of the unit's ListenStream= (sd_listen_fds(3)).
        first = systemd.SD_LISTEN_FDS_START
        pairs = zip(Role, range(first, first + passed), strict=False)
        return [Listening(role, descriptor, _place(descriptor)) for role, descriptor in pairs]
    listeners = [_listen(Role.REVIEWS, address, port)]
    if health_port:
        listeners += _listen_if_free(Role.HEALTH, address, health_port)
    if metrics is not None:
        listeners += _listen_if_free(Role.METRICS, *metrics)
    return listeners


def _listen(role: Role, address: str, port: int) -> Listening:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        # A host without IPv6 has no such socket either.
        with _socket(family, address) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _bind(sock, _resolved(sock.family, address, port), port)
            sock.listen(_BACKLOG)
            descriptor = sock.detach()
    except OSError as error:
        problem = (
            f"cannot listen on {address} port {port}: {error.strerror or error};"
            f" choose others with {_FLAGS[role]}, or stop what listens there"
        )
        raise ConfigError((problem,)) from error
    return Listening(role, descriptor, _place(descriptor))


def _socket(family: socket.AddressFamily, address: str) -> socket.socket:
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        # Linux started with `ipv6.disable=1`: every address is then an IPv4 one.
        if address != EVERY_ADDRESS or error.errno != errno.EAFNOSUPPORT:
            raise
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if address == EVERY_ADDRESS:
        # Whatever the host's default is (ipv6(7), /proc/sys/net/ipv6/bindv6only).
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    return sock


def _resolved(family: int, address: str, port: int) -> Any:
    """Return the socket address of `address`, with the scope of a link-local one."""
    if family == socket.AF_INET and address == EVERY_ADDRESS:
        address = "0.0.0.0"  # noqa: S104 (what was asked for)
    return socket.getaddrinfo(address, port, family, socket.SOCK_STREAM)[0][4]


def _place(descriptor: int) -> str:
    with socket.socket(fileno=os.dup(descriptor)) as sock:
        host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _bind(sock: socket.socket, address: Any, port: int) -> None:
    """Bind, beside another server of this user's if there is one.

    Linux lets sockets share a port only if all of them ask for it and belong to one user
    (socket(7), SO_REUSEPORT), so that no other program can listen in.
    """
    try:
        sock.bind(address)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address)
        _LOG.warning("sharing port %d with another server of this user, until that ends", port)
    else:
        # For the one that comes after us.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def _listen_if_free(role: Role, address: str, port: int) -> list[Listening]:
    try:
        return [_listen(role, address, port)]
    except ConfigError as error:
        _LOG.warning("serving without the %s port: %s", role.value, error)
        return []
