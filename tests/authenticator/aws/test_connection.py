"""Connecting address by address, and what a connection does at the edges."""

import asyncio
import socket
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack
from typing import Any, TypeVar

import pytest

from authenticator.aws.connection import Connection
from authenticator.aws.deadline import Deadline
from authenticator.aws.dns import Address
from authenticator.aws.happy_eyeballs import connect

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine, debug=True)


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listening(opened: ExitStack, family: int = socket.AF_INET) -> Address:
    address = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    server = opened.enter_context(socket.create_server((address, 0), family=family))
    return family, server.getsockname()


def refusing() -> Address:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return socket.AF_INET, server.getsockname()


def silent(opened: ExitStack) -> Address:
    """An address that drops what is sent to it: its backlog is full."""
    server = opened.enter_context(socket.socket())
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    for _ in range(3):
        client = opened.enter_context(socket.socket())
        client.setblocking(False)
        client.connect_ex(server.getsockname())
    return socket.AF_INET, server.getsockname()


async def peer(addresses: list[Address], seconds: float = 30) -> Any:
    with Deadline(seconds) as deadline, await connect(addresses, deadline) as sock:
        assert sock.getblocking() is False
        return sock.getpeername()


def test_an_address_that_refuses_or_is_silent_does_not_hold_up_the_next(opened: ExitStack) -> None:
    good = listening(opened)
    assert run(peer([refusing(), silent(opened), good])) == good[1]


def test_a_family_that_is_silent_does_not_hold_up_the_other(opened: ExitStack) -> None:
    good = listening(opened, socket.AF_INET6)
    dead = [silent(opened) for _ in range(4)]
    # The second to be tried, although it is the last: RFC 8305, section 4.
    assert run(peer([*dead, good], seconds=0.9)) == good[1]


def test_when_all_refuse_the_reason_is_told() -> None:
    with pytest.raises(ConnectionRefusedError, match="refused"):
        run(peer([refusing(), refusing()]))


def test_when_all_are_silent_the_deadline_ends_it(opened: ExitStack) -> None:
    with pytest.raises(TimeoutError):
        run(peer([silent(opened), silent(opened)], seconds=0.4))


def test_without_an_address() -> None:
    with pytest.raises(OSError, match="no address"):
        run(peer([]))


def test_a_cancelled_connect_leaves_no_socket_behind(opened: ExitStack) -> None:
    async def cancelled() -> None:
        call = asyncio.ensure_future(peer([silent(opened), silent(opened)]))
        await asyncio.sleep(0.3)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    run(cancelled())  # a socket that is not closed would be a ResourceWarning


async def pair(seconds: float = 30) -> tuple[Connection, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return Connection(ours, Deadline(seconds)), theirs


def test_more_than_the_socket_takes_is_sent_all_the_same() -> None:
    async def send() -> None:
        connection, theirs = await pair()
        data = bytes(range(256)) * 8192
        theirs.setblocking(False)
        loop = asyncio.get_running_loop()
        sending = asyncio.ensure_future(connection.send(data))
        arrived = b""
        while len(arrived) < len(data):
            arrived += await loop.sock_recv(theirs, 65536)
        await sending
        assert arrived == data
        connection.close()
        theirs.close()

    run(send())


def test_bytes_that_no_call_waits_for_do_not_keep_the_loop_busy() -> None:
    async def wait() -> None:
        connection, theirs = await pair()
        theirs.send(b"first")
        assert await connection.receive() == b"first"
        theirs.send(b"second")
        loop = asyncio.get_running_loop()
        while connection._watched:  # noqa: ASYNC110 (it gives no signal)
            await asyncio.sleep(0)
        assert not loop.remove_reader(connection._descriptor)
        assert await connection.receive() == b"second"
        connection.close()
        theirs.close()

    run(wait())


def test_a_passed_deadline_ends_a_wait_before_it_begins() -> None:
    async def late() -> None:
        connection, theirs = await pair(seconds=0)
        with pytest.raises(TimeoutError):
            await connection.receive()
        connection.close()
        connection.close()
        theirs.close()

    run(late())
