"""What a source of mappings is."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from authenticator.elapsed import elapsed
from authenticator.mapping.problems import Code, Origin, Problem
from authenticator.mapping.rules import Match, Rule
from authenticator.mapping.sections import Section


@dataclass(frozen=True, slots=True)
class SourceState:
    """All that a source has to say at one moment. Replaced whole, never changed.

    Attributes:
        name: the source's name.
        sections: what is in force, and what is wrong.
        problems: what is wrong with the source as a whole: a file that cannot be read, an API
            server that cannot be reached.
        synced: whether the source has been read since the start (a ConfigMap that is known to be
            absent has been read). Until then the sections are those of the last run.
        revision: which version of the document this is: a resource version or a digest.
    """

    name: str
    sections: tuple[Section, ...] = ()
    problems: tuple[Problem, ...] = ()
    synced: bool = False
    revision: str = field(default="", compare=False)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of all sections, in order."""
        return tuple(rule for section in self.sections for rule in section.rules)

    @property
    def accounts(self) -> tuple[tuple[str, Match], ...]:
        """The account mappings of all sections, in order."""
        return tuple(account for section in self.sections for account in section.accounts)

    @property
    def faults(self) -> tuple[Problem, ...]:
        """Everything that is wrong: with the source, its sections and its entries."""
        return (*self.problems, *(p for section in self.sections for p in section.problems))

    @property
    def unreadable(self) -> tuple[Section, ...]:
        """The sections that cannot be read and have no last good version in force."""
        return tuple(s for s in self.sections if s.broken and s.stale_since is None)

    @property
    def stale_since(self) -> float | None:
        """The Unix time since which some section is an older one than its document's, or None."""
        return min(
            (s.stale_since for s in self.sections if s.stale_since is not None), default=None
        )


Publish = Callable[[SourceState], None]


class Source(Protocol):
    """A place that mappings come from.

    * `start` returns soon, whether the place can be reached or not, and never raises for what is
      wrong with the place or its document.
    * Whenever what the source has to say changes, it passes a whole new `SourceState` to
      `publish`, from a thread of its own or, during `start`, from the caller's. Calls never
      overlap, and the last one is the newest.
    * A document that does not parse keeps that section's last good rules, and an entry that
      cannot be used is left out; both stay in `faults` until they are put right.
    * After `stop` has returned, `publish` is not called again.
    """

    @property
    def name(self) -> str:
        """The name, for reports and settings; it never changes."""
        ...

    def start(self, publish: Publish) -> None:
        """Begin to read, and to watch for changes. Called once."""
        ...

    def stop(self) -> None:
        """Stop, waiting for what is under way (seconds at most). Without effect if not started."""
        ...


class SourceMetrics(Protocol):
    """What the sources count."""

    def failed(self, source: str) -> None:
        """A watch, a list or a file of `source` failed."""
        ...

    def applied(self, source: str, seconds: float) -> None:
        """A document that says when it was written is in force `seconds` later."""
        ...

    def emptied(self, source: str, section: str) -> None:
        """A section that had entries has none any more."""
        ...


class Uncounted:
    """`SourceMetrics` for commands that serve no metrics."""

    def failed(self, source: str) -> None:
        """See `SourceMetrics.failed`."""

    def applied(self, source: str, seconds: float) -> None:
        """See `SourceMetrics.applied`."""

    def emptied(self, source: str, section: str) -> None:
        """See `SourceMetrics.emptied`."""


class LastGood(Protocol):
    """Keeps what was last in force over a restart."""

    def load(self, source: str) -> Kept | None:
        """What was kept of `source`; None if nothing that can be used."""
        ...

    def save(self, source: str, texts: Callable[[], Mapping[str, str]]) -> None:
        """Keep what `texts` gives, soon and from another thread; a failure is only logged."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """What every source is given beside its own place.

    Attributes:
        last_good: what the last run had.
        metrics: what is counted.
        clock: Unix time.
        monotonic: seconds that never go back.
        random: numbers from 0 to 1.
    """

    last_good: LastGood
    metrics: SourceMetrics
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = elapsed
    random: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept of a source.

    Attributes:
        texts: its documents by name: the source knows what they are.
        saved_at: the Unix time at which they were last known to hold.
    """

    texts: Mapping[str, str]
    saved_at: float


def stale(sections: Iterable[Section], since: float) -> tuple[Section, ...]:
    """Mark sections of the last run as such."""
    return tuple(replace(section, stale_since=since) for section in sections)


def settled(
    fresh: Iterable[Section], last: Mapping[str, Section], now: float
) -> tuple[Section, ...]:
    """Keep the last good version of each section that is broken, and say which have become empty.

    Args:
        fresh: the sections as just read.
        last: the sections in force until now, by name.
        now: Unix time, from which a section that breaks now is stale.
    """
    return tuple(
        _settled(section, last[section.name], now) if section.name in last else section
        for section in fresh
    )


def _settled(fresh: Section, last: Section, now: float) -> Section:
    if fresh.broken:
        since = now if last.stale_since is None else last.stale_since
        problems = tuple(
            replace(problem, reason=f"{problem.reason}; the last good version stays active")
            for problem in fresh.problems
        )
        # One that could not be read before either has no good version.
        stale_since = None if last.broken and last.stale_since is None else since
        return replace(last, problems=problems, broken=True, stale_since=stale_since)
    if fresh.size or fresh.problems:
        return fresh
    return replace(fresh, problems=_emptied(last))


def _emptied(last: Section) -> tuple[Problem, ...]:
    """What to say of a section without entries that was `last` before."""
    if not last.size:
        return tuple(problem for problem in last.problems if problem.code is Code.EMPTIED)
    entries = "1 entry" if last.size == 1 else f"{last.size} entries"
    source = next(iter([*(rule.match for rule in last.rules), *(m for _, m in last.accounts)]))
    origin = Origin(source.origin.source, last.name)
    reason = f"it has become empty: {entries} no longer apply"
    return (Problem(origin, reason, in_force=True, code=Code.EMPTIED),)


def count_emptied(metrics: SourceMetrics, before: SourceState, after: SourceState) -> None:
    """Count the sections that have become empty."""
    for problem in set(after.faults).difference(before.faults):
        if problem.code is Code.EMPTIED:
            metrics.emptied(after.name, problem.origin.section)
