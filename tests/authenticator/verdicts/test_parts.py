"""The codec of verdicts, the budget, limits and places, the breaker and the single flight."""

import asyncio
import fcntl
import os
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from authenticator.aws.access_keys import account_in
from authenticator.aws.arns import CallerIdentity, PrincipalArn
from authenticator.verdicts.breaker import FAILURES_TO_OPEN, OPEN_SECONDS, Breaker, Permission
from authenticator.verdicts.budget import Budget, Standing
from authenticator.verdicts.flight import SingleFlight
from authenticator.verdicts.lag import Lag
from authenticator.verdicts.limits import RateLimit
from authenticator.verdicts.places import HostPlaces, Places
from authenticator.verdicts.verdict import Proven, Refused, decode, encode
from dev.waiting import PATIENCE_SECONDS

NAMES = st.from_regex(r"[A-Za-z0-9_+=,.@-]{2,64}", fullmatch=True)
TIMES = st.floats(0, 4e9)


@given(NAMES, NAMES, TIMES, TIMES)
def test_a_verdict_survives_the_table(role: str, session: str, at: float, until: float) -> None:
    arn = PrincipalArn.parse(f"arn:aws-cn:sts::012345678901:assumed-role/{role}/{session}")
    identity = CallerIdentity(arn, f"AROAEXAMPLEEXAMPLE000:{session}", "ASIAEXAMPLEEXAMPLE000")
    for verdict in (Proven(identity, at, until), Refused("ExpiredToken", "STS refused it")):
        assert decode(encode(verdict)) == verdict


@given(st.binary(max_size=60))
def test_no_other_bytes_are_a_proof(data: bytes) -> None:
    try:
        verdict = decode(data)
    except ValueError:
        return
    assert isinstance(verdict, Refused)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_strangers_leave_the_reserve_to_those_who_are_known() -> None:
    clock = Clock()
    budget = Budget(100, clock)
    taken = 0
    while budget.take(Standing.STRANGER) == 0:
        taken += 1
    assert taken == 75
    assert budget.take(Standing.STRANGER) == pytest.approx(0.01)
    known = 0
    while budget.take(Standing.PROVEN) == 0:
        known += 1
    assert known == 25
    assert budget.take(Standing.STRANGER) == pytest.approx(0.26)


def test_the_budget_refills_at_its_rate_and_no_further_than_full() -> None:
    clock = Clock()
    budget = Budget(100, clock)
    while budget.take(Standing.PROVEN) == 0:
        pass
    clock.now += 0.1001
    assert [budget.take(Standing.PROVEN) for _ in range(10)] == [0] * 10
    assert budget.take(Standing.PROVEN) > 0
    clock.now += 1000
    assert sum(budget.take(Standing.PROVEN) == 0 for _ in range(200)) == 100


def test_who_waits_for_a_call_is_promised_one_in_turn() -> None:
    clock = Clock()
    budget = Budget(100, clock)
    while budget.take(Standing.PROVEN) == 0:
        pass
    waits = [budget.take(Standing.PROVEN, patience=0.055) for _ in range(7)]
    assert waits == pytest.approx(
        [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.06]
    )  # the last two have none
    clock.now += 0.0501
    assert budget.take(Standing.PROVEN) == pytest.approx(0.0099)


def test_calls_promised_to_strangers_are_in_nobodys_way_who_is_known() -> None:
    clock = Clock()
    budget = Budget(100, clock)
    while budget.take(Standing.STRANGER, patience=0.5) <= 0.5:
        pass
    assert sum(budget.take(Standing.PROVEN) == 0 for _ in range(50)) == 25
    # Strangers who come now have to wait for what those have taken as well.
    assert budget.take(Standing.STRANGER) == pytest.approx(0.76)


