"""The prover: few calls, no grant that STS has not given, and calm while STS is away."""

from __future__ import annotations

import contextlib
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from authenticator.errors import (
    NotProven,
    Overloaded,
    StsRefusedOddly,
    StsThrottled,
    StsUnavailable,
    TokenRefused,
    Unavailable,
)
from authenticator.verdicts.breaker import FAILURES_TO_OPEN, OPEN_SECONDS
from authenticator.verdicts.budget import Standing
from authenticator.verdicts.memory import key_of
from authenticator.verdicts.verdict import Proof, Source
from dev.waiting import PATIENCE_SECONDS
from tests.authenticator.verdicts.doubles import HOST, KEY, START, Rig, identity, rig, token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authenticator.aws.arns import CallerIdentity

OTHER_KEY = "AKIAOTHEROTHEROTHER0"
REFUSAL = NotProven("SignatureDoesNotMatch", "STS refused it: the signature does not match")
AWAY = [
    StsUnavailable("no answer"),
    StsThrottled("quota"),
    StsRefusedOddly("413"),
    Overloaded("no budget"),
]


def kind(error: BaseException) -> str:
    return type(error).__name__


@pytest.fixture(autouse=True)
def nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """However a test's reviews end: no flight, no place and no claim is left."""
    made: list[Rig] = []
    original = Rig.__init__

    def remember(self: Rig, *args: object, **kwargs: object) -> None:
        original(self, *args, **kwargs)  # type: ignore[arg-type]
        made.append(self)

    monkeypatch.setattr(Rig, "__init__", remember)
    yield
    for each in made:
        assert each.prover._flights._flights == {}
        assert each.free_places() == each.places
        assert not any(circuit.probing for circuit in each.prover._breaker._circuits.values())


# One call.


def test_a_token_costs_one_call_until_its_verdict_is_no_longer_fresh() -> None:
    r, asked = rig(fresh_seconds=120), token()
    assert r.prover.prove(asked) == Proof(identity(), Source.STS)
    r.time.pass_by(119.9)
    assert r.prover.begin(asked) == Proof(identity(), Source.CACHE)
    assert len(r.sts.calls) == 1
    r.time.pass_by(0.2)
    assert r.prover.prove(asked).source is Source.STS
    assert len(r.sts.calls) == 2
    assert r.observer.counts == {"hit proven": 1}


def test_another_token_of_the_same_key_is_another_call() -> None:
    r = rig()
    r.prover.prove(token())
    assert r.prover.prove(token()).source is Source.STS
    assert len(r.sts.calls) == 2


@pytest.mark.parametrize("change", ["x", "=", " ", "\n", "\ud800"])
def test_what_is_remembered_of_a_token_counts_for_no_other_text(change: str) -> None:
    r, asked = rig(), token()
    r.prover.prove(asked)
    for text in (asked + change, change + asked):
        with pytest.raises(TokenRefused):
            r.prover.prove(text)


def test_it_is_never_remembered_past_its_own_end() -> None:
    r = rig(fresh_seconds=3600, degraded_seconds=3600)
    asked = token(age_seconds=840)
    assert r.prover.prove(asked).source is Source.STS
    r.time.pass_by(59)
    assert r.prover.prove(asked).source is Source.CACHE
    r.time.pass_by(1)
    with pytest.raises(TokenRefused, match="older than 15 minutes"):
        r.prover.prove(asked)


def test_it_is_not_remembered_past_its_end_when_the_machines_time_is_put_forward() -> None:
    r, asked = rig(fresh_seconds=3600), token()
    r.prover.prove(asked)
    r.time.wall += 901
    with pytest.raises(TokenRefused, match="older than 15 minutes"):
        r.prover.prove(asked)


def test_it_is_not_remembered_for_longer_when_the_machines_time_is_put_back() -> None:
    r, proven, refused = rig(fresh_seconds=120, degraded_seconds=300), token(), token()
    r.prover.prove(proven)
    r.sts.answer = REFUSAL
    with pytest.raises(NotProven):
        r.prover.prove(refused)
    r.time.wall -= 200
    r.sts.answer = None
    r.time.timer += 11
    assert r.prover.prove(refused).source is Source.STS
    assert r.prover.prove(proven).source is Source.CACHE
    r.time.timer += 110
    assert r.prover.prove(proven).source is Source.STS
    r.time.timer += 421
    r.sts.answer = StsUnavailable("away")
    with pytest.raises(StsUnavailable):
        r.prover.prove(proven)


# Refusals.


