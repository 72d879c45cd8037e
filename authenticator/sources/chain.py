"""All sources together: one immutable rule set, replaced whole whenever one of them changes."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from authenticator.mapping.overlaps import overlaps
from authenticator.mapping.problems import Code, Problem
from authenticator.mapping.rules import Rule
from authenticator.mapping.ruleset import RuleSet
from authenticator.sources.base import Source, SourceState

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """What is in force, for readiness, metrics and `explain`.

    Attributes:
        sources: the state of each source of the chain in order, the break-glass file last.
        size: how many mappings are in force.
        overlaps: which of them claim the same callers, the first hundred.
        switching_to: the names of a chain that waits to be read before it takes over.
    """

    sources: tuple[SourceState, ...]
    size: int
    overlaps: tuple[Problem, ...] = ()
    switching_to: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether every source can be read, or has its last good version in force."""
        return all(
            (state.synced or state.stale_since is not None) and not state.unreadable
            for state in self.sources
        )


class MappingStore:
    """Runs the sources and holds the rules in force. Every worker process has its own."""

    def __init__(
        self,
        chain: Sequence[Source],
        *,
        administrators: Sequence[Rule] = (),
        break_glass: Source | None = None,
        on_change: Callable[[StoreStatus], None] | None = None,
    ) -> None:
        """Prepare to run the sources.

        Args:
            chain: the sources; earlier ones win.
            administrators: rules before all others.
            break_glass: a source after all others.
            on_change: told of each change, one call at a time.
        """
        self._chain = tuple(chain)
        self._next: tuple[Source, ...] = ()
        self._administrators = tuple(administrators)
        self._last = (break_glass,) if break_glass else ()
        self._on_change = on_change
        self._lock = threading.RLock()
        sources = (*self._last, *self._chain)
        self._states = {source: SourceState(source.name) for source in sources}
        self._rules = RuleSet((self._administrators,))
        self._overlaps: tuple[Problem, ...] = ()
        self._status = self._now()

    def start(self) -> None:
        """Start every source. Files have been read when this returns; clusters may not have."""
        for source in tuple(self._states):
            source.start(functools.partial(self._take, source))

    def stop(self) -> None:
        """Stop every source."""
        for source in tuple(self._states):
            source.stop()

    def switch(self, chain: Sequence[Source]) -> None:
        """Put another chain in the place of this one, as soon as all of it has been read.

        Until then the present chain stays in force, so that nobody is refused in between.

        Args:
            chain: the sources: some of the present chain's, or new ones that are not started.
        """
        with self._lock:
            self._next = tuple(chain)
            fresh = [source for source in chain if source not in self._states]
            self._states |= {source: SourceState(source.name) for source in fresh}
        for source in fresh:
            source.start(functools.partial(self._take, source))
        self._settle()

    def current(self) -> RuleSet:
        """The rules in force now."""
        return self._rules

    def status(self) -> StoreStatus:
        """What is in force now, source by source; never waits, since probes ask for it."""
        return self._status

    def _take(self, source: Source, state: SourceState) -> None:
        with self._lock:
            if source not in self._states:
                return
            before, self._states[source] = self._states[source], state
        self._settle()
        # Only now, so that whoever reads the log can count on it.
        _log_difference(before, state)

    def _settle(self) -> None:
        """Let the next chain take over if it can, and put in force what is there now."""
        with self._lock:
            if self._next and all(self._states[source].synced for source in self._next):
                self._chain, self._next = self._next, ()
                _LOG.info("mappings now come from %s", ", ".join(s.name for s in self._chain))
            wanted = {*self._chain, *self._next, *self._last}
            gone = [source for source in self._states if source not in wanted]
            for source in gone:
                del self._states[source]
            self._rules = self._combined()
            self._status = self._now()
            if self._on_change is not None:
                self._on_change(self._status)
        # Without the lock, for which the thread of a source that ends may be waiting.
        for source in gone:
            source.stop()

    def _now(self) -> StoreStatus:
        states = tuple(self._states[source] for source in (*self._chain, *self._last))
        waiting = tuple(source.name for source in self._next)
        return StoreStatus(states, self._rules.size, self._overlaps, waiting)

    def _combined(self) -> RuleSet:
        chain, last = (
            [section for source in sources for section in self._states[source].sections]
            for sources in (self._chain, self._last)
        )
        rules = [rule for section in chain for rule in section.rules]
        before, self._overlaps = self._overlaps, overlaps(rules)
        for overlap in self._overlaps:
            if overlap not in before:
                conflict = overlap.code is Code.CONFLICTING_ENTRY
                _LOG.log(logging.WARNING if conflict else logging.INFO, "%s", overlap)
        return RuleSet.of(self._administrators, chain, last)


def _log_difference(old: SourceState, new: SourceState) -> None:
    """Log what has changed, gone wrong or been put right."""
    before, after = set(old.faults), set(new.faults)
    for problem in new.faults:
        if problem not in before:
            _LOG.warning("%s", problem)
    if before and not after:
        _LOG.info("%s has no more problems", new.name)
    rules, accounts = new.rules, new.accounts
    if new.synced and not old.synced:
        _LOG.info("%s has been read: %d mappings", new.name, len(rules) + len(accounts))
    elif (rules, accounts) != (old.rules, old.accounts):
        _LOG.info("%s has changed: now %d mappings", new.name, len(rules) + len(accounts))
