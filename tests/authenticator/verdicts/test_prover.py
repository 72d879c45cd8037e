"""The prover: few calls, no grant that STS has not given, and calm while STS is away."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import itertools
import time
import weakref
from typing import TYPE_CHECKING

import pytest

from authenticator.aws.sts_hosts import sts_hosts
from authenticator.errors import (
    NotProven,
    Overloaded,
    StsRefusedOddly,
    StsThrottled,
    StsUnavailable,
    TokenRefused,
    Unavailable,
)
from authenticator.tokens import presigned
from authenticator.verdicts.breaker import FAILURES_TO_OPEN, OPEN_SECONDS
from authenticator.verdicts.budget import Standing
from authenticator.verdicts.limits import Limits
from authenticator.verdicts.memory import key_of, principal_of
from authenticator.verdicts.verdict import Proof, Source
from tests.authenticator.verdicts.doubles import HOST, KEY, START, Rig, identity, rig, token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authenticator.aws.arns import CallerIdentity
    from authenticator.tokens.presigned import PresignedRequest

OTHER_KEY = "AKIAOTHEROTHEROTHER0"
REFUSAL = NotProven("SignatureDoesNotMatch", "STS refused it: the signature does not match")
# What is no answer about the signer. Only the first says that STS is away.
AWAY = [
    StsUnavailable("no answer"),
    StsThrottled("quota"),
    StsRefusedOddly("413"),
    Overloaded("no budget"),
]


def checked(asked: str) -> PresignedRequest:
    return presigned.check(asked, now=START, hosts=sts_hosts("aws"))


def url_of(asked: str) -> str:
    encoded = asked.removeprefix(presigned.PREFIX)
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()


def token_of(url: str) -> str:
    return presigned.PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


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
        assert each.prover.waiting == 0
        assert not any(host.under_way for host in each.prover._host_places._hosts.values())
        assert not any(circuit.probing for circuit in each.prover._breaker._circuits.values())


# One call.


def test_a_token_costs_one_call_until_its_verdict_is_no_longer_fresh() -> None:
    r, asked = rig(fresh_seconds=120), token()
    assert r.prove(asked) == Proof(identity(), Source.STS)
    r.time.pass_by(119.9)
    assert r.prover.recall(asked) == Proof(identity(), Source.CACHE)
    assert len(r.sts.calls) == 1
    r.time.pass_by(0.2)
    assert r.prove(asked).source is Source.STS
    assert len(r.sts.calls) == 2
    assert r.observer.counts == {"hit proven": 1}


def test_another_token_of_the_same_key_is_another_call() -> None:
    r = rig()
    r.prove(token())
    assert r.prove(token()).source is Source.STS
    assert len(r.sts.calls) == 2


@pytest.mark.parametrize("change", ["x", "=", " ", "\n", "\ud800"])
def test_what_is_remembered_of_a_token_counts_for_no_other_text(change: str) -> None:
    r, asked = rig(), token()
    r.prove(asked)
    for text in (asked + change, change + asked):
        with pytest.raises(TokenRefused):
            r.prove(text)


def test_it_is_never_remembered_past_its_own_end() -> None:
    r = rig(fresh_seconds=3600, degraded_seconds=3600)
    asked = token(age_seconds=840)
    assert r.prove(asked).source is Source.STS
    r.time.pass_by(59)
    assert r.prove(asked).source is Source.CACHE
    r.time.pass_by(1)
    with pytest.raises(TokenRefused, match="older than 15 minutes"):
        r.prove(asked)


def test_it_is_not_remembered_past_its_end_when_the_machines_time_is_put_forward() -> None:
    r, asked = rig(fresh_seconds=3600), token()
    r.prove(asked)
    r.time.wall += 901
    with pytest.raises(TokenRefused, match="older than 15 minutes"):
        r.prove(asked)


def test_it_is_not_remembered_for_longer_when_the_machines_time_is_put_back() -> None:
    r, proven, refused = rig(fresh_seconds=120, degraded_seconds=300), token(), token()
    r.prove(proven)
    r.sts.answer = REFUSAL
    with pytest.raises(NotProven):
        r.prove(refused)
    r.time.wall -= 200
    r.sts.answer = None
    r.time.timer += 11
    assert r.prove(refused).source is Source.STS
    assert r.prove(proven).source is Source.CACHE
    r.time.timer += 110
    assert r.prove(proven).source is Source.STS
    r.time.timer += 421
    r.sts.answer = StsUnavailable("away")
    with pytest.raises(StsUnavailable):
        r.prove(proven)


# Refusals.


def test_a_refusal_is_remembered_briefly_and_for_that_token_alone() -> None:
    r, forged, good = rig(), token(), token()
    r.sts.answer = REFUSAL
    for _ in range(3):
        with pytest.raises(NotProven) as caught:
            r.prove(forged)
        assert (caught.value.code, str(caught.value)) == (REFUSAL.code, str(REFUSAL))
    assert len(r.sts.calls) == 1  # and no retry
    assert r.observer.counts == {"hit refused": 2}
    r.sts.answer = None
    assert r.prove(good).source is Source.STS
    r.time.pass_by(10)
    # A key that AWS had not heard of everywhere when it was made.
    assert r.prove(forged).source is Source.STS


def test_a_refusal_ends_what_was_proven_before() -> None:
    r, asked = rig(fresh_seconds=1), token()
    r.prove(asked)
    r.time.pass_by(1)
    r.sts.answer = NotProven("ExpiredToken", "expired")
    with pytest.raises(NotProven):
        r.prove(asked)
    r.time.pass_by(10)
    r.sts.answer = StsUnavailable("away")
    with pytest.raises(StsUnavailable):
        r.prove(asked)


# A store that lies.


@pytest.mark.parametrize("fill", [b"\x00", b"\xff", b"P"])
def test_a_table_that_was_overwritten_grants_nothing_and_costs_one_call(fill: bytes) -> None:
    r, asked = rig(), token()
    r.prove(asked)
    r.log_in(KEY)
    for table in (r.prover._memory._verdicts, r.prover._memory._known):
        table._memory[:] = fill * len(table._memory)
    r.sts.answer = REFUSAL
    with pytest.raises(NotProven):
        r.prove(asked)
    assert r.standing() is Standing.STRANGER


def test_one_tokens_verdict_moved_to_another_tokens_place_grants_nothing() -> None:
    r, good, forged = rig(), token(), token(OTHER_KEY)
    r.prove(good)
    table = r.prover._memory._verdicts
    good_key, forged_key = (key_of(checked(each)) for each in (good, forged))
    source = next(at for at in table._places(good_key) if table._memory[at])
    record = bytes(table._memory[source : source + 1024])
    target = table._places(forged_key)[0]
    table._memory[target : target + 1024] = forged_key + record[32:]
    r.sts.answer = REFUSAL
    with pytest.raises(NotProven):
        r.prove(forged)


# At once.


def test_reviews_of_one_token_at_once_share_one_call() -> None:
    r, asked = rig(places=9), token()

    async def at_once() -> list[Proof]:
        r.sts.hang()
        assert r.sts.began
        assert r.sts.end
        reviews = [asyncio.create_task(r.prove_async(asked)) for _ in range(9)]
        await r.sts.began.acquire()
        await asyncio.sleep(0)
        r.sts.end.set()
        return await asyncio.gather(*reviews)

    assert asyncio.run(at_once()) == [Proof(identity(), Source.STS)] * 9
    assert len(r.sts.calls) == 1
    assert r.observer.counts["collapsed"] == 8


def test_spellings_of_one_request_share_one_call() -> None:
    """63 spellings of one signed request cost 63 calls: order and escapes of a query are free."""
    r = rig()
    asked = token()
    url = url_of(asked)
    base, query = url.split("?")
    pairs = query.split("&")
    spellings = [
        token_of(f"{base}?{'&'.join(order)}")
        for order in itertools.islice(itertools.permutations(pairs), 0, 40_000, 1000)
    ]
    spellings.append(token_of(url.replace("AWS4-HMAC", "%41WS4%2dHMAC")))
    assert len({*spellings}) == len(spellings) == 41
    sources = [r.prove(each).source for each in spellings]
    assert sources == [Source.STS] + [Source.CACHE] * 40
    # And once it is known, each is found without its checks.
    assert [r.prove(each).source for each in spellings] == [Source.CACHE] * 41
    assert len(r.sts.calls) == 1


def test_who_joins_a_flight_that_takes_too_long_is_told_to_come_again() -> None:
    """Another's delay says nothing of STS, so that no older proof is used."""
    r, asked = rig(places=2, fresh_seconds=0), token()
    r.prove(asked)

    async def join() -> None:
        r.sts.hang()
        assert r.sts.began
        assert r.sts.end
        first = asyncio.create_task(r.prove_async(asked))
        await r.sts.began.acquire()
        question = r.question(asked)
        r.time.timer += 2  # its time is over
        with pytest.raises(Overloaded, match="takes too long"):
            await r.prover.ask(question)
        r.sts.end.set()
        await first

    asyncio.run(join())
    assert r.observer.counts["degraded"] == 0


