"""The order in which entries are asked: the only place that knows it (docs/adr/0002).

    one principal, named to the letter
    a permission set
    one principal whose ARN is not the canonical one to the letter
    patterns, those with more literal characters first
    among equal ones: the order of sources and sections, and in a section the last entry first

A mapped account comes after the entries of its own source and of those before it, and before those
of later sources. Bootstrap administrators come before all of this, and the break-glass file after
it (`authenticator.mapping.ruleset`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from authenticator.mapping.conditions import NONE
from authenticator.mapping.rules import Match, Rule
from authenticator.mapping.sections import Section
from authenticator.mapping.selectors import Selector


class Rank(NamedTuple):
    """The place of an entry in the order; the lowest is asked first."""

    specificity: int
    wildness: int
    section: int
    entry: int


def in_order(rules: Iterable[Rule]) -> list[Rule]:
    """Sort the rules of one tier; see `ranked`."""
    return [rule for _, rule in ranked(rules)]


def ranked(rules: Iterable[Rule]) -> list[tuple[Rank, Rule]]:
    """Sort the rules of one tier into the order in which they are asked.

    Args:
        rules: in the order of sources and sections.
    """
    sections: dict[tuple[str, str], int] = {}
    found: list[tuple[Rank, Rule]] = []
    for rule in rules:
        origin = rule.match.origin
        section = sections.setdefault((origin.source, origin.section), len(sections))
        found.append((Rank(*_specificity(rule), section, -origin.index), rule))
    found.sort(key=_rank)
    return found


def _rank(pair: tuple[Rank, Rule]) -> Rank:
    return pair[0]


def _specificity(rule: Rule) -> tuple[int, int]:
    selector = rule.selector
    if selector is None or not selector.is_pattern:
        return (0 if rule.to_the_letter else 2), 0
    if selector.permission_set:
        return (1, 0) if rule.to_the_letter else (2, 1)
    return 3, -selector.literal


def callers(rule: Rule) -> Hashable:
    """A value that two rules share if they name the very same callers, conditions apart."""
    selector = rule.selector
    return (selector.key, selector.permission_set) if selector else rule.user_id


def rights(rule: Rule) -> Hashable:
    """A value that two rules share if they grant the same."""
    return rule.match.username, frozenset(rule.match.groups)


def hiding(asked: Iterable[Rule]) -> Iterator[Rule | None]:
    """Give for each entry the one that always comes before it; None if it can apply.

    An entry that ends leaves room for another, and one that is pinned to a unique id, or has
    conditions, for one with others: it refuses all other callers.

    Args:
        asked: the rules in the order in which they are asked.
    """
    first: dict[Hashable, _Earlier] = {}
    for rule in asked:
        earlier = first.setdefault(callers(rule), _Earlier())
        winner = earlier.hiding(rule)
        if winner is None:
            earlier.add(rule)
        yield winner


class _Earlier:
    """The entries for the same callers that come before another one, by what narrows them."""

    __slots__ = ("_conditional_for_a_while", "_found", "_pinned_for_a_while")

    def __init__(self) -> None:
        self._found: dict[tuple[Hashable, Hashable], Rule] = {}
        self._pinned_for_a_while = self._conditional_for_a_while = False

    def add(self, rule: Rule) -> None:
        """Take the next entry that can apply; one that ends hides nothing for good."""
        if rule.expires is not None:
            self._pinned_for_a_while |= bool(rule.user_id)
            self._conditional_for_a_while |= rule.narrowing != NONE
            return
        # Under each question that `hiding` asks. Until a narrowed entry ends, its refusals pass
        # over entries without a pin, or without conditions, for those that have them.
        for pin in (rule.user_id, _ANY):
            for narrowing in (rule.narrowing, _ANY):
                unpinned = self._pinned_for_a_while and pin == ""
                unconditional = self._conditional_for_a_while and narrowing == NONE
                if not (unpinned or unconditional):
                    self._found.setdefault((pin, narrowing), rule)

    def hiding(self, rule: Rule) -> Rule | None:
        """Return one that decides about every caller that `rule` could apply to."""
        pins = ("", rule.user_id) if rule.user_id else (_ANY,)
        narrowing = rule.narrowing
        narrowings = (NONE, narrowing) if narrowing != NONE else (_ANY,)
        keys = ((pin, one) for pin in pins for one in narrowings)
        return next((self._found[key] for key in keys if key in self._found), None)


_ANY = object()


def alike_narrowed(one: Rule, other: Rule) -> bool:
    """Whether the same caller may meet what narrows two rules: pins and conditions."""
    pins = not (one.user_id and other.user_id) or one.user_id == other.user_id
    return pins and (NONE in (one.narrowing, other.narrowing) or one.narrowing == other.narrowing)


def hidden(asked: Sequence[Rule]) -> Iterator[tuple[Rule, Rule]]:
    """Find the entries that never apply, each with the one that always comes before it."""
    pairs = zip(asked, hiding(asked), strict=True)
    return ((rule, winner) for rule, winner in pairs if winner is not None)


def revived(asked: Iterable[Rule]) -> Iterator[tuple[Rule, Rule, float]]:
    """Find the entries that apply again, and grant more groups, once another one has ended.

    Args:
        asked: the rules in the order in which they are asked.

    Returns:
        each with the entry that comes before it and the Unix time at which that ends.
    """
    ending: dict[Hashable, list[Rule]] = {}
    for rule in asked:
        earlier = ending.setdefault(callers(rule), [])
        for before in reversed(earlier):
            more = not set(rule.match.groups) <= set(before.match.groups)
            if more and alike_narrowed(before, rule):
                yield rule, before, before.expires or 0.0
                break
        if rule.expires is not None:
            earlier.append(rule)


def meet(one: Selector, other: Selector) -> bool:
    """Whether a caller may fit both. Of two patterns, True may be wrong; False never is."""
    if not one.is_pattern:
        return other.covers(one.key)
    if not other.is_pattern:
        return one.covers(other.key)
    short_head, long_head = sorted((one.head, other.head), key=len)
    short_tail, long_tail = sorted((one.tail, other.tail), key=len)
    return long_head.startswith(short_head) and long_tail.endswith(short_tail)


def behind_accounts(chain: Iterable[Section]) -> dict[str, frozenset[str]]:
    """By account id, the sources whose entries do not apply, since an earlier one maps the account.

    Args:
        chain: the sections of all sources, in the order of the sources.
    """
    order: dict[str, int] = {}
    accounts: dict[str, str] = {}
    for section in chain:
        rules = (rule.match for rule in (*section.rules, *section.denials))
        for match in (*rules, *(match for _, match in section.accounts)):
            order.setdefault(match.origin.source, len(order))
        for account_id, match in section.accounts:
            accounts.setdefault(account_id, match.origin.source)
    behind = {
        source: frozenset(name for name, number in order.items() if number > order[source])
        for source in set(accounts.values())
    }
    return {account_id: behind[source] for account_id, source in accounts.items()}


def is_behind(rule: Rule, behind: Mapping[str, frozenset[str]]) -> bool:
    """Whether an entry never applies, since an earlier source maps the account that it names.

    Args:
        rule: the entry.
        behind: from `behind_accounts`.
    """
    selector = rule.selector
    if selector is None:
        return False
    return rule.match.origin.source in behind.get(selector.account_id, ())


def of_accounts(accounts: Iterable[tuple[str, Match]]) -> dict[str, Match]:
    """What maps each account: the first of several, which all grant the same."""
    found: dict[str, Match] = {}
    for account_id, match in accounts:
        found.setdefault(account_id, match)
    return found
