"""The IAM principals that mappings let in, and as whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from authenticator.access.names import (
    Names,
    Parts,
    parts_of_account,
    parts_of_arn,
    parts_of_selector,
)
from authenticator.aws.arns import PrincipalArn, PrincipalKind
from authenticator.mapping.conditions import NONE, Conditions
from authenticator.mapping.precedence import (
    behind_accounts,
    hiding,
    in_order,
    is_behind,
    of_accounts,
)
from authenticator.mapping.problems import Origin, Problem
from authenticator.mapping.rules import Match, Rule
from authenticator.mapping.sections import Section
from authenticator.mapping.selectors import Selector

ACCOUNT = "account"
UNIQUE_ID = "unique id"


@dataclass(frozen=True, slots=True)
class Principal:
    """Whom one mapping lets in.

    Attributes:
        arn: the canonical ARN or the pattern, in lower case; the account id of an account; the
            unique id of an entry without ARN.
        kind: "role", "user", ..., `ACCOUNT` or `UNIQUE_ID`.
        match: what the mapping grants.
        username: what the principal can be called.
        groups: what groups it can be in, besides system:authenticated.
        user_id: the unique id that it must have; "" for any.
        expires: the Unix time from which it is let in no more; None for never.
        selector: the callers by ARN; None if there is none.
        written: the principal as the mapping has it, for people.
        conditions: what else it must meet.
    """

    arn: str
    kind: str
    match: Match
    username: Names
    groups: tuple[Names, ...]
    user_id: str = ""
    expires: float | None = None
    selector: Selector | None = None
    written: str = ""
    conditions: Conditions = NONE

    @property
    def origin(self) -> Origin:
        """Where the mapping stands."""
        return self.match.origin

    @property
    def arn_as_written(self) -> str:
        """The ARN as the mapping has it; of a permission set, the pattern of its roles."""
        by_name = self.selector is None or self.selector.permission_set
        return self.arn if by_name else self.written

    @property
    def is_narrowed(self) -> bool:
        """Whether it refuses some callers with its ARN."""
        return bool(self.user_id or self.match.only_with) or self.conditions != NONE

    def includes(self, arn: PrincipalArn) -> bool:
        """Whether a caller with this ARN may be one of those meant."""
        if self.kind == ACCOUNT:
            return arn.account_id == self.arn
        return self.selector is not None and self.selector.covers(arn.canonical.lower())

    def narrowed(self, arn: PrincipalArn) -> Principal:
        """The same mapping for one caller, of whose names more is known."""
        username, groups = _names(self.match, parts_of_arn(arn))
        return replace(self, username=username, groups=groups)


@dataclass(frozen=True, slots=True)
class Entrants:
    """The principals of some sections, and the entries that let nobody in.

    Attributes:
        principals: in the order in which the server asks them.
        idle: the entries that have expired, or come after another for the same principal.
        refused: why other entries are not in force.
        behind: by account id, the sources that the mapping of the account comes before.
        barriers: the entries that refuse their callers, since they cannot be used, each with the
            number of principals that come before it.
    """

    principals: tuple[Principal, ...]
    idle: tuple[Origin, ...] = ()
    refused: tuple[Problem, ...] = ()
    behind: Mapping[str, frozenset[str]] = field(default_factory=dict)
    barriers: tuple[tuple[int, Rule], ...] = ()

    def of(self, arn: PrincipalArn) -> tuple[Principal, ...]:
        """The mappings that may apply to a caller, the likeliest first.

        The first without an end applies if none before it does, so that those after it never do.
        One with a unique id refuses callers with another, unless a further one has theirs.
        """
        found: list[Principal] = []
        narrowed: set[str] = set()
        # Whether only further entries for the callers of a narrowed one may apply.
        closed = False
        key = arn.canonical.lower()
        behind = self.behind.get(arn.account_id, ())
        for entry in self._in_order():
            if isinstance(entry, Rule):
                if not _names_arn(entry, key) or entry.match.origin.source in behind:
                    continue
            elif not entry.includes(arn) or entry.origin.source in behind:
                continue
            elif not closed or (entry.is_narrowed and entry.arn in narrowed):
                found.append(entry.narrowed(arn))
                if entry.is_narrowed:
                    narrowed.add(entry.arn)
                if entry.expires is not None:
                    continue
            # It decides, unless a narrowed entry before it refuses the caller.
            if not narrowed:
                break
            closed = True
        return tuple(found)

    def _in_order(self) -> Iterator[Principal | Rule]:
        """Yield the principals, and the barriers where they stand."""
        waiting = list(reversed(self.barriers))
        for number, principal in enumerate(self.principals):
            while waiting and waiting[-1][0] <= number:
                yield waiting.pop()[1]
            yield principal


def entrants(
    sections: Sequence[Section],
    now: float,
    administrators: Sequence[Rule] = (),
    break_glass: Sequence[Section] = (),
) -> Entrants:
    """Whom `sections` let in.

    Args:
        sections: what was read of the mappings, in the order of sources.
        now: Unix time.
        administrators: the bootstrap administrators, who come before all sections.
        break_glass: the sections of the break-glass file, which come after all others.
    """
    whole_chain = (*sections, *break_glass)
    rules = [*administrators, *(rule for section in whole_chain for rule in section.rules)]
    tiers = (administrators, _rules(sections), _rules(break_glass))
    behind = behind_accounts(sections)
    asked = [
        rule
        for tier in tiers
        for rule in in_order(tier)
        if not (rule.has_expired(now) or is_behind(rule, behind))
    ]
    in_force: list[Rule] = []
    barriers: list[tuple[int, Rule]] = []
    for rule, winner in zip(asked, hiding(asked), strict=True):
        if winner is not None:
            continue
        if rule.denied:
            barriers.append((len(in_force), rule))
        else:
            in_force.append(rule)
    kept = {rule.match.origin for rule in in_force}
    idle = tuple(rule.match.origin for rule in rules if rule.match.origin not in kept)
    refused = tuple(
        problem for section in whole_chain for problem in section.problems if not problem.in_force
    )
    accounts = of_accounts(found for section in whole_chain for found in section.accounts)
    whole = (_of_account(account_id, match) for account_id, match in accounts.items())
    principals = (*map(_of_rule, in_force), *whole)
    return Entrants(principals, idle, refused, behind, tuple(barriers))


def _rules(sections: Iterable[Section]) -> list[Rule]:
    return [rule for section in sections for rule in (*section.rules, *section.denials)]


def _names_arn(rule: Rule, key: str) -> bool:
    return rule.selector is not None and rule.selector.covers(key)


def _of_rule(rule: Rule) -> Principal:
    selector = rule.selector
    username, groups = _names(rule.match, parts_of_selector(selector))
    return Principal(
        arn=selector.key if selector else rule.user_id,
        kind=_kind(selector),
        match=rule.match,
        username=username,
        groups=groups,
        user_id=rule.user_id,
        expires=rule.expires,
        selector=selector,
        written=selector.written if selector else f"userid {rule.user_id}",
        conditions=rule.conditions,
    )


def _kind(selector: Selector | None) -> str:
    if selector is None:
        return UNIQUE_ID
    # A mapping for an assumed role is one for the role.
    is_session = selector.kind is PrincipalKind.ASSUMED_ROLE
    return (PrincipalKind.ROLE if is_session else selector.kind).value


def _of_account(account_id: str, match: Match) -> Principal:
    username, groups = _names(match, parts_of_account(account_id))
    return Principal(account_id, ACCOUNT, match, username, groups, written=account_id)


def _names(match: Match, parts: Parts) -> tuple[Names, tuple[Names, ...]]:
    groups = tuple(Names.of(template, parts) for template in match.groups)
    return Names.of(match.username, parts), groups
