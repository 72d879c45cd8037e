"""A circuit breaker for each STS host: what is down is not asked by everybody.

closed --(several failures in a row)--> open --(a short while)--> half-open: one probe
half-open --(an answer)--> closed; half-open --(no answer)--> open

Source: M. Nygard, "Release It!", "Circuit Breaker".
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

FAILURES_TO_OPEN = 5
# Also the longest time for which STS's return goes unnoticed, with the probe's own time added.
OPEN_SECONDS = 0.5


class Permission(Enum):
    """Whether a host may be asked; a probe should not take long."""

    YES = auto()
    PROBE = auto()
    NO = auto()


@dataclass(frozen=True, slots=True)
class StsHealth:
    """How STS has been lately.

    Attributes:
        last_answer: the Unix time of its last answer, whatever it was; None if there was none.
        silent_hosts: how many of its hosts do not answer.
    """

    last_answer: float | None
    silent_hosts: int


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    open_until: float = 0.0
    probing: bool = False

    @property
    def tripped(self) -> bool:
        """Whether it is open or half-open."""
        return self.failures >= FAILURES_TO_OPEN


@dataclass(slots=True)
class Breaker:
    """The circuits of all hosts. Safe to use from many threads.

    Attributes:
        clock: seconds that never fall.
    """

    clock: Callable[[], float]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _circuits: dict[str, _Circuit] = field(default_factory=dict)

    def may_ask(self, host: str) -> Permission:
        """Say whether to ask `host` now. Who may must tell `answered` or `failed` afterwards."""
        with self._lock:
            circuit = self._circuits.get(host)
            if circuit is None or not circuit.tripped:
                return Permission.YES
            if self._is_open(circuit):
                return Permission.NO
            circuit.probing = True
            return Permission.PROBE

    def is_open(self, host: str) -> bool:
        """Whether `host` may not be asked now; unlike `may_ask`, it obliges to nothing."""
        with self._lock:
            circuit = self._circuits.get(host)
            return circuit is not None and self._is_open(circuit)

    def answered(self, host: str) -> None:
        """Close the circuit: `host` gave an answer, whatever it was."""
        with self._lock:
            self._circuits.pop(host, None)

    def failed(self, host: str) -> None:
        """Count a call of `host` that got no answer."""
        with self._lock:
            circuit = self._circuits.setdefault(host, _Circuit())
            circuit.failures += 1
            circuit.probing = False
            if circuit.tripped:
                circuit.open_until = self.clock() + OPEN_SECONDS

    def open_hosts(self) -> int:
        """How many circuits are open or half-open, for the metrics."""
        with self._lock:
            return sum(circuit.tripped for circuit in self._circuits.values())

    def _is_open(self, circuit: _Circuit) -> bool:
        return circuit.tripped and (circuit.probing or self.clock() < circuit.open_until)