# STS away.


def test_a_proven_token_stays_accepted_while_sts_is_away() -> None:
    r, asked = rig(fresh_seconds=120, degraded_seconds=300), token()
    r.prove(asked)
    r.sts.answer = StsUnavailable("no answer")
    r.time.pass_by(120)
    for _ in range(FAILURES_TO_OPEN + 2):
        assert r.prove(asked) == Proof(identity(), Source.DEGRADED)
    assert r.observer.counts["degraded"] == FAILURES_TO_OPEN + 2
    r.time.pass_by(299.9)
    assert r.prove(asked).source is Source.DEGRADED
    r.time.pass_by(0.1)
    with pytest.raises(Unavailable):
        r.prove(asked)


@pytest.mark.parametrize("error", AWAY[1:], ids=kind)
def test_only_the_silence_of_sts_lets_an_older_proof_be_used(error: Unavailable) -> None:
    """A revoked key stayed in for as long as its holder's own flood used something up."""
    r, asked = rig(fresh_seconds=120), token()
    r.prove(asked)
    r.time.pass_by(120)
    r.sts.answer = error
    for _ in range(FAILURES_TO_OPEN + 2):
        with pytest.raises(type(error)):
            r.prove(asked)
    assert r.observer.counts["degraded"] == 0
    assert r.silent() == (0, 0)


