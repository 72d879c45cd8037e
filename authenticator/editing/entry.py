"""One mapping as plain values: what all formats are read into and written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# A value of an entry: a text, a list of texts (`groups`), or a map of texts (`sso`).
Value = str | list[str] | dict[str, str]

# The keys of `sso` in lower case, with how they are written.
SSO_KEYS = {key.lower(): key for key in ("permissionSetName", "accountID", "partition")}


@dataclass(frozen=True, slots=True)
class MappingEntry:
    """An entry of a mapping document.

    Attributes:
        section: one of `authenticator.mapping.sections.SECTIONS`.
        fields: its keys as the documents spell them (`rolearn`, `sso`, `userarn`, `username`,
            `groups`, `userid`, `expires`), in the order in which they are written. An entry of
            `mapAccounts` has the single key `account`.
    """

    section: str
    fields: Mapping[str, Value]
