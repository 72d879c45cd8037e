"""Entries that claim the same callers, and which of them applies (docs/adr/0002)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice, takewhile
from typing import NamedTuple

from authenticator.mapping.problems import Code, Problem
from authenticator.mapping.rules import Rule
from authenticator.mapping.selectors import Selector

# Enough to act on; a thousand patterns over one another would be half a million pairs.
LIMIT = 100
# An edit waits for this: a tenth of a second.
_PAIRS = 100_000
_WILDCARD = re.compile(r"[*?]")


def overlaps(rules: Sequence[Rule], limit: int | None = LIMIT) -> tuple[Problem, ...]:
    """What is claimed twice: duplicates first, then overlaps.

    Two patterns are compared by what stands before their first and after their last wildcard, so
    that some pairs are named that no role fits (`a*b*c` and `a*d*c` rarely meet). Where thousands
    of patterns begin alike, not all pairs are compared.

    Args:
        rules: of one tier, in the order of sources and entries.
        limit: how many are named at most; None for all.
    """
    return tuple(islice(chain(_duplicates(rules), _covered(rules)), limit))


def _duplicates(rules: Sequence[Rule]) -> Iterator[Problem]:
    first: dict[tuple[str, str], Rule] = {}
    for rule in rules:
        key = rule.selector.key if rule.selector else ""
        # An entry that ends, or is for one recreation of a principal, leaves room for another.
        winner = first.get((key, "")) or first.get((key, rule.user_id))
        if winner is not None:
            yield Problem(
                rule.match.origin,
                f"it never applies, since {winner.match.origin} names the same and comes first",
                code=Code.DUPLICATE_ENTRY,
            )
        elif rule.expires is None:
            first[key, rule.user_id] = rule


def _covered(rules: Sequence[Rule]) -> Iterator[Problem]:
    selectors = [(rule, rule.selector) for rule in rules if rule.selector]
    # The order in which they apply, so that of two the one with the lower number wins.
    selectors.sort(key=lambda pair: (pair[1].is_pattern, -pair[1].literal))
    claims = [
        _Claim(number, rule, selector, _WILDCARD.split(selector.key)[-1])
        for number, (rule, selector) in enumerate(selectors)
    ]
    for wider, other in islice(_pairs(claims), _PAIRS):
        if _meet(wider, other):
            yield _overlap(*sorted((wider, other), key=lambda claim: claim.number))


def _pairs(claims: Sequence[_Claim]) -> Iterator[tuple[_Claim, _Claim]]:
    """Each pattern, with each claim that begins as it does."""
    patterns: dict[str, list[_Claim]] = {}
    for claim in claims:
        if claim.selector.is_pattern:
            patterns.setdefault(claim.selector.head, []).append(claim)
    lengths = sorted({len(head) for head in patterns})
    for claim in claims:
        head = claim.selector.head
        for length in takewhile(len(head).__ge__, lengths):
            yield from ((wider, claim) for wider in patterns.get(head[:length], ()))


class _Claim(NamedTuple):
    number: int
    rule: Rule
    selector: Selector
    tail: str  # what stands after the last wildcard


def _meet(wider: _Claim, other: _Claim) -> bool:
    """Whether one caller may fit both; of two patterns that begin alike, asked in one order."""
    if not other.selector.is_pattern:
        return wider.selector.covers(other.selector.key)
    if wider.selector.head == other.selector.head and wider.number >= other.number:
        return False
    return wider.tail.endswith(other.tail) or other.tail.endswith(wider.tail)


def _overlap(winner: _Claim, loser: _Claim) -> Problem:
    return Problem(
        loser.rule.match.origin,
        f"{winner.rule.match.origin} names some of the same callers, and wins for them",
        in_force=True,
        code=Code.OVERLAP,
    )