def use_up_the_budget(r: Rig) -> None:
    while r.budget.take(Standing.PROVEN, 0.5) <= 0.5:
        pass


def use_up_what_one_principal_may_have(r: Rig) -> None:
    while r.limits.proven.take(principal_of(identity())):
        pass


def use_up_the_places(r: Rig) -> None:
    while r.prover._places.enter(Standing.PROVEN):
        pass


@pytest.mark.parametrize(
    "use_up", [use_up_the_budget, use_up_what_one_principal_may_have, use_up_the_places]
)
def test_nothing_that_a_caller_can_use_up_lets_an_older_proof_be_used(
    use_up: Callable[[Rig], None],
) -> None:
    r, asked = rig(fresh_seconds=120, refill=False), token()
    r.prove(asked)
    r.time.pass_by(120)
    use_up(r)
    with pytest.raises(Overloaded, match="proven"):
        r.prove(asked)
    assert len(r.sts.calls) == 1
    while r.prover._places.taken:
        r.prover._places.leave(Standing.PROVEN)


def test_a_call_that_this_server_was_too_busy_to_read_says_nothing_of_sts() -> None:
    """Under a flood the event loop is late, and an answer that has arrived is not read in time."""

    async def ask(request: object, /, timeout: float) -> CallerIdentity:
        time.sleep(0.7)  # noqa: ASYNC251 (as if the loop had work for so long)
        raise StsUnavailable("no answer within its time")

    r = rig(fresh_seconds=0)
    asked = token()
    r.prove(asked)
    r.prover._ask_sts = ask
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(Overloaded, match="too busy"):
            r.prove(asked)
    assert r.prover._breaker.open_hosts() == []


def test_an_older_proof_is_used_at_once_while_the_circuit_is_open() -> None:
    r, asked = rig(fresh_seconds=120, refill=False), token()
    r.prove(asked)
    r.time.pass_by(120)
    outage(r)
    use_up_the_budget(r)
    calls = len(r.sts.calls)
    assert r.prove(asked).source is Source.DEGRADED
    assert len(r.sts.calls) == calls


@pytest.mark.parametrize("error", AWAY, ids=kind)
def test_no_other_token_is_denied_or_granted_while_sts_is_away(error: Unavailable) -> None:
    r = rig()
    r.sts.answer = error
    asked = token()
    with pytest.raises(type(error)):
        r.prove(asked)
    r.sts.answer = None
    assert r.prove(asked).source is Source.STS  # nothing is remembered against it


