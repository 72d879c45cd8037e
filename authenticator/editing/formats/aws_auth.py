"""aws-auth as a manifest, and the three sections in a plain file.

What edits a live ConfigMap keeps its comments and layout; here a document is read into entries, and
a new one is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace

from authenticator.editing.entry import MappingEntry, Value
from authenticator.editing.formats.checking import check, checked
from authenticator.editing.formats.conversion import (
    ACCOUNT_KEY,
    Conversion,
    Export,
    Options,
)
from authenticator.editing.formats.texts import as_fields, as_items, as_text, objects
from authenticator.mapping.nodes import DocumentError, Fields, Items, Node, Text
from authenticator.mapping.nodes import read as read_tree
from authenticator.mapping.sections import MAP_ACCOUNTS, SECTIONS

_HOLDERS = frozenset({"data", "server"})
_SECTIONS = {name.lower(): name for name in SECTIONS}


def recognises(nodes: tuple[Node, ...]) -> bool:
    """Whether it is a ConfigMap, or has one of the sections."""
    first = nodes[0]
    if not isinstance(first, Fields):
        return False
    kind = first.values.get("kind")
    return (isinstance(kind, Text) and kind.value == "ConfigMap") or _has_section(_holder(first))


def read(nodes: tuple[Node, ...], _: Options) -> Conversion:
    """Read a ConfigMap, or a file with the sections as lists, under `server` or not.

    Raises:
        DocumentError: it has none of the sections, or one of them is no list.
    """
    entries: list[MappingEntry] = []
    sections: set[str] = set()
    for found in objects(nodes, "ConfigMap"):
        holder = _holder(found)
        if not _has_section(holder):
            raise DocumentError(f"it has none of the keys {', '.join(SECTIONS)}", found.line)
        entries += _entries(holder)
        sections.update(_SECTIONS[k.lower()] for k in holder.values if k.lower() in _SECTIONS)
    empty = sections.difference(entry.section for entry in entries)
    return replace(checked(entries), empty=frozenset(empty))


def write(entries: Iterable[MappingEntry], _: Options) -> Export:
    """Write the ConfigMap `aws-auth`."""
    usables, notes = check(entries)
    lines = [
        "apiVersion: v1",
        "kind: ConfigMap",
        "metadata:",
        "  name: aws-auth",
        "  namespace: kube-system",
        "data:",
    ]
    for section in SECTIONS:
        mine = [usable.entry for usable in usables if usable.entry.section == section]
        if mine or section != MAP_ACCOUNTS:
            lines.append(f"  {section}: |{'' if mine else ' []'}".replace("| []", '"[]"'))
            lines += [f"    {line}" for entry in mine for line in entry_lines(entry)]
    return Export("\n".join(lines) + "\n", tuple(notes))


def entry_lines(entry: MappingEntry) -> Iterator[str]:
    """An entry as an item of a YAML list."""
    if entry.section == MAP_ACCOUNTS:
        yield f"- {quoted(entry.fields[ACCOUNT_KEY])}"
        return
    for place, (key, value) in enumerate(entry.fields.items()):
        yield f"{'  ' if place else '- '}{key}: {quoted(value)}"


def quoted(value: Value) -> str:
    """A value as JSON, which is YAML and needs no rules about what to quote."""
    return json.dumps(value, ensure_ascii=False)


def entry_of(section: str, node: Node) -> MappingEntry:
    """An item of a section as an entry, which may be none that can be used.

    Raises:
        DocumentError: it is no map, or, in `mapAccounts`, no single value.
    """
    if section == MAP_ACCOUNTS:
        return MappingEntry(section, {ACCOUNT_KEY: as_text(node, f"an item of {section}")})
    found = as_fields(node, f"an item of {section}")
    fields = {key: _value(key, value) for key, value in found.values.items()}
    return MappingEntry(section, {key: value for key, value in fields.items() if value is not None})


def _value(key: str, node: Node) -> Value | None:
    if isinstance(node, Text):
        return node.value
    if isinstance(node, Items):
        return [as_text(item, f"an item of {key}") for item in node.values]
    return {name: as_text(part, f"{key}.{name}") for name, part in node.values.items()}


def _holder(fields: Fields) -> Fields:
    """What holds the sections: `data` of a ConfigMap, `server` of a config file, or all of it."""
    inner = (v for k, v in fields.values.items() if k.lower() in _HOLDERS)
    return next((node for node in inner if isinstance(node, Fields)), fields)


def _has_section(fields: Fields) -> bool:
    return not _SECTIONS.keys().isdisjoint(key.lower() for key in fields.values)


def _entries(holder: Fields) -> Iterator[MappingEntry]:
    found: dict[str, Node] = {}
    for key, node in holder.values.items():
        if key.lower() in found and key.lower() in _SECTIONS:
            raise DocumentError(f"{key} stands here twice; merge the two", node.line)
        found[key.lower()] = node
    for key, section in _SECTIONS.items():
        given = found.get(key)
        listed = read_tree(given.value or "") if isinstance(given, Text) else given
        yield from (entry_of(section, item) for item in as_items(listed, section))
