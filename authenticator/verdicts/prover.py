"""Has callers proven with one call of STS for each token, and with none while STS is away.

    remembered?        a verdict of one of this host's workers: no call
    text               every check of `authenticator.tokens`
    one flight         the same token asked at once, here or in another worker: one call
    budget, breaker    what may be asked now, and whom
    STS
    degraded           STS is away: a verdict past its time, within bounds

Whom STS has proven is remembered for `fresh_seconds`, and a while longer for when STS is away, but
never past the token's own end. Mappings are not remembered: an edit counts at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Protocol

from authenticator.aws.arns import CallerIdentity
from authenticator.aws.sts_hosts import StsHost
from authenticator.errors import NotProven, Overloaded, StsUnavailable, Unavailable
from authenticator.tokens import presigned
from authenticator.tokens.presigned import PresignedRequest
from authenticator.verdicts.breaker import Breaker, Permission
from authenticator.verdicts.budget import Budget, InFlight, KeyLimit, Standing
from authenticator.verdicts.flight import SingleFlight
from authenticator.verdicts.table import SharedTable
from authenticator.verdicts.verdict import (
    Proof,
    Proven,
    Refused,
    Source,
    Verdict,
    decode,
    encode,
)

# A new access key is not known everywhere in AWS at once: a refusal must not outlive that by much.
_REFUSED_SECONDS = 10.0
# An access key that has logged in within this time is known.
_KNOWN_SECONDS = 3600.0
# For one review, waiting included; the API server gives up after 30 s.
_REVIEW_SECONDS = 8.0
# For one call of STS, which takes 0.1 s when all is well; a probe decides when an outage is over.
_CALL_SECONDS = 4.0
_PROBE_SECONDS = 1.0
# How long somebody may wait for the budget, and how long the work of another worker.
_WAIT_SECONDS = {Standing.KNOWN: 2.0, Standing.STRANGER: 0.5}
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


@dataclass(frozen=True, slots=True)
class Remembering:
    """How long verdicts are kept.

    Attributes:
        fresh_seconds: how long no call is made for a token that STS has proven.
        degraded_seconds: how much longer that counts while STS cannot be asked; 0 for not at all.
    """

    fresh_seconds: float = 120.0
    degraded_seconds: float = 300.0


class Prover:
    """Proves callers. Make it before the workers are forked: they share what it remembers.

    Args:
        ask: asks STS.
        hosts: the STS hosts that a token may name, by name.
        budget: the calls of STS that all workers may make.
        key_limit: the calls of STS that one access key may cost.
        in_flight: the calls of STS that strangers may have under way.
        observer: counts.
        remembering: how long verdicts are kept.
        clock: Unix seconds.
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
    ) -> None:
        self._ask = ask
        self._hosts = hosts
        self._budget = budget
        self._key_limit = key_limit
        self._in_flight = in_flight
        self._observer = observer
        self._remembering = remembering
        self._clock = clock
        self._table = SharedTable()
        self._flights: SingleFlight[CallerIdentity] = SingleFlight()
        self.breaker = Breaker(time.monotonic)

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
        key = _key(token)
        now = self._clock()
        verdict = self._recall(key, now)
        if isinstance(verdict, Proven) and self._is_fresh(verdict):
            self._observer.cache_hit("proven")
            return Proof(verdict.identity, Source.CACHE)
        if isinstance(verdict, Refused):
            self._observer.cache_hit("refused")
            raise NotProven(verdict.code, verdict.reason)
        request = presigned.check(token, now=now, hosts=self._hosts)
        stale = verdict if isinstance(verdict, Proven) else None
        return partial(self._prove, request, key, stale)

    def prove(self, token: str) -> Proof:
        """Give the proof, waiting for it if need be.

        Raises:
            TokenRefused: a check of its text failed.
            NotProven: STS refused it.
            Unavailable: it could not be found out now.
        """
        proof = self.begin(token)
        return proof if isinstance(proof, Proof) else proof()

    def _prove(self, request: PresignedRequest, key: bytes, stale: Proven | None) -> Proof:
        deadline = time.monotonic() + _REVIEW_SECONDS
        try:
            fetch = partial(self._fetch, request, key, deadline)
            identity, shared = self._flights.do(key, fetch, _REVIEW_SECONDS)
        except TimeoutError:
            raise StsUnavailable("another review of the same token has had no answer") from None
        except Unavailable:
            # What STS proved of this token stays true until its end: an outage is no reason to
            # turn its holder away, as long as the operator's bound allows.
            if stale is None:
                raise
            self._observer.degraded_answer()
            return Proof(stale.identity, Source.DEGRADED)
        if shared:
            self._observer.call_collapsed()
        return Proof(identity, Source.STS)

    def _fetch(self, request: PresignedRequest, key: bytes, deadline: float) -> CallerIdentity:
        identity = self._another_workers(key, deadline)
        if identity is not None:
            self._observer.call_collapsed()
            return identity
        standing = self._standing(request.access_key_id)
        if not self._in_flight.enter(standing):
            raise self._overloaded(standing.name.lower())
        try:
            self._spend(request.access_key_id, standing, deadline)
            identity = self._ask_once(request, key, deadline)
        except NotProven as error:
            self._remember(key, Refused(error.code, str(error)), keep_for=_REFUSED_SECONDS)
            raise
        finally:
            self._in_flight.leave(standing)
        now = self._clock()
        bounds = self._remembering
        longest = bounds.fresh_seconds + bounds.degraded_seconds
        proven = Proven(identity, now, request.valid_until)
        self._remember(key, proven, keep_for=min(longest, request.valid_until - now))
        known = _derived(_KNOWN, request.access_key_id.encode())
        self._table.put(known, b"", keep_until=now + _KNOWN_SECONDS, now=now)
        return identity

    def _another_workers(self, key: bytes, deadline: float) -> CallerIdentity | None:
        """Wait for a worker that is asking about the same token, if there is one."""
        claim = _derived(_CLAIM, key)
        while self._table.get(claim, self._clock()) is not None and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        verdict = self._recall(key, self._clock())
        if isinstance(verdict, Refused):
            raise NotProven(verdict.code, verdict.reason)
        return verdict.identity if verdict is not None and self._is_fresh(verdict) else None

    def _standing(self, access_key_id: str) -> Standing:
        known = self._table.get(_derived(_KNOWN, access_key_id.encode()), self._clock())
        return Standing.STRANGER if known is None else Standing.KNOWN

    def _spend(self, access_key_id: str, standing: Standing, deadline: float) -> None:
        """Take a call of the budget, waiting a little if need be.

        Raises:
            Overloaded: there is no call left for this access key, or for strangers.
        """
        if not self._key_limit.take(access_key_id):
            raise self._overloaded("key")
        give_up = min(time.monotonic() + _WAIT_SECONDS[standing], deadline)
        while wait := self._budget.take(standing):
            if time.monotonic() + wait > give_up:
                raise self._overloaded(standing.name.lower())
            time.sleep(wait)

    def _overloaded(self, who: str) -> Overloaded:
        self._observer.budget_refused(who)
        return Overloaded(f"the budget of STS calls is used up for the moment ({who})")

    def _ask_once(self, request: PresignedRequest, key: bytes, deadline: float) -> CallerIdentity:
        host = request.host.name
        permission = self.breaker.may_ask(host)
        if permission is Permission.NO:
            raise StsUnavailable(f"{host} has not answered lately, and is left alone for a moment")
        longest = _PROBE_SECONDS if permission is Permission.PROBE else _CALL_SECONDS
        timeout = max(0.0, min(longest, deadline - time.monotonic()))
        claim = _derived(_CLAIM, key)
        now = self._clock()
        self._table.put(claim, b"", keep_until=now + timeout, now=now)
        answered = True
        try:
            return self._ask(request, timeout)
        except StsUnavailable:
            answered = False
            raise
        finally:
            # A refusal is an answer, and so is a call that was throttled.
            (self.breaker.answered if answered else self.breaker.failed)(host)
            self._table.delete(claim)

    def _is_fresh(self, verdict: Proven) -> bool:
        return self._clock() < verdict.proven_at + self._remembering.fresh_seconds

    def _recall(self, key: bytes, now: float) -> Verdict | None:
        payload = self._table.get(key, now)
        return None if payload is None else decode(payload)

    def _remember(self, key: bytes, verdict: Verdict, *, keep_for: float) -> None:
        now = self._clock()
        self._table.put(key, encode(verdict), keep_until=now + keep_for, now=now)


def _key(token: str) -> bytes:
    # Lone surrogates are no UTF-8; such a token fails its checks, but must not fail here.
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


# What else the table holds, under keys that no token can have.
_KNOWN = b"known access key\n"
_CLAIM = b"token being asked about\n"


def _derived(use: bytes, what: bytes) -> bytes:
    return sha256(use + what).digest()
