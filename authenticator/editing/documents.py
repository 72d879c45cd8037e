"""What mappings are kept in, as something to read and to edit: aws-auth, a file, custom resources.

A document is a value: an edit gives a new one. Everything in it that was not asked for stays, to
the byte in texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, TypeAlias

from authenticator.editing.changes import Change
from authenticator.editing.edits import EditError, edited
from authenticator.editing.entry import ACCOUNT, MappingEntry, Value
from authenticator.editing.located import Located, located_in, reader
from authenticator.editing.parsed import parse, tree
from authenticator.editing.writing import Item
from authenticator.mapping.documents import read_data, read_file
from authenticator.mapping.files import BINARY
from authenticator.mapping.nodes import DocumentError, Fields, value_of
from authenticator.mapping.sections import MAP_ACCOUNTS, SECTIONS, Section

_SERVER = "server"
_AWS_AUTH = "EKSConfigMap"


# Entries, each with the fields to set, or to remove where the value is None.
Updates: TypeAlias = Sequence[tuple[Located, Mapping[str, Value | None]]]


class Document(Protocol):
    """All mappings of one place. An edit raises EditError if it cannot be made."""

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

    def edited(
        self,
        *,
        updates: Updates = (),
        removals: Sequence[Located] = (),
        additions: Sequence[MappingEntry] = (),
    ) -> Document:
        """The document after changes that are all made at once.

        Args:
            updates: entries, each with the fields to set, or to remove where the value is None.
            removals: entries to remove; none of them has an update.
            additions: new entries, each for the end of its section.
        """
        ...


@dataclass(frozen=True)
class AwsAuth:
    """The `data` of a ConfigMap, where each section is a text of its own.

    Attributes:
        texts: the `data`.
        binary: the keys of its `binaryData`, which the server does not read.
    """

    texts: Mapping[str, str]
    binary: frozenset[str] = frozenset()

    def sections(self) -> tuple[Section, ...]:
        """What the server reads in it; see `Document`."""
        return self._sections

    def entries(self) -> tuple[Located, ...]:
        """The entries in order; see `Document`."""
        return self._entries

    def edited(
        self,
        *,
        updates: Updates = (),
        removals: Sequence[Located] = (),
        additions: Sequence[MappingEntry] = (),
    ) -> AwsAuth:
        """The document after changes; see `Document`."""
        texts = dict(self.texts)
        for name, change in _changes(self, updates, removals, additions):
            texts[name] = edited(self._text(name), [change])
        return replace(self, texts=texts)

    @cached_property
    def _entries(self) -> tuple[Located, ...]:
        return tuple(
            entry for name in _readable(self) for entry in located_in(name, tree(self._text(name)))
        )

    @cached_property
    def _sections(self) -> tuple[Section, ...]:
        as_server = reader(_AWS_AUTH)
        return tuple(
            as_server.broken(section.name, DocumentError(BINARY))
            if section.name in self.binary
            else section
            for section in read_data(self.texts, as_server, parse=parse)
        )

    def _text(self, section: str) -> str:
        return self.texts.get(section, "")


@dataclass(frozen=True)
class MappingFile:
    """A file with the sections as lists: on their own, or under `server` in a config file."""

    name: str
    text: str

    @property
    def texts(self) -> Mapping[str, str]:
        """The text by the name of the file."""
        return {self.name: self.text}

    def sections(self) -> tuple[Section, ...]:
        """What the server reads in it; see `Document`."""
        return self._sections

    def entries(self) -> tuple[Located, ...]:
        """The entries in order; see `Document`."""
        return self._entries

    def edited(
        self,
        *,
        updates: Updates = (),
        removals: Sequence[Located] = (),
        additions: Sequence[MappingEntry] = (),
    ) -> MappingFile:
        """The document after changes; see `Document`."""
        changes = [
            replace(change, path=(*self._under, name))
            for name, change in _changes(self, updates, removals, additions)
        ]
        return replace(self, text=edited(self.text, changes))

    @cached_property
    def _entries(self) -> tuple[Located, ...]:
        names = _readable(self)
        root = tree(self.text) if names else None
        for name in self._under:
            root = value_of(root, name)
        as_server = replace(reader(self.name), loose=bool(self._under))
        found = ((name, value_of(root, name)) for name in names)
        return tuple(
            entry
            for name, node in found
            if node is not None
            for entry in located_in(name, as_server.as_list(name, node))
        )

    @cached_property
    def _sections(self) -> tuple[Section, ...]:
        return read_file(self.text.encode(), reader(self.name), "".join(self._under), parse)

    @property
    def _under(self) -> tuple[str, ...]:
        """The keys that lead to the sections."""
        try:
            root = tree(self.text)
        except DocumentError:
            return ()
        return (_SERVER,) if isinstance(value_of(root, _SERVER), Fields) else ()


def _readable(document: AwsAuth | MappingFile) -> list[str]:
    sections = {section.name: section for section in document.sections()}
    return [name for name in SECTIONS if not sections[name].broken]


def _changes(
    document: AwsAuth | MappingFile,
    updates: Updates,
    removals: Sequence[Located],
    additions: Sequence[MappingEntry],
) -> Iterator[tuple[str, Change]]:
    """The change of each section that an edit is about, as if its text were the list."""
    for name in SECTIONS:
        change = Change(
            updates={
                found.origin[1]: fields for found, fields in updates if found.origin[0] == name
            },
            removals=frozenset(found.origin[1] for found in removals if found.origin[0] == name),
            additions=[_item(entry) for entry in additions if entry.section == name],
        )
        if change.additions:
            _refuse_broken(document, name)
        if change.updates or change.removals or change.additions:
            yield name, change


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