def test_a_refusal_is_remembered_briefly_and_for_that_token_alone() -> None:
    r, forged, good = rig(), token(), token()
    r.sts.answer = REFUSAL
    for _ in range(3):
        with pytest.raises(NotProven) as caught:
            r.prover.prove(forged)
        assert (caught.value.code, str(caught.value)) == (REFUSAL.code, str(REFUSAL))
    assert len(r.sts.calls) == 1  # and no retry
    assert r.observer.counts == {"hit refused": 2}
    r.sts.answer = None
    assert r.prover.prove(good).source is Source.STS
    r.time.pass_by(10)
    # A key that AWS had not heard of everywhere when it was made.
    assert r.prover.prove(forged).source is Source.STS


def test_a_refusal_ends_what_was_proven_before() -> None:
    r, asked = rig(fresh_seconds=1), token()
    r.prover.prove(asked)
    r.time.pass_by(1)
    r.sts.answer = NotProven("ExpiredToken", "expired")
    with pytest.raises(NotProven):
        r.prover.prove(asked)
    r.time.pass_by(10)
    r.sts.answer = StsUnavailable("away")
    with pytest.raises(StsUnavailable):
        r.prover.prove(asked)


# A store that lies.


@pytest.mark.parametrize("fill", [b"\x00", b"\xff", b"P"])
def test_a_table_that_was_overwritten_grants_nothing_and_costs_one_call(fill: bytes) -> None:
    r, asked = rig(), token()
    r.prover.prove(asked)
    r.prover.remember_login(KEY)
    for table in (r.prover._memory._verdicts, r.prover._memory._known):
        table._memory[:] = fill * len(table._memory)
    r.sts.answer = REFUSAL
    with pytest.raises(NotProven):
        r.prover.prove(asked)
    assert r.prover._standing(KEY) is Standing.STRANGER


def test_one_tokens_verdict_moved_to_another_tokens_place_grants_nothing() -> None:
    r, good, forged = rig(), token(), token(OTHER_KEY)
    r.prover.prove(good)
    table = r.prover._memory._verdicts
    source = next(at for at in table._places(key_of(good)) if table._memory[at])
    record = bytes(table._memory[source : source + 1024])
    target = table._places(key_of(forged))[0]
    table._memory[target : target + 1024] = key_of(forged) + record[32:]
    r.sts.answer = REFUSAL
    with pytest.raises(NotProven):
        r.prover.prove(forged)


# At once.


def test_reviews_of_one_token_at_once_share_one_call() -> None:
    r, asked = rig(strangers=9), token()
    began, end = threading.Event(), threading.Event()
    r.sts.before = lambda: (began.set(), end.wait(PATIENCE_SECONDS))
    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(r.prover.prove, asked)
        assert began.wait(PATIENCE_SECONDS)
        joining = [r.prover.begin(asked) for _ in range(8)]
        others = [threads.submit(each) for each in joining if not isinstance(each, Proof)]
        # All hold a place now, or soon: they have nothing else to wait for.
        while r.free_places():
            pass
        end.set()
        proofs = [future.result(PATIENCE_SECONDS) for future in (first, *others)]
    assert proofs == [Proof(identity(), Source.STS)] * 9
    assert len(r.sts.calls) == 1
    assert r.observer.counts["collapsed"] == 8


def test_who_joins_a_flight_that_never_ends_is_let_in_degraded_if_proven_before() -> None:
    """The one who asked may hang where no deadline reaches, as in resolving a name."""
    r, asked = rig(strangers=2, fresh_seconds=0), token()
    r.prover.prove(asked)
    began, end = threading.Event(), threading.Event()
    r.sts.before = lambda: (began.set(), end.wait(PATIENCE_SECONDS))
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(r.prover.prove, asked)
        assert began.wait(PATIENCE_SECONDS)
        joining = r.prover.begin(asked)
        r.time.timer += 2  # its time is over
        assert callable(joining)
        assert joining().source is Source.DEGRADED
        end.set()
        first.result(PATIENCE_SECONDS)


# STS away.


@pytest.mark.parametrize("error", AWAY, ids=kind)
def test_a_proven_token_stays_accepted_while_sts_is_away(error: Unavailable) -> None:
    r, asked = rig(fresh_seconds=120, degraded_seconds=300), token()
    r.prover.prove(asked)
    r.sts.answer = error
    r.time.pass_by(120)
    for _ in range(FAILURES_TO_OPEN + 2):
        assert r.prover.prove(asked) == Proof(identity(), Source.DEGRADED)
    assert r.observer.counts["degraded"] == FAILURES_TO_OPEN + 2
    r.time.pass_by(299.9)
    assert r.prover.prove(asked).source is Source.DEGRADED
    r.time.pass_by(0.1)
    with pytest.raises(Unavailable):
        r.prover.prove(asked)


