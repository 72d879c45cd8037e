"""Tables of plain columns, for lists of any length.

`rich` measures and wraps every cell several times, which takes seconds for 12,000 rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

import click
from rich.cells import cell_len, chop_cells

_GAP = "  "
_NARROWEST = 8


def columns(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    colours: Sequence[str | None] = (),
    width: int | None = None,
) -> str:
    """Lay out a table.

    Args:
        header: the names of the columns.
        rows: the cells; each is one line without characters that a terminal obeys.
        colours: for each row, the colour of its last cell, as `click.style` names it.
        width: of the terminal, in which cells are folded; None for lines of any length.
    """
    widths = [max(map(_length, cells)) for cells in zip(header, *rows, strict=True)]
    if width is not None:
        _narrow(widths, width - len(_GAP) * (len(widths) - 1))
    lines = [click.style(line, bold=True) for line in _lines(header, widths, None)]
    for row, colour in zip_longest(rows, colours):
        lines += _lines(row, widths, colour)
    return "\n".join(lines)


def _length(cell: str) -> int:
    """How many columns of a terminal a cell takes."""
    return len(cell) if cell.isascii() else cell_len(cell)


def _narrow(widths: list[int], room: int) -> None:
    """Take from the widest columns until all fit, or none can be narrower."""
    while sum(widths) > room and (widest := max(widths)) > _NARROWEST:
        number = widths.index(widest)
        rest = [other for other in widths if other < widest]
        most = max(sum(widths) - room, 1)
        widths[number] = max(widest - most, max(rest, default=0), _NARROWEST, widest // 2)


def _lines(row: Sequence[str], widths: Sequence[int], colour: str | None) -> Iterator[str]:
    folded = [_folded(cell, width) for cell, width in zip(row, widths, strict=True)]
    for parts in zip_longest(*folded, fillvalue=""):
        padded = [
            part + " " * (width - _length(part)) for part, width in zip(parts, widths, strict=True)
        ]
        if colour and parts[-1]:
            padded[-1] = click.style(parts[-1], fg=colour)
        yield _GAP.join(padded).rstrip()


def _folded(cell: str, width: int) -> list[str]:
    return [cell] if _length(cell) <= width else chop_cells(cell, width)
