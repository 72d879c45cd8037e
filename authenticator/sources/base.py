"""What a source of mappings is."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from authenticator.mapping.problems import Problem
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


class Uncounted:
    """`SourceMetrics` for commands that serve no metrics."""

    def failed(self, source: str) -> None:
        """See `SourceMetrics.failed`."""

    def applied(self, source: str, seconds: float) -> None:
        """See `SourceMetrics.applied`."""


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
    monotonic: Callable[[], float] = time.monotonic
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


def keep_last_good(
    fresh: Iterable[Section], last: Mapping[str, Section], now: float
) -> tuple[Section, ...]:
    """Put the last good version in the place of each section that is broken.

    Args:
        fresh: the sections as just read.
        last: the sections in force until now, by name.
        now: Unix time, from which a section that breaks now is stale.
    """
    return tuple(
        _stand_in(section, last[section.name], now)
        if section.broken and section.name in last
        else section
        for section in fresh
    )


def _stand_in(broken: Section, last: Section, now: float) -> Section:
    since = now if last.stale_since is None else last.stale_since
    problems = tuple(
        replace(problem, reason=f"{problem.reason}; its last good version stays in force")
        for problem in broken.problems
    )
    return replace(last, problems=problems, broken=True, stale_since=since)
