"""The shapes of mapping entries, as aws-auth, the reference's config file and its CRD have them.

Every value is text (`authenticator.mapping.nodes` turns nothing into numbers or dates); the type
of a field says what the text must look like. Keys arrive in lower case.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, PlainValidator, ValidationError

from authenticator.display import printable
from authenticator.mapping.selectors import Selector, by_arn, by_permission_set
from authenticator.mapping.templates import Template
from authenticator.timestamps import parse_rfc3339

# In characters.
MAX_REASON = 200
_USER_ID = re.compile(r"[A-Z0-9]{4,128}|[0-9]{12}:[\w+=,.@-]{2,64}", re.ASCII)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("it must be a single value")  # noqa: TRY004 (pydantic wants ValueError)
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


def _by_arn(value: object) -> Selector:
    return by_arn(_text(value))


def _by_permission_set(value: object) -> Selector:
    try:
        sso = PermissionSet.model_validate(value)
    except ValidationError as error:
        raise ValueError(reasons(error)) from None
    return by_permission_set(sso.permissionsetname, sso.accountid, sso.partition.lower())


_Text = Annotated[str, PlainValidator(_text)]
_Arn = Annotated[Selector, PlainValidator(_by_arn)]


class Shape(BaseModel):
    """A map with known keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class PermissionSet(Shape):
    """`sso`: a permission set of IAM Identity Center."""

    permissionsetname: _Text
    accountid: _Text
    partition: _Text = "aws"


class Entry(Shape):
    """What all entries have in common."""

    # Keys that narrow an entry: one that is mistyped must not widen it without a word.
    narrowing: ClassVar[tuple[str, ...]] = ("expires", "userid")

    username: Annotated[Template, PlainValidator(_template)] | None = None
    groups: Annotated[tuple[Template, ...], PlainValidator(_groups)] = ()
    userid: Annotated[str, PlainValidator(_user_id)] = ""
    expires: Annotated[float, PlainValidator(_expires)] | None = None
    reason: Annotated[str, PlainValidator(_reason)] = ""

    def selectors(self) -> tuple[Selector, ...]:
        """Whom the entry names, once for each key that names somebody."""
        return ()


class RoleEntry(Entry):
    """An entry of `mapRoles`."""

    rolearn: _Arn | None = None
    sso: Annotated[Selector, PlainValidator(_by_permission_set)] | None = None

    def selectors(self) -> tuple[Selector, ...]:
        """See `Entry.selectors`."""
        return tuple(filter(None, (self.rolearn, self.sso)))


class UserEntry(Entry):
    """An entry of `mapUsers`."""

    userarn: _Arn | None = None

    def selectors(self) -> tuple[Selector, ...]:
        """See `Entry.selectors`."""
        return tuple(filter(None, (self.userarn,)))


class IdentityEntry(Entry):
    """The `spec` of an IAMIdentityMapping."""

    arn: _Arn | None = None

    def selectors(self) -> tuple[Selector, ...]:
        """See `Entry.selectors`."""
        return tuple(filter(None, (self.arn,)))


def reasons(error: ValidationError) -> str:
    """What pydantic found, in one line without the values."""
    return "; ".join(
        f"{'.'.join(map(str, found['loc']))}: {found['msg'].removeprefix('Value error, ')}"
        for found in error.errors(include_url=False, include_input=False, include_context=False)
    )
