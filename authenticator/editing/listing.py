"""The entries of a document as the server reads them: what each grants, and whether it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from authenticator.editing.documents import Document
from authenticator.editing.entry import ACCESS_POLICIES, ENTRY_TYPE, MappingEntry
from authenticator.editing.located import Located
from authenticator.mapping.overlaps import overlaps
from authenticator.mapping.problems import Problem
from authenticator.mapping.rules import Match, Rule

# What machines are told of entries that have it only.
_OPTIONAL = frozenset({"reason", "sso", "conditions", "type", "accessPolicies"})
_Origin = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Row:
    """One entry.

    Attributes:
        id: what names it in commands.
        section: `mapRoles`, `mapUsers` or `mapAccounts`.
        principal: whom it names, as it is written.
        username: the Kubernetes username with its placeholders.
        groups: the Kubernetes groups with their placeholders.
        userid: the unique id that the principal must have; "" for any.
        expires: when it ends, as it is written; "" for never.
        line: where it stands in the text of its section or file; 0 if that has no lines.
        inForce: whether it lets anybody in now.
        problems: what is to be put right.
        reason: why it was made, as it says; "" for none.
        sso: the permission set that it names, by key; none for an ARN or an account.
        conditions: what else its callers must meet, by key.
        type: of an EKS access entry; "" for STANDARD, and elsewhere.
        accessPolicies: of an EKS access entry, each `NAME` or `NAME=NAMESPACE,...`.
    """

    id: str
    section: str
    principal: str
    username: str
    groups: tuple[str, ...]
    userid: str
    expires: str
    line: int
    inForce: bool  # noqa: N815 (as it is written for machines)
    problems: tuple[str, ...]
    reason: str = ""
    sso: Mapping[str, str] = field(default_factory=dict)
    conditions: Mapping[str, object] = field(default_factory=dict)
    type: str = ""
    accessPolicies: tuple[str, ...] = ()  # noqa: N815 (as above)

    def plain(self) -> dict[str, Any]:
        """The row for machines; its keys are documented and stay."""
        lists = {key: list(getattr(self, key)) for key in ("groups", "problems", "accessPolicies")}
        values = {**asdict(self), **lists}
        return {name: value for name, value in values.items() if value or name not in _OPTIONAL}


@dataclass(frozen=True, slots=True)
class Listing:
    """All entries of a document, and what is wrong beside them."""

    rows: tuple[Row, ...]
    problems: tuple[str, ...]


def listing(document: Document, now: float) -> Listing:
    """List a document as it is at `now` (Unix time)."""
    sections = document.sections()
    rules = [rule for section in sections for rule in section.rules]
    by_origin = {_place(rule.match): rule for rule in rules}
    accounts = {_place(match): match for section in sections for _, match in section.accounts}
    problems = [problem for section in sections for problem in section.problems]
    problems += overlaps(rules)
    by_place: dict[_Origin, list[Problem]] = {}
    for problem in problems:
        by_place.setdefault((problem.origin.section, problem.origin.index), []).append(problem)
    entries = document.entries()
    rows = tuple(
        _row(
            located,
            by_origin.get(located.origin),
            accounts.get(located.origin),
            by_place.pop(located.origin, []),
            now,
        )
        for located in entries
    )
    return Listing(rows, tuple(_elsewhere(by_place)))


def _row(
    located: Located, rule: Rule | None, account: Match | None, found: list[Problem], now: float
) -> Row:
    entry = located.entry
    problems = [problem.reason for problem in found]
    expired = rule is not None and rule.expires is not None and now >= rule.expires
    if expired:
        problems.append("it has expired")
    match = rule.match if rule else account
    refused = any(not problem.in_force for problem in found)
    username, groups = _granted(entry, match)
    return Row(
        id=located.id,
        section=entry.section,
        principal=entry.principal,
        username=username,
        groups=groups,
        userid=_text(entry, "userid"),
        expires=_text(entry, "expires"),
        line=located.line,
        inForce=match is not None and not refused and not expired,
        problems=tuple(problems),
        reason=_text(entry, "reason"),
        sso=_sso(entry),
        conditions=rule.conditions.shown() if rule else {},
        type=_text(entry, ENTRY_TYPE),
        accessPolicies=tuple(entry.fields.get(ACCESS_POLICIES, ())),
    )


def _sso(entry: MappingEntry) -> Mapping[str, str]:
    value = entry.fields.get("sso")
    return value if isinstance(value, Mapping) else {}


def _granted(entry: MappingEntry, match: Match | None) -> tuple[str, tuple[str, ...]]:
    """What the server reads or, where that is nothing, what is written."""
    if match:
        return match.username.written, tuple(group.written for group in match.groups)
    groups = entry.fields.get("groups", [])
    return _text(entry, "username"), tuple([groups] if isinstance(groups, str) else groups)


def _text(entry: MappingEntry, key: str) -> str:
    value = entry.fields.get(key, "")
    return value if isinstance(value, str) else ""


def _place(match: Match) -> _Origin:
    return match.origin.section, match.origin.index


def _elsewhere(problems: dict[_Origin, list[Problem]]) -> Iterator[str]:
    for found in problems.values():
        for problem in found:
            line = f", line {problem.origin.line}" if problem.origin.line else ""
            yield f"{problem.origin.section}{line}: {problem.reason}"
