"""One mapping as plain values: what all formats are read into and written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authenticator.mapping.selectors import permission_set

# A value of an entry: a text, a list of texts (`groups`), or a map of texts (`sso`).
Value = str | list[str] | dict[str, str]

# The key of an entry of `mapAccounts`, which is a text in documents.
ACCOUNT = "account"
# Keys that only EKS has: access policies, each `NAME` or `NAME=NAMESPACE,...`, and the type.
ACCESS_POLICIES = "accesspolicies"
ENTRY_TYPE = "type"
EKS_KEYS = frozenset({ACCESS_POLICIES, ENTRY_TYPE})
# The keys of `sso` in lower case, with how they are written.
SSO_KEYS = {key.lower(): key for key in ("permissionSetName", "accountID", "partition")}


@dataclass(frozen=True, slots=True)
class MappingEntry:
    """An entry of a mapping document.

    Attributes:
        section: one of `authenticator.mapping.sections.SECTIONS`.
        fields: its keys as the documents spell them (`rolearn`, `sso`, `userarn`, `username`,
            `groups`, `userid`, `expires`, `reason`), in the order in which they are written. An
            entry of `mapAccounts` has the single key `account`.
    """

    section: str
    fields: Mapping[str, Value]

    @property
    def principal(self) -> str:
        """Whom it names, as it is written; "" if it names no one."""
        fields = {key.lower(): value for key, value in self.fields.items()}
        for key in ("rolearn", "userarn", ACCOUNT):
            if found := fields.get(key):
                return found if isinstance(found, str) else ""
        sso = fields.get("sso")
        if not isinstance(sso, Mapping):
            return ""
        parts = {key.lower(): value for key, value in sso.items()}
        name, account = parts.get("permissionsetname", "?"), parts.get("accountid", "?")
        return permission_set(name, account)


def is_grant(entry: MappingEntry) -> bool:
    """Return whether an entry was made by `mappings grant`: it ends, and says why it was made."""
    return bool(entry.fields.get("expires") and entry.fields.get("reason"))
