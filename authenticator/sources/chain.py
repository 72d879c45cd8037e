"""All sources together: one immutable rule set, replaced whole whenever one of them changes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from authenticator.mapping.rules import Match, Rule
from authenticator.mapping.ruleset import RuleSet
from authenticator.sources.base import Source, SourceState


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """What is in force, for readiness, metrics and the log.

    Attributes:
        sources: the state of each source of the chain in order, the break-glass file last.
        size: how many mappings are in force.
    """

    sources: tuple[SourceState, ...]
    size: int

    @property
    def ready(self) -> bool:
        """Whether every source has been read since the start."""
        return all(state.synced for state in self.sources)


class MappingStore:
    """Runs the sources and holds the rules in force. Every worker process has its own."""

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        administrators: Sequence[Rule] = (),
        break_glass: Source | None = None,
        on_change: Callable[[StoreStatus], None],
    ) -> None:
        """Prepare to run the sources.

        Args:
            sources: the chain; earlier ones win.
            administrators: rules before all others.
            break_glass: a source after all others.
            on_change: told of each change, one call at a time.
        """
        self._sources = (*sources, *((break_glass,) if break_glass else ()))
        self._administrators = tuple(administrators)
        self._break_glass = break_glass
        self._on_change = on_change
        self._lock = threading.RLock()
        self._states = {source.name: SourceState(source.name) for source in self._sources}
        self._rules = RuleSet((self._administrators,))

    def start(self) -> None:
        """Start every source. Files have been read when this returns; clusters may not have."""
        for source in self._sources:
            source.start(self._take)

    def stop(self) -> None:
        """Stop every source."""
        for source in self._sources:
            source.stop()

    def current(self) -> RuleSet:
        """The rules in force now."""
        return self._rules

    def status(self) -> StoreStatus:
        """What is in force now, source by source."""
        with self._lock:
            states = tuple(self._states[source.name] for source in self._sources)
            return StoreStatus(states, self._rules.size)

    def _take(self, state: SourceState) -> None:
        with self._lock:
            self._states[state.name] = state
            self._rules = self._combined()
            self._on_change(self.status())

    def _combined(self) -> RuleSet:
        chain: list[Rule] = []
        last: list[Rule] = []
        accounts: dict[str, Match] = {}
        for source in self._sources:
            state = self._states[source.name]
            (last if source is self._break_glass else chain).extend(state.rules)
            for account_id, match in state.accounts:
                accounts.setdefault(account_id, match)
        return RuleSet((self._administrators, chain, last), accounts)
