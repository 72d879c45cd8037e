"""How long the verbs of `mappings` take on large files, next to our earlier build."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from dev.bench import startup
from dev.bench.figures import table
from dev.bench.programs import administrators_commands
from dev.bench.progress import progress

ABOUT = (
    "The verbs as whole processes, on files; the builds take turns. The aims are 1 s for an entry "
    "added to 12,000, 1 s for the list of those, and 5 s for 500 changes of 5,000 entries."
)
_ACCOUNT = "111122223333"


class Case(NamedTuple):
    """A verb to measure.

    Attributes:
        rounds: how often to measure it: builds before the splices take minutes for many changes.
        entries: how many the file has.
        arguments: those of the verb, without `--source`.
    """

    rounds: int
    entries: int
    arguments: tuple[str, ...]


def cases(wanted: Path) -> dict[str, Case]:
    """Name what is measured; `wanted` is the file of changes."""
    new = f"arn:aws:iam::{_ACCOUNT}:role/new"
    return {
        "add an entry to 12,000": Case(
            5, 12_000, ("add", "role", "--rolearn", new, "--username", "new", "--yes")
        ),
        "list 12,000": Case(5, 12_000, ("list",)),
        "apply 500 changes to 5,000": Case(1, 5_000, ("apply", "--filename", str(wanted), "--yes")),
    }


def document(numbers: range, groups: str) -> str:
    """A file with `mapRoles`, as administrators write it."""
    return "mapRoles:\n" + "".join(
        f"- rolearn: arn:aws:iam::{_ACCOUNT}:role/team-{number:05d}\n"
        f"  username: team-{number:05d}\n"
        f"  groups:\n  - {groups}-{number % 50}\n"
        for number in numbers
    )


def results(baseline: str) -> str:
    """Measure, and write the figures as a table. Raises installs.InstallError."""
    contenders = administrators_commands(baseline)
    rows: list[tuple[str, ...]] = []
    with TemporaryDirectory() as scratch:
        wanted = Path(scratch) / "wanted.yaml"
        wanted.write_text(document(range(0, 5_000, 10), "changed"))
        for name, case in cases(wanted).items():
            progress(f"mappings: {name}")
            original, file = Path(scratch) / "original.yaml", Path(scratch) / "mappings.yaml"
            original.write_text(document(range(case.entries), "team"))
            commands = [
                startup.Command(
                    contender,
                    # Each run edits a file that no other has edited.
                    (
                        *("/bin/sh", "-c", f'cp "{original}" "{file}" && exec "$0" "$@"'),
                        *(command, "mappings", *case.arguments, f"--source=file={file}"),
                    ),
                )
                for contender, command in contenders.items()
            ]
            runs = startup.measure(
                commands, {"PATH": "/usr/bin:/bin", "HOME": scratch}, case.rounds
            )
            rows.append(
                (name, *(f"{median(run.wall for run in found):.2f}" for found in runs.values()))
            )
    return f"{ABOUT}\n\n{table(('seconds', *contenders), rows)}"
