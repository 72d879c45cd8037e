"""The connections to STS, against the AWS double and the faults that it can have."""

import asyncio
import select
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from authenticator.aws import https
from authenticator.aws.dns import Address, Resolver
from authenticator.aws.https import HttpsPool, verifying_context
from authenticator.aws.proxy import NoProxy, Proxies, Proxy
from authenticator.errors import ConfigError, StsUnavailable
from dev.aws_double import AwsDouble, faults
from dev.waiting import PATIENCE_SECONDS

HOST = "sts.us-west-2.amazonaws.com"
TARGET = "/?Action=GetCallerIdentity&Version=2011-06-15"
HEADERS = {"Accept": "application/json", "x-k8s-aws-id": "c"}
T = TypeVar("T")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsDouble]:
    with AwsDouble() as double:
        for name, value in double.environment().items():
            monkeypatch.setenv(name, value)
        yield double


def pool() -> HttpsPool:
    return HttpsPool(context=verifying_context(), proxies=Proxies.from_environment())


async def ask(fetch: HttpsPool, timeout: float = PATIENCE_SECONDS) -> tuple[int, bytes]:
    return await fetch(HOST, TARGET, HEADERS, timeout=timeout)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run it in debug mode, in which asyncio complains about what is misused or left behind."""
    return asyncio.run(coroutine, debug=True)


def kind(value: object) -> str:
    return type(value).__name__


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what the loop gives no signal of."""

    async def poll() -> None:
        while not condition():  # noqa: ASYNC110 (the condition gives no signal)
            await asyncio.sleep(0.005)

    await asyncio.wait_for(poll(), PATIENCE_SECONDS)


def kept(fetch: HttpsPool) -> int:
    idle = [one for state in fetch._hosts.values() for one in state.idle]
    assert set(idle) == set(fetch._kept)
    return sum(not one.closed for one in idle)


def test_an_answer_comes_through_the_proxy(aws: AwsDouble) -> None:
    status, body = run(ask(pool()))
    assert status in (400, 403)
    assert b"MissingAuthenticationToken" in body
    assert aws.calls.counts().total == 1


def test_a_bundle_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    with pytest.raises(ConfigError, match="No such file"):
        verifying_context()
    bundle.write_text("not PEM")
    with pytest.raises(ConfigError, match="AWS_CA_BUNDLE"):
        verifying_context()


def test_a_port_without_a_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    proxies = Proxies(Proxy("http", "127.0.0.1", port), NoProxy(""))
    fetch = HttpsPool(context=ssl.create_default_context(), proxies=proxies)
    with pytest.raises(StsUnavailable, match="refused"):
        run(ask(fetch))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (faults.Rubbish("huge"), "more than 65536 bytes"),
        (faults.Reset(), "could not be asked"),
        (faults.WrongName(), "could not be asked"),
    ],
    ids=kind,
)
def test_a_fault_is_an_unavailable_sts(aws: AwsDouble, fault: faults.Fault, reason: str) -> None:
    fetch = pool()

    async def failing_then_well() -> bytes:
        aws.faults.start(fault)
        with pytest.raises(StsUnavailable, match=reason):
            await ask(fetch)
        assert kept(fetch) == 0
        aws.faults.stop_all()
        return (await ask(fetch))[1]

    # And nothing of it is left for the next.
    assert b"MissingAuthenticationToken" in run(failing_then_well())


@pytest.mark.parametrize("fault", [faults.Dribble(0.2), faults.Hang()], ids=kind)
def test_an_answer_that_does_not_come_in_time_is_an_unavailable_sts(
    aws: AwsDouble, fault: faults.Fault
) -> None:
    fetch = pool()

    async def failing_then_well() -> bytes:
        # Connect first: on a busy machine that alone may take longer than the time-out below.
        await ask(fetch)
        aws.faults.start(fault)
        with pytest.raises(StsUnavailable, match="did not answer within"):
            await ask(fetch, timeout=1)
        assert kept(fetch) == 0
        aws.faults.stop_all()
        return (await ask(fetch))[1]

    # And nothing of it is left for the next.
    assert b"MissingAuthenticationToken" in run(failing_then_well())


