"""The verbs `mappings list`, `get`, `diff` and `history`, which write nothing."""

from __future__ import annotations

import time

import click

from authenticator.admin.mappings.edit import complaining, show_diff
from authenticator.admin.mappings.group import group
from authenticator.admin.mappings.show import show_history, show_listing, show_rows
from authenticator.admin.mappings.wanted import applying, wanted_from, wanted_options
from authenticator.admin.mappings.where import Where, where_options
from authenticator.admin.tables import JSON, NAME, WIDE, YAML, output_option
from authenticator.editing.diffs import diff
from authenticator.editing.listing import listing
from authenticator.editing.principals import matching

_output = output_option(WIDE, NAME, JSON, YAML)
# Neither an error (1) nor a usage error (2).
_DIFFERENT = 3


@group.command("list", help="List all entries as the server reads them.")
@where_options
@_output
@complaining
def _list(where: Where, output: str) -> int:
    store, now = where.store(), time.time()
    show_listing(store.title, listing(store.read().document, now), output, now)
    return 0


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
    after = applying(wanted_from(filename), prune=prune)(before)
    difference = diff(before.texts, after.texts)
    show_diff(difference)
    return _DIFFERENT if difference else 0


@group.command("history", help="List the edits that can be rolled back, newest first.")
@where_options
@_output
@complaining
def _history(where: Where, output: str) -> int:
    show_history(where.store().history().versions, output, time.time())
    return 0
