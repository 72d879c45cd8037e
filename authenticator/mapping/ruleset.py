"""All mappings in force at one moment, and which of them applies to a caller.

Within a tier (bootstrap, sources, break-glass) the order is that of docs/adr/0002: one principal
before a pattern, among patterns more literal characters before fewer, then the order of sources
and of entries. An account mapping applies last of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from authenticator.aws.arns import CallerIdentity
from authenticator.mapping.rules import Match, Rule, unique_id

# The place of a rule in its tier: patterns by literal characters, most first; then position.
_Rank = tuple[int, int]
_Buckets = dict[str, list[tuple[_Rank, Rule]]]
# Told of each rule that is asked, and why it does not apply; "" for the one that does.
Tried = Callable[[Rule, str], None]


@dataclass(slots=True)
class _Tier:
    """Rules that are equal in standing, indexed so that a lookup touches only likely ones.

    Attributes:
        exact: rules for one principal, by lower-case canonical ARN or by unique id. The two never
            look alike, since every ARN begins with "arn:".
        heads: patterns, by the literal text that they begin with.
        lengths: how long those texts are.
    """

    exact: _Buckets = field(default_factory=dict)
    heads: _Buckets = field(default_factory=dict)
    lengths: tuple[int, ...] = ()

    @classmethod
    def build(cls, rules: Iterable[Rule]) -> _Tier:
        tier = cls()
        for position, rule in enumerate(rules):
            selector = rule.selector
            if selector is None:
                tier.exact.setdefault(rule.user_id, []).append(((0, position), rule))
            elif selector.is_pattern:
                rank = (-selector.literal, position)
                tier.heads.setdefault(selector.head, []).append((rank, rule))
            else:
                tier.exact.setdefault(selector.key, []).append(((0, position), rule))
        tier.lengths = tuple(sorted({len(head) for head in tier.heads}))
        return tier

    def candidates(self, key: str, user_id: str) -> Iterator[Rule]:
        exact = (*self.exact.get(key, ()), *self.exact.get(user_id, ()))
        yield from (rule for _, rule in sorted(exact, key=_rank))
        likely: list[tuple[_Rank, Rule]] = []
        for length in self.lengths:
            if length <= len(key):
                likely += self.heads.get(key[:length], ())
        yield from (rule for _, rule in sorted(likely, key=_rank))


def _rank(ranked: tuple[_Rank, Rule]) -> _Rank:
    return ranked[0]


def earliest(accounts: Iterable[tuple[str, Match]]) -> dict[str, Match]:
    """What maps each account: of several mappings the first, as among sources and entries."""
    found: dict[str, Match] = {}
    for account_id, match in accounts:
        found.setdefault(account_id, match)
    return found


class RuleSet:
    """An immutable set of rules; safe to share between threads and cheap to keep."""

    __slots__ = ("_accounts", "_tiers", "size")

    def __init__(
        self, tiers: Sequence[Sequence[Rule]] = (), accounts: Mapping[str, Match] | None = None
    ) -> None:
        """Index the rules.

        Args:
            tiers: the rules, each tier before the next, each in the order of sources and entries.
            accounts: by account id, what maps a caller whom no rule maps.
        """
        self._tiers = tuple(_Tier.build(rules) for rules in tiers)
        self._accounts = dict(accounts or {})
        self.size = sum(len(rules) for rules in tiers) + len(self._accounts)

    def candidates(self, identity: CallerIdentity) -> Iterator[Rule]:
        """The rules that may apply to `identity`, in the order in which they are asked."""
        key = identity.canonical_arn.lower()
        user_id = unique_id(identity)
        for tier in self._tiers:
            yield from tier.candidates(key, user_id)

    def __iter__(self) -> Iterator[Rule]:
        """All rules, tier by tier and otherwise in no order. Account mappings are none."""
        for tier in self._tiers:
            for bucket in (*tier.exact.values(), *tier.heads.values()):
                yield from (rule for _, rule in bucket)

    @property
    def accounts(self) -> Mapping[str, Match]:
        """The accounts that are mapped as a whole, by id."""
        return MappingProxyType(self._accounts)

    def find(
        self, identity: CallerIdentity, now: float, tried: Tried | None = None
    ) -> Match | None:
        """The mapping that applies to `identity`, or None.

        Args:
            identity: the caller, proven by STS.
            now: Unix time, for entries that expire.
            tried: told of each rule in the order in which they are asked.
        """
        for rule in self.candidates(identity):
            refusal = rule.refusal(identity, now)
            if tried is not None:
                tried(rule, refusal)
            if not refusal:
                return rule.match
        return self._accounts.get(identity.arn.account_id)