def test_a_name_that_is_not_found_in_time_is_told() -> None:
    released = threading.Event()

    def hang(host: str, port: int) -> list[Address]:
        released.wait(60)
        return []

    proxies = Proxies(None, NoProxy(""))
    fetch = HttpsPool(
        context=ssl.create_default_context(), proxies=proxies, resolver=lambda: Resolver(hang)
    )
    try:
        with pytest.raises(StsUnavailable, match=rf"{HOST} was not found by DNS within 0\.1 s"):
            run(ask(fetch, timeout=0.1))
    finally:
        released.set()


def test_a_peer_that_says_nothing_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = socket.AF_INET, silent.getsockname()
        fetch = HttpsPool(
            context=ssl.create_default_context(),
            proxies=Proxies(None, NoProxy("")),
            resolver=lambda: Resolver(lambda *_: [address]),
        )
        with pytest.raises(StsUnavailable, match="did not finish the TLS handshake within"):
            run(ask(fetch, timeout=0.3))
        proxied = HttpsPool(
            context=ssl.create_default_context(),
            proxies=Proxies(Proxy("http", "127.0.0.1", address[1][1]), NoProxy("")),
        )
        with pytest.raises(StsUnavailable, match="as its proxy did not open a tunnel within"):
            run(ask(proxied, timeout=0.3))


@pytest.mark.parametrize("status", [301, 302, 307])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_redirect_is_never_followed(aws: AwsDouble, status: int, scheme: str) -> None:
    aws.faults.start(faults.Redirect(f"{scheme}://sts.us-east-1.amazonaws.com/", status))
    assert run(ask(pool()))[0] == status
    assert aws.calls.counts().total == 1


def test_a_connection_is_used_again(aws: AwsDouble) -> None:
    fetch = pool()

    async def three_times() -> None:
        for _ in range(3):
            await ask(fetch)
        assert kept(fetch) == 1

    run(three_times())
    assert aws.calls.counts().total == 3


UNASKED = {
    "the same answer again": faults.Repeat(),
    "stray bytes": faults.Stray(),
    "half of an answer": faults.Stray(data="HTTP/1.1 200 OK\r\nContent-Le"),
    "408 and the end": faults.TimeOut(),
}


@pytest.mark.parametrize("fault", UNASKED.values(), ids=UNASKED)
@pytest.mark.parametrize("noticed", ["before the loop looks", "by the loop"])
def test_what_arrives_on_a_kept_connection_is_never_the_next_callers_answer(
    aws: AwsDouble, fault: faults.Fault, noticed: str
) -> None:
    """A late answer would prove the next token to be the last one's caller."""
    fetch = pool()

    async def twice() -> bytes:
        aws.faults.start(fault, times=1)
        await ask(fetch)
        for connection in fetch._hosts[HOST].idle:
            if noticed == "by the loop":
                await until(lambda one=connection: one.closed)
            else:
                select.select([connection._descriptor], [], [], PATIENCE_SECONDS)
                assert not connection.closed
        return (await fetch(HOST, "/?Action=Wrong", HEADERS, timeout=PATIENCE_SECONDS))[1]

    assert b"InvalidAction" in run(twice())


def test_a_408_that_crosses_a_request_is_not_its_answer(aws: AwsDouble) -> None:
    fetch = pool()

    async def twice() -> tuple[int, bytes]:
        await ask(fetch)
        aws.faults.start(faults.TimeOut(instead=True), times=1)
        return await ask(fetch)

    status, body = run(twice())
    assert status != 408
    assert b"MissingAuthenticationToken" in body


@pytest.mark.parametrize("fault", [faults.Repeat(0.1), faults.Stray(0.1)], ids=kind)
def test_bytes_that_cross_a_request_are_not_its_answer(aws: AwsDouble, fault: faults.Fault) -> None:
    """The check before the request comes too early for it; AWS's own request id tells."""
    fetch = pool()

    async def several() -> None:
        await ask(fetch)
        aws.faults.start(fault, times=1)
        await ask(fetch)
        aws.faults.start(faults.Delay(0.5), times=1)
        body = (await fetch(HOST, "/?Action=Wrong", HEADERS, timeout=PATIENCE_SECONDS))[1]
        assert b"InvalidAction" in body

    run(several())
    # The request was sent again, on another connection.
    assert aws.calls.counts().total == 4


def test_answers_that_are_remembered_are_bounded(
    aws: AwsDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "_REMEMBERED", 3)
    fetch = pool()

    async def several() -> None:
        for _ in range(10):
            await ask(fetch)

    run(several())
    assert len(fetch._answered) == 3


