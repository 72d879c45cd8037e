"""Hosts and networks of Linux network namespaces, whose cables can be pulled. Needs root.

    with Network("192.0.2") as network:
        host = Host()
        address = network.plug_in(host)
        with host.entered():
            ...  # sockets, threads and programs made here are that host's
        network.pull(host)

The namespaces have no names: each lasts for as long as a process or descriptor of ours is in it, so
that nothing stays behind however we end. Nothing of the machine's own network is touched.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from typing import TYPE_CHECKING

from dev import debian

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from typing_extensions import Self

_CLONE_NEWNET = 0x40000000  # linux/sched.h
_OURS = "/proc/thread-self/ns/net"
_PREFIX_LENGTH = 24


class NamespacesError(Exception):
    """Namespaces cannot be had; the message says what is needed."""


class Host:
    """A host, with nothing but its loopback.

    Raises:
        NamespacesError: there can be none here.

    Attributes:
        namespace: the descriptor of its network namespace.
    """

    def __init__(self) -> None:
        with _coming_back():
            _call("unshare", _CLONE_NEWNET)
            self.namespace = os.open(_OURS, os.O_RDONLY | os.O_CLOEXEC)
            self.ip("link", "set", "lo", "up")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.namespace)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Be on this host, in this thread and in whatever it starts meanwhile."""
        with _coming_back():
            _call("setns", self.namespace, _CLONE_NEWNET)
            yield

    def ip(self, *arguments: str, passing: Sequence[int] = ()) -> None:
        """Run `ip` on this host, with some descriptors of ours."""
        with self.entered():
            subprocess.run([debian.find("ip"), *arguments], check=True, pass_fds=passing)


class Network(contextlib.ExitStack):
    """A switch, the hosts on it, and a cable to each.

    Args:
        prefix: the first three bytes of the addresses, such as "192.0.2".
    """

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix
        self._ports: dict[Host, str] = {}
        self._switch = self.enter_context(Host())
        self._switch.ip("link", "add", "switch", "type", "bridge")
        self._switch.ip("link", "set", "switch", "up")

    def plug_in(self, host: Host) -> str:
        """Run a cable to a host, and give the host's address on this network."""
        number = len(self._ports) + 1
        port, card = f"port{number}", "net" + self._prefix.replace(".", "-")
        address = f"{self._prefix}.{number}"
        there = ("name", card, "netns", f"/proc/self/fd/{host.namespace}")
        cable = ("link", "add", port, "master", "switch", "type", "veth", "peer", *there)
        self._switch.ip(*cable, passing=[host.namespace])
        self._switch.ip("link", "set", port, "up")
        host.ip("address", "add", f"{address}/{_PREFIX_LENGTH}", "dev", card)
        host.ip("link", "set", card, "up")
        self._ports[host] = port
        return address

    def pull(self, host: Host) -> None:
        """Pull a host's cable: what it sends is lost, and it gets nothing."""
        self._switch.ip("link", "set", self._ports[host], "down")

    def put_back(self, host: Host) -> None:
        """Plug the cable in again."""
        self._switch.ip("link", "set", self._ports[host], "up")


def with_file(file: Path, place: str) -> list[str]:
    """Return a program and its arguments that start a command which sees `file` at `place`.

    The command gets a mount namespace, so that the machine's own file stays as it is.
    """
    script = 'mount --bind "$0" "$1" && shift && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, str(file), place]


@contextlib.contextmanager
def _coming_back() -> Iterator[None]:
    """Be where this thread was before, in the end."""
    home = os.open(_OURS, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Before anything else: who could not come back must not leave.
        _call("setns", home, _CLONE_NEWNET)
        try:
            yield
        finally:
            _call("setns", home, _CLONE_NEWNET)
    finally:
        os.close(home)


def _call(name: str, *arguments: int) -> None:
    """Call a function of the C library that Python has from 3.12 on only."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        problem = os.strerror(ctypes.get_errno())
        raise NamespacesError(
            f"no network namespaces here ({name}: {problem}): run as root, or, where ordinary"
            " users may have namespaces, as `unshare --user --map-root-user --net sh -c"
            " 'ip link set lo up && .venv/bin/python -m pytest tests/e2e/ha'`"
        )
