"""Provers in several processes, forked as the server's workers are."""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import multiprocessing
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from authenticator.aws.sts_hosts import sts_hosts
from authenticator.errors import NotProven, Overloaded, StsUnavailable
from authenticator.verdicts.budget import Budget
from authenticator.verdicts.limits import Limits
from authenticator.verdicts.memory import Remembering
from authenticator.verdicts.prover import Prover
from authenticator.verdicts.verdict import Proof, Source
from dev.waiting import PATIENCE_SECONDS
from tests.authenticator.verdicts.doubles import Observer, identity, token

if TYPE_CHECKING:
    from authenticator.aws.arns import CallerIdentity
    from authenticator.tokens.presigned import PresignedRequest

FORK = multiprocessing.get_context("fork")


class SharedSts:
    """STS for several processes: counts the calls of all, and answers when it is let."""

    def __init__(self) -> None:
        self.calls = FORK.Value("i", 0)
        self.began = FORK.Semaphore(0)
        # A pipe that can be read from as long as nobody hangs; unlike an event it survives those
        # who are killed while they wait.
        self._ready, self._signal = os.pipe()
        os.write(self._signal, b"x")
        self.refuses = mmap.mmap(-1, 1)

    async def __call__(self, request: PresignedRequest, timeout: float) -> CallerIdentity:
        with self.calls.get_lock():
            self.calls.value += 1
        self.began.release()
        if not select.select([self._ready], [], [], timeout)[0]:
            raise StsUnavailable("it hangs")
        if self.refuses[0]:
            raise NotProven("SignatureDoesNotMatch", "no")
        return identity(request.access_key_id)

    def hang(self) -> None:
        os.read(self._ready, 1)

    def go_on(self) -> None:
        os.write(self._signal, b"x")

    def close(self) -> None:
        os.close(self._ready)
        os.close(self._signal)


@pytest.fixture
def sts() -> Iterator[SharedSts]:
    with contextlib.closing(SharedSts()) as shared:
        yield shared


def prover(sts: SharedSts, rate: float = 1000) -> Prover:
    return Prover(
        ask=sts,
        hosts=sts_hosts("aws"),
        budget=Budget(rate, time.monotonic),
        limits=Limits.of(100_000, 1, time.monotonic),
        observer=Observer(),
        remembering=Remembering(),
    )


def prove(shared: Prover, asked: str) -> Proof:
    recalled = shared.recall(asked)
    return recalled if isinstance(recalled, Proof) else asyncio.run(shared.ask(recalled))


class Worker:
    """A forked process that does one thing; its exit status says how that went."""

    def __init__(self, work: Callable[[], bool]) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            status = 2
            try:
                status = 0 if work() else 1
            finally:
                os._exit(status)

    def succeeded(self) -> bool:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]) == 0

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def test_what_one_worker_has_proven_another_need_not_ask(sts: SharedSts) -> None:
    shared, asked = prover(sts), token(now=time.time())
    assert Worker(lambda: prove(shared, asked).source is Source.STS).succeeded()
    assert Worker(lambda: prove(shared, asked).source is Source.CACHE).succeeded()
    assert sts.calls.value == 1


def test_what_sts_refused_to_one_worker_another_need_not_ask(sts: SharedSts) -> None:
    shared, asked = prover(sts), token(now=time.time())
    sts.refuses[0] = 1

    def refused() -> bool:
        try:
            prove(shared, asked)
        except NotProven:
            return True
        return False

    assert Worker(refused).succeeded()
    assert Worker(refused).succeeded()
    assert sts.calls.value == 1


@pytest.mark.parametrize("outcome", ["proven", "refused"])
def test_workers_that_are_asked_at_once_make_one_call(sts: SharedSts, outcome: str) -> None:
    shared, asked = prover(sts), token(now=time.time())
    sts.hang()
    sts.refuses[0] = outcome == "refused"

    def review() -> bool:
        try:
            return prove(shared, asked).identity == identity() and outcome == "proven"
        except NotProven:
            return outcome == "refused"

    workers = [Worker(review)]
    assert sts.began.acquire(timeout=PATIENCE_SECONDS)
    workers += [Worker(review) for _ in range(3)]
    sts.go_on()
    assert [worker.succeeded() for worker in workers] == [True] * 4
    assert sts.calls.value == 1


@pytest.mark.slow
def test_the_claim_of_a_worker_that_was_killed_holds_up_nobody_for_long(sts: SharedSts) -> None:
    shared, asked = prover(sts), token(now=time.time())
    sts.hang()
    worker = Worker(lambda: prove(shared, asked) is not None)
    assert sts.began.acquire(timeout=PATIENCE_SECONDS)
    worker.kill()
    sts.go_on()
    # The call that it began would have ended in 4 s, which is within a review's 8.
    assert prove(shared, asked).source is Source.STS
    assert sts.calls.value == 2


def test_workers_share_one_budget(sts: SharedSts) -> None:
    shared = prover(sts, rate=0.4)  # one call at first, then one in 2.5 s

    def overloaded(asked: str) -> bool:
        try:
            prove(shared, asked)
        except Overloaded:
            return True
        return False

    first, second = token(now=time.time()), token(now=time.time())
    assert Worker(lambda: not overloaded(first)).succeeded()
    assert Worker(lambda: overloaded(second)).succeeded()
    assert sts.calls.value == 1


def test_a_login_at_one_worker_makes_a_key_known_to_all(sts: SharedSts) -> None:
    shared = prover(sts)

    def log_in() -> bool:
        shared.remember_login(identity("AKIAOTHEROTHEROTHER0"))
        return True

    assert Worker(log_in).succeeded()
    assert shared._memory.holder("AKIAOTHEROTHEROTHER0")
    assert not shared._memory.holder("AKIAIOSFODNN7EXAMPLE")
