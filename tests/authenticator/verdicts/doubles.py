"""A prover whose STS, clocks and metrics are the test's."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from authenticator.aws.arns import CallerIdentity, PrincipalArn
from authenticator.aws.sts_hosts import sts_hosts
from authenticator.tokens.presigned import PresignedRequest
from authenticator.verdicts.budget import Budget, Standing
from authenticator.verdicts.limits import Limits, RateLimit
from authenticator.verdicts.memory import Remembering
from authenticator.verdicts.places import MOST, Places
from authenticator.verdicts.prover import AsksSts, Prover, Question
from authenticator.verdicts.verdict import Proof
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

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.pass_by(seconds)
        await asyncio.sleep(0)

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.timer += seconds


class Sts:
    """Answers as told. Counts the calls of its own process."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer
        self.calls: list[tuple[PresignedRequest, float]] = []
        self.began: asyncio.Semaphore | None = None
        self.end: asyncio.Event | None = None

    def hang(self) -> None:
        """Answer nothing until `end` is set."""
        self.began, self.end = asyncio.Semaphore(0), asyncio.Event()

    async def __call__(self, request: PresignedRequest, timeout: float) -> CallerIdentity:
        self.calls.append((request, timeout))
        if self.began and self.end:
            self.began.release()
            await self.end.wait()
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer or identity(request.access_key_id)


def identity(access_key_id: str = KEY, session: str = "bob", role: str = "Admin") -> CallerIdentity:
    arn = PrincipalArn.parse(f"arn:aws:sts::111122223333:assumed-role/{role}/{session}")
    return CallerIdentity(arn, f"AROAEXAMPLEEXAMPLE000:{session}", access_key_id)


@dataclass
class Observer:
    """Counts what it is told."""

    counts: Counter[str] = field(default_factory=Counter)

    def cache_hit(self, kind: str) -> None:
        self.counts[f"hit {kind}"] += 1

    def call_collapsed(self) -> None:
        self.counts["collapsed"] += 1

    def budget_refused(self, standing: str) -> None:
        self.counts[f"no budget {standing}"] += 1

    def degraded_answer(self) -> None:
        self.counts["degraded"] += 1


@dataclass
class Rig:
    """A prover and all around it."""

    prover: Prover
    sts: Sts
    time: Time
    observer: Observer
    budget: Budget
    limits: Limits

    def prove(self, asked: str) -> Proof:
        """Have one token proven, on an event loop that ends with it."""
        return asyncio.run(self.prove_async(asked))

    async def prove_async(self, asked: str) -> Proof:
        recalled = self.prover.recall(asked)
        return recalled if isinstance(recalled, Proof) else await self.prover.ask(recalled)

    def silent(self) -> tuple[int, int]:
        """How many hosts do not answer: of those that known callers use, and of the others."""
        health = self.prover.sts_health()
        return health.silent_hosts, health.unused_silent_hosts

    def ask(self, question: Question) -> Proof:
        return asyncio.run(self.prover.ask(question))

    def question(self, asked: str) -> Question:
        recalled = self.prover.recall(asked)
        assert isinstance(recalled, Question)
        return recalled

    def standing(self, key: str = KEY) -> Standing:
        """What a new token of a key counts as."""
        return self.prover._standing(self.question(token(key, now=self.time.wall)))

    def log_in(self, key: str = KEY, session: str = "bob", role: str = "Admin") -> None:
        """Let the holder of a key in once."""
        self.prover.remember_login(identity(key, session, role))


def rig(
    *,
    rate: float = 100,
    key_rate: float = 10,
    places: int = 8,
    refill: bool = True,
    sts: AsksSts | None = None,
    limits: Limits | None = None,
    is_mapped: Callable[[str], bool] = lambda _account: False,
    **bounds: float,
) -> Rig:
    """Make one.

    Args:
        rate: of the budget.
        key_rate: of the limit for each key; sessions and principals have ten times as much.
        places: for strangers.
        refill: whether budget and limit get new calls as time goes by.
        sts: in place of the answers as told.
        limits: in place of those that go with `key_rate`.
        is_mapped: whether a mapping names an account.
        bounds: those of `Remembering`.
    """
    time, observer, told = Time(), Observer(), Sts()
    refilling = time.monotonic if refill else lambda: 0.0
    budget = Budget(rate, refilling)
    many = RateLimit(key_rate * 10, key_rate * 10, refilling)
    limits = limits or Limits(
        RateLimit(key_rate, key_rate, refilling), many, many, many, RateLimit(5, 5, refilling)
    )
    prover = Prover(
        ask=sts or told,
        hosts=sts_hosts("aws"),
        budget=budget,
        limits=limits,
        observer=observer,
        remembering=Remembering(**bounds),
        is_mapped=is_mapped,
        places=Places({**MOST, Standing.STRANGER: places}),
        clock=time.clock,
        timer=time.monotonic,
        sleep=time.sleep,
    )
    return Rig(prover, told, time, observer, budget, limits)


_SERIAL = itertools.count()


def token(key: str = KEY, now: float = START, **case: Any) -> str:
    """A token that differs from all others (by X-Amz-Expires and signature)."""
    case["set"] = {"X-Amz-Expires": str(next(_SERIAL) % 901), **case.get("set", {})}
    return forge.token(case, replace(forge.Signer(), access_key_id=key), now=now)
