"""A manifest with mappings in it: read as every verb reads it, and edited by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from authenticator.editing.documents import Document, MappingFile, Updates
from authenticator.editing.edits import EditError
from authenticator.editing.entry import MappingEntry
from authenticator.editing.located import Located, located_in, reader
from authenticator.editing.parsed import parse
from authenticator.mapping.files import Held, Identity, Lists, Part, Witness, held, held_in
from authenticator.mapping.nodes import DocumentError, Items
from authenticator.mapping.sections import MAP_ROLES, MAP_USERS, SECTIONS, Section
from authenticator.mapping.selectors import by_arn


def document_of_file(name: str, text: str) -> Document:
    """What a file is to the verbs: a mapping or config file, or a manifest."""
    try:
        first = parse(text)  # which the document asks for again
        found = held(text) if first.rest else held_in([] if first.node is None else [first.node])
    except DocumentError:
        return MappingFile(name, text)
    own = all(isinstance(part, Lists) and part.inside is None for part in found.parts)
    return MappingFile(name, text) if own and not found.unread else Manifest(name, text, found)


@dataclass(frozen=True, slots=True)
class Manifest:
    """`Document` of a file with Kubernetes objects, which this cannot edit."""

    name: str
    text: str
    found: Held

    @property
    def texts(self) -> Mapping[str, str]:
        """The text by the name of the file."""
        return {self.name: self.text}

    def sections(self) -> tuple[Section, ...]:
        """What the server reads in it; see `Document`.

        Raises:
            EditError: something in it is not read.
        """
        as_server = reader(self.name)
        return tuple(section for part in self._parts() for section in part.sections(as_server))

    def entries(self) -> tuple[Located, ...]:
        """The entries in order; see `Document`."""
        entries: list[Located] = []
        for part in self._parts():
            if isinstance(part, Identity):
                entries.append(_identity(part))
                continue
            witness = Witness(self.name, reader(self.name).guard)
            part.sections(witness)
            for name in SECTIONS:
                entries += located_in(name, witness.nodes.get(name))
        return tuple(entries)

    def edited(
        self,
        *,
        updates: Updates = (),  # noqa: ARG002 (a port)
        removals: Sequence[Located] = (),  # noqa: ARG002
        additions: Sequence[MappingEntry] = (),  # noqa: ARG002
    ) -> Document:
        """Refuse the edit; see `Document`.

        Raises:
            EditError: always.
        """
        raise EditError(
            f"{self.name} is a Kubernetes manifest, which is edited by hand; to change what is in"
            " the cluster, leave --source=file out"
        )

    def _parts(self) -> Sequence[Part]:
        try:
            return self.found.understood()
        except DocumentError as error:
            raise EditError(f"{self.name}: {error}") from error


def _identity(part: Identity) -> Located:
    """An IAMIdentityMapping as an entry."""
    (found,) = located_in(MAP_ROLES, Items(part.spec.line, [part.spec]))
    try:
        is_role = by_arn(str(found.entry.fields.get("arn", ""))).is_role
    except ValueError:
        is_role = True
    section, key = (MAP_ROLES, "rolearn") if is_role else (MAP_USERS, "userarn")
    fields = {key if name == "arn" else name: value for name, value in found.entry.fields.items()}
    return replace(found, id=part.name, origin=(part.name, -1), entry=MappingEntry(section, fields))
