import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.netns import Host, Network

pytestmark = pytest.mark.debian


@pytest.fixture
def network() -> Iterator[Network]:
    with Network("192.0.2") as made:
        yield made


def listen(host: Host, address: str) -> socket.socket:
    with host.entered():
        return socket.create_server((address, 0))


def test_hosts_reach_each_other_until_a_cable_is_pulled(network: Network) -> None:
    with Host() as here, Host() as there:
        network.plug_in(here)
        with listen(there, network.plug_in(there)) as server, here.entered():
            socket.create_connection(server.getsockname(), timeout=30).close()
            network.pull(there)
            with pytest.raises(OSError, match=r"timed out|unreachable|No route"):
                socket.create_connection(server.getsockname(), timeout=0.3)
            network.put_back(there)
            socket.create_connection(server.getsockname(), timeout=30).close()


def test_each_host_has_a_loopback_of_its_own() -> None:
    with Host() as one, Host() as other, listen(one, "127.0.0.1") as server:
        with one.entered():
            socket.create_connection(server.getsockname(), timeout=30).close()
        with other.entered(), pytest.raises(ConnectionRefusedError):
            socket.create_connection(server.getsockname(), timeout=30)


def test_whoever_enters_a_host_comes_back(network: Network) -> None:
    def place() -> Path:
        return Path("/proc/thread-self/ns/net").readlink()

    home = place()
    with Host() as host:
        network.plug_in(host)
        with host.entered():
            assert place() != home
        with contextlib.suppress(KeyError), host.entered():
            raise KeyError
    assert place() == home