@pytest.mark.parametrize("error", AWAY, ids=kind)
def test_no_other_token_is_denied_or_granted_while_sts_is_away(error: Unavailable) -> None:
    r = rig()
    r.sts.answer = error
    asked = token()
    with pytest.raises(type(error)):
        r.prover.prove(asked)
    r.sts.answer = None
    assert r.prover.prove(asked).source is Source.STS  # nothing is remembered against it


def test_degraded_mode_ends_with_the_token() -> None:
    r = rig(fresh_seconds=10, degraded_seconds=3600)
    asked = token(age_seconds=840)
    r.prover.prove(asked)
    r.sts.answer = StsUnavailable("away")
    r.time.pass_by(59)
    finish = r.prover.begin(asked)
    assert callable(finish)
    assert finish().source is Source.DEGRADED
    finish = r.prover.begin(asked)
    assert callable(finish)
    r.time.pass_by(1)  # while it waited for a thread
    with pytest.raises(StsUnavailable):
        finish()


def test_degraded_mode_can_be_turned_off() -> None:
    r, asked = rig(fresh_seconds=120, degraded_seconds=0), token()
    r.prover.prove(asked)
    r.sts.answer = StsUnavailable("away")
    r.time.pass_by(119)
    assert r.prover.prove(asked).source is Source.CACHE
    r.time.pass_by(1)
    with pytest.raises(StsUnavailable):
        r.prover.prove(asked)


def test_a_refusal_is_not_overruled_in_degraded_mode() -> None:
    r, asked = rig(fresh_seconds=1), token()
    r.prover.prove(asked)
    r.time.pass_by(1)
    r.sts.answer = REFUSAL
    with pytest.raises(NotProven):
        r.prover.prove(asked)


# The breaker.


def outage(r: Rig) -> None:
    r.sts.answer = StsUnavailable("away")
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(StsUnavailable):
            r.prover.prove(token())


def test_a_host_that_is_down_is_left_alone_and_found_again_within_two_seconds() -> None:
    r = rig()
    outage(r)
    calls, left = len(r.sts.calls), r.budget.take(Standing.KNOWN)
    with pytest.raises(StsUnavailable, match="left alone"):
        r.prover.prove(token())
    assert (len(r.sts.calls), left) == (calls, 0)
    assert r.observer.open_circuits == 1
    r.time.pass_by(OPEN_SECONDS)
    with pytest.raises(StsUnavailable, match="away"):
        r.prover.prove(token())
    assert len(r.sts.calls) == calls + 1
    assert r.sts.calls[-1][1] <= 1.0  # so that a probe that hangs decides soon
    r.sts.answer = None
    r.time.pass_by(OPEN_SECONDS)
    assert r.prover.prove(token()).source is Source.STS
    assert r.observer.open_circuits == 0
    assert r.sts.calls[-1][1] + OPEN_SECONDS < 2


def test_while_a_host_is_left_alone_the_budget_is_kept_for_its_return() -> None:
    r = rig(rate=100)
    outage(r)
    for _ in range(200):
        with pytest.raises(StsUnavailable):
            r.prover.prove(token())
    assert sum(r.budget.take(Standing.KNOWN) == 0 for _ in range(200)) == 100 - FAILURES_TO_OPEN


def test_another_host_is_asked_meanwhile() -> None:
    r = rig()
    outage(r)
    r.sts.answer = None
    elsewhere = token(host="sts.eu-west-1.amazonaws.com", region="eu-west-1")
    assert r.prover.prove(elsewhere).source is Source.STS


@pytest.mark.parametrize(
    "error", [REFUSAL, StsThrottled("quota"), StsRefusedOddly("413")], ids=kind
)
def test_answers_that_a_caller_can_provoke_open_nothing(error: Exception) -> None:
    """Whoever can make STS refuse must not be able to make it look down for everybody else."""
    r = rig()
    r.sts.answer = error
    for _ in range(FAILURES_TO_OPEN * 3):
        with pytest.raises(type(error)):
            r.prover.prove(token())
    r.sts.answer = None
    assert r.prover.prove(token()).source is Source.STS


