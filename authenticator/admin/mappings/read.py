"""The verbs `mappings list`, `get`, `diff` and `history`, which write nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import click
from click.core import ParameterSource

from authenticator.admin.mappings import everything
from authenticator.admin.mappings.edit import complaining, show_diff
from authenticator.admin.mappings.group import group
from authenticator.admin.mappings.show import (
    show_claims,
    show_history,
    show_listing,
    show_rows,
    show_version,
    version_values,
)
from authenticator.admin.mappings.wanted import applying, wanted_from, wanted_options
from authenticator.admin.mappings.where import ALL, EKS, Where, where_options
from authenticator.admin.progress import progress
from authenticator.admin.stores.base import Store
from authenticator.admin.stores.history import History, Version
from authenticator.admin.tables import JSON, NAME, TABLE, WIDE, YAML, output_option, show_values
from authenticator.editing.diffs import diff
from authenticator.editing.listing import Listing, listing
from authenticator.editing.principals import matching
from authenticator.errors import ConfigError
from authenticator.timestamps import duration, parse_rfc3339

_output = output_option(WIDE, NAME, JSON, YAML)
_INCOMPLETE = 1
# Neither an error (1) nor a usage error (2).
_DIFFERENT = 3


class _Within(click.ParamType[float]):
    """A duration, which becomes seconds."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds; `Context.fail` if it is no duration."""
        try:
            return float(value) if isinstance(value, float) else float(duration(str(value)))
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


@group.command(
    "list",
    help="List all entries as the server reads them.\n\n"
    "--source all lists what a server has of all its sources, in the order in which it asks them,"
    " and which entries decide.",
)
@where_options
@click.option("--config", "-c", metavar="FILE", help="With --source all: the server's config file.")
@click.option("--group", "in_group", metavar="NAME", help="Only entries that grant this group.")
@click.option(
    "--expiring", type=_Within(), metavar="7d", help="Only entries that end within this time."
)
@_output
@complaining
def _list(
    where: Where,
    *,
    config: str | None,
    in_group: str | None,
    expiring: float | None,
    output: str,
) -> int:
    now = time.time()

    def wanted(groups: Iterable[str], expires: str) -> bool:
        return (in_group is None or in_group in groups) and (
            expiring is None or _ends_within(expires, now, expiring)
        )

    if where.source == ALL:
        with progress("Reading all sources"):
            found = everything.read(config, where.cluster())
        shown = [claim for claim in everything.claims(found, now) if wanted(*claim.filtered)]
        show_claims(found, shown, output, now)
        return _INCOMPLETE if found.unread else 0
    if config:
        raise click.UsageError("--config goes with --source all")
    store = where.store()
    with progress(f"Reading {store.title}"):
        listed = listing(store.read().document, now)
    rows = tuple(row for row in listed.rows if wanted(row.groups, row.expires))
    problems = listed.problems if len(rows) == len(listed.rows) else ()
    if listed.rows and not rows and output in (TABLE, WIDE):
        click.echo(f"No entry of {store.title} is chosen by these flags.")
        return 0
    show_listing(store.title, Listing(rows, problems), output, now)
    return 0


def _ends_within(expires: str, now: float, seconds: float) -> bool:
    try:
        return now < parse_rfc3339(expires) <= now + seconds
    except ValueError:
        return False


@group.command("get", help="Show the entries for an ARN or an account, or one like mapRoles[2].")
@click.argument("entry")
@where_options
@_output
@complaining
def _get(where: Where, entry: str, output: str) -> int:
    store, now = where.store(), time.time()
    document = store.read().document
    ids = {located.id for located in matching(document.entries(), entry)}
    rows = [row for row in listing(document, now).rows if row.id in ids]
    show_rows(rows, output, now)
    if not rows:
        click.echo(
            f"{store.title}: no entry names {entry}; a pattern or an account may cover it all the"
            f" same: aws-iam-authenticator explain --arn {entry}",
            err=True,
        )
    return 0 if rows else 1


@group.command(
    "diff",
    help="Show what 'apply' would change.\n\nExit code: 0 if nothing, 3 if something.",
)
@wanted_options
@where_options
@complaining
def _diff(where: Where, filename: str, prune: bool) -> int:
    before = where.store().read().document
    after = applying(wanted_from(filename, for_eks=where.source == EKS), prune=prune)(before)
    difference = diff(before.texts, after.texts)
    show_diff(difference)
    return _DIFFERENT if difference else 0


@group.group(
    "history",
    invoke_without_command=True,
    help="List the edits that can be undone, newest first; show or compare them.",
)
@where_options
@output_option(NAME, JSON, YAML)
@complaining
def _history(where: Where, output: str) -> int:
    context = click.get_current_context()
    verb = context.invoked_subcommand
    if verb is None:
        show_history(where.store().history().versions, output, time.time())
        return 0
    given = map(context.get_parameter_source, context.params)
    if ParameterSource.COMMANDLINE in given:
        raise click.UsageError(f"write the flags behind the verb: history {verb} ... --source crd")
    return 0


@_history.command(
    "show", help="Show one edit: when, who, what, how to undo it, and the difference."
)
@click.argument("edit", type=int)
@where_options
@output_option(JSON, YAML)
@complaining
def _show(where: Where, *, edit: int, output: str) -> int:
    store = where.store()
    history = store.history()
    version = _version(store, history, edit)
    after = history.find(edit + 1)
    # The next edit has kept what it found; the last edit made what is there now.
    texts = after.texts if after else store.read().document.texts
    lines = diff(version.texts, texts, ("before", "after"))
    if output in (JSON, YAML):
        show_values({**version_values(version), "diff": lines}, output)
        return 0
    show_version(version, store.flags, time.time())
    show_diff(lines)
    return 0


@_history.command(
    "diff",
    help="Show what changed from before one edit to before another; without a second one, to now."
    "\n\nExit code: 0 if nothing, 3 if something.",
)
@click.argument("edit", type=int)
@click.argument("other", type=int, required=False)
@where_options
@complaining
def _compare(where: Where, *, edit: int, other: int | None) -> int:
    store = where.store()
    history = store.history()
    before = _version(store, history, edit).texts
    if other is None:
        after, label = store.read().document.texts, "current"
    else:
        after, label = _version(store, history, other).texts, f"before edit {other}"
    lines = diff(before, after, (f"before edit {edit}", label))
    show_diff(lines)
    return _DIFFERENT if lines else 0


def _version(store: Store, history: History, number: int) -> Version:
    version = history.find(number)
    if version is None:
        raise ConfigError((f"{store.title}: no edit {number} is in 'mappings history'",))
    return version
