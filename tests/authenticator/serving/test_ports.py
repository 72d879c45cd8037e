import os
import socket
import subprocess
import sys

import pytest

from authenticator.errors import ConfigError
from authenticator.serving import ports
from dev.ports import free_port

_SAY_PORTS = """
import socket
from authenticator.serving import ports
from dev.ports import free_port
for listening in ports.listen("127.0.0.1", 1, 1):
    print(listening.role.value, socket.socket(fileno=listening.descriptor).getsockname()[1])
"""


def listening(port: int, health_port: int = 0) -> list[socket.socket]:
    made = ports.listen("127.0.0.1", port, health_port)
    return [socket.socket(fileno=listening.descriptor) for listening in made]


@pytest.mark.parametrize("roles", [["reviews", "health"], ["reviews", "health", "metrics"]])
def test_what_a_supervisor_has_passed_is_listened_on_in_its_order(roles: list[str]) -> None:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in roles]
    wanted = [sock.getsockname()[1] for sock in held]
    arguments = [",".join(str(sock.fileno()) for sock in held), sys.executable, "-c", _SAY_PORTS]
    said = subprocess.run(
        [sys.executable, "dev/socket_unit.py", *arguments],
        pass_fds=[sock.fileno() for sock in held],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    for sock in held:
        sock.close()
    assert [line.split() for line in said.splitlines()] == [
        [role, str(port)] for role, port in zip(roles, wanted, strict=True)
    ]


def test_what_was_passed_to_another_process_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_PID", str(os.getppid()))
    port = free_port()
    [sock] = listening(port)
    with sock:
        assert sock.getsockname()[1] == port


def test_the_next_server_listens_beside_the_one_that_is_to_go(
    caplog: pytest.LogCaptureFixture,
) -> None:
    port = free_port()
    [old] = listening(port)
    [new] = listening(port)
    assert f"sharing port {port} with another server of this user" in caplog.text
    old.close()
    with new, socket.create_connection(("127.0.0.1", port)):
        new.accept()[0].close()


def test_no_port_is_shared_with_another_program() -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    with taken, pytest.raises(ConfigError, match="Address already in use"):
        ports.listen("127.0.0.1", taken.getsockname()[1], 0)


def test_nobody_else_can_listen_in_on_our_port() -> None:
    port = free_port()
    [ours] = listening(port)
    with ours, socket.socket() as other, pytest.raises(OSError, match="Address already in use"):
        other.bind(("127.0.0.1", port))


def test_without_a_health_port_there_is_one_socket() -> None:
    [sock] = listening(free_port())
    sock.close()
