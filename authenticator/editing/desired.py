"""Entries as somebody wants them, against those that a document has: what is to be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import TypeAlias

from authenticator.editing.documents import Document
from authenticator.editing.edits import EditError
from authenticator.editing.entry import EKS_KEYS, MappingEntry, Value, is_grant
from authenticator.editing.located import Located
from authenticator.editing.principals import callers, callers_of, identity, in_force
from authenticator.mapping.conditions import CONDITION_KEYS
from authenticator.mapping.sections import SECTIONS

# An entry with its `callers`.
_Known: TypeAlias = tuple[Located, tuple[str, str]]
# The path of roles of AWS services, which IAM reserves. EKS makes access entries for some.
_SERVICE_LINKED = ":role/aws-service-role/"
# How many entries a message names.
_NAMED = 3
# What an entry may say beside whom it is for. Other keys are unknown to the server, and stay.
_FIELDS = ("username", "groups", "userid", "expires", "reason", *CONDITION_KEYS)


def added(document: Document, entry: MappingEntry) -> Document:
    """The document with one more entry.

    Raises:
        EditError: there is an entry for the same callers already, or it cannot be added.
    """
    key = callers(entry)
    for located, same in callers_of(document):
        if same == key:
            raise EditError(
                f"{entry.principal} is mapped already ({located.id}); change that with"
                f" 'mappings update'"
            )
    return document.edited(additions=[entry])


def applied(
    document: Document, wanted: Sequence[MappingEntry], *, prune: bool, now: float
) -> Document:
    """The document with the wanted entries in it; the same one if they are there already.

    An entry for the same callers is changed to say what is wanted, and its other keys, comments and
    place stay. With `prune`, entries that are not wanted go, in those sections that have a wanted
    one: nothing is taken from a section that was not spoken of.

    Of several entries for the same callers the one that applies at `now` (Unix time) is changed;
    one of `mappings grant` stays until it ends.

    Raises:
        EditError: an entry is wanted twice, it is not clear which entry is meant, or an edit cannot
            be made.
    """
    _refuse_repeated(wanted)
    keys = {callers(entry) for entry in wanted}
    present = list(callers_of(document))
    candidates: dict[str, list[_Known]] = {}
    for known in present:
        candidates.setdefault(known[1][0], []).append(known)
    found: set[str] = set()
    updates: list[tuple[Located, dict[str, Value | None]]] = []
    new: list[MappingEntry] = []
    for entry in wanted:
        same = [one for one in candidates.get(identity(entry), []) if one[0].id not in found]
        located = _standing_for(document, entry, same, keys, now)
        if located is None:
            new.append(entry)
            continue
        found.add(located.id)
        if fields := _changes(located, entry):
            updates.append((located, fields))
    gone = _unwanted(present, wanted, keys, found) if prune else []
    if not (updates or gone or new):
        return document
    return document.edited(updates=updates, removals=gone, additions=new)


def unpruned(
    document: Document, wanted: Sequence[MappingEntry], empty: AbstractSet[str]
) -> list[str]:
    """Say what stays in sections of which a file has no entry, in a line for each of them.

    An empty section may be a variable that was not set, so that nothing is pruned for it.

    Args:
        document: what there is.
        wanted: the entries of the file.
        empty: the sections that the file has without an entry.
    """
    lines: list[str] = []
    spoken_of = {entry.section for entry in wanted}
    for section in SECTIONS:
        if section in spoken_of:
            continue
        why = "is empty" if section in empty else "is not"
        present = [one for one in document.entries() if one.entry.section == section]
        if present:
            named = ", ".join(one.entry.principal for one in present[:_NAMED])
            more = f" and {len(present) - _NAMED} more" if len(present) > _NAMED else ""
            lines.append(
                f"{section} {why} in the file, so nothing in it was pruned: {named}{more};"
                " 'mappings remove' removes them"
            )
    return lines


def _changes(located: Located, wanted: MappingEntry) -> dict[str, Value | None]:
    """The fields to set or to take out for an entry to say what is wanted."""
    now = {key.lower(): value for key, value in located.entry.fields.items()}
    new = {key.lower(): value for key, value in wanted.fields.items()}
    return {
        key: new.get(key.lower())
        for key in (*_FIELDS, *EKS_KEYS.intersection(wanted.fields))
        if (now.get(key.lower()) or None) != (new.get(key.lower()) or None)
    }


def _standing_for(
    document: Document,
    entry: MappingEntry,
    candidates: Sequence[_Known],
    wanted: AbstractSet[tuple[str, str]],
    now: float,
) -> Located | None:
    """The entry for the same callers; where several recreations are mapped, for the same one."""
    same = [located for located, key in candidates if key == callers(entry)]
    found = same or [located for located, key in candidates if key not in wanted]
    if not entry.fields.get("expires"):
        # It ends by itself, and the entry below it is the one that lasts.
        found = [located for located in found if not is_grant(located.entry)] or found
    found = in_force(document, found, now) if len(found) > 1 else found
    if len(found) > 1:
        places = ", ".join(located.id for located in found)
        raise EditError(
            f"several entries name {entry.principal} ({places}); remove all but one of them first"
        )
    return found[0] if found else None


def _unwanted(
    present: Sequence[_Known],
    wanted: Sequence[MappingEntry],
    keys: AbstractSet[tuple[str, str]],
    found: AbstractSet[str],
) -> list[Located]:
    """The entries to prune; `found` are those of which a wanted entry is made."""
    sections = {entry.section for entry in wanted}
    return [
        located
        for located, key in present
        if located.entry.section in sections
        and located.id not in found
        and key not in keys
        and _SERVICE_LINKED not in located.entry.principal
    ]


def _refuse_repeated(wanted: Sequence[MappingEntry]) -> None:
    counts = Counter(map(callers, wanted))
    for entry in wanted:
        if counts[callers(entry)] > 1:
            raise EditError(f"{entry.principal} is wanted twice; say it once")
