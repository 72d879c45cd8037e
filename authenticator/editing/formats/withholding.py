"""Leaving out what a format cannot say, without anyone coming in by the entry behind it.

An entry that is left out uncovers those that it went before: whoever it named falls to the next
entry that fits, down to `mapAccounts`. Those are left out with it, so that after an export a caller
has what they had before, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from authenticator.editing.entry import MappingEntry
from authenticator.editing.formats.checking import Usable, check_all
from authenticator.editing.formats.conversion import Conversion, Note, subject
from authenticator.mapping.precedence import hidden, in_order, meet
from authenticator.mapping.sections import SECTIONS
from authenticator.mapping.selectors import Selector

_NEVER = "it never applies, since another entry is for the same and comes first"


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
    kept: set[int] = set()
    for usable in asked(found):
        if reason := refusal(usable) or withheld.uncovers(usable):
            withheld.add(usable)
            notes.append(Note(subject(usable.entry), reason, left_out=True))
        else:
            kept.add(id(usable))
    return [usable for usable in found if id(usable) in kept], notes


def checked(entries: Iterable[MappingEntry], *before: Note) -> Conversion:
    """The conversion of a document into `entries`, less those that the server would leave out.

    What would apply to the callers of an entry that cannot be used is left out with it.
    """
    found, notes = check_all(entries)
    kept, uncovered = _without_uncovered(found)
    return Conversion(tuple(usable.entry for usable in kept), (*before, *notes, *uncovered))


def _without_uncovered(found: Sequence[Usable]) -> tuple[list[Usable], list[Note]]:
    """The entries that can be used and come behind none that cannot."""
    if not any(usable.is_denied for usable in found):
        return list(found), []
    withheld = _Withheld()
    notes: list[Note] = []
    gone: set[int] = set()
    for usable in asked(found):
        reason = "" if usable.is_denied else withheld.uncovers(usable)
        if usable.is_denied or reason:
            withheld.add(usable)
            gone.add(id(usable))
        if reason:
            notes.append(Note(subject(usable.entry), reason, left_out=True))
    return [usable for usable in found if id(usable) not in gone], notes


def asked(usables: Iterable[Usable]) -> list[Usable]:
    """Entries in the order in which a login asks them, accounts last."""
    places: dict[str, int] = {}

    def place(usable: Usable) -> tuple[int, int]:
        source = usable.rule.match.origin.source if usable.rule else ""
        number = places.setdefault(source, len(places))
        return number, SECTIONS.index(usable.entry.section)

    found = sorted(usables, key=place)
    waiting: dict[int, list[Usable]] = {}
    for usable in found:
        waiting.setdefault(id(usable.rule), []).append(usable)
    rules = in_order(usable.rule for usable in found if usable.rule)
    return [*(waiting[id(rule)].pop() for rule in rules), *(u for u in found if not u.rule)]


def applying(entries: Iterable[MappingEntry]) -> tuple[list[Usable], list[Note]]:
    """Sort out what never applies; as `check`."""
    every, notes = check_all(entries)
    found, uncovered = _without_uncovered(every)
    notes += uncovered
    rules = [usable.rule for usable in asked(found) if usable.rule]
    gone = {id(rule) for rule, _ in hidden(rules)}
    accounts: set[str] = set()
    kept: list[Usable] = []
    for usable in found:
        again = usable.account is not None and usable.account_id in accounts
        if again or id(usable.rule) in gone:
            notes.append(Note(subject(usable.entry), _NEVER, left_out=True))
        else:
            kept.append(usable)
        if usable.account:
            accounts.add(usable.account_id)
    return kept, notes


def identity(usable: Usable) -> tuple[str, bool]:
    """What two entries share if they name the very same callers."""
    selector = usable.selector
    return (selector.key, selector.permission_set) if selector else (usable.account_id, False)


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
        if usable.rule and usable.rule.to_the_letter and not selector.is_pattern:
            # Patterns are asked after it, so that only its own kind can have gone before.
            return self._exact.get(selector.key)
        return _first_that_meets(self._all, selector)


def _first_that_meets(usables: Sequence[Usable], selector: Selector) -> Usable | None:
    return next((u for u in usables if u.selector and meet(u.selector, selector)), None)
