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
from authenticator.editing.located import ACCOUNT, Located, located_in, reader, value_at
from authenticator.editing.writing import Item
from authenticator.mapping.documents import read_data, read_file
from authenticator.mapping.nodes import DocumentError, Fields, read
from authenticator.mapping.sections import MAP_ACCOUNTS, SECTIONS, Section

_SERVER = "server"


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
        return read_data(self.texts, reader(self.source))

    def entries(self) -> tuple[Located, ...]:
        """See `Document.entries`."""
        found = ((name, self.texts.get(self._key(name), "")) for name in _readable(self))
        return tuple(entry for name, text in found for entry in located_in(name, read(text)))

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
        return read_file(self.text.encode(), reader(self.name), "".join(self._under))

    def entries(self) -> tuple[Located, ...]:
        """See `Document.entries`."""
        names = _readable(self)
        root = read(self.text) if names else None
        for name in self._under:
            root = value_at(root, name)
        return tuple(entry for name in names for entry in located_in(name, value_at(root, name)))

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
        return (_SERVER,) if isinstance(value_at(root, _SERVER), Fields) else ()


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


def _item(entry: MappingEntry) -> Item:
    account = entry.fields.get(ACCOUNT)
    return account if entry.section == MAP_ACCOUNTS and isinstance(account, str) else entry.fields
