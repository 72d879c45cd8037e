"""Entries from a file, as `mappings apply` and `diff` take them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from authenticator.editing.entry import MappingEntry
from authenticator.editing.formats import table
from authenticator.editing.formats.conversion import Options
from authenticator.errors import ConfigError
from authenticator.mapping.nodes import DocumentError

F = TypeVar("F", bound=Callable[..., Any])


def wanted_options(function: F) -> F:
    """Give a command `--filename` and `--prune`."""
    for option in (
        click.option(
            "--prune",
            is_flag=True,
            help="Remove what the file does not have, in those of mapRoles, mapUsers and"
            " mapAccounts that it has.",
        ),
        click.option(
            "-f",
            "--filename",
            metavar="FILE",
            required=True,
            help="The entries: mapRoles, mapUsers and mapAccounts as lists, an aws-auth manifest,"
            " or IAMIdentityMapping objects; - for standard input.",
        ),
    ):
        function = option(function)
    return function


def wanted_from(filename: str) -> tuple[MappingEntry, ...]:
    """Read the entries; every one of them has to be usable.

    Raises:
        ConfigError: the file cannot be read, or something in it would be left out.
    """
    name = "standard input" if filename == "-" else filename
    try:
        content = sys.stdin.buffer.read() if filename == "-" else Path(filename).read_bytes()
        found = table.read(content.decode("utf-8-sig"), Options())
    except (OSError, UnicodeError, DocumentError) as error:
        raise ConfigError((f"{name}: {error}",)) from error
    left_out = [note for note in found.notes if note.left_out]
    if left_out:
        raise ConfigError(tuple(f"{name}: {note.subject}: {note.text}" for note in left_out))
    return found.entries
