"""The output of the verbs: tables as kubectl prints them, and JSON and YAML for programs.

A table has one row a line, is never wrapped, and its columns are as wide as their content.

A terminal breaks a line that is too long for it; a line that is cut or folded here could not be
copied, nor found with grep.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import Any, TypeVar

import click
import yaml

from authenticator.display import printable
from authenticator.options import colour
from authenticator.timestamps import elapsed, rfc3339

TABLE, WIDE, NAME, JSON, YAML = "table", "wide", "name", "json", "yaml"
# How kubectl writes that a cell has no value.
NONE = "<none>"
_GAP = "   "
F = TypeVar("F", bound=Callable[..., Any])


def output_option(*forms: str) -> Callable[[F], F]:
    """Give a command `-o`, with the forms that it knows in addition to the table."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice([TABLE, *forms]),
        default=TABLE,
        show_default=True,
        help="The form of the output.",
    )


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    colours: Sequence[str | None] = (),
    coloured: str = "",
) -> str:
    """Lay out a table.

    Args:
        header: the names of the columns.
        rows: the cells, of any text: characters that a terminal obeys become escapes.
        colours: for each row, the colour of one of its cells, as `click.style` names it.
        coloured: the name of the column of that cell; by default the last one.
    """
    cells = [tuple(map(printable, row)) for row in rows]
    widths = [max(map(_width, column)) for column in zip(header, *cells, strict=True)]
    at = header.index(coloured) if coloured else len(header) - 1
    lines = [click.style(_line(header, widths), bold=True)]
    lines += [_line(row, widths, paint, at) for row, paint in zip_longest(cells, colours)]
    return "\n".join(lines)


def show_table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    colours: Sequence[str | None] = (),
    coloured: str = "",
) -> None:
    """Print a table; in colour on a terminal, unless NO_COLOR says otherwise."""
    click.echo(table(header, rows, colours, coloured), color=colour())


def listed(values: Iterable[str]) -> str:
    """Join the values of one cell as kubectl does; `NONE` if there are none."""
    return ",".join(values) or NONE


def moment(seconds: float, now: float) -> str:
    """Return a time, and how far away it is: `2030-01-31T18:00:00Z (in 8h)`.

    Args:
        seconds: Unix time.
        now: Unix time.
    """
    away = seconds - now
    relative = f"in {elapsed(away)}" if away >= 0 else f"{elapsed(-away)} ago"
    return f"{rfc3339(seconds)} ({relative})"


def _width(cell: str) -> int:
    """How many columns of a terminal a cell takes (Unicode Standard Annex 11)."""
    if cell.isascii():
        return len(cell)
    return sum(_columns(character) for character in cell)


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):  # marks on the character before
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _line(row: Sequence[str], widths: Sequence[int], paint: str | None = None, at: int = 0) -> str:
    padded = [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
    padded[-1] = row[-1]
    if paint and row[at]:
        padded[at] = click.style(row[at], fg=paint) + padded[at][len(row[at]) :]
    return _GAP.join(padded).rstrip()


def show_values(value: Any, output: str) -> None:
    """Print a value as JSON or YAML."""
    if output == JSON:
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
