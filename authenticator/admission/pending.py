"""Edits that were allowed and that the server has yet to see.

Mappings are known by a watch, which is told of an edit some time after it has been stored. Of
objects that are deleted one right after another, each would find all the others still there, the
last administrator among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from authenticator.mapping.sections import Section
from authenticator.sources.base import SourceState
from authenticator.sources.chain import StoreStatus

# Longer than a watch that works is behind. An edit that was allowed here and not stored after all
# (another webhook refused it), or undone where we are not asked, is believed in for as long.
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Edit:
    """What has become of a section.

    Attributes:
        olds: hashes of the versions that the server may have in force still.
        new: the version after the edit.
        until: the Unix time until which this is believed.
    """

    olds: frozenset[int]
    new: Section
    until: float


class Pending:
    """Takes note of edits. Not safe to use from several threads at once.

    A new object is not believed in before the server has seen it.
    """

    def __init__(self) -> None:
        self._edits: dict[tuple[str, str], _Edit] = {}

    def note(
        self, source: str, before: Sequence[Section], after: Sequence[Section], now: float
    ) -> None:
        """Take note of an edit that has been allowed.

        Args:
            source: the source that is edited.
            before: the sections of the edited object.
            after: its sections once it is stored; none if it is deleted.
            now: Unix time.
        """
        self._forget(now)
        news = {section.name: section for section in after}
        for name in news.keys() - {old.name for old in before}:
            self._edits.pop((source, name), None)  # made anew, it may be as it was
        for old in before:
            new = news.get(old.name, Section(old.name))
            if new == old or new.broken:
                continue
            key = source, old.name
            earlier = self._edits.pop(key, None)  # so that they stay in the order of time
            olds = earlier.olds if earlier and earlier.new == old else frozenset()
            self._edits[key] = _Edit(olds | {hash(old)}, new, now + _SECONDS)

    def found(self, source: str, sections: Sequence[Section]) -> None:
        """Take note of what the API server says to be there, before an edit."""
        for section in sections:
            edit = self._edits.get((source, section.name))
            if edit and edit.new != section:
                del self._edits[source, section.name]

    def applied(self, status: StoreStatus, now: float) -> StoreStatus:
        """What the server will have in force as soon as it has seen the edits."""
        self._forget(now)
        if not self._edits:
            return status
        return replace(status, sources=tuple(map(self._of_source, status.sources)))

    def _of_source(self, state: SourceState) -> SourceState:
        sections = tuple(self._of_section(state.name, section) for section in state.sections)
        return replace(state, sections=sections)

    def _of_section(self, source: str, section: Section) -> Section:
        edit = self._edits.get((source, section.name))
        # What is none of the old versions is this edit, or a later one by another way.
        return edit.new if edit and hash(section) in edit.olds else section

    def _forget(self, now: float) -> None:
        """Drop what is too old: what stands first."""
        for key, edit in list(self._edits.items()):
            if edit.until > now:
                return
            del self._edits[key]
