"""All mappings in force at one moment, and which of them applies to a caller.

The order is that of `authenticator.mapping.precedence`, in each tier (bootstrap, sources,
break-glass) by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from authenticator.aws.arns import CallerIdentity
from authenticator.mapping.conditions import NONE
from authenticator.mapping.precedence import Rank, behind_accounts, callers, of_accounts, ranked
from authenticator.mapping.rules import Match, Rule
from authenticator.mapping.sections import Section

_Ranked = list[tuple[Rank, Rule]]
# Told of each rule that is asked, and why it does not apply; "" for the one that does.
Tried = Callable[[Rule, str], None]


@dataclass(slots=True)
class _Tier:
    """The rules of one tier, indexed so that a lookup touches only likely ones.

    Attributes:
        exact: rules for one principal, by lower-case canonical ARN or by unique id. The two never
            look alike, since every ARN begins with "arn:".
        heads: patterns, by the literal text that they begin with.
        lengths: how long those texts are.
    """

    exact: dict[str, _Ranked] = field(default_factory=dict)
    heads: dict[str, _Ranked] = field(default_factory=dict)
    lengths: tuple[int, ...] = ()

    @classmethod
    def build(cls, rules: Iterable[Rule]) -> _Tier:
        tier = cls()
        for rank, rule in ranked(rules):
            selector = rule.selector
            if selector is not None and selector.is_pattern:
                tier.heads.setdefault(selector.head, []).append((rank, rule))
            else:
                key = selector.key if selector else rule.user_id
                tier.exact.setdefault(key, []).append((rank, rule))
        tier.lengths = tuple(sorted({len(head) for head in tier.heads}))
        return tier

    def candidates(self, key: str, user_id: str) -> Iterator[Rule]:
        exact = sorted((*self.exact.get(key, ()), *self.exact.get(user_id, ())), key=_rank)
        yield from (rule for _, rule in exact if rule.to_the_letter)
        likely = [pair for pair in exact if not pair[1].to_the_letter]
        for length in self.lengths:
            if length <= len(key):
                likely += self.heads.get(key[:length], ())
        yield from (rule for _, rule in sorted(likely, key=_rank))


def _rank(pair: tuple[Rank, Rule]) -> Rank:
    return pair[0]


class RuleSet:
    """An immutable set of rules; safe to share between threads and cheap to keep.

    Attributes:
        size: how many rules and mapped accounts there are.
        mapped_accounts: the ids of the accounts that they name.
    """

    __slots__ = ("_accounts", "_behind", "_tiers", "mapped_accounts", "size")

    def __init__(
        self,
        tiers: Sequence[Sequence[Rule]] = (),
        accounts: Mapping[str, Match] | None = None,
        behind: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        """Index the rules.

        Args:
            tiers: the rules, each tier before the next, each in the order of sources and entries.
            accounts: by account id, what maps a caller whom no rule maps.
            behind: by account id, the sources whose rules its mapping comes before.
        """
        self._tiers = tuple(_Tier.build(rules) for rules in tiers)
        self._accounts = dict(accounts or {})
        self._behind = dict(behind or {})
        usable = sum(not rule.denied for rules in tiers for rule in rules)
        self.size = usable + len(self._accounts)
        selectors = (rule.selector for rules in tiers for rule in rules)
        # Every ARN and every pattern names one account literally.
        named = (selector.key.split(":")[4] for selector in selectors if selector)
        self.mapped_accounts = frozenset({*named, *self._accounts})

    @classmethod
    def of(
        cls,
        administrators: Sequence[Rule],
        chain: Sequence[Section],
        break_glass: Sequence[Section],
    ) -> RuleSet:
        """The rules in force of all sources.

        Args:
            administrators: the bootstrap administrators.
            chain: the sections of the sources, in the order of `backendMode`.
            break_glass: the sections of the break-glass file.
        """
        tiers = [
            [rule for section in part for rule in (*section.rules, *section.denials)]
            for part in (chain, break_glass)
        ]
        accounts = of_accounts(
            found for section in (*chain, *break_glass) for found in section.accounts
        )
        return cls((administrators, *tiers), accounts, behind_accounts(chain))

    def candidates(self, identity: CallerIdentity) -> Iterator[Rule]:
        """The rules that may apply to `identity`, in the order in which they are asked."""
        key = identity.canonical_arn.lower()
        behind = self._behind.get(identity.arn.account_id, ())
        for tier in self._tiers:
            for rule in tier.candidates(key, identity.principal_id):
                if rule.match.origin.source not in behind:
                    yield rule

    def __iter__(self) -> Iterator[Rule]:
        """All rules that map callers, tier by tier and otherwise in no order."""
        for tier in self._tiers:
            for bucket in (*tier.exact.values(), *tier.heads.values()):
                yield from (rule for _, rule in bucket if not rule.denied)

    @property
    def accounts(self) -> Mapping[str, Match]:
        """The accounts that are mapped as a whole, by id."""
        return MappingProxyType(self._accounts)

    def find(
        self, identity: CallerIdentity, now: float, tried: Tried | None = None
    ) -> Match | None:
        """The mapping that applies to `identity`, or None.

        The most specific entry decides. One that cannot be used refuses the caller. One that is
        pinned to another unique id does too, unless a further entry is pinned to theirs, and one
        with conditions that are not met, unless a further entry for the same callers has others:
        nothing wider is asked.

        Args:
            identity: the caller, proven by STS.
            now: Unix time, for entries that expire.
            tried: told of each rule in the order in which they are asked.
        """
        # Whom the deciding entries name, and what a further one must have, once one has refused.
        decided: Hashable = None
        pinned = conditional = False
        for rule in self.candidates(identity):
            if decided is not None and (
                callers(rule) != decided
                or (pinned and not rule.user_id)
                or (conditional and rule.narrowing == NONE)
            ):
                continue
            refusal = rule.refusal(identity, now)
            if tried is not None:
                tried(rule, refusal)
            if not refusal:
                return rule.match
            if refusal == rule.denied:
                return None
            if _refuses(rule, refusal, identity, now):
                decided = callers(rule)
                pinned = pinned or rule.pins_another(identity)
                conditional = conditional or not rule.pins_another(identity)
        return None if decided is not None else self._accounts.get(identity.arn.account_id)

    def refusing(self, identity: CallerIdentity, now: float) -> tuple[Rule, str] | None:
        """The entry that names `identity` and refuses it, with the reason; None if none does.

        Nothing wider is asked then, `mapAccounts` included.

        Args:
            identity: the caller, whom nothing maps.
            now: Unix time.
        """
        asked: list[tuple[Rule, str]] = []
        self.find(identity, now, lambda rule, refusal: asked.append((rule, refusal)))
        return next((pair for pair in asked if _refuses(*pair, identity, now)), None)


def _refuses(rule: Rule, refusal: str, identity: CallerIdentity, now: float) -> bool:
    return bool(refusal) and not rule.has_expired(now) and rule.covers(identity)
