"""The faults that the double can be told to have, and the plan of those in force.

Set from a test's own thread or through the control endpoint; read by the server's event loop.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar, cast

from dev.aws_double.rubbish import RUBBISH
from dev.aws_double.wrong_keys import WRONG_KEYS

_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*", re.ASCII)

FAILURES = {500: "InternalFailure", 502: "BadGateway", 503: "ServiceUnavailable"}
REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Throttle:
    """Answer 400 Throttling beyond a quota of each signer account and Region, as STS's is.

    Attributes:
        rate: calls that the quota grows by in a second.
        burst: calls that it holds at most, and at first.
    """

    rate: float
    burst: int

    def __post_init__(self) -> None:
        _check_not_negative(rate=self.rate, burst=self.burst)


@dataclass(frozen=True, slots=True)
class Delay:
    """Answer after this many seconds."""

    seconds: float

    def __post_init__(self) -> None:
        _check_not_negative(seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class Hang:
    """Answer when the fault is stopped, and not before."""


@dataclass(frozen=True, slots=True)
class Fail:
    """Answer with a fault of the service; the statuses are those of `FAILURES`."""

    status: int = 500

    def __post_init__(self) -> None:
        if self.status not in FAILURES:
            raise ValueError(f"status: one of {sorted(FAILURES)} is expected")


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send the caller elsewhere."""

    location: str
    status: int = 307

    def __post_init__(self) -> None:
        if self.status not in REDIRECTS:
            raise ValueError(f"status: one of {sorted(REDIRECTS)} is expected")


@dataclass(frozen=True, slots=True)
class Rubbish:
    """Answer with one of the wrong answers in `dev.aws_double.rubbish`."""

    kind: str

    def __post_init__(self) -> None:
        if self.kind not in RUBBISH:
            raise ValueError(f"kind: one of {sorted(RUBBISH)} is expected")


@dataclass(frozen=True, slots=True)
class WrongKeys:
    """Publish one of the wrong key documents in `dev.aws_double.wrong_keys` at every issuer."""

    kind: str

    def __post_init__(self) -> None:
        if self.kind not in WRONG_KEYS:
            raise ValueError(f"kind: one of {sorted(WRONG_KEYS)} is expected")


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset the connection in the middle of the response."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection in place of a response."""


@dataclass(frozen=True, slots=True)
class Dribble:
    """Send the response a byte at a time, with a pause of this many seconds after each."""

    seconds: float = 0.01

    def __post_init__(self) -> None:
        _check_not_negative(seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class Repeat:
    """Send the same response again after this many seconds, without another request."""

    seconds: float = 0.0

    def __post_init__(self) -> None:
        _check_not_negative(seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class Stray:
    """Send a few more bytes after the response, after this many seconds."""

    seconds: float = 0.0
    data: str = "HTTP/1.1"

    def __post_init__(self) -> None:
        _check_not_negative(seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class TimeOut:
    """Send 408 and close the connection, this many seconds after the response or instead of it."""

    seconds: float = 0.0
    instead: bool = False

    def __post_init__(self) -> None:
        _check_not_negative(seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class WrongName:
    """Show a certificate of another name, of the same authority."""

    name: str = "wrong.example"

    def __post_init__(self) -> None:
        if _HOST.fullmatch(self.name) is None:
            raise ValueError("name: a host name is expected")


Fault = (
    Throttle
    | Delay
    | Hang
    | Fail
    | Redirect
    | Rubbish
    | WrongKeys
    | Reset
    | Close
    | Dribble
    | Repeat
    | Stray
    | TimeOut
    | WrongName
)
FaultT = TypeVar("FaultT", bound=Fault)

# The names that the control endpoint knows the faults by.
KINDS: dict[str, type[Fault]] = {
    "throttle": Throttle,
    "delay": Delay,
    "hang": Hang,
    "fail": Fail,
    "redirect": Redirect,
    "rubbish": Rubbish,
    "wrong-keys": WrongKeys,
    "reset": Reset,
    "close": Close,
    "dribble": Dribble,
    "repeat": Repeat,
    "stray": Stray,
    "time-out": TimeOut,
    "wrong-name": WrongName,
}


def _check_not_negative(**values: float) -> None:
    """Raise ValueError for a value below 0, TypeError for what is no number."""
    for name, value in values.items():
        if value < 0:
            raise ValueError(f"{name}: 0 or more is expected")


@dataclass(slots=True)
class _Active:
    fault: Fault
    remaining: int | None
    stopped: Future[None] = field(default_factory=Future)


class Faults:
    """The faults in force: at most one of each kind. Safe from any thread.

    Args:
        clock: seconds; what the throttle's quota refills by.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._active: dict[type[object], _Active] = {}
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def start(self, fault: Fault, *, times: int | None = None) -> None:
        """Put a fault in force in place of one of its kind, for good or for the next `times`."""
        _check_not_negative(times=times or 0)
        self.stop(type(fault))
        with self._lock:
            self._active[type(fault)] = _Active(fault, times)

    def stop(self, kind: type[Fault]) -> None:
        """End the fault of a kind; what hangs because of it is answered now."""
        with self._lock:
            active = self._active.pop(kind, None)
            if kind is Throttle:
                self._buckets.clear()
        if active is not None:
            active.stopped.set_result(None)

    def stop_all(self) -> None:
        """End every fault."""
        for kind in KINDS.values():
            self.stop(kind)

    def take(self, kind: type[FaultT]) -> FaultT | None:
        """Give the fault of a kind if it is in force, counting one use."""
        active = self._use(kind)
        return None if active is None else cast("FaultT", active.fault)

    def take_hang(self) -> Future[None] | None:
        """Give what ends when the hang is stopped, if one is in force, counting one use."""
        active = self._use(Hang)
        return None if active is None else active.stopped

    def exceeds_quota(self, account: str, region: str) -> bool:
        """Charge one call to an account and Region; tell whether it is beyond the quota."""
        throttle = self.take(Throttle)
        if throttle is None:
            return False
        now = self._clock()
        with self._lock:
            tokens, since = self._buckets.get((account, region), (float(throttle.burst), now))
            tokens = min(throttle.burst, tokens + (now - since) * throttle.rate)
            exceeded = tokens < 1
            self._buckets[account, region] = (tokens if exceeded else tokens - 1, now)
        return exceeded

    def _use(self, kind: type[object]) -> _Active | None:
        with self._lock:
            active = self._active.get(kind)
            if active is None or active.remaining == 0:
                return None
            if active.remaining is not None:
                active.remaining -= 1
            return active
