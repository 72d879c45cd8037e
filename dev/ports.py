"""Free TCP ports for programs that take a port number."""

from __future__ import annotations

import contextlib
import random
import socket
from pathlib import Path

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_240
# Linux's default, for systems that do not tell.
_LOWEST_EPHEMERAL = 32_768


def free_port() -> int:
    """Return a random TCP port on which no program listens.

    The port lies below the range from which the kernel gives ports to outgoing connections: one of
    them could otherwise take it before the program that the port is for.
    """
    numbers = range(_LOWEST, max(_lowest_ephemeral(), _LOWEST + 1_000))
    while True:
        number = random.choice(numbers)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", number))
            return number


def _lowest_ephemeral() -> int:
    try:
        return int(_EPHEMERAL.read_text("ascii").split()[0])
    except (OSError, ValueError):
        return _LOWEST_EPHEMERAL
