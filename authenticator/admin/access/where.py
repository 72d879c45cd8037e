"""Where `access` reads from: its options, and the report that they lead to."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from authenticator.access.document import notes
from authenticator.access.objects import KINDS, read_rbac
from authenticator.access.principals import entrants
from authenticator.access.report import Report
from authenticator.admin import in_force
from authenticator.admin.access.discovery import discovered
from authenticator.admin.access.reading import (
    NO_GUARDS,
    ByMode,
    mappings_of_file,
    of_cluster,
    of_files,
    sections_of,
)
from authenticator.admin.connection import connect, connection_options
from authenticator.admin.in_force import OTHERS, SERVER_FILES
from authenticator.admin.progress import progress
from authenticator.config import load
from authenticator.display import printable
from authenticator.errors import ConfigError
from authenticator.mapping.rules import Rule
from authenticator.mapping.sections import Section
from authenticator.options import COMMAND
from authenticator.sources.cluster import ClusterError
from authenticator.sources.mappings import SourceOptions
from authenticator.sources.options import source_options

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Where:
    """Where to read from, as the flags say."""

    kubeconfig: str | None
    context: str | None
    master_url: str | None
    filename: tuple[str, ...]
    mappings: tuple[str, ...]
    config: str | None = None

    @property
    def name(self) -> str:
        """In a few words."""
        if self.filename:
            return ", ".join(self.filename)
        return self.context or self.master_url or "current context"

    def resource(self, name: str, group: str) -> tuple[str, str] | None:
        """Return plural name and API group of a resource of the cluster; None if it has none such.

        None as well without a cluster, and where it cannot be asked.
        """
        if self.filename:
            return None
        cluster = connect(self.kubeconfig, self.context, self.master_url)
        try:
            found = discovered(cluster, name, group)
        except ClusterError as error:
            note(f"the API server's resources cannot be listed: {error}")
            return None
        if found is None and group:
            note(f"the API server has no resource {name}.{group}; the answer is for this name")
        return found


def reading_options(function: F) -> Callable[..., Any]:
    """Give a command the options that say where to read from, and `where` made of them."""

    @wraps(function)
    def run(  # click passes by name
        *,
        kubeconfig: str | None,
        context: str | None,
        master_url: str | None,
        filename: tuple[str, ...],
        mappings: tuple[str, ...],
        config: str | None,
        **values: Any,
    ) -> Any:
        if config and mappings:
            raise click.UsageError("--config and --mappings exclude each other")
        where = Where(kubeconfig, context, master_url, filename, mappings, config)
        return function(where, **values)

    decorated = connection_options(run)
    for option in (
        click.option(
            "-c",
            "--config",
            metavar="FILE",
            help="The server's config file: its mappings, sources and their order,"
            " bootstrapAdministrators, break-glass file and reserved names count as well.",
        ),
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
    with progress("Reading mappings and RBAC") as say:
        options = _options(where)
        guards = options.guards if options else NO_GUARDS
        if where.filename:
            objects, found = of_files(where.filename, guards)
        else:
            cluster = connect(where.kubeconfig, where.context, where.master_url)
            objects = of_cluster(cluster, say, mappings=not where.mappings)
            found = sections_of(objects, now, guards)
        say("Joining mappings and RBAC")
        mapped = _mapped(where, found, options)
        try:
            rbac = read_rbac(objects)
        except ValueError as error:
            raise ConfigError((str(error),)) from error
        who = entrants(mapped.chain, now, mapped.administrators, mapped.break_glass)
        report = Report(rbac, who, mapped.coverage)
    if not report.principals:
        reason = "there are no mappings in what was read"
        raise ConfigError((reason, mapped.coverage))
    absent = set(KINDS) - {str(obj.get("kind")) for obj in objects}
    missing = [f"No {kind} was read; was everything exported?" for kind in sorted(absent)]
    for text in (*missing, *notes(report)):
        note(text)
    return report


@dataclass(frozen=True, slots=True)
class _Mapped:
    """The mappings of a report, in the server's order.

    Attributes:
        chain: the sections of the sources.
        coverage: what was read and what was not, in one line.
        administrators: the rules of `bootstrapAdministrators`.
        break_glass: the sections of the break-glass file.
    """

    chain: list[Section]
    coverage: str
    administrators: tuple[Rule, ...] = ()
    break_glass: tuple[Section, ...] = ()


def _options(where: Where) -> SourceOptions | None:
    if where.config is None:
        return None
    loaded = load({}, os.environ, Path(where.config), {"cluster_id": "none"})
    return source_options(loaded.settings, loaded.file)


def _mapped(where: Where, found: ByMode, options: SourceOptions | None) -> _Mapped:
    """Put together the mappings that were asked for.

    Raises:
        ConfigError: a source cannot be read, so that principals would be missing.
    """
    if where.mappings:
        chain = [section for name in where.mappings for section in mappings_of_file(name)]
        line = in_force.coverage([_counted(", ".join(where.mappings), chain)], (), (OTHERS,))
        return _Mapped(chain, line)
    if options is None:
        chain = [section for sections in found.values() for section in sections]
        read = [_counted(mode, sections) for mode, sections in found.items()]
        return _Mapped(chain, in_force.coverage(read, (), (SERVER_FILES,)))
    # The cluster's sources have been read with RBAC; these are the server's files.
    files = tuple(mode for mode in options.modes if mode not in found)
    local = in_force.of_server(replace(options, modes=files, modes_file=None), None)
    if local.unread:
        raise ConfigError(local.unread)
    by_mode = {state.name: list(state.sections) for state in local.status.sources} | found
    chain = [section for mode in options.modes for section in by_mode[mode]]
    of_objects = [_counted(mode, found[mode]) for mode in options.modes if mode in found]
    left_out = [
        f"{name} (not in the server's backendMode)"
        for mode, name in in_force.NAMES.items()
        if mode not in options.modes
    ]
    line = in_force.coverage([*local.sources, *of_objects], (), left_out)
    return _Mapped(chain, line, local.administrators, local.break_glass)


def _counted(name: str, sections: list[Section]) -> str:
    return f"{name}: {in_force.counted(sum(section.size for section in sections))}"


def note(text: str) -> None:
    """Print what a reader should know of an answer to standard error."""
    click.echo(f"{COMMAND}: note: {printable(text)}", err=True)
