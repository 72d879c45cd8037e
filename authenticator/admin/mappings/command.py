"""The verb `mappings`."""

from __future__ import annotations

# Each puts its verbs into the group.
from authenticator.admin.mappings import change, grant, in_editor, migrate, read, transfer
from authenticator.admin.mappings.group import group
from authenticator.options import run_verb

__all__ = ["change", "grant", "in_editor", "mappings", "migrate", "read", "transfer"]


def mappings(arguments: list[str]) -> int:
    """Run the verb and return its exit code."""
    return run_verb(group, "mappings", arguments)