def test_a_kept_connection_that_ends_before_the_answer_is_replaced_silently(
    aws: AwsDouble,
) -> None:
    fetch = pool()

    async def twice() -> bytes:
        await ask(fetch)
        # The check before the request cannot see it: the other end closes on receiving it.
        aws.faults.start(faults.Close(), times=1)
        return (await ask(fetch))[1]

    assert b"MissingAuthenticationToken" in run(twice())
    assert aws.calls.counts().total == 3


@pytest.mark.parametrize("fault", [faults.Close(), faults.Reset()], ids=kind)
def test_a_connection_that_ends_is_not_replaced_twice(aws: AwsDouble, fault: faults.Fault) -> None:
    fetch = pool()

    async def twice() -> None:
        await ask(fetch)
        aws.faults.start(fault)
        with pytest.raises(StsUnavailable, match=r"ended unanswered|reset by peer"):
            await ask(fetch)

    run(twice())
    # A reset within the answer is not a connection that was idle for too long.
    assert aws.calls.counts().total == (3 if isinstance(fault, faults.Close) else 2)


@pytest.mark.parametrize("ending", ["a time-out", "a cancellation"])
def test_a_connection_with_an_unfinished_exchange_is_never_used_again(
    aws: AwsDouble, ending: str
) -> None:
    fetch = pool()

    async def unfinished() -> bytes:
        await ask(fetch)
        aws.faults.start(faults.Hang())
        call = asyncio.ensure_future(ask(fetch, timeout=0.3 if ending == "a time-out" else 10))
        await until(lambda: aws.calls.counts().total == 2)
        if ending == "a cancellation":
            call.cancel()
        with pytest.raises((asyncio.CancelledError, StsUnavailable)):
            await call
        assert kept(fetch) == 0
        aws.faults.stop_all()  # and the late answer comes
        return (await fetch(HOST, "/?Action=Wrong", HEADERS, timeout=PATIENCE_SECONDS))[1]

    assert b"InvalidAction" in run(unfinished())


def test_connections_that_are_idle_for_long_are_closed(
    aws: AwsDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(https, "_MAX_IDLE_SECONDS", 0.05)
    fetch = pool()

    async def idle() -> None:
        await asyncio.gather(ask(fetch), ask(fetch))
        assert kept(fetch) == 2
        await until(lambda: not fetch._kept)
        assert kept(fetch) == 0

    run(idle())


def test_connections_that_are_kept_are_bounded_over_all_hosts(
    aws: AwsDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's tokens can name every host there is."""
    monkeypatch.setattr(https, "_MAX_KEPT", 5)
    monkeypatch.setattr(https, "_MAX_IDLE", 2)
    fetch = pool()

    async def many() -> None:
        hosts = [
            f"sts.us-{side}-{number}.amazonaws.com"
            for side in ("east", "west")
            for number in (1, 2)
        ]
        for host in hosts:
            calls = [fetch(host, TARGET, HEADERS, timeout=10) for _ in range(4)]
            await asyncio.gather(*calls)
        assert kept(fetch) == 5
        # The oldest have gone.
        assert [len(fetch._hosts[host].idle) for host in hosts] == [0, 1, 2, 2]

    run(many())


def test_the_pool_starts_afresh_on_another_event_loop(aws: AwsDouble) -> None:
    fetch = pool()
    assert [run(ask(fetch))[0] for _ in range(2)] == [403, 403]


def test_a_second_connection_resumes_the_first_ones_session(aws: AwsDouble) -> None:
    fetch = pool()

    async def twice() -> bool:
        await ask(fetch)
        fetch.close()
        await ask(fetch)
        second = fetch._hosts[HOST].idle[0]._socket
        assert isinstance(second, ssl.SSLSocket)
        return bool(second.session_reused)

    assert run(twice())


@pytest.mark.parametrize("value", ["c\r\nHost: other", "c\n", "ü"])
def test_a_header_cannot_add_to_the_request(value: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        run(pool()(HOST, TARGET, {"x-k8s-aws-id": value}, timeout=1))


def test_many_calls_share_the_pool(aws: AwsDouble) -> None:
    fetch = pool()

    async def together() -> None:
        answers = await asyncio.gather(*(ask(fetch) for _ in range(64)))
        assert {status for status, _ in answers} <= {400, 403}
        await asyncio.gather(*(ask(fetch) for _ in range(16)))
        assert kept(fetch) <= 64

    run(together())
    assert aws.calls.counts().total == 80
