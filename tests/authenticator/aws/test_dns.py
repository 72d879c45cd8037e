"""Look-ups: shared, bounded in time whatever the resolver does, and made good by the last ones."""

import asyncio
import socket
import threading
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, TypeVar

import pytest

from authenticator.aws import dns
from authenticator.aws.deadline import Deadline
from authenticator.aws.dns import Address, Resolver

HOST = "sts.us-west-2.amazonaws.com"
FIRST: Sequence[Address] = [(socket.AF_INET, ("192.0.2.1", 443))]
SECOND: Sequence[Address] = [(socket.AF_INET, ("192.0.2.2", 443))]
T = TypeVar("T")


class Names:
    """A resolver of the C library's kind: it blocks, until `answering` is set."""

    def __init__(self) -> None:
        self.answer: Sequence[Address] | OSError = FIRST
        self.asked: list[str] = []
        self.answering = threading.Event()
        self.answering.set()

    def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.asked.append(host)
        assert self.answering.wait(60)
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer


@pytest.fixture
def names() -> Iterator[Names]:
    made = Names()
    yield made
    made.answering.set()


async def ask(resolver: Resolver, host: str = HOST, seconds: float = 30) -> Sequence[Address]:
    with Deadline(seconds) as deadline:
        return await resolver.addresses(host, 443, deadline)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine, debug=True)


def test_callers_share_one_look_up_and_its_answer(names: Names) -> None:
    resolver = Resolver(names)

    async def together() -> None:
        assert await asyncio.gather(*(ask(resolver) for _ in range(20))) == [FIRST] * 20
        assert await ask(resolver) == FIRST

    run(together())
    assert names.asked == [HOST]


def test_a_caller_gives_up_at_its_deadline_while_the_look_up_goes_on(names: Names) -> None:
    resolver = Resolver(names)
    names.answering.clear()

    async def give_up() -> None:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await ask(resolver, seconds=0.05)
        patient = asyncio.ensure_future(ask(resolver))
        await asyncio.sleep(0)
        names.answering.set()
        assert await patient == FIRST

    run(give_up())
    assert names.asked == [HOST]


def test_the_last_good_addresses_are_used_when_a_look_up_hangs(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns, "_FRESH_SECONDS", 0.0)
    resolver = Resolver(names)

    async def hang() -> None:
        loop = asyncio.get_running_loop()
        await ask(resolver)
        names.answering.clear()
        names.answer = SECOND
        began = loop.time()
        assert await ask(resolver) == FIRST
        # Only the first caller was patient; the look-up is known to be slow from then on.
        assert loop.time() - began >= dns._PATIENCE_SECONDS
        late = loop.time()
        for _ in range(100):
            assert await ask(resolver) == FIRST
        # If each were patient, they would take 100 times as long.
        assert loop.time() - late < 10 * dns._PATIENCE_SECONDS
        names.answering.set()
        while await ask(resolver) != SECOND:  # noqa: ASYNC110 (a thread gives no signal)
            await asyncio.sleep(0.001)

    run(hang())


def test_the_last_good_addresses_are_used_when_a_look_up_fails(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns, "_FRESH_SECONDS", 0.0)
    resolver = Resolver(names)

    async def fail() -> None:
        await ask(resolver)
        names.answer = socket.gaierror(socket.EAI_AGAIN, "try again")
        assert await ask(resolver) == FIRST

    run(fail())


def test_addresses_that_are_too_old_are_not_used(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns, "_FRESH_SECONDS", 0.0)
    monkeypatch.setattr(dns, "_USABLE_SECONDS", 0.0)
    resolver = Resolver(names)

    async def grow_old() -> None:
        await ask(resolver)
        names.answer = socket.gaierror(socket.EAI_AGAIN, "try again")
        with pytest.raises(socket.gaierror, match="try again"):
            await ask(resolver)

    run(grow_old())


def test_addresses_that_cannot_be_connected_to_are_looked_up_again(names: Names) -> None:
    resolver = Resolver(names)

    async def doubt() -> None:
        await ask(resolver)
        names.answer = SECOND
        resolver.doubt(HOST, 443)
        assert await ask(resolver) == SECOND

    run(doubt())


def test_a_failed_look_up_fails_for_all_who_wait_and_is_forgotten(names: Names) -> None:
    resolver = Resolver(names)
    names.answer = socket.gaierror(socket.EAI_NONAME, "unknown")

    async def fail_then_work() -> None:
        failed = await asyncio.gather(*(ask(resolver) for _ in range(5)), return_exceptions=True)
        assert [str(one) for one in failed] == [str(names.answer)] * 5
        names.answer = FIRST
        assert await ask(resolver) == FIRST

    run(fail_then_work())


def test_look_ups_that_hang_take_a_bounded_number_of_threads(names: Names) -> None:
    resolver = Resolver(names)
    names.answering.clear()

    async def many() -> None:
        calls = [asyncio.ensure_future(ask(resolver, f"host{n}")) for n in range(100)]
        await asyncio.sleep(0)
        assert sum(thread.name == "dns" for thread in threading.enumerate()) == dns._MAX_THREADS
        names.answering.set()
        assert await asyncio.gather(*calls) == [FIRST] * 100

    run(many())
    assert len(names.asked) == 100


def test_the_threads_end_with_the_work(names: Names) -> None:
    async def once() -> None:
        await ask(Resolver(names))

    run(once())
    for thread in threading.enumerate():
        if thread.name == "dns":
            thread.join(60)
            assert not thread.is_alive()


def test_no_thread_is_made_before_the_first_look_up(names: Names) -> None:
    before = threading.active_count()
    Resolver(names)
    assert threading.active_count() == before


@pytest.mark.parametrize("host", ["", "a..b", "x" * 64 + ".example"])
def test_what_is_not_a_host_name_is_a_failed_look_up(host: str) -> None:
    with pytest.raises(OSError, match=r"(?i)name"):
        run(ask(Resolver(), host))


def test_an_address_is_its_own_answer() -> None:
    assert run(ask(Resolver(), "127.0.0.1")) == [(socket.AF_INET, ("127.0.0.1", 443))]


class NoThread(threading.Thread):
    """A thread on a host that has as many as it allows."""

    def start(self) -> None:
        raise RuntimeError("can't start new thread")


def test_a_look_up_that_finds_no_thread_fails_and_the_next_one_works(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host could not be looked up until the server was restarted."""
    resolver = Resolver(names)

    async def fail_then_work() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(threading, "Thread", NoThread)
            for _ in range(20):
                with pytest.raises(OSError, match="no further thread"):
                    await ask(resolver)
        assert await ask(resolver) == FIRST

    run(fail_then_work())


def test_older_addresses_are_used_where_no_thread_can_look_them_up(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver = Resolver(names)

    async def look_up_twice() -> None:
        await ask(resolver)
        resolver.doubt(HOST, 443)
        with monkeypatch.context() as patched:
            patched.setattr(threading, "Thread", NoThread)
            assert await ask(resolver) == FIRST

    run(look_up_twice())