def test_degraded_mode_ends_with_the_token() -> None:
    r = rig(fresh_seconds=10, degraded_seconds=3600)
    asked = token(age_seconds=840)
    r.prove(asked)
    r.sts.answer = StsUnavailable("away")
    r.time.pass_by(59)
    assert r.ask(r.question(asked)).source is Source.DEGRADED
    question = r.question(asked)
    r.time.timer += 0.4
    r.time.wall += 1  # while it waited
    with pytest.raises(StsUnavailable):
        r.ask(question)


def test_degraded_mode_can_be_turned_off() -> None:
    r, asked = rig(fresh_seconds=120, degraded_seconds=0), token()
    r.prove(asked)
    r.sts.answer = StsUnavailable("away")
    r.time.pass_by(119)
    assert r.prove(asked).source is Source.CACHE
    r.time.pass_by(1)
    with pytest.raises(StsUnavailable):
        r.prove(asked)


def test_a_refusal_is_not_overruled_in_degraded_mode() -> None:
    r, asked = rig(fresh_seconds=1), token()
    r.prove(asked)
    r.time.pass_by(1)
    r.sts.answer = REFUSAL
    with pytest.raises(NotProven):
        r.prove(asked)


# The breaker.


def outage(r: Rig) -> None:
    r.sts.answer = StsUnavailable("away")
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(StsUnavailable):
            r.prove(token())


def test_a_host_that_is_down_is_left_alone_and_found_again_within_two_seconds() -> None:
    r = rig()
    outage(r)
    calls, left = len(r.sts.calls), r.budget.take(Standing.KNOWN)
    with pytest.raises(StsUnavailable, match="left alone"):
        r.prove(token())
    assert (len(r.sts.calls), left) == (calls, 0)
    assert r.silent() == (1, 0)
    r.time.pass_by(OPEN_SECONDS)
    with pytest.raises(StsUnavailable, match="away"):
        r.prove(token())
    assert len(r.sts.calls) == calls + 1
    assert r.sts.calls[-1][1] <= 1.0  # so that a probe that hangs decides soon
    r.sts.answer = None
    r.time.pass_by(OPEN_SECONDS)
    assert r.prove(token()).source is Source.STS
    assert r.silent() == (0, 0)
    assert r.sts.calls[-1][1] + OPEN_SECONDS < 2


def test_while_a_host_is_left_alone_the_budget_is_kept_for_its_return() -> None:
    r = rig(rate=100)
    outage(r)
    for _ in range(200):
        with pytest.raises(StsUnavailable):
            r.prove(token())
    assert sum(r.budget.take(Standing.PROVEN) == 0 for _ in range(200)) == 100 - FAILURES_TO_OPEN


def test_another_host_is_asked_meanwhile() -> None:
    r = rig()
    outage(r)
    r.sts.answer = None
    elsewhere = token(host="sts.eu-west-1.amazonaws.com", region="eu-west-1")
    assert r.prove(elsewhere).source is Source.STS


@pytest.mark.parametrize(
    "error", [REFUSAL, StsThrottled("quota"), StsRefusedOddly("413")], ids=kind
)
def test_answers_that_a_caller_can_provoke_open_nothing(error: Exception) -> None:
    """Whoever can make STS refuse must not be able to make it look down for everybody else."""
    r = rig()
    r.sts.answer = error
    for _ in range(FAILURES_TO_OPEN * 3):
        with pytest.raises(type(error)):
            r.prove(token())
    r.sts.answer = None
    assert r.prove(token()).source is Source.STS


def test_a_review_that_had_to_wait_too_long_for_us_is_no_failure_of_sts() -> None:
    r = rig()
    for _ in range(FAILURES_TO_OPEN * 2):
        question = r.question(token(now=r.time.wall))
        r.time.pass_by(6)  # less is left than a call may take
        with pytest.raises(Overloaded, match="no time left"):
            r.ask(question)
    assert r.sts.calls == []
    assert r.prove(token(now=r.time.wall)).source is Source.STS