@given(st.lists(st.tuples(st.sampled_from(Standing), st.floats(0, 1), st.floats(0, 0.05))))
# Who is known was promised a call that a stranger had been promised before.
@example(
    [(Standing.PROVEN, 0.0, 0.0)] * 6
    + [(Standing.STRANGER, 1.0, 0.0), (Standing.PROVEN, 0.0, 0.0), (Standing.PROVEN, 1.0, 0.0)]
)
def test_calls_never_exceed_the_rate_whoever_asks(
    asked: list[tuple[Standing, float, float]],
) -> None:
    clock = Clock()
    budget = Budget(20, clock)
    calls = []
    for standing, patience, pause in asked * 3:
        wait = budget.take(standing, patience)
        if wait <= patience:
            calls.append(clock.now + wait)
        clock.now += pause
    calls.sort()
    for number, moment in enumerate(calls, start=1):
        assert number <= budget.burst + (moment - 100) * budget.rate + 1e-6


def test_workers_share_one_budget() -> None:
    budget = Budget(100, Clock())
    for _ in range(2):
        child = os.fork()
        if child == 0:
            for _ in range(30):
                budget.take(Standing.PROVEN)
            os._exit(0)
        os.waitpid(child, 0)
    assert sum(budget.take(Standing.PROVEN) == 0 for _ in range(100)) == 40


def test_a_worker_that_dies_with_the_lock_blocks_nobody() -> None:
    budget = Budget(100, Clock())
    child = os.fork()
    if child == 0:
        fcntl.lockf(budget._file, fcntl.LOCK_EX)
        os._exit(9)
    os.waitpid(child, 0)
    assert budget.take(Standing.PROVEN) == 0


def test_each_standing_leaves_calls_to_those_above_it() -> None:
    budget = Budget(160, Clock())
    taken = []
    for standing in reversed(Standing):
        count = 0
        while budget.take(standing) == 0:
            count += 1
        taken.append(count)
    assert dict(zip(reversed(Standing), taken, strict=True)) == {
        Standing.BUSY: 120,
        Standing.STRANGER: 0,
        Standing.ACCOUNT: 10,
        Standing.KNOWN: 20,
        Standing.PROVEN: 10,
    }


def test_one_key_cannot_take_everything() -> None:
    clock = Clock()
    limit = RateLimit(10, 20, clock)
    assert sum(limit.take(b"A") for _ in range(50)) == 20
    assert limit.take(b"B")
    clock.now += 0.5
    assert sum(limit.take(b"A") for _ in range(50)) == 5


def test_keys_that_have_all_of_theirs_again_take_no_memory() -> None:
    clock = Clock()
    limit = RateLimit(10, 10, clock)

    def a_second(number: int) -> None:
        clock.now = number
        for key in range(1000):
            limit.take(b"AKIA%08d%08d" % (number, key))

    tracemalloc.start()
    try:
        a_second(0)
        _, first = tracemalloc.get_traced_memory()
        for number in range(1, 10):
            a_second(number)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2 * first


def test_each_standing_has_places_of_its_own() -> None:
    places = Places({Standing.STRANGER: 2, Standing.KNOWN: 100})
    assert [places.enter(Standing.STRANGER) for _ in range(3)] == [True, True, False]
    assert all(places.enter(Standing.KNOWN) for _ in range(100))
    assert places.taken == 102
    places.leave(Standing.KNOWN)
    assert not places.enter(Standing.STRANGER)
    places.leave(Standing.STRANGER)
    assert places.enter(Standing.STRANGER)


async def at(host: HostPlaces, patience: float = 0.0) -> bool:
    return await host.enter("a", patience)


def test_strangers_have_few_places_at_a_host_until_it_answers() -> None:
    async def check() -> None:
        hosts = HostPlaces()
        assert [await at(hosts) for _ in range(3)] == [True, True, False]
        assert await hosts.enter("b", 0)
        waiting = [asyncio.create_task(at(hosts, PATIENCE_SECONDS)) for _ in range(5)]
        await asyncio.sleep(0)
        hosts.leave("a")
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert done == {waiting[0]}  # in the order of asking
        hosts.answered("a")
        assert await asyncio.gather(*waiting) == [True] * 5
        hosts.failed("a")
        assert not await at(hosts)

    asyncio.run(check())


def test_a_place_at_a_host_is_waited_for_no_longer_than_allowed() -> None:
    async def check() -> None:
        hosts = HostPlaces()
        assert [await at(hosts), await at(hosts), await at(hosts, 0.01)] == [True, True, False]
        given_up = asyncio.create_task(at(hosts, PATIENCE_SECONDS))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait((given_up,))
        hosts.leave("a")
        assert await at(hosts)  # the place was not kept for one of them

    asyncio.run(check())


