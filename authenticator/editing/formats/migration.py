"""Moving mappings between aws-auth and custom resources, so that nobody is told anything else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from authenticator.editing.entry import MappingEntry
from authenticator.editing.formats.answers import Meaning, differences, meaning
from authenticator.editing.formats.checking import Usable, check
from authenticator.editing.formats.conversion import Note, subject
from authenticator.editing.formats.identity_mappings import refusal
from authenticator.editing.formats.withholding import applying, identity


@dataclass(frozen=True, slots=True)
class Migration:
    """What is to move.

    Attributes:
        before: all of the old place that is in force.
        carried: what of it moves.
        rest: what of it has to stay.
        notes: why.
    """

    before: tuple[Usable, ...]
    carried: tuple[Usable, ...]
    rest: tuple[Usable, ...]
    notes: tuple[Note, ...]

    def to_add(self, present: Iterable[MappingEntry]) -> list[MappingEntry]:
        """The entries that a new place with those `present` does not have yet."""
        known = {meaning(usable) for usable in check(present)[0]}
        return [usable.entry for usable in self.carried if meaning(usable) not in known]

    def differences(self, present: Iterable[MappingEntry]) -> list[str]:
        """What callers are told differently once what is carried is gone from the old place.

        In whichever order the server asks the two places.

        Args:
            present: the entries of the new place, in order.
        """
        new, _ = check(present, "the new place")
        found = [
            *differences(self.before, [*self.rest, *new]),
            *differences(self.before, [*new, *self.rest]),
        ]
        return list(dict.fromkeys(found))

    def moved(self, entries: Iterable[MappingEntry]) -> list[bool]:
        """Which of the old place's entries are to go: what is carried, and what never applied."""
        carried = {identity(usable) for usable in self.carried}
        return [
            any(identity(usable) in carried for usable in check([entry])[0]) for entry in entries
        ]


def plan(entries: Iterable[MappingEntry], *, to_objects: bool) -> Migration:
    """What of `entries` can move.

    Args:
        entries: of the old place, in order.
        to_objects: whether they are to become custom resources.
    """
    found, notes = applying(entries)
    carried: list[Usable] = []
    rest: list[Usable] = []
    for usable in found:
        reason = refusal(usable) if to_objects else ""
        (rest if reason else carried).append(usable)
        if reason:
            notes.append(Note(subject(usable.entry), reason, left_out=True))
    return Migration(tuple(found), tuple(carried), tuple(rest), tuple(notes))


def additions(
    entries: Iterable[MappingEntry], present: Iterable[MappingEntry]
) -> tuple[list[MappingEntry], list[Note]]:
    """What of `entries` is new beside those `present`, and notes about what cannot be added.

    An entry for callers who have another one already would stand behind that, and hardly ever
    apply.
    """
    known: dict[tuple[str, bool], set[Meaning]] = {}
    for usable in check(present)[0]:
        known.setdefault(identity(usable), set()).add(meaning(usable))
    new: list[MappingEntry] = []
    found, notes = applying(entries)
    notes = [note for note in notes if note.left_out]
    for usable in found:
        meanings = known.get(identity(usable), set())
        if not meanings:
            new.append(usable.entry)
        elif meaning(usable) not in meanings:
            text = "it is mapped already, and otherwise; update or remove that entry first"
            notes.append(Note(subject(usable.entry), text, left_out=True))
    return new, notes
