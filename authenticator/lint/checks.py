"""What the rules on entries have in common."""

from __future__ import annotations

from typing import NamedTuple

from authenticator.mapping.selectors import PERMISSION_SET_ROLE, Selector


class Found(NamedTuple):
    """What a rule says of an entry.

    Attributes:
        rule: its id.
        message: what is wrong and what to do.
        key: the entry's key that it is about, in lower case; "" for whom the entry names.
    """

    rule: str
    message: str
    key: str


def is_permission_set(selector: Selector) -> bool:
    """Whether IAM Identity Center makes the role, and names its sessions after its users."""
    return selector.is_role and selector.name.startswith(PERMISSION_SET_ROLE)