def test_a_review_that_had_to_wait_too_long_for_us_is_no_failure_of_sts() -> None:
    r = rig()
    for _ in range(FAILURES_TO_OPEN * 2):
        finish = r.prover.begin(token())
        assert callable(finish)
        r.time.pass_by(8)
        with pytest.raises(StsUnavailable, match="no time left"):
            finish()
    assert r.sts.calls == []
    assert r.prover.prove(token(now=r.time.wall)).source is Source.STS


@pytest.mark.parametrize("error", [KeyError("a fault of ours"), KeyboardInterrupt()], ids=kind)
def test_a_probe_that_ends_in_a_fault_of_ours_lets_the_next_one_ask(error: BaseException) -> None:
    r = rig()
    outage(r)
    r.time.pass_by(OPEN_SECONDS)
    r.sts.answer = error
    with pytest.raises(type(error)):
        r.prover.prove(token())
    r.sts.answer = None
    assert r.prover.prove(token()).source is Source.STS


# The budget.


def test_strangers_leave_the_reserve_to_keys_that_have_logged_in() -> None:
    r = rig(rate=100, refill=False)
    r.prover.remember_login(KEY)
    r.sts.answer = REFUSAL
    for number in range(75 + 50):  # those of the next half second are promised
        with pytest.raises(NotProven):
            r.prover.prove(token(f"AKIA{number:016d}"))
    with pytest.raises(Overloaded, match="stranger"):
        r.prover.prove(token(OTHER_KEY))
    r.sts.answer = None
    assert r.prover.prove(token()).source is Source.STS


def test_who_is_known_waits_a_little_for_the_budget_and_no_longer() -> None:
    r = rig(rate=1, key_rate=1000)
    r.prover.remember_login(KEY)
    r.prover.prove(token())
    assert r.prover.prove(token()).source is Source.STS
    assert sum(r.time.slept) == pytest.approx(0.75)
    drained = rig(rate=0.1, key_rate=1000)
    drained.prover.remember_login(KEY)
    drained.prover.prove(token())
    with pytest.raises(Overloaded, match="known"):
        drained.prover.prove(token())
    assert drained.observer.counts == {"no budget known": 1}


def test_to_be_proven_is_not_to_be_known() -> None:
    """Anyone with an AWS account can be proven; only who is let in has a part of the reserve."""
    r = rig()
    r.prover.prove(token())
    assert r.prover._standing(KEY) is Standing.STRANGER
    r.prover.remember_login(KEY)
    assert r.prover._standing(KEY) is Standing.KNOWN
    r.time.pass_by(3600)
    assert r.prover._standing(KEY) is Standing.STRANGER


def test_forgeries_with_a_known_keys_id_neither_use_the_reserve_nor_lock_its_holder_out() -> None:
    r = rig(rate=100, key_rate=10, refill=False)
    r.prover.remember_login(KEY)
    r.prover.remember_login(OTHER_KEY)
    r.sts.answer = REFUSAL
    for _ in range(60):
        with pytest.raises(NotProven):
            r.prover.prove(token())
    r.sts.answer = None
    assert r.prover.prove(token()).source is Source.STS  # as a stranger would be
    r.sts.answer = REFUSAL
    for _ in range(14 + 50):
        with pytest.raises(NotProven):
            r.prover.prove(token())
    with pytest.raises(Overloaded, match="key"):
        r.prover.prove(token())
    r.sts.answer = None
    assert r.prover.prove(token(OTHER_KEY)).identity.access_key_id == OTHER_KEY


def test_strangers_never_fill_the_threads_whatever_they_wait_for() -> None:
    r = rig(strangers=2)
    r.prover.remember_login(KEY)
    forged, began, end = token(OTHER_KEY), threading.Semaphore(0), threading.Event()

    def ask(request: object) -> None:
        began.release()
        end.wait(PATIENCE_SECONDS)

    r.sts.before = lambda: ask(None)
    with ThreadPoolExecutor(3) as threads:
        leading = threads.submit(r.prover.prove, forged)
        assert began.acquire(timeout=PATIENCE_SECONDS)
        joining = threads.submit(r.prover.prove, forged)
        while r.free_places():
            pass
        # One who joins a flight occupies a thread too.
        for asked in (forged, token(OTHER_KEY)):
            with pytest.raises(Overloaded, match="stranger"):
                r.prover.prove(asked)
        known = threads.submit(r.prover.prove, token())
        assert began.acquire(timeout=PATIENCE_SECONDS)
        end.set()
        for each in (leading, joining, known):
            assert each.result(PATIENCE_SECONDS).source is Source.STS


