"""What the rules on entries have in common."""

from __future__ import annotations

from typing import NamedTuple

from authenticator.mapping.selectors import Selector

PERMISSION_SET_ROLE = "awsreservedsso_"


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


def name_of(selector: Selector) -> str:
    """The name, or its pattern, in lower case; "root" for root."""
    return selector.key.split(":", 5)[5].rpartition("/")[2]


def is_permission_set(selector: Selector) -> bool:
    """Whether IAM Identity Center makes the role, and names its sessions after its users."""
    return f":role/{PERMISSION_SET_ROLE}" in selector.key
