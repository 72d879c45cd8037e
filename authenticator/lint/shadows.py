"""Entries that keep others from applying: patterns that cover others, and conditions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from authenticator.lint.documents import Entry
from authenticator.lint.findings import Finding
from authenticator.mapping.conditions import NONE
from authenticator.mapping.precedence import in_order, meet
from authenticator.mapping.rules import Rule
from authenticator.mapping.selectors import Selector

_WILDCARD = re.compile(r"[*?]")
_LITERAL = re.compile(r"[^*?]")
# Of thousands of patterns that differ in their wildcards only, not all pairs are compared.
_PAIRS = 100_000
_MOST_PATTERNS = 1000

# Between two letters of a pattern: how many `?` stand there, and whether a `*` does.
_Gaps = tuple[tuple[int, bool], ...]
_Pattern = tuple[Entry, Selector, _Gaps]


def shadowed(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Patterns of which each caller belongs to one that goes first.

    Of two patterns the one with more letters applies, so that only patterns with as many letters
    can cover each other wholly, and these must then be the same letters in the same order.
    """
    by_origin = {entry.rule.match.origin: entry for entry in entries if entry.rule}
    alike: dict[str, list[_Pattern]] = {}
    for rule in in_order(entry.rule for entry in entries if entry.rule):
        selector, entry = rule.selector, by_origin[rule.match.origin]
        if selector is not None and selector.is_pattern:
            gaps = _gaps(selector)
            alike.setdefault(_WILDCARD.sub("", selector.key), []).append((entry, selector, gaps))
    done: set[int] = set()
    for first, other in islice(_pairs(list(alike.values())), _PAIRS):
        if id(other[0]) not in done and _covers(first, other):
            done.add(id(other[0]))
            winner = first[0].rule
            origin = winner.match.origin if winner else ""
            message = f"it never applies: {origin} covers all that it covers, and comes first"
            yield other[0].finding("shadowed-entry", message)


def refusing(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Entries with conditions, where a wider entry names the callers who do not meet them.

    Those callers are refused: the most specific entry decides.
    """
    by_origin = {entry.rule.match.origin: entry for entry in entries if entry.rule}
    asked = in_order(entry.rule for entry in entries if entry.rule)
    patterns = [
        (place, rule, rule.selector)
        for place, rule in enumerate(asked)
        if rule.selector and rule.selector.is_pattern
    ]
    accounts = {entry.account: entry.place.entry for entry in entries if entry.account}
    for place, rule in enumerate(asked):
        if rule.conditions == NONE or rule.selector is None:
            continue
        wider = _wider(place, rule.selector, patterns[:_MOST_PATTERNS])
        other = str(wider.match.origin) if wider else accounts.get(rule.selector.account_id)
        if other:
            message = (
                f"callers who do not meet its conditions ({rule.conditions}) are refused:"
                f" {other} names them too and does not apply to them"
            )
            key = next(iter(rule.conditions.shown())).lower()
            yield by_origin[rule.match.origin].finding("condition-refuses", message, key)


def _wider(
    place: int, selector: Selector, patterns: Sequence[tuple[int, Rule, Selector]]
) -> Rule | None:
    """Return a pattern that comes later and may cover a caller of `selector`."""
    for later, rule, pattern in patterns:
        if later > place and pattern.key != selector.key and meet(pattern, selector):
            return rule
    return None


def _pairs(families: Sequence[Sequence[_Pattern]]) -> Iterator[tuple[_Pattern, _Pattern]]:
    for family in families:
        for number, other in enumerate(family):
            yield from ((first, other) for first in family[:number])


def _covers(first: _Pattern, other: _Pattern) -> bool:
    rule, selector = first[0].rule, first[1]
    # An entry that ends, or is for one recreation of a principal, leaves room for another; and the
    # same key is a duplicate. Conditions do not: they refuse the callers of what comes after.
    if rule is None or rule.expires is not None or rule.user_id or selector.key == other[1].key:
        return False
    return not selector.permission_set and all(
        mine <= theirs if star else (mine == theirs and not their_star)
        for (mine, star), (theirs, their_star) in zip(first[2], other[2], strict=True)
    )


def _gaps(selector: Selector) -> _Gaps:
    gaps = _LITERAL.split(selector.key)
    return tuple((gap.count("?"), "*" in gap) for gap in gaps)