def test_a_review_asks_for_no_longer_than_it_has() -> None:
    r = rig()
    finish = r.prover.begin(token())
    assert callable(finish)
    r.time.pass_by(6.5)
    finish()
    assert r.sts.calls[0][1] == pytest.approx(1.5)


def test_who_can_be_let_in_by_what_is_known_waits_less_for_sts_than_others() -> None:
    r, asked = rig(fresh_seconds=0), token()
    r.prover.prove(asked)
    r.prover.prove(asked)
    assert [timeout for _, timeout in r.sts.calls] == pytest.approx([4, 2])


# Leaks.

FAULTS = [REFUSAL, *AWAY, KeyError("a fault of ours"), MemoryError(), KeyboardInterrupt()]


@pytest.mark.parametrize("error", FAULTS, ids=kind)
def test_whatever_is_raised_the_next_review_is_as_good_as_new(error: BaseException) -> None:
    r = rig(strangers=1, rate=1000)
    for _ in range(3):
        r.sts.answer = error
        asked = token()
        with pytest.raises(type(error)):
            r.prover.prove(asked)
        if not isinstance(error, NotProven):
            r.sts.answer = None
            assert r.prover.prove(asked).source is Source.STS
    assert r.time.slept == []  # no claim was waited for


@pytest.mark.parametrize(
    "place",
    [
        *("Memory.claim", "Memory.proven", "Memory.recall", "Memory.knows", "Memory.is_fresh"),
        *("Budget.take", "Breaker.may_ask", "Breaker.is_open", "KeyLimit.take"),
    ],
)
def test_a_fault_in_any_part_leaves_nothing_behind(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    r, asked = rig(strangers=1), token()
    r.prover.remember_login(OTHER_KEY)
    r.prover.prove(asked)

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    part, method = place.split(".")
    owner = {
        "Memory": r.prover._memory,
        "Budget": r.budget,
        "Breaker": r.prover._breaker,
        "KeyLimit": r.prover._key_limit,
    }[part]
    with monkeypatch.context() as patched:
        patched.setattr(type(owner), method, fail)
        failed = 0
        for again in (asked, token(), token(OTHER_KEY)):
            with contextlib.suppress(MemoryError):
                failed += 1
                r.prover.prove(again)
                failed -= 1
        assert failed
    assert r.prover.prove(token()).source is Source.STS
    assert r.prover.prove(token(OTHER_KEY)).source is Source.STS


def test_an_outage_leaves_no_errors_in_memory_until_they_are_looked_for() -> None:
    alive: list[weakref.ref[BaseException]] = []

    class Away(StsUnavailable):
        def __init__(self) -> None:
            super().__init__("away")
            alive.append(weakref.ref(self))

    def ask(request: object, timeout: float) -> CallerIdentity:
        raise Away

    r = rig(sts=ask)
    gc.disable()
    try:
        for _ in range(FAILURES_TO_OPEN):
            # Not pytest.raises, which keeps what it caught.
            with contextlib.suppress(StsUnavailable):
                r.prover.prove(token())
        assert [ref() for ref in alive] == [None] * FAILURES_TO_OPEN
    finally:
        gc.enable()


def test_many_threads_many_tokens_any_outcome() -> None:
    r = rig(rate=10_000, strangers=64)
    outcomes = [None, REFUSAL, StsUnavailable("away"), StsThrottled("quota"), KeyError("ours")]
    tokens = [token(f"AKIA{number:016d}") for number in range(40)]
    serial = iter(range(10**6))

    def ask(request: object, timeout: float) -> CallerIdentity:
        outcome = outcomes[next(serial) % len(outcomes)]
        if outcome is not None:
            raise outcome
        return identity(request.access_key_id)  # type: ignore[attr-defined]

    r.prover._ask = ask

    def review(number: int) -> str:
        asked = tokens[number % len(tokens)]
        try:
            proof = r.prover.prove(asked)
        except (NotProven, Unavailable, KeyError) as error:
            return type(error).__name__
        # Never somebody else's identity.
        assert proof.identity.access_key_id == f"AKIA{number % len(tokens):016d}"
        return proof.source.value

    with ThreadPoolExecutor(32) as threads:
        seen = set(threads.map(review, range(3000)))
    assert {"sts", "cache", "NotProven"} <= seen


def test_the_host_is_the_tokens_and_the_request_is_the_checked_one() -> None:
    r = rig()
    r.prover.prove(token())
    request, _ = r.sts.calls[0]
    assert (request.host.name, request.access_key_id) == (HOST, KEY)
    assert request.signed_at == START