@pytest.mark.parametrize(
    ("key", "account"),
    [
        # T. Be'ery, "A short note on AWS KEY ID".
        ("ASIAQNZGKIQY56JQ7WML", "029608264753"),
        ("ASIAY34FZKBOKMUTVV7A", "609629065308"),
        ("AKIA0189000000000000", None),
        ("AKIA", None),
        ("A" * 128, None),
    ],
)
def test_the_account_that_an_access_key_id_names(key: str, account: str | None) -> None:
    assert account_in(key) == account


def test_lag_is_measured_while_a_call_is_under_way() -> None:
    async def check() -> tuple[float, float]:
        lag = Lag()
        before = lag.begin()
        await asyncio.sleep(0.05)
        idle = lag.lost() - before
        time.sleep(0.5)  # noqa: ASYNC251 (the loop is busy)
        await asyncio.sleep(0)
        busy = lag.lost() - before
        lag.end()
        return idle, busy

    idle, busy = asyncio.run(check())
    assert busy - idle >= 0.3


def test_a_circuit_opens_probes_and_closes() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES_TO_OPEN):
        assert breaker.may_ask("a") is Permission.YES
        breaker.failed("a")
    assert breaker.may_ask("a") is Permission.NO
    assert breaker.may_ask("b") is Permission.YES
    assert breaker.open_hosts() == ["a"]
    clock.now += OPEN_SECONDS
    assert [breaker.may_ask("a") for _ in range(3)] == [
        Permission.PROBE, Permission.NO, Permission.NO,
    ]  # fmt: skip
    breaker.failed("a")
    assert breaker.may_ask("a") is Permission.NO
    clock.now += OPEN_SECONDS
    assert breaker.may_ask("a") is Permission.PROBE
    breaker.answered("a")
    assert breaker.may_ask("a") is Permission.YES
    assert breaker.open_hosts() == []


def test_failures_that_are_not_in_a_row_open_nothing() -> None:
    breaker = Breaker(Clock())
    for _ in range(FAILURES_TO_OPEN * 3):
        breaker.failed("a")
        breaker.answered("a")
    assert breaker.may_ask("a") is Permission.YES


def test_all_who_ask_at_once_share_one_call_and_its_outcome() -> None:
    async def check() -> None:
        flights: SingleFlight[int] = SingleFlight()
        end = asyncio.Event()

        async def call() -> int:
            await end.wait()
            return 42

        async def other() -> int:
            return 1

        first = asyncio.create_task(flights.do(b"k", call, PATIENCE_SECONDS))
        await asyncio.sleep(0)
        joined = [asyncio.create_task(flights.do(b"k", other, PATIENCE_SECONDS)) for _ in range(7)]
        assert await flights.do(b"other", other, PATIENCE_SECONDS) == (1, False)
        end.set()
        assert await first == (42, False)
        assert [await each for each in joined] == [(42, True)] * 7
        assert flights._flights == {}

    asyncio.run(check())


def test_a_call_that_fails_fails_for_all_and_is_forgotten() -> None:
    async def fail() -> int:
        await asyncio.sleep(0)
        raise LookupError

    async def answer() -> int:
        return 1

    async def check() -> None:
        flights: SingleFlight[int] = SingleFlight()
        calls = [flights.do(b"k", fail, 1) for _ in range(3)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [LookupError] * 3
        assert await flights.do(b"k", answer, 1) == (1, False)

    asyncio.run(check())


def test_who_joins_does_not_wait_for_ever() -> None:
    async def check() -> None:
        flights: SingleFlight[int] = SingleFlight()
        end = asyncio.Event()

        async def call() -> int:
            await end.wait()
            return 1

        first = asyncio.create_task(flights.do(b"k", call, PATIENCE_SECONDS))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await flights.do(b"k", call, 0.01)
        end.set()
        assert await first == (1, False)

    asyncio.run(check())


def test_a_budget_that_is_gone_leaves_no_file_open() -> None:
    files = Path("/proc/self/fd")
    before = len(list(files.iterdir()))
    for _ in range(3):
        Budget(100, Clock())
    assert len(list(files.iterdir())) == before
