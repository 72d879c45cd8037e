"""What is to become of one list of entries in a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from authenticator.editing.entry import Value
from authenticator.editing.writing import Item


@dataclass(frozen=True, slots=True)
class Change:
    """Updates, removals and additions of entries, all made at once.

    Attributes:
        path: the keys, in any case, that lead to the list; none if the text is the list itself.
        updates: by the index of an entry, the new value of each field by key, in any case; None
            removes the field.
        removals: the indexes of the entries to remove; none of them has an update.
        additions: entries, by key, or accounts, for the end of the list, which is created if there
            is none.
    """

    path: Sequence[str] = ()
    updates: Mapping[int, Mapping[str, Value | None]] = field(default_factory=dict)
    removals: AbstractSet[int] = frozenset()
    additions: Sequence[Item] = ()
