"""Attacks a server of this checkout, and shows a table of what came of it.

    make attack                 # the long forms: half an hour, and all of a machine
    .venv/bin/python -m dev.attack --short [-k WORDS]

The attacks are the tests with the marker `attack` (docs/threat-model.md): floods, hosts and name
servers that swallow what they are sent, answers that come twice, slow clients, forged tokens. All
of it is on loopback or in network namespaces. Ends with 1 if one of them got beyond its bound.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

MARKER = "attack"
_WIDTHS = (34, 30, 40, 34)
_HEADER = ("ATTACK", "LOAD", "SEEN", "BOUND")
_TIMEOUT_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Row:
    """One attack and what came of it.

    Attributes:
        name: what is done, and the parameters.
        load: how much of it.
        seen: what was measured; "" if it did not come so far.
        bound: what must hold.
        passed: whether it held.
        seconds: how long it took.
    """

    name: str
    load: str
    seen: str
    bound: str
    passed: bool
    seconds: float


class Collector:
    """A pytest plugin that keeps a row of each attack."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._names: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        """Remember what the attacks are called."""
        for item in items:
            mark = item.get_closest_marker(MARKER)
            if mark is not None:
                parameters = item.name.partition("[")[2].rstrip("]")
                name = str(mark.args[0])
                self._names[item.nodeid] = f"{name} ({parameters})" if parameters else name

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a row for a call, and for a set-up or an end that fails."""
        if report.nodeid not in self._names or not (report.when == "call" or report.failed):
            return
        told = {key: str(value) for key, value in report.user_properties}
        self.rows.append(
            Row(
                self._names[report.nodeid],
                told.get("load", ""),
                told.get("seen", ""),
                told.get("bound", ""),
                report.passed,
                round(report.duration, 1),
            )
        )


def table(rows: Sequence[Row]) -> str:
    """The rows as a table of plain text; cells that are too long go on below."""
    lines = ["  ".join(word.ljust(width) for word, width in zip(_HEADER, _WIDTHS, strict=True))]
    lines[0] += "  RESULT"
    for row in rows:
        cells = [
            textwrap.wrap(text, width) or ["-"]
            for text, width in zip((row.name, row.load, row.seen, row.bound), _WIDTHS, strict=True)
        ]
        for number in range(max(map(len, cells))):
            shown = [
                (cell[number] if number < len(cell) else "").ljust(width)
                for cell, width in zip(cells, _WIDTHS, strict=True)
            ]
            result = f"{'pass' if row.passed else 'FAIL'}  {row.seconds:g} s" if not number else ""
            lines.append("  ".join([*shown, result]).rstrip())
    failed = sum(not row.passed for row in rows)
    return "\n".join([*lines, f"{len(rows)} attacks, {failed} beyond their bounds"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Attack, show the table, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.attack", description=__doc__)
    parser.add_argument("--short", action="store_true", help="the forms of seconds, as in CI")
    parser.add_argument("-k", dest="words", metavar="WORDS", help="as pytest's -k")
    parser.add_argument("--output", metavar="FILE", type=Path, help="the rows as JSON, too")
    options = parser.parse_args(arguments)
    collector = Collector()
    flags = [] if options.short else ["--nightly", f"--timeout={_TIMEOUT_SECONDS}"]
    flags += ["-k", options.words] if options.words else []
    code = pytest.main(["--quiet", "-m", MARKER, *flags, "tests/e2e"], plugins=[collector])
    sys.stdout.write(f"{table(collector.rows)}\n")
    if options.output:
        rows = [asdict(row) for row in collector.rows]
        options.output.write_text(json.dumps(rows, indent=2) + "\n")
    return int(code) or int(not collector.rows)


if __name__ == "__main__":
    sys.exit(main())
