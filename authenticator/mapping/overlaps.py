"""Entries that claim the same callers, and which of them applies (docs/adr/0002)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, takewhile
from typing import NamedTuple

from authenticator.mapping.precedence import hidden, in_order, meet, rights
from authenticator.mapping.problems import Code, Origin, Problem
from authenticator.mapping.rules import Rule
from authenticator.mapping.sections import SECTIONS
from authenticator.mapping.selectors import Selector

# Enough to act on; a thousand patterns over one another would be half a million pairs.
LIMIT = 100
DUPLICATES = frozenset({Code.DUPLICATE_ENTRY, Code.CONFLICTING_ENTRY})
# An edit waits for this: a tenth of a second.
_PAIRS = 100_000


def overlaps(rules: Sequence[Rule], limit: int | None = LIMIT) -> tuple[Problem, ...]:
    """What is claimed twice: duplicates first, then overlaps.

    Two patterns are compared by what stands before their first and after their last wildcard, so
    that some pairs are named that no role fits (`a*b*c` and `a*d*c` rarely meet). Where thousands
    of patterns begin alike, not all pairs are compared.

    Args:
        rules: of one tier, in the order of sources and entries.
        limit: how many are named at most; None for all.
    """
    return tuple(islice(chain(duplicates(rules), _covered(rules)), limit))


def duplicates(rules: Iterable[Rule]) -> Iterator[Problem]:
    """The entries of one tier that never apply, since another for the same callers comes first."""
    for rule, winner in hidden(in_order(rules)):
        reason = f"it never applies, since {winner.match.origin} names the same and comes first"
        code = Code.DUPLICATE_ENTRY
        if rights(rule) != rights(winner) and _together(rule.match.origin, winner.match.origin):
            code = Code.CONFLICTING_ENTRY
            reason += " and grants something else; keep one of the two"
        yield Problem(rule.match.origin, reason, code=code)


def _together(one: Origin, other: Origin) -> bool:
    """Whether two entries are of one document, or both custom resources.

    Between sources it is `backendMode` that says which of two different entries is meant.
    """
    if one.section in SECTIONS and other.section in SECTIONS:
        return one.source == other.source
    return one.section not in SECTIONS and other.section not in SECTIONS


def _covered(rules: Sequence[Rule]) -> Iterator[Problem]:
    # In the order in which they apply, so that of two the one with the lower number wins.
    claims = [
        _Claim(number, rule, rule.selector)
        for number, rule in enumerate(in_order(rules))
        if rule.selector
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


def _meet(wider: _Claim, other: _Claim) -> bool:
    """Whether one caller may fit both; of two patterns that begin alike, asked in one order."""
    twice = other.selector.is_pattern and wider.selector.head == other.selector.head
    return not (twice and wider.number >= other.number) and meet(wider.selector, other.selector)


def _overlap(winner: _Claim, loser: _Claim) -> Problem:
    return Problem(
        loser.rule.match.origin,
        f"{winner.rule.match.origin} names some of the same callers, and wins for them",
        in_force=True,
        code=Code.OVERLAP,
    )
