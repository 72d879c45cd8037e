"""Has callers proven with one call of STS for each signed request, and none while STS is away.

    recall     the checks of the token's text, and what this host's workers remember: no call
    standing   what is known of the caller, and what of it is used up
    one flight the same request asked at once, here or in another worker: one call
    circuit    a host that has not answered lately is left alone
    places     how many calls strangers may have under way at one host
    budget     how often to ask
    STS
    degraded   STS did not answer: an older proof, within bounds

What STS has proven is remembered for `fresh_seconds`, and a while longer for when STS is away, but
never past the token's own end. Only `StsUnavailable` means that STS is away: a call that was sent
and not answered, or that was not made because of such calls. Nothing that a caller can use up (our
budget, places and limits, STS's quota) lets an older proof be used, since a revoked key could be
kept alive by its holder's own flood. Mappings are not remembered: an edit counts at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from authenticator.aws.access_keys import account_in
from authenticator.aws.arns import CallerIdentity
from authenticator.aws.sts_hosts import StsHost
from authenticator.elapsed import elapsed
from authenticator.errors import (
    AuthenticatorError,
    NotProven,
    Overloaded,
    StsRefusedOddly,
    StsThrottled,
    StsUnavailable,
)
from authenticator.tokens import presigned
from authenticator.tokens.presigned import PresignedRequest
from authenticator.verdicts.breaker import Breaker, Permission, StsHealth
from authenticator.verdicts.budget import Budget, Standing
from authenticator.verdicts.flight import SingleFlight
from authenticator.verdicts.lag import Lag
from authenticator.verdicts.limits import Limits
from authenticator.verdicts.memory import (
    KNOWN_SECONDS,
    Memory,
    Remembering,
    key_of,
    principal_of,
    spelling_of,
)
from authenticator.verdicts.places import HostPlaces, Places
from authenticator.verdicts.verdict import Proof, Proven, Refused, Source

# How long one review may take, waiting included, and the call of STS in it, which takes 0.1 s when
# all is well. The API server gives up after 30 s. The call gets its time whatever was waited for: a
# call that we cut short would say nothing of STS.
_UNHURRIED = (8.0, 4.0)
# The same for a review that need not fail: an older proof can be used.
_HURRIED = (2.0, 1.5)
_PROBE_SECONDS = 1.0
# How long to wait for the budget, and how often to look for the work of another worker.
_WAIT_SECONDS = dict.fromkeys(Standing, 0.5) | {Standing.KNOWN: 2.0}
_LOOK_SECONDS = 0.003
# A call that ended while this process lost so much time says nothing of STS.
_LOST_SECONDS = 0.5


class AsksSts(Protocol):
    """`authenticator.aws.sts.Sts.prove`."""

    async def __call__(self, request: PresignedRequest, /, timeout: float) -> CallerIdentity:
        """Ask STS who signed `request`, for at most `timeout` seconds.

        Raises:
            NotProven: STS refused it.
            StsUnavailable: the call was not answered, or not by STS. Nothing else raises it.
            Unavailable: it could not be asked, or gave an answer that decides nothing.
        """
        ...


class ObservesProofs(Protocol):
    """Counts, for the metrics."""

    def cache_hit(self, kind: str) -> None:
        """Count a review answered from a remembered verdict: `proven` or `refused`."""

    def call_collapsed(self) -> None:
        """Count a review that shared the call of another."""

    def budget_refused(self, standing: str) -> None:
        """Count a review for which there was no call left, by its `Standing`."""

    def degraded_answer(self) -> None:
        """Count a caller let in by an older proof."""


@dataclass(frozen=True, slots=True)
class Question:
    """A token that passed the checks of its text, and that STS has to be asked about.

    Attributes:
        request: the checked request.
        key: what the verdict is remembered under.
        spelling: what this token is looked up by.
        stale: an older proof of the same request.
        deadline: when the review has to be over, by the prover's timer.
        call_seconds: how long the call may take.
    """

    request: PresignedRequest
    key: bytes = field(repr=False)
    spelling: bytes = field(repr=False)
    stale: Proven | None
    deadline: float
    call_seconds: float


class Prover:
    """Proves callers. Create it before the workers are forked: they share what it remembers.

    `ask` belongs to one event loop.

    Args:
        ask: asks STS.
        hosts: the STS hosts that a token may name, by name.
        budget: the calls of STS that all workers may make.
        limits: how much of it one caller may have.
        observer: counts.
        remembering: how long verdicts are kept.
        is_mapped: whether a mapping names an account.
        places: how many reviews may wait.
        clock: Unix seconds.
        timer: seconds that never fall and are the same in every worker.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        *,
        ask: AsksSts,
        hosts: Mapping[str, StsHost],
        budget: Budget,
        limits: Limits,
        observer: ObservesProofs,
        remembering: Remembering,
        is_mapped: Callable[[str], bool] = lambda _account: False,
        places: Places | None = None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = elapsed,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._ask_sts = ask
        self._hosts = hosts
        self._budget = budget
        self._limits = limits
        self._observer = observer
        self._is_mapped = is_mapped
        self._places = places or Places()
        self._host_places = HostPlaces()
        self._clock = clock
        self._timer = timer
        self._sleep = sleep
        self._memory = Memory(remembering, clock, timer)
        self._flights: SingleFlight[CallerIdentity] = SingleFlight()
        self._breaker = Breaker(timer)
        self._lag = Lag()
        self._last_answer: float | None = None
        # When a caller last asked, by host, who was not a stranger.
        self._used: dict[str, float] = {}

    def sts_health(self) -> StsHealth:
        """How STS has been lately, as far as this process has asked."""
        silent = self._breaker.open_hosts()
        since = self._timer() - KNOWN_SECONDS
        used = [host for host in silent if self._used.get(host, since) > since]
        if self._last_answer is None:
            used = silent
        return StsHealth(self._last_answer, len(used), len(silent) - len(used))

    @property
    def waiting(self) -> int:
        """How many reviews wait for STS in this process."""
        return self._places.taken

    def recall(self, token: str) -> Proof | Question:
        """Return the proof if it is remembered, and otherwise what to ask. Never waits.

        Args:
            token: the bearer token, as posted.

        Raises:
            TokenRefused: a check of its text failed.
            NotProven: STS refused this very request a moment ago.
        """
        presigned.check_prefix(token)
        spelling = spelling_of(token)
        key = self._memory.key_of_spelling(spelling)
        verdict = None if key is None else self._memory.recall(key)
        if isinstance(verdict, Proven) and self._memory.is_fresh(verdict):
            self._observer.cache_hit("proven")
            return Proof(verdict.identity, Source.CACHE)
        request = presigned.check(token, now=self._clock(), hosts=self._hosts)
        if key is None:
            key = key_of(request)
            verdict = self._memory.recall(key)
        if isinstance(verdict, Refused):
            self._observer.cache_hit("refused")
            refused = NotProven(verdict.code, verdict.reason)
            refused.claim = request.claim
            raise refused
        if verdict is not None and self._memory.is_fresh(verdict):
            self._memory.learn_spelling(spelling, key)
            self._observer.cache_hit("proven")
            return Proof(verdict.identity, Source.CACHE)
        hurried = verdict is not None and self._memory.may_stand_in(verdict)
        patience, call = _HURRIED if hurried else _UNHURRIED
        return Question(request, key, spelling, verdict, self._timer() + patience, call)

    async def ask(self, question: Question) -> Proof:
        """Return the proof that STS gives, or an older one if STS does not answer.

        Raises:
            NotProven: STS refused it.
            Unavailable: it could not be found out now.
        """
        try:
            return await self._ask(question)
        except AuthenticatorError as error:
            error.claim = question.request.claim
            raise

    async def _ask(self, question: Question) -> Proof:
        stale = question.stale
        try:
            identity, shared = await self._fly(question)
        except StsUnavailable:
            # What STS proved of this request stays true until its end: an outage is no reason to
            # turn its holder away, as long as the operator's bound allows.
            if stale is None or not self._memory.may_stand_in(stale):
                raise
            self._observer.degraded_answer()
            return Proof(stale.identity, Source.DEGRADED)
        self._memory.learn_spelling(question.spelling, question.key)
        if shared:
            self._observer.call_collapsed()
        return Proof(identity, Source.STS)

    def remember_login(self, identity: CallerIdentity) -> None:
        """Take an access key for a known one: its holder was proven, and a mapping lets them in.

        Anyone with an AWS account can be proven; that alone must earn no part of the reserve.
        """
        self._memory.know(identity)

    async def _fly(self, question: Question) -> tuple[CallerIdentity, bool]:
        """Join the flight that finds out about a request, or begin it; whether it was joined."""
        standing = self._standing(question)
        if not standing.is_stranger:
            self._used[question.request.host.name] = self._timer()
        # The circuit first: during an outage nothing else may decide.
        self._check_circuit(question.request)
        if standing is Standing.PROVEN and question.stale is not None:
            self._check_repeats(question.stale)
        if not self._places.enter(standing):
            raise self._overloaded(standing)
        try:
            fetch = partial(self._fetch, question, standing)
            return await self._flights.do(question.key, fetch, question.deadline - self._timer())
        except TimeoutError:
            raise Overloaded("another review of the same token takes too long") from None
        finally:
            self._places.leave(standing)

    def _standing(self, question: Question) -> Standing:
        if question.stale is not None:
            return Standing.PROVEN
        key = question.request.access_key_id
        holder = self._memory.holder(key)
        if holder is not None:
            # A key's id is no secret: forgeries that name a known one must neither use the reserve
            # up nor lock its holder out. Beyond its limits it counts as any stranger.
            return Standing.KNOWN if self._limits.allow(key, holder) else Standing.BUSY
        account = account_in(key)
        if account is not None and self._is_mapped(account) and self._limits.account.take(b""):
            return Standing.ACCOUNT
        return Standing.STRANGER

    def _check_repeats(self, stale: Proven) -> None:
        """Bound how often what was proven before is asked again for one principal.

        Raises:
            Overloaded: too often.
        """
        if not self._limits.proven.take(principal_of(stale.identity)):
            raise self._overloaded(Standing.PROVEN)

    async def _fetch(self, question: Question, standing: Standing) -> CallerIdentity:
        key, host = question.key, question.request.host.name
        until = question.deadline - question.call_seconds
        identity = await self._another_workers(key, until)
        if identity is not None:
            self._observer.call_collapsed()
            return identity
        until = min(until, self._timer() + _WAIT_SECONDS[standing])
        self._memory.claim(key, max(0.0, until - self._timer()) + question.call_seconds)
        try:
            if not standing.is_stranger:
                await self._spend(standing, until)
                return await self._prove(question)
            patience = 0.0 if self._places.are_scarce(standing) else until - self._timer()
            if not await self._host_places.enter(host, patience):
                self._observer.budget_refused(standing.value)
                raise Overloaded(f"enough callers who are not known wait for {host}")
            try:
                self._check_circuit(question.request)  # it may have opened meanwhile
                await self._spend(standing, until)
                return await self._prove(question)
            finally:
                self._host_places.leave(host)
        finally:
            self._memory.release(key)

    async def _another_workers(self, key: bytes, until: float) -> CallerIdentity | None:
        """Wait for a worker that is asking about the same request, if there is one."""
        if not self._memory.is_claimed(key):
            return None
        pause = _LOOK_SECONDS
        while self._memory.is_claimed(key) and self._timer() < until:
            await self._sleep(pause)
            pause = min(pause * 1.5, 10 * _LOOK_SECONDS)
        verdict = self._memory.recall(key)
        if isinstance(verdict, Refused):
            raise NotProven(verdict.code, verdict.reason)
        return verdict.identity if verdict is not None and self._memory.is_fresh(verdict) else None

    async def _spend(self, standing: Standing, until: float) -> None:
        """Take a call of the budget, waiting until `until` at most.

        Raises:
            Overloaded: there is no call left for this standing.
        """
        patience = max(0.0, until - self._timer())
        wait = self._budget.take(standing, patience)
        if wait > patience:
            raise self._overloaded(standing)
        if wait:
            await self._sleep(wait)

    async def _prove(self, question: Question) -> CallerIdentity:
        """Have STS asked, and remember what it said."""
        seconds = question.call_seconds
        if self._timer() + seconds > question.deadline + _LOST_SECONDS:
            raise Overloaded("there was no time left to ask STS")
        try:
            identity = await self._call(question.request, seconds)
        except NotProven as error:
            self._memory.refused(question.key, error)
            raise
        self._memory.proven(question.key, identity, question.request.valid_until)
        return identity

    async def _call(self, request: PresignedRequest, seconds: float) -> CallerIdentity:
        host = request.host.name
        permission = self._breaker.may_ask(host)
        if permission is Permission.NO:
            raise _left_alone(request)
        if permission is Permission.PROBE:
            seconds = min(seconds, _PROBE_SECONDS)
        try:
            identity = await self._ask_within(request, seconds)
        except StsUnavailable:
            self._breaker.failed(host)
            self._host_places.failed(host)
            raise
        except (NotProven, StsThrottled, StsRefusedOddly):
            self._answered(host)
            raise
        except BaseException:
            self._breaker.gave_up(host)
            raise
        self._answered(host)
        return identity

    def _answered(self, host: str) -> None:
        """Take note of an answer, whatever it was."""
        self._last_answer = self._clock()
        self._breaker.answered(host)
        self._host_places.answered(host)

    async def _ask_within(self, request: PresignedRequest, seconds: float) -> CallerIdentity:
        before = self._lag.begin()
        try:
            return await self._ask_sts(request, timeout=seconds)
        except StsUnavailable as error:
            if self._lag.lost() - before > _LOST_SECONDS:
                raise Overloaded("this server was too busy to read STS's answer") from error
            raise
        finally:
            self._lag.end()

    def _check_circuit(self, request: PresignedRequest) -> None:
        """Leave a host alone that does not answer.

        Raises:
            StsUnavailable: its circuit is open.
        """
        if self._breaker.is_open(request.host.name):
            raise _left_alone(request)

    def _overloaded(self, standing: Standing) -> Overloaded:
        self._observer.budget_refused(standing.value)
        return Overloaded(f"the budget of STS calls is used up for the moment ({standing.value})")


def _left_alone(request: PresignedRequest) -> StsUnavailable:
    host = request.host.name
    return StsUnavailable(f"{host} has not answered lately, and is left alone for a moment")
