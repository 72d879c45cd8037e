"""What the double was asked: counts for good, the last calls in full."""

from __future__ import annotations

import copy
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from dev.aws_double.wire import Request
from dev.waiting import PATIENCE_SECONDS

_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Call:
    """One request and what became of it.

    Attributes:
        host: the host that the caller connected to.
        action: such as `GetCallerIdentity`; "" when none could be read.
        access_key_id: whose key the request claims; "" when none could be read.
        outcome: `ok`, an AWS error code, or the name of a fault.
        request: as received.
    """

    host: str
    action: str
    access_key_id: str
    outcome: str
    request: Request


@dataclass(frozen=True, slots=True)
class Counts:
    """How many calls have come in, how many of them were answered, and in which way.

    `by_outcome` counts a call when its fate is known, so that one that hangs is in it only after
    the hang. `refused_hosts` are the hosts that the double does not answer for: nobody left.
    """

    by_action: Counter[str] = field(default_factory=Counter)
    by_access_key: Counter[str] = field(default_factory=Counter)
    by_host: Counter[str] = field(default_factory=Counter)
    by_outcome: Counter[str] = field(default_factory=Counter)
    refused_hosts: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """All calls that have come in."""
        return sum(self.by_action.values())


class Calls:
    """Counts and remembers. Safe from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.clear()

    def clear(self) -> None:
        """Start to count anew."""
        with self._changed:
            self._counts = Counts()
            self._recent: deque[Call] = deque(maxlen=_KEPT)

    def counts(self) -> Counts:
        """Give the counts as they are now."""
        with self._changed:
            return self._copy()

    def recent(self) -> tuple[Call, ...]:
        """Give the last 1000 calls whose fate is known, the newest last."""
        with self._changed:
            return tuple(self._recent)

    def wait(
        self, enough: Callable[[Counts], bool], *, timeout: float = PATIENCE_SECONDS
    ) -> Counts:
        """Wait until the counts are `enough`, and give them.

        Raises:
            TimeoutError: they were not after `timeout` seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: enough(self._counts), timeout):
                raise TimeoutError(f"still waiting for calls: {self._counts}")
            return self._copy()

    def arrive(self, action: str, access_key_id: str, host: str) -> None:
        """Count a request that has been read."""
        with self._changed:
            self._counts.by_action[action] += 1
            self._counts.by_access_key[access_key_id] += 1
            self._counts.by_host[host] += 1
            self._changed.notify_all()

    def finish(self, call: Call) -> None:
        """Remember what became of a request."""
        with self._changed:
            self._counts.by_outcome[call.outcome] += 1
            self._recent.append(call)
            self._changed.notify_all()

    def refuse(self, host: str) -> None:
        """Count a connection to a host that the double does not answer for."""
        with self._changed:
            self._counts.refused_hosts[host] += 1
            self._changed.notify_all()

    def _copy(self) -> Counts:
        return copy.deepcopy(self._counts)