@pytest.mark.parametrize("error", [KeyError("a fault of ours"), KeyboardInterrupt()], ids=kind)
def test_a_probe_that_ends_in_a_fault_of_ours_lets_the_next_one_ask(error: BaseException) -> None:
    r = rig()
    outage(r)
    r.time.pass_by(OPEN_SECONDS)
    r.sts.answer = error
    with pytest.raises(type(error)):
        r.prove(token())
    r.sts.answer = None
    assert r.prove(token()).source is Source.STS


# The budget.


def test_strangers_leave_the_reserve_to_keys_that_have_logged_in() -> None:
    r = rig(rate=100, refill=False)
    r.log_in(KEY)
    r.sts.answer = REFUSAL
    for number in range(75 + 50):  # those of the next half second are promised
        with pytest.raises(NotProven):
            r.prove(token(f"AKIA{number:016d}"))
    with pytest.raises(Overloaded, match="stranger"):
        r.prove(token(OTHER_KEY))
    r.sts.answer = None
    assert r.prove(token()).source is Source.STS


def test_who_is_known_waits_a_little_for_the_budget_and_no_longer() -> None:
    r = rig(rate=1, key_rate=1000)
    r.log_in(KEY)
    r.prove(token())
    assert r.prove(token()).source is Source.STS
    assert sum(r.time.slept) == pytest.approx(0.8125)
    drained = rig(rate=0.1, key_rate=1000)
    drained.log_in(KEY)
    drained.prove(token())
    with pytest.raises(Overloaded, match="known"):
        drained.prove(token())
    assert drained.observer.counts == {"no budget known": 1}


def test_to_be_proven_is_not_to_be_known() -> None:
    """Anyone with an AWS account can be proven; only who is let in has a part of the reserve."""
    r = rig()
    r.prove(token())
    assert r.standing() is Standing.STRANGER
    r.log_in(KEY)
    assert r.standing() is Standing.KNOWN
    r.time.pass_by(3600)
    assert r.standing() is Standing.STRANGER


def test_forgeries_with_a_known_keys_id_neither_use_the_reserve_nor_lock_its_holder_out() -> None:
    r = rig(rate=100, key_rate=10, refill=False)
    r.log_in(KEY)
    r.log_in(OTHER_KEY)
    r.sts.answer = REFUSAL
    for _ in range(60):
        with pytest.raises(NotProven):
            r.prove(token())
    r.sts.answer = None
    assert r.prove(token()).source is Source.STS  # as a stranger would be
    r.sts.answer = REFUSAL
    for _ in range(14 + 50):
        with pytest.raises(NotProven):
            r.prove(token())
    with pytest.raises(Overloaded, match="key"):
        r.prove(token())
    r.sts.answer = None
    assert r.prove(token(OTHER_KEY)).identity.access_key_id == OTHER_KEY


def test_strangers_never_fill_the_worker_whatever_they_wait_for() -> None:
    r = rig(places=2)
    r.log_in()
    forged = token(OTHER_KEY)

    async def fill() -> None:
        r.sts.hang()
        assert r.sts.began
        assert r.sts.end
        waiting = [asyncio.create_task(r.prove_async(forged)) for _ in range(2)]
        await r.sts.began.acquire()
        # One that joins a flight has a place too.
        for asked in (forged, token(OTHER_KEY)):
            with pytest.raises(Overloaded, match="stranger"):
                await r.prove_async(asked)
        waiting.append(asyncio.create_task(r.prove_async(token())))
        await r.sts.began.acquire()
        r.sts.end.set()
        assert {(await each).source for each in waiting} == {Source.STS}

    asyncio.run(fill())


def test_a_call_has_its_time_whatever_was_waited_for() -> None:
    """One that we cut short would look like STS's silence."""
    r = rig()
    question = r.question(token())
    r.time.pass_by(3.5)
    r.ask(question)
    assert r.sts.calls[0][1] == 4.0


def test_who_can_be_let_in_by_an_older_proof_waits_less_for_sts_than_others() -> None:
    r, asked = rig(fresh_seconds=0), token()
    r.prove(asked)
    r.prove(asked)
    assert [timeout for _, timeout in r.sts.calls] == [4, 1.5]


def test_without_degraded_mode_asking_again_has_its_standing_and_all_its_time() -> None:
    r, asked = rig(fresh_seconds=1, degraded_seconds=0), token()
    r.prove(asked)
    r.time.pass_by(1)
    question = r.question(asked)
    assert r.prover._standing(question) is Standing.PROVEN
    assert question.call_seconds == 4.0


