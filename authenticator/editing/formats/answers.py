"""Whether two lists of mappings answer every caller alike.

No callers are tried. Both lists are brought into the order in which they are asked (docs/adr/0002),
less what never applies, and compared: what is found equal is equal for everyone, at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from authenticator.editing.formats.checking import Usable
from authenticator.editing.formats.conversion import subject
from authenticator.editing.formats.withholding import asked, identity
from authenticator.mapping.conditions import NONE, Conditions
from authenticator.mapping.precedence import hiding, meet
from authenticator.mapping.templates import Placeholder, Template

_Words = tuple[tuple[bool, str], ...]
_ALWAYS: tuple[str, float | None, Conditions] = ("", None, NONE)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an entry says, without where it stands.

    Attributes:
        key: whom it names; see `identity`.
        condition: `userid`, `expires` and the conditions.
        grants: the username and the groups.
    """

    key: tuple[str, bool]
    condition: tuple[str, float | None, Conditions]
    grants: tuple[_Words, ...]


def meaning(usable: Usable) -> Meaning:
    """What an entry says."""
    rule = usable.rule
    if rule is None:
        return Meaning(identity(usable), _ALWAYS, ())
    groups = dict.fromkeys(map(_words, rule.match.groups))
    grants = (_words(rule.match.username), *groups)
    return Meaning(identity(usable), (rule.user_id, rule.expires, rule.conditions), grants)


def differences(before: Sequence[Usable], after: Sequence[Usable]) -> list[str]:
    """What some callers would be told differently; empty if none would.

    Args:
        before: entries in force, in the order of sources and entries.
        after: the same.
    """
    return [
        *_principals(list(_asked(before)), list(_asked(after))),
        *_accounts(before, after),
    ]


def _asked(usables: Iterable[Usable]) -> Iterator[tuple[Meaning, Usable]]:
    """The entries that can apply, in the order in which they are asked."""
    order = [(usable, usable.rule) for usable in asked(usables) if usable.rule]
    seen: set[Meaning] = set()
    winners = hiding([rule for _, rule in order])
    for (usable, _), winner in zip(order, winners, strict=True):
        found = meaning(usable)
        # After an entry with the same condition, none for the same applies.
        condition = replace(found, grants=())
        if winner is None and condition not in seen:
            seen.add(condition)
            yield found, usable


def _words(template: Template) -> _Words:
    # A placeholder is equal to the literal text of its name.
    return tuple((isinstance(part, Placeholder), str(part)) for part in template.parts)


_Asked = list[tuple[Meaning, Usable]]


def _principals(before: _Asked, after: _Asked) -> Iterator[str]:
    places = {grant: place for place, (grant, _) in enumerate(after)}
    wanted = {grant for grant, _ in before}
    yield from (f"{_name(u)} is missing, or differs" for g, u in before if g not in places)
    yield from (f"{_name(u)} was not there, or differs" for g, u in after if g not in wanted)
    # Only entries of one group can name the same caller in an order that is not given by what
    # they are: those for one principal, and patterns.
    groups: dict[str, _Asked] = {}
    for grant, usable in before:
        if grant in places and usable.selector:
            group = "" if usable.selector.is_pattern else usable.selector.key
            groups.setdefault(group, []).append((grant, usable))
    for rivals in groups.values():
        for (earlier, first), (later, second) in combinations(rivals, 2):
            if places[earlier] > places[later] and _contend(first, second):
                yield f"{_name(second)} would come before {_name(first)}"


def _contend(one: Usable, other: Usable) -> bool:
    return bool(one.selector and other.selector and meet(one.selector, other.selector))


def _accounts(before: Iterable[Usable], after: Iterable[Usable]) -> Iterator[str]:
    old = {usable.account_id for usable in before if usable.account}
    new = {usable.account_id for usable in after if usable.account}
    yield from (f"account {account} is missing" for account in sorted(old - new))
    yield from (f"account {account} was not there" for account in sorted(new - old))


def _name(usable: Usable) -> str:
    return subject(usable.entry)
