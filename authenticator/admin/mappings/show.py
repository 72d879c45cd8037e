"""What the verbs `mappings list`, `get` and `history` print."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click
import yaml
from rich import box
from rich.table import Table
from rich.text import Text

from authenticator.admin.access.text import console
from authenticator.admin.stores.history import Version
from authenticator.display import printable
from authenticator.editing.listing import Listing, Row

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
    table = _table("ENTRY", "PRINCIPAL", "USERNAME", "GROUPS", "IN FORCE")
    for row in found.rows:
        table.add_row(
            printable(row.id),
            printable(row.principal),
            printable(row.username),
            printable(", ".join(row.groups)),
            _state(row),
        )
    out = console()
    if found.rows:
        out.print(table)
    else:
        out.print(f"{title} has no entries.")
    for problem in found.problems:
        out.print(f"! {printable(problem)}", style="red")
    for row in found.rows:
        line = f", line {row.line}" if row.line else ""
        for problem in row.problems:
            style = "yellow" if row.inForce else "red"
            out.print(f"! {printable(row.id)}{line}: {printable(problem)}", style=style)


def show_rows(rows: Sequence[Row], output: str) -> None:
    """Print all there is to some entries."""
    if output != "table":
        _write([row.plain() for row in rows], output)
        return
    out = console()
    for number, row in enumerate(rows):
        if number:
            out.print()
        for name, value in row.plain().items():
            if value not in ("", [], 0):
                text = ", ".join(value) if isinstance(value, list) else _word(value)
                out.print(f"{_NAMES.get(name, name):<10} {printable(text)}", soft_wrap=True)


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
    table = _table("VERSION", "UNTIL", "EDITED BY", "EDIT THAT ENDED IT")
    for version in newest_first:
        words = (version.time, version.user, version.edit)
        table.add_row(str(version.number), *map(printable, words))
    console().print(table)


_NAMES = {"inForce": "in force"}


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _state(row: Row) -> Text:
    if not row.inForce:
        return Text("no", style="bold red")
    ends = f" until {row.expires}" if row.expires else ""
    return Text(f"yes{ends}", style="yellow" if row.problems else "green")


def _word(value: object) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def _write(value: Any, output: str) -> None:
    if output == "json":
        click.echo(json.dumps(value, indent=2))
    else:
        text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=200)
        click.echo(text, nl=False)


class _Dumper(yaml.SafeDumper):
    """Quotes what begins with a digit: 012345678901 is a number to some readers of YAML."""


def _represent(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = '"' if text[:1].isdigit() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _represent)
