import socket
from pathlib import Path

import pytest

from dev import ports


def test_no_outgoing_connection_can_take_a_free_port() -> None:
    """The kernel gave it to a connection of a test that ran at the same time."""
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert not any(first <= ports.free_port() <= last for _ in range(200))


def test_a_port_on_which_a_program_listens_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", ports.free_port())) as taken:
        number: int = taken.getsockname()[1]
        offered = [number, number, number - 1, number + 1]
        monkeypatch.setattr("random.choice", lambda _: offered.pop(0))
        assert ports.free_port() != number


def test_the_range_is_below_that_of_outgoing_connections_wherever_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ip_local_port_range"
    monkeypatch.setattr(ports, "_EPHEMERAL", file)
    assert ports._lowest_ephemeral() == 32_768
    file.write_text("15000\t65000\n")
    assert ports._lowest_ephemeral() == 15_000
