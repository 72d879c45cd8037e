"""Access that ends by itself: an entry that stands before the one in force, until it expires.

Nothing is changed of the entries that are there. The new one has the username and the groups that
the principal has now, and one more group; once it has expired, it counts as absent, and what was
there before applies again. That this is so is checked with the server's own rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from authenticator.aws.arns import CallerIdentity, PrincipalArn
from authenticator.editing.documents import Document
from authenticator.editing.edits import EditError
from authenticator.editing.entry import MappingEntry, Value, is_grant
from authenticator.editing.located import Located
from authenticator.editing.objects import IdentityMappings
from authenticator.editing.principals import identity as identity_of
from authenticator.mapping.conditions import NONE
from authenticator.mapping.rules import Match
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import MAP_ROLES, MAP_USERS, Section
from authenticator.timestamps import parse_rfc3339, rfc3339


@dataclass(frozen=True, slots=True)
class Grant:
    """What is given to one principal for a while.

    Attributes:
        arn: the principal.
        groups: the groups to add.
        end: the Unix time at which it ends, in whole seconds.
        reason: why.
    """

    arn: PrincipalArn
    groups: tuple[str, ...]
    end: float
    reason: str


def granted(document: Document, grant: Grant, others: Sequence[Section], now: float) -> Document:
    """Return the document in which a grant is in force until it ends.

    A grant outlives no other access: where what the principal has now ends before, there is an
    entry for each part of the time, with the groups of that part.

    Args:
        document: where the grant is written.
        grant: what is granted.
        others: the sections of the other sources, which may come before or after the document.
        now: Unix time.

    Raises:
        EditError: the principal has no access to add to, or the grant would not come into force or
            not leave everything as it was.
    """
    before = _Access(document.sections(), others, grant.arn)
    entries = [_entry(grant, *part) for part in _parts(before, grant, now)]
    gone = list(_over(document, grant, now))
    kept = document.edited(removals=gone) if gone else document
    after = _shadowing(kept, entries)
    _check(before, _Access(after.sections(), others, grant.arn), grant, now)
    return after


class _Access:
    """What one principal has, in either order of the sources."""

    def __init__(
        self, sections: Sequence[Section], others: Sequence[Section], arn: PrincipalArn
    ) -> None:
        orders = ([*sections, *others], [*others, *sections])
        self._orders = [RuleSet.of((), order, ()) for order in orders]
        self._arn = arn

    def at(self, moment: float) -> tuple[Match | None, str]:
        """Return the mapping in force at a Unix time, and the unique id that it is pinned to.

        Raises:
            EditError: it depends on the order of the sources.
        """
        found = self.each(moment)
        if len({_rights(*one) for one in found}) > 1:
            first, second = (str(match.origin) if match else "no entry" for match, _ in found)
            raise EditError(
                f"{self._arn}: which entry decides depends on the server's backendMode ({first}, or"
                f" {second}); remove one of them first"
            )
        return found[0]

    def each(self, moment: float) -> list[tuple[Match | None, str]]:
        """Return the same for each order of the sources."""
        return [self._in(rules, moment) for rules in self._orders]

    def ends(self, since: float, until: float) -> list[float]:
        """Return the times between two at which what is in force may change, in order."""
        rules = (rule for rules in self._orders for rule in rules.candidates(self._caller("")))
        times = {rule.expires for rule in rules if rule.expires is not None}
        return sorted(time for time in times if since < time < until)

    def _in(self, rules: RuleSet, moment: float) -> tuple[Match | None, str]:
        pins = (
            rule.user_id
            for rule in rules.candidates(self._caller(""))
            if not rule.has_expired(moment) and rule.covers(self._caller(""))
        )
        self._check_conditions(rules, moment)
        pin = next(pins, "")
        return rules.find(self._caller(pin), moment), pin

    def _check_conditions(self, rules: RuleSet, moment: float) -> None:
        """Raise EditError if the access depends on more than the ARN: a grant would widen it."""
        caller = self._caller("")
        for rule in rules.candidates(caller):
            if rule.conditions != NONE and rule.covers(caller) and not rule.has_expired(moment):
                raise EditError(
                    f"{rule.match.origin} has conditions ({rule.conditions}), which a grant does"
                    " not carry; 'mappings add --expires' adds an entry that ends"
                )

    def _caller(self, user_id: str) -> CallerIdentity:
        return CallerIdentity(self._arn, user_id, access_key_id="-")


def _rights(match: Match | None, pin: str) -> object:
    return match and (match.username, frozenset(match.groups), pin)


def _parts(before: _Access, grant: Grant, now: float) -> Iterator[tuple[Match, str, float]]:
    """Yield the mapping in force, its pin and the end of each part of the time, the last first."""
    ends = [*before.ends(now, grant.end), grant.end]
    for start, end in reversed(list(zip([now, *ends], ends, strict=False))):
        match, pin = before.at(start)
        if match is None and start == now:
            raise EditError(
                f"{grant.arn} has no access that a group could be added to; 'mappings add"
                " --expires' gives access that ends"
            )
        if match is None:
            raise EditError(
                f"the access of {grant.arn} ends at {rfc3339(start)}, before this grant would;"
                " choose an earlier end, or extend it first with 'mappings update --expires'"
            )
        yield match, pin, end


def _entry(grant: Grant, match: Match, pin: str, end: float) -> MappingEntry:
    arn = grant.arn.canonical
    is_role = grant.arn.kind.is_role
    had = [group.written for group in match.groups]
    fields: dict[str, Value] = {
        "rolearn" if is_role else "userarn": arn,
        "username": match.username.written,
        "groups": list(dict.fromkeys([*had, *grant.groups])),
        **({"userid": pin} if pin else {}),
        "expires": rfc3339(end),
        "reason": grant.reason,
    }
    return MappingEntry(MAP_ROLES if is_role else MAP_USERS, fields)


def _over(document: Document, grant: Grant, now: float) -> Iterator[Located]:
    """Yield the entries of earlier grants to the same principal that are over."""
    key = grant.arn.canonical.lower()
    for located in document.entries():
        expires = located.entry.fields.get("expires")
        if not (is_grant(located.entry) and isinstance(expires, str)):
            continue
        try:
            is_over = parse_rfc3339(expires) <= now
        except ValueError:
            continue
        if is_over and identity_of(located.entry) == key:
            yield located


def _shadowing(document: Document, entries: Sequence[MappingEntry]) -> Document:
    """Return the document with entries that come before those for the same principal."""
    if isinstance(document, IdentityMappings):
        return document.shadowed(entries)
    return document.edited(additions=entries)


def _check(before: _Access, after: _Access, grant: Grant, now: float) -> None:
    """Refuse a grant that another entry hides, or that leaves something behind."""
    for start in (now, *before.ends(now, grant.end)):
        for match, _ in after.each(start):
            groups = {group.written for group in match.groups} if match else set()
            if match is None or not groups.issuperset(grant.groups):
                origin = match.origin if match else "another entry"
                raise EditError(
                    f"the grant may not come into force, since {origin} comes before it; use the"
                    " --source in which the principal is mapped"
                )
    if _rights(*before.at(grant.end)) != _rights(*after.at(grant.end)):
        raise EditError("the grant would leave something behind at its end; make the edit by hand")


def principal(text: str) -> PrincipalArn:
    """Return the principal of an ARN, for a session its role.

    Raises:
        ValueError: it is not the ARN of one principal.
    """
    if set(text) & set("*?"):
        raise ValueError("a grant is for one principal, without wildcards")
    arn = PrincipalArn.parse(text.strip())
    return PrincipalArn.parse(arn.canonical) if arn.session else replace(arn)
