"""IAMIdentityMapping objects as one document: each object is an entry."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from authenticator.aws.arns import PrincipalKind
from authenticator.editing.documents import Updates
from authenticator.editing.edits import EditError
from authenticator.editing.entry import MappingEntry, Value
from authenticator.editing.formats.identity_mappings import portable, specs
from authenticator.editing.located import Located, reader
from authenticator.editing.principals import identity
from authenticator.mapping.sections import MAP_ROLES, MAP_USERS, Section
from authenticator.mapping.selectors import by_arn

# The names of grants: a digit comes before the letters with which most names begin.
_GRANT = re.compile(r"0grant-(\d{5})-", re.ASCII)
_LAST_GRANT = 99999
_USERS = frozenset({PrincipalKind.USER, PrincipalKind.FEDERATED_USER, PrincipalKind.ROOT})
_KEYS = {MAP_ROLES: "rolearn", MAP_USERS: "userarn"}


def as_text(obj: object) -> str:
    """Give an object as the document's text has it."""
    return json.dumps(obj, indent=2, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class IdentityMappings:
    """All objects of a cluster. Each new one is named after its principal.

    Attributes:
        objects: by name, what a manifest would say of each: `spec`, and the `labels` and
            `annotations` of its `metadata`.
    """

    objects: Mapping[str, Mapping[str, Any]]

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> IdentityMappings:
        """The document with these `texts`.

        Raises:
            ValueError: they are not of such a document.
        """
        objects = {name: json.loads(text) for name, text in texts.items()}
        for obj in objects.values():
            parts = (obj.get("spec"), obj.get("metadata", {})) if isinstance(obj, dict) else (None,)
            if not all(isinstance(part, dict) for part in parts):
                raise ValueError("it is no object of this kind")
        return cls(objects)

    @property
    def texts(self) -> Mapping[str, str]:
        """Each object as JSON, by name."""
        return {name: as_text(self.objects[name]) for name in sorted(self.objects)}

    def sections(self) -> tuple[Section, ...]:
        """What the server reads in it; see `authenticator.editing.documents.Document`."""
        return self._sections

    def entries(self) -> tuple[Located, ...]:
        """The entries by name; see `Document`."""
        return self._entries

    def edited(
        self,
        *,
        updates: Updates = (),
        removals: Sequence[Located] = (),
        additions: Sequence[MappingEntry] = (),
    ) -> IdentityMappings:
        """The document after changes; see `Document`."""
        objects = dict(self.objects)
        for located in removals:
            del objects[located.id]
        for located, fields in updates:
            objects[located.id] = {**objects[located.id], "spec": self._updated(located.id, fields)}
        usables, notes = portable(additions)
        for note in notes:
            if note.left_out:
                raise EditError(f"{note.subject}: {note.text}")
        for natural, spec in specs(usables):
            name, number = natural, 1
            while name in objects:
                number += 1
                name = f"{natural}.{number:05d}"
            objects[name] = {"spec": spec}
        return replace(self, objects=objects)

    def shadowed(self, additions: Sequence[MappingEntry]) -> IdentityMappings:
        """The document with entries that come before those for the same principal.

        The first name applies, so that each of them gets one before all that are there.

        Raises:
            EditError: no name comes before theirs.
        """
        objects = dict(self.objects)
        for entry in additions:
            ((natural, spec),) = specs(portable([entry])[0])
            key = identity(entry)
            rivals = [
                name for name in objects if identity(_entry(dict(objects[name]["spec"]))) == key
            ]
            name = _first_name(natural, rivals)
            objects[name] = {"spec": spec}
        return replace(self, objects=objects)

    @cached_property
    def _entries(self) -> tuple[Located, ...]:
        return tuple(
            Located(name, (name, -1), 0, _entry(self._spec(name))) for name in sorted(self.objects)
        )

    @cached_property
    def _sections(self) -> tuple[Section, ...]:
        identity = reader("CRD").identity
        return tuple(identity(name, self._spec(name)) for name in sorted(self.objects))

    def _updated(self, name: str, fields: Mapping[str, Value | None]) -> dict[str, Any]:
        spec = self._spec(name)
        for key, value in fields.items():
            if value is None:
                spec.pop(key, None)
            else:
                spec[key] = value
        if not spec.get("username"):
            raise EditError(f"{name}: a custom resource must have a username")
        return spec

    def _spec(self, name: str) -> dict[str, Any]:
        return dict(self.objects[name].get("spec") or {})


def _first_name(natural: str, rivals: Sequence[str]) -> str:
    """Return a name that comes before others; the digits count down, for the grants after it."""
    first = min(rivals, default="")
    used = _GRANT.match(first)
    name = f"0grant-{int(used[1]) - 1 if used else _LAST_GRANT:05d}-{natural}"
    if rivals and name >= first:
        raise EditError(
            f"{first}: no name for a grant comes before this object's, and the first name applies;"
            " give the object another name first"
        )
    return name


def _entry(spec: Mapping[str, Any]) -> MappingEntry:
    try:
        user = by_arn(str(spec.get("arn", ""))).kind in _USERS
    except ValueError:
        user = False
    section = MAP_USERS if user else MAP_ROLES
    fields: dict[str, Value] = {}
    for key, value in spec.items():
        fields[_KEYS[section] if key == "arn" else key] = _value(value)
    return MappingEntry(section, fields)


def _value(value: object) -> Value:
    if isinstance(value, Mapping):
        return {str(key): str(item) for key, item in value.items()}
    return [str(item) for item in value] if isinstance(value, list) else str(value)
