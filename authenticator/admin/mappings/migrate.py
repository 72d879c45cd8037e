"""The verb `mappings migrate`: from aws-auth to custom resources, and back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import click

from authenticator.admin.connection import connection_options
from authenticator.admin.mappings.edit import Manner, complaining, edit, manner_options, warn
from authenticator.admin.mappings.group import group
from authenticator.admin.mappings.transfer import entries_of
from authenticator.admin.mappings.wanted import tell
from authenticator.admin.mappings.where import CONFIG_MAP, OBJECTS, Where
from authenticator.admin.stores.base import Snapshot, Store
from authenticator.editing.documents import Document
from authenticator.editing.edits import EditError
from authenticator.editing.formats.checking import check
from authenticator.editing.formats.migration import Migration, plan
from authenticator.editing.lockout import Elsewhere

_READ_WITHIN_SECONDS = 15.0
_SHOWN = 10


@group.command(
    "migrate",
    help="Copy all mappings from the ConfigMap aws-auth to IAMIdentityMapping objects, or back.\n\n"
    "It is checked that every caller gets the same answer from the copy, in whichever order the"
    " server asks the two. Entries that the new place cannot hold stay where they are.",
)
@click.option("--to", type=click.Choice([OBJECTS, CONFIG_MAP]), required=True, help="Where to.")
@click.option("--remove-old", is_flag=True, help="Then remove what was copied from the old place.")
@connection_options
@manner_options
@complaining
def _migrate(
    *,
    to: str,
    remove_old: bool,
    manner: Manner,
    kubeconfig: str | None,
    context: str | None,
    master_url: str | None,
) -> int:
    to_objects = to == OBJECTS
    where = Where(CONFIG_MAP, kubeconfig, context, master_url)
    old, new = where.store(CONFIG_MAP if to_objects else OBJECTS), where.store(to)
    migration = plan(entries_of(old.read().document), to_objects=to_objects)
    tell(migration.notes)
    count = len(migration.carried)
    words = f"migrate {count} entries"
    edit(new, lambda document: _copied(document, migration), words, manner, moving=True)
    if manner.dry_run != "none":
        return 0
    _check(migration, new.read().document)
    click.echo(
        f"{count} entries of {old.title} are in {new.title} too, {len(migration.rest)} could not"
        " be copied. Every caller is answered as before."
    )
    return _remove(old, new, manner, to_objects=to_objects) if remove_old else 0


def _copied(document: Document, migration: Migration) -> Document:
    missing = migration.to_add(entries_of(document))
    copied = document.edited(additions=missing) if missing else document
    _check(migration, copied)
    return copied


def _check(migration: Migration, document: Document) -> None:
    """Refuse a copy that would change the answer to any caller."""
    if found := migration.differences(entries_of(document)):
        more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        raise EditError(
            "some callers would be answered otherwise: "
            + "; ".join([*found[:_SHOWN], *more])
            + ". Put the entries that are there already right first"
        )


def _remove(old: Store, new: Store, manner: Manner, *, to_objects: bool) -> int:
    if to_objects and not manner.force:
        _wait_until_read(new)
    elif not to_objects:
        warn(f"make sure that EKSConfigMap is in the server's backendMode: {new.title} is now all")
    # Of the two orders, the guard's answer is the same: the copy has been found equal.
    beside = Elsewhere(later=new.read().document.sections())

    def change(document: Document) -> Document:
        migration = plan(entries_of(document), to_objects=to_objects)
        _check(migration, new.read().document)
        located = document.entries()
        moved = zip(located, migration.moved([one.entry for one in located]), strict=True)
        return document.edited(removals=[one for one, gone in moved if gone])

    return edit(old, change, f"remove what is in {new.title}", replace(manner, elsewhere=beside))


def _wait_until_read(store: Store) -> None:
    """Wait for the server to say on each object that it is in force.

    Raises:
        EditError: it does not; no caller would get in by them.
    """
    end = time.monotonic() + _READ_WITHIN_SECONDS
    while unread := list(_unread(store.read())):
        if time.monotonic() > end:
            raise EditError(
                f"{unread[0]}. Nothing has been removed. Is CRD in the server's backendMode? If the"
                " server may not write the status, --force removes what was copied all the same"
            )
        time.sleep(0.5)


def _unread(snapshot: Snapshot) -> Iterator[str]:
    """Yield the reason why an object is not in force in a server, for each that is not."""
    for located in snapshot.document.entries():
        obj = snapshot.version[located.id]
        conditions = (obj.get("status") or {}).get("conditions") or ()
        seen = {found.get("type"): found for found in conditions}.get("Valid", {})
        if seen.get("observedGeneration") != obj["metadata"].get("generation"):
            yield f"no server has said of {located.id} that it is in force (its condition Valid)"
        elif seen.get("status") != "True" and check([located.entry])[0]:
            yield f"the server does not take {located.id}: {seen.get('message', '')}"
