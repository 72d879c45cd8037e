"""The output of the verbs `mappings list`, `get` and `history`."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from typing import Any

import click
import yaml

from authenticator.admin.columns import columns
from authenticator.admin.stores.history import Version
from authenticator.display import printable
from authenticator.editing.listing import Listing, Row
from authenticator.options import colour

output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
    help="The form of the output.",
)


def show_listing(title: str, found: Listing, output: str) -> None:
    """Print entries, and what is wrong with them."""
    if output != "table":
        entries = [row.plain() for row in found.rows]
        _write({"source": title, "entries": entries, "problems": list(found.problems)}, output)
        return
    if found.rows:
        cells = [
            (row.id, row.principal, row.username, ", ".join(row.groups), _state(row))
            for row in found.rows
        ]
        colours = [_colour(row) for row in found.rows]
        _print_table(("ENTRY", "PRINCIPAL", "USERNAME", "GROUPS", "IN FORCE"), cells, colours)
    else:
        click.echo(f"{title} has no entries.")
    lines = [click.style(f"! {printable(problem)}", fg="red") for problem in found.problems]
    for row in found.rows:
        line = f", line {row.line}" if row.line else ""
        for problem in row.problems:
            text = f"! {printable(row.id)}{line}: {printable(problem)}"
            lines.append(click.style(text, fg="yellow" if row.inForce else "red"))
    if lines:
        click.echo("\n".join(("", *lines)), color=colour())


def show_rows(rows: Sequence[Row], output: str) -> None:
    """Print all there is to some entries."""
    if output != "table":
        _write([row.plain() for row in rows], output)
        return
    for number, row in enumerate(rows):
        if number:
            click.echo()
        for name, value in row.plain().items():
            if value not in ("", [], 0):
                text = ", ".join(value) if isinstance(value, list) else _word(value)
                click.echo(f"{_NAMES.get(name, name):<10} {printable(text)}")


def show_history(versions: Sequence[Version], output: str) -> None:
    """Print the versions, newest first."""
    newest_first = list(reversed(versions))
    if output != "table":
        _write(
            [
                {"version": v.number, "time": v.time, "user": v.user, "edit": v.edit}
                | {"texts": dict(v.texts)}
                for v in newest_first
            ],
            output,
        )
        return
    if not versions:
        click.echo("No edits are remembered.")
        return
    cells = [(str(v.number), v.time, v.user, v.edit) for v in newest_first]
    _print_table(("VERSION", "UNTIL", "EDITED BY", "EDIT THAT ENDED IT"), cells)


_NAMES = {"inForce": "in force"}


def _print_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], colours: Sequence[str] = ()
) -> None:
    """Print a table, folded to the width of a terminal; in a pipe or file, lines stay whole."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    cells = [tuple(map(printable, row)) for row in rows]
    click.echo(columns(header, cells, colours, width), color=colour())


def _state(row: Row) -> str:
    if not row.inForce:
        return "no"
    return f"yes until {row.expires}" if row.expires else "yes"


def _colour(row: Row) -> str:
    if not row.inForce:
        return "red"
    return "yellow" if row.problems else "green"


def _word(value: object) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def _write(value: Any, output: str) -> None:
    if output == "json":
        click.echo(json.dumps(value, indent=2))
    else:
        text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=200)
        click.echo(text, nl=False)


class _Dumper(yaml.CSafeDumper):
    """Quotes what begins with a digit: 012345678901 is a number to some readers of YAML."""


def _represent(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = '"' if text[:1].isdigit() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent)
