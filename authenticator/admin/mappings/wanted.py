"""Entries from a file, as `mappings apply`, `diff` and `import` take them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from authenticator.admin.mappings.edit import warn
from authenticator.editing.desired import applied, unpruned
from authenticator.editing.documents import Document
from authenticator.editing.formats import table
from authenticator.editing.formats.conversion import Conversion, Note, Options
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
            " IAMIdentityMapping objects, or what `aws eks` prints of access entries; - for"
            " standard input.",
        ),
    ):
        function = option(function)
    return function


def wanted_from(filename: str, *, for_eks: bool = False) -> Conversion:
    """Read the entries; every one of them has to be usable.

    Args:
        filename: the file; `-` for standard input.
        for_eks: whether access policies and types of EKS are wanted too.

    Raises:
        ConfigError: the file cannot be read, or something in it would be left out.
    """
    found = converted(filename, Options(for_eks=for_eks))
    left_out = [note for note in found.notes if note.left_out]
    if left_out:
        name = _named(filename)
        raise ConfigError(tuple(f"{name}: {note.subject}: {note.text}" for note in left_out))
    tell(found.notes)
    return found


def applying(wanted: Conversion, *, prune: bool) -> Callable[[Document], Document]:
    """What makes a document have the wanted entries; it warns of what it does not prune."""
    told: set[str] = set()

    def change(document: Document) -> Document:
        after = applied(document, wanted.entries, prune=prune, now=time.time())
        for line in unpruned(after, wanted.entries, wanted.empty) if prune else ():
            if line not in told:
                warn(line)
            told.add(line)
        return after

    return change


def converted(filename: str, options: Options, name: str = "") -> Conversion:
    """Read a file, or standard input for `-`, in the format called `name` or one found out.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        content = sys.stdin.buffer.read() if filename == "-" else Path(filename).read_bytes()
        return table.read(content.decode("utf-8-sig"), options, name)
    except OSError as error:
        raise ConfigError((f"{_named(filename)}: {error.strerror}",)) from error
    except UnicodeError as error:
        raise ConfigError((f"{_named(filename)}: it is not UTF-8; save it as UTF-8",)) from error
    except DocumentError as error:
        raise ConfigError((f"{_named(filename)}: {error}",)) from error


def tell(notes: Iterable[Note]) -> None:
    """Print notes, each once."""
    for note in dict.fromkeys(notes):
        warn(str(note))


def _named(filename: str) -> str:
    return "standard input" if filename == "-" else filename
