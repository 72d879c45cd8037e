"""Where `access` reads from: its options, and the report that they lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import click
from rich.console import Console

from authenticator.access.document import notes
from authenticator.access.objects import KINDS, read_rbac
from authenticator.access.principals import entrants
from authenticator.access.report import Report
from authenticator.admin.access.reading import (
    Say,
    mappings_of_file,
    of_cluster,
    of_files,
    sections_of,
)
from authenticator.admin.connection import connect, connection_options
from authenticator.display import printable
from authenticator.errors import ConfigError
from authenticator.options import COMMAND

_WITHOUT_CONFIG = (
    "The mappings of the server's config file take no part, since no cluster shows them; give the"
    " file with --mappings, and aws-auth with it if both are in use."
)
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Where:
    """Where to read from, as the flags say."""

    kubeconfig: str | None
    context: str | None
    master_url: str | None
    filename: tuple[str, ...]
    mappings: tuple[str, ...]

    @property
    def name(self) -> str:
        """In a few words."""
        if self.filename:
            return ", ".join(self.filename)
        return self.context or self.master_url or "current context"


def reading_options(function: F) -> Callable[..., Any]:
    """Give a command the options that say where to read from, and `where` made of them."""

    @wraps(function)
    def run(
        kubeconfig: str | None,
        context: str | None,
        master_url: str | None,
        filename: tuple[str, ...],
        mappings: tuple[str, ...],
        **values: Any,
    ) -> Any:
        return function(Where(kubeconfig, context, master_url, filename, mappings), **values)

    decorated = connection_options(run)
    for option in (
        click.option(
            "--mappings",
            multiple=True,
            metavar="FILE",
            help="Take the mappings from this file instead of the cluster: a mapping file, a"
            " server's config file, or objects. Repeatable; earlier ones win.",
        ),
        click.option(
            "-f",
            "--filename",
            multiple=True,
            metavar="FILE",
            help="Read what `kubectl get -o json` printed (a file, a directory, or - for standard"
            " input) and ask no cluster. Repeatable.",
        ),
    ):
        decorated = option(decorated)
    return decorated


def read_report(where: Where, now: float) -> Report:
    """Read all there is and join it; what a reader should know of its limits goes to stderr.

    Raises:
        ConfigError: something cannot be read, or there are no mappings.
    """
    with _progress() as say:
        if where.filename:
            objects, mapped = of_files(where.filename)
        else:
            cluster = connect(where.kubeconfig, where.context, where.master_url)
            objects = of_cluster(cluster, say, mappings=not where.mappings)
            mapped = sections_of(objects, now)
        say("Joining mappings and RBAC")
        if where.mappings:
            mapped = [section for name in where.mappings for section in mappings_of_file(name)]
        try:
            rbac = read_rbac(objects)
        except ValueError as error:
            raise ConfigError((str(error),)) from error
        report = Report(rbac, entrants(mapped, now))
    if not report.principals:
        reason = "there are no mappings in aws-auth or IAMIdentityMapping objects"
        raise ConfigError((f"{reason}; name files with --mappings",))
    absent = set(KINDS) - {str(obj.get("kind")) for obj in objects}
    unasked = [] if where.mappings or where.filename else [_WITHOUT_CONFIG]
    missing = [f"No {kind} was read; was everything exported?" for kind in sorted(absent)]
    for note in (*unasked, *missing, *notes(report)):
        click.echo(f"{COMMAND}: note: {printable(note)}", err=True)
    return report


@contextmanager
def _progress() -> Iterator[Say]:
    """A line on standard error that says what takes so long; nothing where nobody looks."""
    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("") as status:
        yield status.update
