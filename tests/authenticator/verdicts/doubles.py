"""A prover whose STS, clocks and metrics are the test's."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from authenticator.aws.arns import CallerIdentity, PrincipalArn
from authenticator.aws.sts_hosts import sts_hosts
from authenticator.tokens.presigned import PresignedRequest
from authenticator.verdicts.budget import Budget, InFlight, KeyLimit
from authenticator.verdicts.memory import Remembering
from authenticator.verdicts.prover import Prover
from tests.corpus import forge

START = 1_790_000_000.0
HOST = "sts.us-west-2.amazonaws.com"
KEY = forge.Signer().access_key_id

Answer = CallerIdentity | BaseException


class Time:
    """Wall clock, timer and sleep in one. Who sleeps moves all three on, and nobody waits."""

    def __init__(self) -> None:
        self.wall = START
        self.timer = 5000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.timer

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.timer += seconds


class Sts:
    """Answers as told. Counts the calls of its own process."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer
        self.calls: list[tuple[PresignedRequest, float]] = []
        self.before: Callable[[], object] = lambda: None

    def __call__(self, request: PresignedRequest, timeout: float) -> CallerIdentity:
        self.calls.append((request, timeout))
        self.before()
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer or identity(request.access_key_id)


def identity(access_key_id: str = KEY) -> CallerIdentity:
    arn = PrincipalArn.parse("arn:aws:sts::111122223333:assumed-role/Admin/bob")
    return CallerIdentity(arn, "AROAEXAMPLEEXAMPLE000:bob", access_key_id)


@dataclass
class Observer:
    """Counts what it is told."""

    counts: Counter[str] = field(default_factory=Counter)
    open_circuits: int = 0

    def cache_hit(self, kind: str) -> None:
        self.counts[f"hit {kind}"] += 1

    def call_collapsed(self) -> None:
        self.counts["collapsed"] += 1

    def budget_refused(self, standing: str) -> None:
        self.counts[f"no budget {standing}"] += 1

    def degraded_answer(self) -> None:
        self.counts["degraded"] += 1

    def circuits_open(self, number: int) -> None:
        self.open_circuits = number


@dataclass
class Rig:
    """A prover and all around it."""

    prover: Prover
    sts: Sts
    time: Time
    observer: Observer
    budget: Budget
    in_flight: InFlight
    places: int

    def free_places(self) -> int:
        """Places for strangers that nobody holds."""
        return self.in_flight._strangers._value


def rig(
    *,
    rate: float = 100,
    key_rate: float = 10,
    strangers: int = 8,
    refill: bool = True,
    sts: Callable[..., CallerIdentity] | None = None,
    **bounds: float,
) -> Rig:
    """Make one.

    Args:
        rate: of the budget.
        key_rate: of the limit for each key.
        strangers: places for strangers.
        refill: whether budget and limit get new calls as time goes by.
        sts: in place of the answers as told.
        bounds: those of `Remembering`.
    """
    time, observer, told = Time(), Observer(), Sts()
    refilling = time.monotonic if refill else lambda: 0.0
    budget = Budget(rate, refilling)
    in_flight = InFlight(strangers)
    prover = Prover(
        ask=sts or told,
        hosts=sts_hosts("aws"),
        budget=budget,
        key_limit=KeyLimit(key_rate, refilling),
        in_flight=in_flight,
        observer=observer,
        remembering=Remembering(**bounds),
        clock=time.clock,
        timer=time.monotonic,
        sleep=time.sleep,
    )
    return Rig(prover, told, time, observer, budget, in_flight, strangers)


_SERIAL = itertools.count()


def token(key: str = KEY, now: float = START, **case: Any) -> str:
    """A token that differs from all others (by X-Amz-Expires and signature)."""
    case["set"] = {"X-Amz-Expires": str(next(_SERIAL) % 901), **case.get("set", {})}
    return forge.token(case, replace(forge.Signer(), access_key_id=key), now=now)