# Limits nest.


def test_keys_of_one_role_together_have_no_more_than_the_role() -> None:
    """40 sessions of one weak role made 40 known keys, and forgeries of them starved everybody."""
    r = rig(rate=40, refill=False, limits=Limits.of(40, 2, lambda: 0.0))
    keys = [f"ASIAWEAK{number:012d}" for number in range(40)]
    for number, key in enumerate(keys):
        r.log_in(key, session=f"s{number}", role="Weak")
    r.log_in(OTHER_KEY)
    standings = [r.standing(key) for key in keys for _ in range(2)]
    assert standings.count(Standing.KNOWN) == 20
    assert r.standing(OTHER_KEY) is Standing.KNOWN


def test_keys_of_one_session_together_have_no_more_than_the_session() -> None:
    r = rig(limits=Limits.of(40, 2, lambda: 0.0))
    keys = [f"ASIAWEAK{number:012d}" for number in range(40)]
    for key in keys:
        r.log_in(key, session="one")
    r.log_in(OTHER_KEY, session="another")
    assert [r.standing(key) for key in keys].count(Standing.KNOWN) == 15
    assert r.standing(OTHER_KEY) is Standing.KNOWN


def test_what_a_key_uses_up_beyond_its_limit_costs_its_role_nothing() -> None:
    r = rig(limits=Limits.of(40, 2, lambda: 0.0))
    r.log_in(KEY)
    r.log_in(OTHER_KEY, session="other")
    assert [r.standing(KEY) for _ in range(100)].count(Standing.KNOWN) == 10
    assert [r.standing(OTHER_KEY) for _ in range(100)].count(Standing.KNOWN) == 10


@pytest.mark.parametrize("mapped", [True, False])
def test_a_first_login_of_a_mapped_account_has_a_share_in_a_flood(mapped: bool) -> None:
    """The account inside a key id is a hint: it decides who waits, and grants nothing."""
    key = "ASIAQNZGKIQY56JQ7WML"  # of 029608264753
    r = rig(rate=100, refill=False, is_mapped=lambda account: mapped and account == "029608264753")
    while r.budget.take(Standing.STRANGER, 0.5) <= 0.5:
        pass
    if mapped:
        assert r.prove(token(key)).source is Source.STS
        # No more than a share: forgers can make such ids as well.
        assert [r.standing(key) for _ in range(9)] == [Standing.ACCOUNT] * 4 + [
            Standing.STRANGER
        ] * 5
    else:
        with pytest.raises(Overloaded, match="stranger"):
            r.prove(token(key))


FAR = {"host": "sts.eu-west-1.amazonaws.com", "region": "eu-west-1"}


def test_a_host_that_never_answers_gets_few_calls_of_strangers() -> None:
    """Forgeries for black-holed Regions took the budget and the places from first logins."""
    r = rig(rate=1000, places=100)
    near = token()

    async def flood() -> None:
        r.sts.hang()
        assert r.sts.began
        assert r.sts.end
        far = [
            asyncio.create_task(r.prove_async(token(f"AKIA{number:016d}", **FAR)))
            for number in range(20)
        ]
        for _ in range(2):
            await r.sts.began.acquire()
        review = asyncio.create_task(r.prove_async(near))
        await r.sts.began.acquire()
        assert len(r.sts.calls) == 3
        r.sts.end.set()
        assert (await review).source is Source.STS
        # It answers after all, so that those who still wait are let through.
        assert {(await each).source for each in far} == {Source.STS}

    asyncio.run(flood())


def test_a_silent_host_that_only_strangers_name_is_counted_apart() -> None:
    """Anyone could ring the critical alert with tokens for Regions that are out of reach."""
    r = rig()
    r.prove(token())
    r.sts.answer = StsUnavailable("away")
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(StsUnavailable):
            r.prove(token(**FAR))
    assert r.silent() == (0, 1)
    r.log_in()
    with pytest.raises(StsUnavailable):
        r.prove(token(**FAR))
    assert r.silent() == (1, 0)


def test_until_sts_has_answered_once_every_silent_host_counts() -> None:
    r = rig()
    outage(r)
    assert r.silent() == (1, 0)


