"""Entries that the server would put in force, with what they mean.

The server's own reader decides, so that no conversion has an opinion of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from authenticator.editing.entry import ACCOUNT, SSO_KEYS, MappingEntry, Value
from authenticator.editing.formats.conversion import Note, subject
from authenticator.mapping.conditions import CONDITION_KEYS, PRINCIPAL_TAGS
from authenticator.mapping.guards import Guard
from authenticator.mapping.nodes import from_value
from authenticator.mapping.rules import Match, Rule
from authenticator.mapping.sections import (
    MAP_ACCOUNTS,
    MAP_ROLES,
    MAP_USERS,
    Section,
    SectionReader,
)
from authenticator.mapping.selectors import Selector

_COMMON = ("username", "groups", "userid", "expires", "reason", *CONDITION_KEYS)
# The keys of each section, in the order in which they are written.
_KEYS = {
    MAP_ROLES: ("rolearn", "sso", *_COMMON),
    MAP_USERS: ("userarn", *_COMMON),
    MAP_ACCOUNTS: (ACCOUNT,),
}
_READER = SectionReader("entries", Guard(), literal_arns=True)


@dataclass(frozen=True, slots=True)
class Usable:
    """An entry in force.

    Attributes:
        entry: with the documented spelling and order of its keys, and nothing else.
        rule: what it means; None for an account.
        account: the account id, and what it grants; None for a principal.
    """

    entry: MappingEntry
    rule: Rule | None
    account: tuple[str, Match] | None

    @property
    def is_denied(self) -> bool:
        """Whether the entry cannot be used, and refuses the callers that it names."""
        return self.rule is not None and bool(self.rule.denied)

    @property
    def selector(self) -> Selector | None:
        """Whom it names; None for an account."""
        return self.rule.selector if self.rule else None

    @property
    def account_id(self) -> str:
        """The account of whoever it names."""
        if self.account:
            return self.account[0]
        return self.selector.account_id if self.selector else ""

    def text(self, key: str) -> str:
        """A field that is a single text; "" if it is missing."""
        value = self.entry.fields.get(key, "")
        return value if isinstance(value, str) else ""

    @property
    def groups(self) -> list[str]:
        """Its groups as they are written."""
        value = self.entry.fields.get("groups", [])
        return value if isinstance(value, list) else []


def check(
    entries: Iterable[MappingEntry], place: str = "entries"
) -> tuple[list[Usable], list[Note]]:
    """Sort out the entries that the server would leave out.

    Args:
        entries: in the order of one document, where a later one of a section comes before an
            earlier one for the same callers.
        place: the document, if there are several: an earlier document comes before a later one.

    Returns:
        The others, and what the server would say of any of them.
    """
    found, notes = check_all(entries, place)
    return [usable for usable in found if not usable.is_denied], notes


def check_all(
    entries: Iterable[MappingEntry], place: str = "entries"
) -> tuple[list[Usable], list[Note]]:
    """Do what `check` does, and keep the entries that only refuse their callers."""
    found: list[Usable] = []
    notes: list[Note] = []
    for index, entry in enumerate(entries):
        section = _section(entry)
        notes += [
            Note(subject(entry), problem.reason, left_out=not problem.in_force)
            for problem in section.problems
        ]
        rules = (*section.rules, *section.denials)
        if rules or section.accounts:
            rule = _at(rules[0], place, index) if rules else None
            account = section.accounts[0] if section.accounts else None
            found.append(Usable(_normal(entry), rule, account))
    return found, notes


def _at(rule: Rule, place: str, index: int) -> Rule:
    """The rule with its place among all entries, which are read one by one."""
    origin = replace(rule.match.origin, source=place, index=index)
    return replace(rule, match=replace(rule.match, origin=origin))


def _section(entry: MappingEntry) -> Section:
    account = entry.section == MAP_ACCOUNTS
    value = entry.fields.get(ACCOUNT) if account else dict(entry.fields)
    return _READER.section(entry.section, from_value([value]))


def _normal(entry: MappingEntry) -> MappingEntry:
    given = {key.strip().lower(): value for key, value in entry.fields.items()}
    return MappingEntry(
        entry.section,
        {
            key: _plain(key, given[key.lower()])
            for key in _KEYS[entry.section]
            if given.get(key.lower())
        },
    )


def _plain(key: str, value: Value) -> Value:
    if isinstance(value, Mapping) and key == PRINCIPAL_TAGS:
        return dict(value)
    if isinstance(value, Mapping):
        parts = {SSO_KEYS.get(name.strip().lower(), ""): part for name, part in value.items()}
        return {name: parts[name].strip() for name in SSO_KEYS.values() if parts.get(name)}
    if isinstance(value, str):
        return [value.strip()] if key == "groups" else value.strip()
    return [item.strip() for item in value if item]
