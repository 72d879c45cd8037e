"""Leaving out what a format cannot say, without anyone coming in by the entry behind it.

An entry that is left out uncovers those that it went before: whoever it named falls to the next
entry that fits, down to `mapAccounts`. Those are left out with it, so that after an export a caller
has what they had before, or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from authenticator.editing.entry import MappingEntry
from authenticator.editing.formats.checking import Usable, check
from authenticator.editing.formats.conversion import Note, subject
from authenticator.mapping.selectors import Selector

_NEVER = "it never applies, since an earlier entry is for the same"
_WILDCARD = re.compile(r"[*?]")


def sift(
    entries: Iterable[MappingEntry], refusal: Callable[[Usable], str]
) -> tuple[list[Usable], list[Note]]:
    """Sort out what a format cannot say.

    Args:
        entries: in the order of their document.
        refusal: why the format cannot say an entry, and what to do; "" if it can.

    Returns:
        The entries to write, in their order, and notes about the others.
    """
    found, notes = applying(entries)
    withheld = _Withheld()
    kept: list[int] = []
    for index in sorted(range(len(found)), key=lambda index: _rank(found[index], index)):
        usable = found[index]
        if reason := refusal(usable) or withheld.uncovers(usable):
            withheld.add(usable)
            notes.append(Note(subject(usable.entry), reason, left_out=True))
        else:
            kept.append(index)
    return [found[index] for index in sorted(kept)], notes


def applying(entries: Iterable[MappingEntry]) -> tuple[list[Usable], list[Note]]:
    """Sort out what never applies; as `check`."""
    found, notes = check(entries)
    kept: list[Usable] = []
    final: set[tuple[str, bool]] = set()
    for usable in found:
        if identity(usable) in final:
            notes.append(Note(subject(usable.entry), _NEVER, left_out=True))
        else:
            kept.append(usable)
        if _unconditional(usable):
            final.add(identity(usable))
    return kept, notes


def identity(usable: Usable) -> tuple[str, bool]:
    """What two entries share if they name the very same callers."""
    selector = usable.selector
    return (selector.key, selector.permission_set) if selector else (usable.account_id, False)


def _unconditional(usable: Usable) -> bool:
    """Whether no entry for the same callers after it can ever apply."""
    return usable.rule is None or not (usable.rule.user_id or usable.rule.expires is not None)


def meet(one: Selector, other: Selector) -> bool:
    """Whether a caller may fit both. Of two patterns, True may be wrong; False never is."""
    if not one.is_pattern:
        return other.covers(one.key)
    if not other.is_pattern:
        return one.covers(other.key)
    heads = sorted((one.head, other.head), key=len)
    tails = sorted((_tail(one), _tail(other)), key=len)
    return heads[1].startswith(heads[0]) and tails[1].endswith(tails[0])


def _tail(selector: Selector) -> str:
    return _WILDCARD.split(selector.key)[-1]


def _rank(usable: Usable, index: int) -> tuple[int, int, int]:
    """The order in which entries are asked (docs/adr/0002)."""
    if usable.selector is None:
        return 2, 0, index
    return int(usable.selector.is_pattern), -usable.selector.literal, index


class _Withheld:
    """What has been left out so far, in the order in which entries are asked."""

    def __init__(self) -> None:
        self._exact: dict[str, Usable] = {}
        self._accounts: dict[str, Usable] = {}
        self._all: list[Usable] = []

    def add(self, usable: Usable) -> None:
        self._all.append(usable)
        self._accounts.setdefault(usable.account_id, usable)
        if usable.selector and not usable.selector.is_pattern:
            self._exact.setdefault(usable.selector.key, usable)

    def uncovers(self, usable: Usable) -> str:
        """Why `usable` would apply to callers that it did not apply to; "" if it would not."""
        before = self._before(usable)
        if before is None:
            return ""
        return (
            f"it would apply to callers of {subject(before.entry)}, which comes first and is left"
            " out; write it by hand if they may have what it grants"
        )

    def _before(self, usable: Usable) -> Usable | None:
        selector = usable.selector
        if selector is None:
            return self._accounts.get(usable.account_id)
        if not selector.is_pattern:
            # Patterns are asked after it, so that only its own kind can have gone before.
            return self._exact.get(selector.key)
        return _first_that_meets(self._all, selector)


def _first_that_meets(usables: Sequence[Usable], selector: Selector) -> Usable | None:
    return next((u for u in usables if u.selector and meet(u.selector, selector)), None)
