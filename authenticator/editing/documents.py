"""What mappings are kept in, as something to read and to edit: aws-auth, a file, custom resources.

A document is a value: an edit gives a new one. Everything in it that was not asked for stays, to
the byte in texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from authenticator.editing import edits
from authenticator.editing.edits import EditError
from authenticator.editing.entry import MappingEntry, Value
from authenticator.editing.writing import Item
from authenticator.mapping.documents import read_data, read_file
from authenticator.mapping.guards import Guard
from authenticator.mapping.nodes import DocumentError, Fields, Items, Node, Text, read
from authenticator.mapping.sections import MAP_ACCOUNTS, SECTIONS, Section, SectionReader

ACCOUNT = "account"
_SERVER = "server"
_SSO_KEYS = {key.lower(): key for key in ("permissionSetName", "accountID", "partition")}


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


class Document(Protocol):
    """All mappings of one place. Every edit raises EditError if it cannot be made."""

    @property
    def texts(self) -> Mapping[str, str]:
        """All of it by name, as people see it and the history keeps it."""
        ...

    def sections(self) -> tuple[Section, ...]:
        """What the server reads in it."""
        ...

    def entries(self) -> tuple[Located, ...]:
        """The entries of all sections that can be read, in order."""
        ...

    def added(self, entries: Sequence[MappingEntry]) -> Document:
        """The document with more entries, each at the end of its section."""
        ...

    def updated(self, located: Located, fields: Mapping[str, Value | None]) -> Document:
        """The document with fields of an entry set, or taken out where the value is None."""
        ...

    def removed(self, located: Sequence[Located]) -> Document:
        """The document without some of its entries."""
        ...


@dataclass(frozen=True, slots=True)
class AwsAuth:
    """The `data` of a ConfigMap, where each section is a text of its own."""

    texts: Mapping[str, str]
    source: str = "EKSConfigMap"

    def sections(self) -> tuple[Section, ...]:
        """See `Document.sections`."""
        return read_data(self.texts, SectionReader(self.source, Guard()))

    def entries(self) -> tuple[Located, ...]:
        """See `Document.entries`."""
        found = ((name, self.texts.get(self._key(name), "")) for name in _readable(self))
        return tuple(entry for name, text in found for entry in _located(name, read(text)))

    def added(self, entries: Sequence[MappingEntry]) -> AwsAuth:
        """See `Document.added`."""
        result = self
        for name, items in _by_section(self, entries):
            result = result._with(name, edits.append(self._text(name), (), items))
        return result

    def updated(self, located: Located, fields: Mapping[str, Value | None]) -> AwsAuth:
        """See `Document.updated`."""
        name, index = located.origin
        return self._with(name, edits.update(self._text(name), (), index, fields))

    def removed(self, located: Sequence[Located]) -> AwsAuth:
        """See `Document.removed`."""
        result = self
        for name, indexes in _places(located):
            result = result._with(name, edits.remove(self._text(name), (), indexes))
        return result

    def _text(self, section: str) -> str:
        return self.texts.get(self._key(section), "")

    def _key(self, section: str) -> str:
        return next((key for key in self.texts if key.lower() == section.lower()), section)

    def _with(self, section: str, text: str) -> AwsAuth:
        return replace(self, texts={**self.texts, self._key(section): text})


@dataclass(frozen=True, slots=True)
class MappingFile:
    """A file with the sections as lists: on their own, or under `server` in a config file."""

    name: str
    text: str

    @property
    def texts(self) -> Mapping[str, str]:
        """See `Document.texts`."""
        return {self.name: self.text}

    def sections(self) -> tuple[Section, ...]:
        """See `Document.sections`."""
        reader = SectionReader(self.name, Guard())
        return read_file(self.text.encode(), reader, "".join(self._under))

    def entries(self) -> tuple[Located, ...]:
        """See `Document.entries`."""
        names = _readable(self)
        root = read(self.text) if names else None
        for name in self._under:
            root = _value(root, name)
        return tuple(entry for name in names for entry in _located(name, _value(root, name)))

    def added(self, entries: Sequence[MappingEntry]) -> MappingFile:
        """See `Document.added`."""
        text = self.text
        for name, items in _by_section(self, entries):
            text = edits.append(text, (*self._under, name), items)
        return replace(self, text=text)

    def updated(self, located: Located, fields: Mapping[str, Value | None]) -> MappingFile:
        """See `Document.updated`."""
        name, index = located.origin
        return replace(self, text=edits.update(self.text, (*self._under, name), index, fields))

    def removed(self, located: Sequence[Located]) -> MappingFile:
        """See `Document.removed`."""
        text = self.text
        for name, indexes in _places(located):
            text = edits.remove(text, (*self._under, name), indexes)
        return replace(self, text=text)

    @property
    def _under(self) -> tuple[str, ...]:
        """The keys that lead to the sections."""
        try:
            root = read(self.text)
        except DocumentError:
            return ()
        return (_SERVER,) if isinstance(_value(root, _SERVER), Fields) else ()


def _readable(document: AwsAuth | MappingFile) -> list[str]:
    sections = {section.name: section for section in document.sections()}
    return [name for name in SECTIONS if not sections[name].broken]


def _by_section(
    document: AwsAuth | MappingFile, entries: Sequence[MappingEntry]
) -> Iterator[tuple[str, list[Item]]]:
    for name in SECTIONS:
        items = [_item(entry) for entry in entries if entry.section == name]
        if items:
            _refuse_broken(document, name)
            yield name, items


def _places(located: Sequence[Located]) -> Iterator[tuple[str, set[int]]]:
    for name in SECTIONS:
        indexes = {found.origin[1] for found in located if found.origin[0] == name}
        if indexes:
            yield name, indexes


def _refuse_broken(document: AwsAuth | MappingFile, name: str) -> None:
    """Refuse to add to a section that the server cannot read."""
    for section in document.sections():
        if section.broken and section.name == name:
            problem = section.problems[0]
            line = f", line {problem.origin.line}" if problem.origin.line else ""
            raise EditError(
                f"{name}{line} cannot be read, so that nothing can be added to it:"
                f" {problem.reason}. Put that right by hand first, or roll back"
            )


def _value(node: Node | None, name: str) -> Node | None:
    values = node.values if isinstance(node, Fields) else {}
    return next((value for key, value in values.items() if key.lower() == name.lower()), None)


def _located(section: str, node: Node | None) -> Iterator[Located]:
    for index, item in enumerate(node.values if isinstance(node, Items) else ()):
        yield Located(
            f"{section}[{index}]", (section, index), item.line, MappingEntry(section, _fields(item))
        )


def _fields(node: Node) -> dict[str, Value]:
    if isinstance(node, Text):
        return {ACCOUNT: node.value} if node.value is not None else {}
    if isinstance(node, Items):
        return {}
    values = ((key.strip().lower(), _field(value)) for key, value in node.values.items())
    return {key: value for key, value in values if value is not None}


def _field(node: Node) -> Value | None:
    if isinstance(node, Text):
        return node.value
    if isinstance(node, Items):
        return _texts(node.values)
    parts = ((_SSO_KEYS.get(key.strip().lower(), key), part) for key, part in node.values.items())
    return {key: part.value or "" for key, part in parts if isinstance(part, Text)}


def _texts(nodes: Sequence[Node]) -> list[str]:
    return [node.value for node in nodes if isinstance(node, Text) and node.value is not None]


def _item(entry: MappingEntry) -> Item:
    account = entry.fields.get(ACCOUNT)
    return account if entry.section == MAP_ACCOUNTS and isinstance(account, str) else entry.fields
