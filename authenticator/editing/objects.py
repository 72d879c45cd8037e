"""IAMIdentityMapping objects as one document: each object is an entry."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from authenticator.aws.arns import PrincipalKind
from authenticator.editing.edits import EditError
from authenticator.editing.entry import MappingEntry, Value
from authenticator.editing.formats.identity_mappings import portable, specs
from authenticator.editing.located import Located, reader
from authenticator.mapping.sections import MAP_ROLES, MAP_USERS, Section
from authenticator.mapping.selectors import by_arn

_USERS = frozenset({PrincipalKind.USER, PrincipalKind.FEDERATED_USER, PrincipalKind.ROOT})
_KEYS = {MAP_ROLES: "rolearn", MAP_USERS: "userarn"}


@dataclass(frozen=True, slots=True)
class IdentityMappings:
    """See `authenticator.editing.documents.Document`.

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
        """See `Document.texts`: JSON."""
        return {
            name: json.dumps(self.objects[name], indent=2, ensure_ascii=False) + "\n"
            for name in sorted(self.objects)
        }

    def sections(self) -> tuple[Section, ...]:
        """See `Document.sections`."""
        identity = reader("CRD").identity
        return tuple(identity(name, self._spec(name)) for name in sorted(self.objects))

    def entries(self) -> tuple[Located, ...]:
        """See `Document.entries`."""
        return tuple(
            Located(name, (name, -1), 0, _entry(self._spec(name))) for name in sorted(self.objects)
        )

    def added(self, entries: Sequence[MappingEntry]) -> IdentityMappings:
        """See `Document.added`. Each object is named after the principal."""
        usables, notes = portable(entries)
        for note in notes:
            if note.left_out:
                raise EditError(f"{note.subject}: {note.text}")
        objects = dict(self.objects)
        for natural, spec in specs(usables):
            name, number = natural, 1
            while name in objects:
                number += 1
                name = f"{natural}.{number:05d}"
            objects[name] = {"spec": spec}
        return IdentityMappings(objects)

    def updated(self, located: Located, fields: Mapping[str, Value | None]) -> IdentityMappings:
        """See `Document.updated`."""
        spec = self._spec(located.id)
        for key, value in fields.items():
            if value is None:
                spec.pop(key, None)
            else:
                spec[key] = value
        if not spec.get("username"):
            raise EditError(f"{located.id}: a custom resource must have a username")
        return IdentityMappings(
            {**self.objects, located.id: {**self.objects[located.id], "spec": spec}}
        )

    def removed(self, located: Sequence[Located]) -> IdentityMappings:
        """See `Document.removed`."""
        gone = {found.id for found in located}
        return IdentityMappings({k: v for k, v in self.objects.items() if k not in gone})

    def _spec(self, name: str) -> dict[str, Any]:
        return dict(self.objects[name].get("spec") or {})


def _entry(spec: Mapping[str, Any]) -> MappingEntry:
    try:
        user = by_arn(str(spec.get("arn", ""))).kind in _USERS
    except ValueError:
        user = False
    section = MAP_USERS if user else MAP_ROLES
    fields: dict[str, Value] = {}
    for key, value in spec.items():
        fields[_KEYS[section] if key == "arn" else key] = (
            [str(item) for item in value] if isinstance(value, list) else str(value)
        )
    return MappingEntry(section, fields)
