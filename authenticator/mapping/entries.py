"""The shapes of mapping entries, as aws-auth, the reference's config file and its CRD have them.

Every value is text (`authenticator.mapping.nodes` turns nothing into numbers or dates); the reader
of a key says what the text must look like. Keys arrive in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from authenticator.aws.arns import ProofKind
from authenticator.display import printable
from authenticator.mapping import conditions
from authenticator.mapping.conditions import CONDITION_KEYS, Conditions
from authenticator.mapping.selectors import Selector, by_arn, by_permission_set
from authenticator.mapping.templates import Template
from authenticator.timestamps import parse_rfc3339

# In characters.
MAX_REASON = 200
_USER_ID = re.compile(r"[A-Z0-9]{4,128}|[0-9]{12}:[\w+=,.@-]{2,64}", re.ASCII)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("it must be a single value")  # noqa: TRY004 (readers raise ValueError)
    return value.strip()


def _template(value: object) -> Template:
    text = _text(value)
    # Without its blanks it would be another name, and may be one that grants something.
    if text != value:
        raise ValueError("it has blanks or line breaks at an end; remove them")
    return Template.parse(text)


def _groups(value: object) -> tuple[Template, ...]:
    if not isinstance(value, list):
        raise ValueError("it must be a list, with '- ' before each group")  # noqa: TRY004 (as above)
    return tuple(_template(group) for group in value)


def _user_id(value: object) -> str:
    text = _text(value)
    if not _USER_ID.fullmatch(text):
        raise ValueError("it must be a unique id (AROA..., AIDA...) without a session name")
    return text


def _expires(value: object) -> float:
    return parse_rfc3339(_text(value))


def _reason(value: object) -> str:
    """Read a remark, which never makes an entry unusable."""
    return printable(value.strip(), MAX_REASON) if isinstance(value, str) else ""


def _tags(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict):
        raise ValueError("it must be a map, such as {team: data}")  # noqa: TRY004 (as above)
    return conditions.principal_tags(value)


def _by_arn(value: object) -> Selector:
    return by_arn(_text(value))


def _partition(value: object) -> str:
    return _text(value).lower()


class BadValues(ValueError):
    """Values that cannot be used; the message gives the reason for each, without the value.

    Attributes:
        key: the first key with such a value.
    """

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{key}: {reason}" for key, reason in reasons.items()))
        self.key = next(iter(reasons))


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A map with known keys; each shape equals itself alone.

    Attributes:
        naming: the keys that say whom it names, as messages have them.
        readers: what reads the value of each key; raises ValueError.
    """

    naming: str
    readers: Mapping[str, Callable[[object], Any]]

    def read(self, fields: Mapping[str, object]) -> dict[str, Any]:
        """Read values by their keys, all of which are in `readers`.

        Raises:
            BadValues: some cannot be used.
        """
        values: dict[str, Any] = {}
        wrong: dict[str, str] = {}
        for key, reader in self.readers.items():
            if key in fields:
                try:
                    values[key] = reader(fields[key])
                except ValueError as error:
                    wrong[key] = str(error)
        if wrong:
            raise BadValues(wrong)
        return values


# `sso`: a permission set of IAM Identity Center.
PERMISSION_SET = Shape(
    "permissionSetName and accountID",
    MappingProxyType({"permissionsetname": _text, "accountid": _text, "partition": _partition}),
)


def _by_permission_set(value: object) -> Selector:
    if not isinstance(value, dict):
        raise ValueError(f"it must be a map with {PERMISSION_SET.naming}")  # noqa: TRY004 (as above)
    missing = [key for key in ("permissionSetName", "accountID") if key.lower() not in value]
    if missing:
        raise ValueError(f"{' and '.join(missing)} missing")
    fields = PERMISSION_SET.read(value)
    partition = fields.get("partition", "aws")
    return by_permission_set(fields["permissionsetname"], fields["accountid"], partition)


# Keys that narrow an entry: one that is mistyped must not widen it without a word.
NARROWING = ("expires", "userid", *(key.lower() for key in CONDITION_KEYS))

_COMMON = {
    "username": _template,
    "groups": _groups,
    "userid": _user_id,
    "expires": _expires,
    "reason": _reason,
    "proof": lambda value: conditions.proof(_text(value).lower()),
    "organization": lambda value: conditions.organization(_text(value)),
    "organizationalunit": lambda value: conditions.organizational_unit(_text(value)),
    "principaltags": _tags,
}
# An entry of `mapRoles`.
ROLE = Shape(
    "rolearn or sso", MappingProxyType({**_COMMON, "rolearn": _by_arn, "sso": _by_permission_set})
)
# An entry of `mapUsers`.
USER = Shape("userarn", MappingProxyType({**_COMMON, "userarn": _by_arn}))
# The `spec` of an IAMIdentityMapping.
IDENTITY = Shape("arn", MappingProxyType({**_COMMON, "arn": _by_arn}))


@dataclass(frozen=True, slots=True)
class Entry:
    """What an entry of any shape says; None or empty where it says nothing."""

    username: Template | None = None
    groups: tuple[Template, ...] = ()
    userid: str = ""
    expires: float | None = None
    reason: str = ""
    rolearn: Selector | None = None
    sso: Selector | None = None
    userarn: Selector | None = None
    arn: Selector | None = None
    proof: ProofKind | None = None
    organization: str = ""
    organizationalunit: str = ""
    principaltags: tuple[tuple[str, str], ...] = ()

    @property
    def conditions(self) -> Conditions:
        """What the entry demands of its callers."""
        return Conditions(
            self.proof, self.organization, self.organizationalunit, self.principaltags
        )

    def selectors(self) -> tuple[Selector, ...]:
        """Whom the entry names, once for each key that does."""
        return tuple(filter(None, (self.rolearn, self.sso, self.userarn, self.arn)))
