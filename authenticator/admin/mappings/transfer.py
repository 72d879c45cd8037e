"""The verbs `mappings export` and `import`: mappings in the words of other tools."""

from __future__ import annotations

from pathlib import Path

import click

from authenticator.admin.mappings.edit import Manner, complaining, edit, manner_options
from authenticator.admin.mappings.group import group
from authenticator.admin.mappings.wanted import converted, tell
from authenticator.admin.mappings.where import EKS, OBJECTS, Where, where_options
from authenticator.editing.access_entries import portable as portable_to_eks
from authenticator.editing.access_entries import without_eks_keys
from authenticator.editing.documents import Document
from authenticator.editing.edits import EditError
from authenticator.editing.entry import MappingEntry
from authenticator.editing.formats import table
from authenticator.editing.formats.conversion import Note, Options
from authenticator.editing.formats.identity_mappings import portable
from authenticator.editing.formats.migration import additions
from authenticator.editing.objects import IdentityMappings
from authenticator.errors import ConfigError
from authenticator.mapping.nodes import DocumentError

# \b has click leave the lines as they are.
_FORMATS = "\b\n" + "\n".join(f"{known.name:<15} {known.description}" for known in table.FORMATS)
_format = click.Choice(table.NAMES)


@group.command(
    "export",
    help="Print the mappings in another format. What it cannot say is left out, with a warning;"
    " no caller gains access by it. The formats of EKS and eksctl need --cluster, and eksctl needs"
    f" --region.\n\n{_FORMATS}",
)
@click.option("--format", "name", type=_format, required=True, help="The format.")
@where_options
@complaining
def _export(where: Where, *, name: str) -> int:
    options = Options(cluster=where.eks_cluster, region=where.region)
    entries, notes = without_eks_keys(entries_of(where.store().read().document))
    try:
        export = table.named(name).write(entries, options)
    except DocumentError as error:
        raise ConfigError((str(error),)) from error
    tell([*notes, *export.notes])
    click.echo(export.text, nl=False)
    return 0


@group.command(
    "import",
    help="Add the mappings of a file in any of the formats of 'export'; - is standard input."
    " What cannot be carried over is left out, with a warning.",
)
@click.argument("filename", metavar="FILE")
@click.option("--format", "name", type=_format, default=None, help="Default: auto-detected.")
@click.option(
    "--map-admin-policy",
    is_flag=True,
    help="From EKS: make the access policy AmazonEKSClusterAdminPolicy the group system:masters.",
)
@where_options
@manner_options
@complaining
def _import(
    where: Where, *, filename: str, name: str | None, map_admin_policy: bool, manner: Manner
) -> int:
    found = converted(filename, Options(map_admin_policy=map_admin_policy), name or "")
    tell(found.notes)
    told: set[Note] = set(found.notes)

    def change(document: Document) -> Document:
        new, notes = additions(found.entries, entries_of(document))
        if where.source == OBJECTS:
            usables, more = portable(new)
            new, notes = [usable.entry for usable in usables], [*notes, *more]
        elif where.source == EKS:
            new, more = portable_to_eks(new)
            notes = [*notes, *more]
        tell(note for note in notes if note not in told)
        told.update(notes)
        return document.edited(additions=new) if new else document

    words = f"import {len(found.entries)} entries from {Path(filename).name}"
    return edit(where.store(), change, words, manner)


def entries_of(document: Document) -> list[MappingEntry]:
    """All entries of a document, of which a later one comes before an earlier one for the same.

    Raises:
        EditError: a part of it cannot be read, so that some would be missing.
    """
    for section in document.sections():
        if section.broken:
            raise EditError(
                f"{section.name} cannot be read: {section.problems[0].reason}; put that right first"
            )
    entries = [located.entry for located in document.entries()]
    # Of custom resources the first name applies.
    return entries[::-1] if isinstance(document, IdentityMappings) else entries
