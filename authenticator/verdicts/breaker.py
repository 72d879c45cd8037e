"""A circuit breaker for each STS host: what is down is not asked by everybody.

closed --(several failures in a row)--> open --(a short while)--> half-open: one probe
half-open --(an answer)--> closed; half-open --(no answer)--> open

Source: M. Nygard, "Release It!", "Circuit Breaker".
"""

from __future__ import annotations

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
        silent_hosts: how many hosts do not answer that known callers use; all that do not answer
            while STS has given no answer at all.
        unused_silent_hosts: how many other hosts do not answer. Any stranger can name them.
    """

    last_answer: float | None
    silent_hosts: int
    unused_silent_hosts: int


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
    """The circuits of all hosts, as one worker sees them.

    Attributes:
        clock: seconds that never fall.
    """

    clock: Callable[[], float]
    _circuits: dict[str, _Circuit] = field(default_factory=dict)

    def may_ask(self, host: str) -> Permission:
        """Say whether to ask `host` now.

        After YES or PROBE, tell `answered`, `failed` or `gave_up`.
        """
        circuit = self._circuits.get(host)
        if circuit is None or not circuit.tripped:
            return Permission.YES
        if self._is_open(circuit):
            return Permission.NO
        circuit.probing = True
        return Permission.PROBE

    def is_open(self, host: str) -> bool:
        """Whether `host` may not be asked now; unlike `may_ask`, it obliges to nothing."""
        circuit = self._circuits.get(host)
        return circuit is not None and self._is_open(circuit)

    def answered(self, host: str) -> None:
        """Close the circuit: `host` gave an answer, whatever it was."""
        self._circuits.pop(host, None)

    def failed(self, host: str) -> None:
        """Count a call that `host` did not answer."""
        circuit = self._circuits.setdefault(host, _Circuit())
        circuit.failures += 1
        circuit.probing = False
        if circuit.tripped:
            circuit.open_until = self.clock() + OPEN_SECONDS

    def gave_up(self, host: str) -> None:
        """End a call that says nothing of `host`: it ended for a reason of ours."""
        if circuit := self._circuits.get(host):
            circuit.probing = False

    def open_hosts(self) -> list[str]:
        """Return the hosts whose circuits are open or half-open."""
        # A copy first: the thread that answers /readyz asks as well.
        return [host for host, circuit in list(self._circuits.items()) if circuit.tripped]

    def _is_open(self, circuit: _Circuit) -> bool:
        return circuit.tripped and (circuit.probing or self.clock() < circuit.open_until)
