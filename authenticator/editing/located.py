"""Entries with their places in a document."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from authenticator.editing.entry import ACCOUNT, SSO_KEYS, MappingEntry, Value
from authenticator.mapping.conditions import PRINCIPAL_TAGS
from authenticator.mapping.guards import Guard
from authenticator.mapping.nodes import Items, Node, Text
from authenticator.mapping.reading import Note
from authenticator.mapping.rules import Rule
from authenticator.mapping.sections import SectionReader

_GUARD = Guard()
# What the entries of the documents before and after an edit say; see `SectionReader.known`.
_KNOWN: dict[Hashable, tuple[Rule, tuple[Note, ...]]] = {}
_MOST_KNOWN = 100_000


@dataclass(frozen=True, slots=True)
class Located:
    """An entry and its place in a document.

    Attributes:
        id: what names it to people: `mapRoles[2]`, or the name of the custom resource.
        origin: the section and the index by which the server's reader names it.
        line: of its section's text, counted from 1; 0 if there are none.
        entry: its fields, with keys in lower case; none of them if it is no map.
    """

    id: str
    origin: tuple[str, int]
    line: int
    entry: MappingEntry


def reader(source: str) -> SectionReader:
    """What reads a document as the server does; here no problem may hide behind another."""
    if len(_KNOWN) > _MOST_KNOWN:
        _KNOWN.clear()
    return SectionReader(source, _GUARD, most_problems=sys.maxsize, known=_KNOWN)


def located_in(section: str, node: Node | None) -> Iterator[Located]:
    """The entries of a section, those that cannot be used included."""
    for index, item in enumerate(node.values if isinstance(node, Items) else ()):
        yield Located(
            f"{section}[{index}]", (section, index), item.line, MappingEntry(section, _fields(item))
        )


def _fields(node: Node) -> dict[str, Value]:
    if isinstance(node, Text):
        return {ACCOUNT: node.value} if node.value is not None else {}
    if isinstance(node, Items):
        return {}
    values = ((key.strip().lower(), _field(key, value)) for key, value in node.values.items())
    return {key: value for key, value in values if value is not None}


def _field(key: str, node: Node) -> Value | None:
    if isinstance(node, Text):
        return node.value
    if isinstance(node, Items):
        return _texts(node.values)
    known = {} if key.strip().lower() == PRINCIPAL_TAGS.lower() else SSO_KEYS
    parts = ((known.get(name.strip().lower(), name), part) for name, part in node.values.items())
    return {name: part.value or "" for name, part in parts if isinstance(part, Text)}


def _texts(nodes: Sequence[Node]) -> list[str]:
    return [node.value for node in nodes if isinstance(node, Text) and node.value is not None]