# Leaks.

FAULTS = [REFUSAL, *AWAY, KeyError("a fault of ours"), MemoryError(), KeyboardInterrupt()]


@pytest.mark.parametrize("error", FAULTS, ids=kind)
def test_whatever_is_raised_the_next_review_is_as_good_as_new(error: BaseException) -> None:
    r = rig(places=1, rate=1000)
    for _ in range(3):
        r.sts.answer = error
        asked = token()
        with pytest.raises(type(error)):
            r.prove(asked)
        if not isinstance(error, NotProven):
            r.sts.answer = None
            assert r.prove(asked).source is Source.STS
    assert r.time.slept == []  # no claim was waited for


@pytest.mark.parametrize(
    "place",
    [
        *("Memory.claim", "Memory.proven", "Memory.recall", "Memory.holder", "Memory.is_fresh"),
        *("Budget.take", "Breaker.may_ask", "Breaker.is_open", "Limits.allow", "Places.enter"),
        *("HostPlaces.enter", "HostPlaces.answered"),
    ],
)
def test_a_fault_in_any_part_leaves_nothing_behind(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    r, asked = rig(places=1), token()
    r.log_in(OTHER_KEY)
    r.prove(asked)

    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    part, method = place.split(".")
    owner = {
        "Memory": r.prover._memory,
        "Budget": r.budget,
        "Breaker": r.prover._breaker,
        "Limits": r.limits,
        "Places": r.prover._places,
        "HostPlaces": r.prover._host_places,
    }[part]
    with monkeypatch.context() as patched:
        patched.setattr(type(owner), method, fail)
        failed = 0
        for again in (asked, token(), token(OTHER_KEY)):
            with contextlib.suppress(MemoryError):
                failed += 1
                r.prove(again)
                failed -= 1
        assert failed
    assert r.prove(token()).source is Source.STS
    assert r.prove(token(OTHER_KEY)).source is Source.STS


def test_an_outage_leaves_no_errors_in_memory_until_they_are_looked_for() -> None:
    alive: list[weakref.ref[BaseException]] = []

    class Away(StsUnavailable):
        def __init__(self) -> None:
            super().__init__("away")
            alive.append(weakref.ref(self))

    async def ask(request: object, /, timeout: float) -> CallerIdentity:
        raise Away

    async def reviews() -> None:
        for _ in range(FAILURES_TO_OPEN):
            # Not pytest.raises, which keeps what it caught.
            with contextlib.suppress(StsUnavailable):
                await r.prove_async(token())

    r = rig(sts=ask)
    gc.disable()
    try:
        asyncio.run(reviews())
        assert [ref() for ref in alive] == [None] * FAILURES_TO_OPEN
    finally:
        gc.enable()


def test_many_reviews_many_tokens_any_outcome() -> None:
    r = rig(rate=10_000, places=64)
    outcomes = [None, REFUSAL, StsUnavailable("away"), StsThrottled("quota"), KeyError("ours")]
    tokens = [token(f"AKIA{number:016d}") for number in range(40)]
    serial = iter(range(10**6))

    async def ask(request: PresignedRequest, /, timeout: float) -> CallerIdentity:
        await asyncio.sleep(0)
        outcome = outcomes[next(serial) % len(outcomes)]
        if outcome is not None:
            raise outcome
        return identity(request.access_key_id)

    r.prover._ask_sts = ask

    async def review(number: int) -> str:
        asked = tokens[number % len(tokens)]
        try:
            proof = await r.prove_async(asked)
        except (NotProven, Unavailable, KeyError) as error:
            return type(error).__name__
        # Never somebody else's identity.
        assert proof.identity.access_key_id == f"AKIA{number % len(tokens):016d}"
        return proof.source.value

    async def many() -> set[str]:
        seen: set[str] = set()
        for start in range(0, 3000, 30):
            seen |= {*await asyncio.gather(*map(review, range(start, start + 30)))}
        return seen

    assert {"sts", "cache", "NotProven"} <= asyncio.run(many())


def test_the_host_is_the_tokens_and_the_request_is_the_checked_one() -> None:
    r = rig()
    r.prove(token())
    request, _ = r.sts.calls[0]
    assert (request.host.name, request.access_key_id) == (HOST, KEY)
    assert request.signed_at == START
