"""The verb `mappings`."""

from __future__ import annotations

# Each puts its verbs into the group.
from authenticator.admin import (
    mappings_change,
    mappings_migrate,
    mappings_read,
    mappings_transfer,
)
from authenticator.admin.mappings_group import group
from authenticator.options import run_verb

__all__ = [
    "mappings",
    "mappings_change",
    "mappings_migrate",
    "mappings_read",
    "mappings_transfer",
]


def mappings(arguments: list[str]) -> int:
    """Run the verb and return its exit code."""
    return run_verb(group, "mappings", arguments)
