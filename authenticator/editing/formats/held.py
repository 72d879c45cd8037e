"""Mapping files, config files and manifests as entries (`authenticator.mapping.files`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

from authenticator.editing.entry import MappingEntry
from authenticator.editing.formats.aws_auth import entry_of
from authenticator.editing.formats.conversion import Conversion, Note, Options
from authenticator.editing.formats.withholding import checked
from authenticator.mapping.files import Identity, Part, Witness, held_in
from authenticator.mapping.guards import Guard
from authenticator.mapping.nodes import DocumentError, Fields, Items, Node, Text
from authenticator.mapping.sections import MAP_ROLES, MAP_USERS, SECTIONS
from authenticator.mapping.selectors import by_arn


def recognises(nodes: tuple[Node, ...]) -> bool:
    """Whether something in it is, or looks like, mappings."""
    try:
        found = held_in(nodes)
    except DocumentError:
        return False
    return bool(found.parts or found.unread)


def read(nodes: tuple[Node, ...], _: Options) -> Conversion:
    """Read all mappings of a file.

    Raises:
        DocumentError: it holds none, or something in it cannot be read.
    """
    entries: list[MappingEntry] = []
    notes: list[Note] = []
    named: set[str] = set()
    # Of several entries for one principal a list's last applies, and the first part's do.
    for part in reversed(held_in(nodes).understood()):
        if isinstance(part, Identity):
            entries += _identity(part, notes)
        else:
            entries += _lists(part, notes, named)
    if not (entries or notes or named):
        raise DocumentError(f"it has none of the keys {', '.join(SECTIONS)}", nodes[0].line)
    entries.sort(key=lambda entry: SECTIONS.index(entry.section))
    empty = named.difference(entry.section for entry in entries)
    return replace(checked(entries, *notes), empty=frozenset(empty))


def _lists(part: Part, notes: list[Note], named: set[str]) -> Iterator[MappingEntry]:
    reader = Witness("it", Guard(), most_problems=sys.maxsize)
    for section in part.sections(reader):
        for problem in section.problems:
            if section.broken:
                reason = f"{section.name}: {problem.reason}"
                raise DocumentError(reason, problem.origin.line, problem.column)
            if problem.origin.index < 0:
                line = f", line {problem.origin.line}" if problem.origin.line else ""
                subject = f"{section.name or 'the file'}{line}"
                notes.append(Note(subject, problem.reason, left_out=not problem.in_force))
    named.update(reader.nodes)
    for name in SECTIONS:
        node = reader.nodes.get(name)
        for item in node.values if isinstance(node, Items) else ():
            yield entry_of(name, item)


def _identity(part: Identity, notes: list[Note]) -> Iterator[MappingEntry]:
    arn = part.spec.values.get("arn") if isinstance(part.spec, Fields) else None
    try:
        is_role = by_arn((arn.value or "") if isinstance(arn, Text) else "").is_role
    except ValueError as error:
        notes.append(Note(part.name, f"spec.arn: {error}", left_out=True))
        return
    section, key = (MAP_ROLES, "rolearn") if is_role else (MAP_USERS, "userarn")
    entry = entry_of(section, part.spec)
    yield MappingEntry(section, {key if k == "arn" else k: v for k, v in entry.fields.items()})
