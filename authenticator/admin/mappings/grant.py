"""The verb `mappings grant`: a group for a while."""

from __future__ import annotations

import time

import click

from authenticator.admin import in_force
from authenticator.admin.mappings.edit import Manner, complaining, edit, manner_options, tell_end
from authenticator.admin.mappings.fields import When, groups_option, split
from authenticator.admin.mappings.group import group
from authenticator.admin.mappings.where import CONFIG_MAP, EKS, OBJECTS, Where, where_options
from authenticator.editing.documents import Document
from authenticator.editing.edits import EditError
from authenticator.editing.grants import Grant, granted, principal
from authenticator.mapping.entries import MAX_REASON
from authenticator.mapping.sections import Section
from authenticator.modes import CRD, EKS_CONFIG_MAP
from authenticator.timestamps import parse_rfc3339

_MODES = {CONFIG_MAP: EKS_CONFIG_MAP, OBJECTS: CRD}


@group.command(
    "grant",
    help="Give a principal another group for a while.\n\n"
    "An entry with its present username and groups and the new group comes before the present one,"
    " and expires. What was there before applies again then. The reason is kept in the entry, the"
    " history and the audit log.",
)
@click.argument("arn")
@groups_option
@click.option(
    "--for",
    "ends",
    type=When(),
    required=True,
    metavar="8h|7d|DATE|TIME",
    help="How long, or until when; as --expires of 'mappings add'.",
)
@click.option("--reason", required=True, metavar="TEXT", help="Why: a ticket, an incident.")
@where_options
@manner_options
@complaining
def _grant(
    where: Where, *, arn: str, groups: tuple[str, ...], ends: str, reason: str, manner: Manner
) -> int:
    if where.source == EKS:
        raise click.UsageError(
            "EKS access entries do not end by themselves, so that a grant would last; use"
            " 'mappings update --add-group', and remove the group when the time is over"
        )
    names = tuple(split(groups))
    if not names or not ends:
        raise click.UsageError("name the group and the end: --group NAME --for 2h")
    if not reason.strip() or len(reason) > MAX_REASON:
        raise click.UsageError(f"--reason must be 1 to {MAX_REASON} characters")
    try:
        grant = Grant(principal(arn), names, parse_rfc3339(ends), reason.strip())
    except ValueError as error:
        raise click.UsageError(f"{arn}: {error}") from error
    others = _others(where)
    tell_end({"expires": ends})

    def change(document: Document) -> Document:
        return granted(document, grant, others, time.time())

    words = f"grant {', '.join(names)} to {grant.arn} until {ends}: {grant.reason}"
    return edit(where.store(), change, words, manner)


def _others(where: Where) -> tuple[Section, ...]:
    """The sections of the cluster's other sources.

    Raises:
        EditError: one cannot be read.
    """
    own = _MODES.get(where.source)
    if own is None:
        return ()
    found = in_force.of_cluster_alone(where.cluster())
    states = [state for state in found.status.sources if state.name != own]
    for state in states:
        if not state.synced:
            faults = "; ".join(map(str, state.problems)) or "no answer in time"
            raise EditError(
                f"{in_force.NAMES[state.name]} cannot be read, and may decide: {faults}"
            )
    return tuple(section for state in states for section in state.sections)
