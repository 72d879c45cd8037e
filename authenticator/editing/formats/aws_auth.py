"""aws-auth as a manifest, and the three sections in a plain file.

What edits a live ConfigMap keeps its comments and layout; here a document is read into entries, and
a new one is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from authenticator.editing.entry import ACCOUNT, MappingEntry, Value
from authenticator.editing.formats.conversion import Export, Options
from authenticator.editing.formats.texts import as_fields, as_text
from authenticator.editing.formats.withholding import checked
from authenticator.editing.writing import as_json
from authenticator.mapping.nodes import Items, Node, Text
from authenticator.mapping.sections import MAP_ACCOUNTS, SECTIONS

_HOLDERS = frozenset({"data", "server"})
_SECTIONS = {name.lower(): name for name in SECTIONS}


def write(entries: Iterable[MappingEntry], _: Options) -> Export:
    """Write the ConfigMap `aws-auth`."""
    found = checked(entries)
    lines = [
        "apiVersion: v1",
        "kind: ConfigMap",
        "metadata:",
        "  name: aws-auth",
        "  namespace: kube-system",
        "data:",
    ]
    for section in SECTIONS:
        mine = [entry for entry in found.entries if entry.section == section]
        if mine or section != MAP_ACCOUNTS:
            lines.append(f"  {section}: |{'' if mine else ' []'}".replace("| []", '"[]"'))
            lines += [f"    {line}" for entry in mine for line in entry_lines(entry)]
    return Export("\n".join(lines) + "\n", found.notes)


def entry_lines(entry: MappingEntry) -> Iterator[str]:
    """An entry as an item of a YAML list."""
    if entry.section == MAP_ACCOUNTS:
        yield f"- {quoted(entry.fields[ACCOUNT])}"
        return
    for place, (key, value) in enumerate(entry.fields.items()):
        yield f"{'  ' if place else '- '}{key}: {quoted(value)}"


def quoted(value: Value) -> str:
    """A value as JSON, which is YAML and needs no rules about what to quote."""
    return as_json(value)


def entry_of(section: str, node: Node) -> MappingEntry:
    """An item of a section as an entry, which may be none that can be used.

    Raises:
        DocumentError: it is no map, or, in `mapAccounts`, no single value.
    """
    if section == MAP_ACCOUNTS:
        return MappingEntry(section, {ACCOUNT: as_text(node, f"an item of {section}")})
    found = as_fields(node, f"an item of {section}")
    fields = {key: _value(key, value) for key, value in found.values.items()}
    return MappingEntry(section, {key: value for key, value in fields.items() if value is not None})


def _value(key: str, node: Node) -> Value | None:
    if isinstance(node, Text):
        return node.value
    if isinstance(node, Items):
        return [as_text(item, f"an item of {key}") for item in node.values]
    return {name: as_text(part, f"{key}.{name}") for name, part in node.values.items()}
