"""Has callers proven with one call of STS for each token, and with none while STS is away.

    remembered?        a verdict of one of this host's workers: no call
    text               every check of `authenticator.tokens`
    standing           has this access key logged in lately? strangers have fewer places
    one flight         the same token asked at once, here or in another worker: one call
    breaker, budget    whom to ask now, and how often
    STS
    degraded           STS is away: a verdict past its time, within bounds

Whom STS has proven is remembered for `fresh_seconds`, and a while longer for when STS is away, but
never past the token's own end. Mappings are not remembered: an edit counts at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from authenticator.aws.arns import CallerIdentity
from authenticator.aws.sts_hosts import StsHost
from authenticator.errors import (
    NotProven,
    Overloaded,
    StsRefusedOddly,
    StsUnavailable,
    Unavailable,
)
from authenticator.tokens import presigned
from authenticator.tokens.presigned import PresignedRequest
from authenticator.verdicts.breaker import Breaker, Permission, StsHealth
from authenticator.verdicts.budget import Budget, InFlight, KeyLimit, Standing
from authenticator.verdicts.flight import SingleFlight
from authenticator.verdicts.memory import Memory, Remembering, key_of
from authenticator.verdicts.verdict import Proof, Proven, Refused, Source

# For one review, waiting included; the API server gives up after 30 s.
_REVIEW_SECONDS = 8.0
# The same for one that need not fail: a verdict past its time can stand in.
_HURRIED_SECONDS = 2.0
# For one call of STS, which takes 0.1 s when all is well; a probe decides when an outage is over.
_CALL_SECONDS = {Permission.YES: 4.0, Permission.PROBE: 1.0}
# How long somebody may wait for the budget, and how often to look for the work of another worker.
_WAIT_SECONDS = {Standing.KNOWN: 2.0, Standing.STRANGER: 0.5, Standing.BUSY: 0.5}
_LOOK_SECONDS = 0.003


class AsksSts(Protocol):
    """`authenticator.aws.sts.Sts.prove`."""

    def __call__(self, request: PresignedRequest, /, timeout: float) -> CallerIdentity:
        """Ask STS who signed `request`, for at most `timeout` seconds.

        Raises:
            NotProven: STS refused it.
            Unavailable: STS could not be asked, or gave no answer of STS's.
        """
        ...


class ObservesProofs(Protocol):
    """Counts, for the metrics."""

    def cache_hit(self, kind: str) -> None:
        """Count a review answered from a remembered verdict: `proven` or `refused`."""

    def call_collapsed(self) -> None:
        """Count a review that shared the call of another."""

    def budget_refused(self, standing: str) -> None:
        """Count a review for which there was no call left: `known`, `stranger` or `key`."""

    def degraded_answer(self) -> None:
        """Count a caller let in on a verdict past its time."""

    def circuits_open(self, number: int) -> None:
        """Say how many STS hosts do not answer."""


class Prover:
    """Proves callers. Make it before the workers are forked: they share what it remembers.

    Args:
        ask: asks STS.
        hosts: the STS hosts that a token may name, by name.
        budget: the calls of STS that all workers may make.
        key_limit: how often an access key that has logged in counts as known.
        in_flight: the reviews that strangers may have waiting.
        observer: counts.
        remembering: how long verdicts are kept.
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
        key_limit: KeyLimit,
        in_flight: InFlight,
        observer: ObservesProofs,
        remembering: Remembering,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ask = ask
        self._hosts = hosts
        self._budget = budget
        self._key_limit = key_limit
        self._in_flight = in_flight
        self._observer = observer
        self._clock = clock
        self._timer = timer
        self._sleep = sleep
        self._memory = Memory(remembering, clock, timer)
        self._flights: SingleFlight[CallerIdentity] = SingleFlight()
        self._breaker = Breaker(timer)
        self._last_answer: float | None = None

    def sts_health(self) -> StsHealth:
        """How STS has been lately, as far as this process has asked."""
        return StsHealth(self._last_answer, self._breaker.open_hosts())

    def begin(self, token: str) -> Proof | Callable[[], Proof]:
        """Give the proof at once if it is remembered, and otherwise what will fetch it.

        Never waits for anything. What is returned may wait, and raises what `prove` raises.

        Args:
            token: the bearer token, as posted.

        Raises:
            TokenRefused: a check of its text failed.
            NotProven: STS refused this very token a moment ago.
        """
        presigned.check_prefix(token)
        key = key_of(token)
        verdict = self._memory.recall(key)
        if isinstance(verdict, Proven) and self._memory.is_fresh(verdict):
            self._observer.cache_hit("proven")
            return Proof(verdict.identity, Source.CACHE)
        if isinstance(verdict, Refused):
            self._observer.cache_hit("refused")
            raise NotProven(verdict.code, verdict.reason)
        request = presigned.check(token, now=self._clock(), hosts=self._hosts)
        # The API server's patience began when it asked, not when a thread was free.
        deadline = self._timer() + (_REVIEW_SECONDS if verdict is None else _HURRIED_SECONDS)
        return partial(self._prove, request, key, verdict, deadline)

    def prove(self, token: str) -> Proof:
        """Give the proof, waiting for it if need be.

        Raises:
            TokenRefused: a check of its text failed.
            NotProven: STS refused it.
            Unavailable: it could not be found out now.
        """
        proof = self.begin(token)
        return proof if isinstance(proof, Proof) else proof()

    def remember_login(self, access_key_id: str) -> None:
        """Take an access key for a known one: its holder was proven, and a mapping lets them in.

        Anyone with an AWS account can be proven; that alone must earn no part of the reserve.
        """
        self._memory.know(access_key_id)

    def _prove(
        self, request: PresignedRequest, key: bytes, stale: Proven | None, deadline: float
    ) -> Proof:
        try:
            identity, shared = self._fly(request, key, deadline)
        except Unavailable:
            # What STS proved of this token stays true until its end: an outage is no reason to
            # turn its holder away, as long as the operator's bound allows.
            if stale is None or not self._memory.may_stand_in(stale):
                raise
            self._observer.degraded_answer()
            return Proof(stale.identity, Source.DEGRADED)
        if shared:
            self._observer.call_collapsed()
        return Proof(identity, Source.STS)

    def _fly(
        self, request: PresignedRequest, key: bytes, deadline: float
    ) -> tuple[CallerIdentity, bool]:
        """Join the flight that finds out about this token, or begin it; whether it was joined."""
        standing = self._standing(request.access_key_id)
        # Who joins occupies a thread as well, and so has to have a place.
        if not self._in_flight.enter(standing):
            raise self._overloaded(standing)
        try:
            fetch = partial(self._fetch, request, key, standing, deadline)
            return self._flights.do(key, fetch, max(0.0, deadline - self._timer()))
        except TimeoutError:
            raise StsUnavailable("another review of the same token has had no answer") from None
        finally:
            self._in_flight.leave(standing)

    def _standing(self, access_key_id: str) -> Standing:
        if not self._memory.knows(access_key_id):
            return Standing.STRANGER
        # A key's id is no secret: whoever forges tokens with one that is known must neither use
        # the reserve up nor lock its holder out. Beyond its limit it counts as any stranger.
        return Standing.KNOWN if self._key_limit.take(access_key_id) else Standing.BUSY

    def _fetch(
        self, request: PresignedRequest, key: bytes, standing: Standing, deadline: float
    ) -> CallerIdentity:
        identity = self._another_workers(key, deadline)
        if identity is not None:
            self._observer.call_collapsed()
            return identity
        patience = max(0.0, min(_WAIT_SECONDS[standing], deadline - self._timer()))
        self._memory.claim(key, patience)
        try:
            if self._breaker.is_open(request.host.name):
                raise _left_alone(request)  # and the budget is kept for when it answers again
            self._spend(standing, patience)
            identity = self._ask_once(request, key, deadline)
            self._memory.proven(key, identity, request.valid_until)
        except NotProven as error:
            self._memory.refused(key, error)
            raise
        finally:
            self._memory.release(key)
        return identity

    def _another_workers(self, key: bytes, deadline: float) -> CallerIdentity | None:
        """Wait for a worker that is asking about the same token, if there is one."""
        while self._memory.is_claimed(key) and self._timer() < deadline:
            self._sleep(_LOOK_SECONDS)
        verdict = self._memory.recall(key)
        if isinstance(verdict, Refused):
            raise NotProven(verdict.code, verdict.reason)
        return verdict.identity if verdict is not None and self._memory.is_fresh(verdict) else None

    def _spend(self, standing: Standing, patience: float) -> None:
        """Take a call of the budget, waiting `patience` seconds at most.

        Raises:
            Overloaded: there is no call left for this standing.
        """
        wait = self._budget.take(standing, patience)
        if wait > patience:
            raise self._overloaded(standing)
        if wait:
            self._sleep(wait)

    def _overloaded(self, standing: Standing) -> Overloaded:
        self._observer.budget_refused(standing.value)
        return Overloaded(f"the budget of STS calls is used up for the moment ({standing.value})")

    def _ask_once(self, request: PresignedRequest, key: bytes, deadline: float) -> CallerIdentity:
        host = request.host.name
        left = deadline - self._timer()
        if left <= 0:  # that is our delay, and says nothing of STS
            raise StsUnavailable(f"there was no time left to ask {host}")
        permission = self._breaker.may_ask(host)
        if permission is Permission.NO:
            raise _left_alone(request)
        answered = True
        try:
            timeout = min(left, _CALL_SECONDS[permission])
            self._memory.claim(key, timeout)
            return self._ask(request, timeout)
        except StsRefusedOddly:
            raise
        except StsUnavailable:
            answered = False
            raise
        finally:
            # A refusal is an answer, and so is a call that was throttled.
            if answered:
                self._last_answer = self._clock()
            (self._breaker.answered if answered else self._breaker.failed)(host)
            if permission is Permission.PROBE or not answered:
                self._observer.circuits_open(self._breaker.open_hosts())


def _left_alone(request: PresignedRequest) -> StsUnavailable:
    host = request.host.name
    return StsUnavailable(f"{host} has not answered lately, and is left alone for a moment")
