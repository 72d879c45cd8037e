"""Lint's warnings about the entries that an edit brings."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from itertools import takewhile
from operator import eq

from authenticator.editing.documents import Document
from authenticator.editing.entry import ACCOUNT, EKS_KEYS, MappingEntry, is_grant
from authenticator.editing.principals import identity
from authenticator.lint import Context, Severity, lint_data
from authenticator.mapping.overlaps import duplicates
from authenticator.mapping.sections import MAP_ACCOUNTS, SECTIONS
from authenticator.timestamps import parse_rfc3339

_MOST = 10


def advice(before: Document, after: Document, told: Collection[str], now: float) -> list[str]:
    """Return a line for each warning of lint on an entry that is new or changed, and on grants.

    Entries are looked at by themselves, and for others of the same principal; what else they do
    together, `lint` tells. Other errors are left out: they are what an edit is refused for.

    Args:
        before: the document as it was.
        after: the document as it is to be.
        told: messages to leave out, since they are shown already.
        now: Unix time, for entries that expire.
    """
    old = [located.entry for located in before.entries()]
    new = [located.entry for located in after.entries()]
    # Large documents are for the most part as they were.
    same = sum(1 for _ in takewhile(bool, map(eq, old, new)))
    rest = {_text(entry) for entry in old[same:]}
    stay = {_text(entry) for entry in new[same:]}
    new = [entry for entry in new[same:] if _text(entry) not in rest]
    gone = [entry for entry in old[same:] if _text(entry) not in stay]
    found = [*_duplicates(new, after), *_lines(new, told, now), *_grants(gone, before, after, now)]
    lines = list(dict.fromkeys(found))
    if len(lines) > _MOST:
        return [*lines[:_MOST], f"and {len(lines) - _MOST} more; `lint` shows all of them"]
    return lines


def _duplicates(entries: Sequence[MappingEntry], after: Document) -> Iterator[str]:
    keys = set(map(identity, entries))
    if not keys:
        return
    rules = [
        rule
        for section in after.sections()
        for rule in section.rules
        if rule.selector and rule.selector.key in keys
    ]
    named = {rule.match.origin: rule.selector.written for rule in rules if rule.selector}
    for problem in duplicates(rules):
        origin, rule_id = problem.origin, problem.code.value if problem.code else ""
        yield f"{named[origin]}: {origin}: {problem.reason} [{rule_id}]"


def _grants(
    gone: Sequence[MappingEntry], before: Document, after: Document, now: float
) -> Iterator[str]:
    """Name grants that stay as they are while the entry that they were made of changes or goes."""
    keys = {identity(entry) for entry in gone if not is_grant(entry)}
    known = {_text(located.entry) for located in before.entries()} if keys else set()
    for located in after.entries() if keys else ():
        entry = located.entry
        end = entry.fields.get("expires")
        if not (is_grant(entry) and identity(entry) in keys and _text(entry) in known):
            continue
        if isinstance(end, str) and _is_ahead(end, now):
            yield (
                f"{entry.principal}: the grant {located.id} keeps its username and groups until"
                f" {end}; 'mappings remove {located.id}' ends it now"
            )


def _is_ahead(end: str, now: float) -> bool:
    try:
        return parse_rfc3339(end) > now
    except ValueError:
        return False


def _lines(entries: Sequence[MappingEntry], told: Collection[str], now: float) -> Iterator[str]:
    sections = {name: [e for e in entries if e.section == name] for name in SECTIONS}
    data = {name: json.dumps([_value(e) for e in found]) for name, found in sections.items()}
    for finding in lint_data(data, "the edit", Context(now=now)):
        place = finding.place
        if finding.severity is not Severity.WARNING or place.index < 0 or finding.message in told:
            continue
        entry = sections[place.section][place.index]
        yield f"{entry.principal}: {finding.message} [{finding.rule.id}]"


def _value(entry: MappingEntry) -> object:
    if entry.section == MAP_ACCOUNTS:
        return entry.fields[ACCOUNT]
    return {key: value for key, value in entry.fields.items() if key not in EKS_KEYS}


def _text(entry: MappingEntry) -> str:
    return json.dumps([entry.section, dict(entry.fields)], sort_keys=True)
