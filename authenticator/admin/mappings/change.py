"""The verbs `mappings add`, `update`, `remove`, `apply` and `rollback`, which write."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click

from authenticator.admin.mappings.edit import Manner, complaining, edit, manner_options, tell_end
from authenticator.admin.mappings.fields import (
    eks_fields,
    field_options,
    fields,
    role_entry,
    role_options,
    split,
    type_option,
    until,
    user_entry,
)
from authenticator.admin.mappings.group import AliasedVerbs, group
from authenticator.admin.mappings.wanted import applying, wanted_from, wanted_options
from authenticator.admin.mappings.where import EKS, Where, where_options
from authenticator.admin.stores.base import Store
from authenticator.editing.desired import added
from authenticator.editing.documents import Document
from authenticator.editing.edits import EditError
from authenticator.editing.entry import ACCOUNT, MappingEntry, Value
from authenticator.editing.located import Located
from authenticator.editing.principals import Chosen
from authenticator.errors import ConfigError
from authenticator.mapping.sections import MAP_ACCOUNTS


def add_entry(store: Store, entry: MappingEntry, manner: Manner) -> int:
    """Add an entry and return the exit code; `edit` says what it raises."""
    words = f"add {entry.principal}{until(entry.fields)}"
    tell_end(entry.fields)
    return edit(store, lambda document: added(document, entry), words, manner)


class _Adding(AliasedVerbs):
    """The verbs `add role`, `add user` and `add account`, of which an ARN or id chooses one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; `add ARN` and `add ACCOUNT` are understood."""
        if args and args[0].startswith("arn:"):
            is_user = not args[0].split(":", 5)[-1].startswith(("role/", "assumed-role/"))
            args = ["user" if is_user else "role", *args]
        elif args and args[0].isdigit():
            args = ["account", *args]
        return super().resolve_command(ctx, args)


_add = _Adding(
    "add",
    help="Add an entry. It is an error if there is one for the same.\n\n"
    "'add ARN' is 'add role ARN' or 'add user ARN', and 'add ACCOUNT' is 'add account ACCOUNT'.",
)
group.add_command(_add)


@_add.command("role", help="Add a role, or a permission set of IAM Identity Center.")
@role_options
@type_option
@field_options
@where_options
@manner_options
@complaining
def _role(
    where: Where,
    *,
    arn: str | None,
    rolearn: str | None,
    sso: str | None,
    kind: str | None,
    manner: Manner,
    **given: Any,
) -> int:
    new = fields(**given)
    eks_fields(where, new, kind)
    entry = role_entry(arn, rolearn, sso, new)
    return add_entry(where.store(), entry, manner)


@_add.command("user", help="Add an IAM user or a federated user.")
@click.argument("arn", metavar="[ARN]", required=False)
@click.option("--userarn", metavar="ARN", help="The same as ARN: the user.")
@field_options
@where_options
@manner_options
@complaining
def _user(
    where: Where, *, arn: str | None, userarn: str | None, manner: Manner, **given: Any
) -> int:
    new = fields(**given)
    eks_fields(where, new)
    return add_entry(where.store(), user_entry(arn, userarn, new), manner)


@_add.command("account", help="Add all of an account, each as their ARN and without groups.")
@click.argument("account")
@where_options
@manner_options
@complaining
def _account(where: Where, *, account: str, manner: Manner) -> int:
    entry = MappingEntry(MAP_ACCOUNTS, {ACCOUNT: account})
    return add_entry(where.store(), entry, manner)


@group.command(
    "update",
    help="Change fields of one entry: that for an ARN, or one like mapRoles[2].\n\n"
    "An empty value takes the field out: --expires ''.",
)
@click.argument("entry")
@field_options
@click.option("--add-group", multiple=True, metavar="NAME", help="Add a group. Repeatable.")
@click.option("--remove-group", multiple=True, metavar="NAME", help="Remove one. Repeatable.")
@where_options
@manner_options
@complaining
def _update(
    where: Where,
    *,
    entry: str,
    add_group: tuple[str, ...],
    remove_group: tuple[str, ...],
    manner: Manner,
    **given: Any,
) -> int:
    new = fields(**given)
    eks_fields(where, new)
    if not (new or add_group or remove_group):
        raise click.UsageError("say what to change: --username, --groups, --add-group, ...")
    if "groups" in new and (add_group or remove_group):
        raise click.UsageError("give either --groups or --add-group and --remove-group")

    chosen = Chosen([entry])

    def change(document: Document) -> Document:
        (located,) = chosen.find(document, applying_at=time.time())
        regrouped = _regrouped(located, add_group, remove_group)
        return document.edited(updates=[(located, {**new, **regrouped})])

    tell_end(new)
    return edit(where.store(), change, f"update {entry}{until(new)}", manner)


@group.command(
    "remove",
    help="Remove entries: those for an ARN or an account, or mapRoles[2]. Other names: delete, rm.",
)
@click.argument("entry", nargs=-1, required=True)
@where_options
@manner_options
@complaining
def _remove(where: Where, *, entry: tuple[str, ...], manner: Manner) -> int:
    chosen = Chosen(entry)

    def change(document: Document) -> Document:
        return document.edited(removals=chosen.find(document))

    words = f"remove {', '.join(entry)}"
    return edit(where.store(), change, words, manner)


@group.command(
    "apply",
    help="Create or update mappings from a file: add what is missing, change what differs.",
)
@wanted_options
@where_options
@manner_options
@complaining
def _apply(where: Where, *, filename: str, prune: bool, manner: Manner) -> int:
    wanted = wanted_from(filename, for_eks=where.source == EKS)
    count = len(wanted.entries)
    words = f"apply {count} {'entry' if count == 1 else 'entries'}{' and prune' if prune else ''}"
    return edit(where.store(), applying(wanted, prune=prune), words, manner)


@group.command(
    "rollback",
    help="Restore the mappings to their state before an edit (default: the last one).",
)
@click.argument("version", metavar="[EDIT]", type=int, required=False)
@where_options
@manner_options
@complaining
def _rollback(where: Where, *, version: int | None, manner: Manner) -> int:
    store = where.store()
    chosen = store.history().find(version)
    if chosen is None:
        name = "no edit" if version is None else f"no edit {version}"
        raise ConfigError((f"{store.title}: {name} is in the history ('mappings history')",))
    undone: list[Mapping[str, str]] = []

    def change(document: Document) -> Document:
        undone.append(document.texts)
        if undone[0] != document.texts:
            raise EditError(
                f"{store.title}: another edit has been made since, which this would undo;"
                " look again with 'mappings history'"
            )
        return store.restored(chosen.texts)

    words = f"roll back to before edit {chosen.number}"
    return edit(store, change, words, manner, restoring=True)


def _regrouped(
    located: Located, added_groups: tuple[str, ...], removed_groups: tuple[str, ...]
) -> dict[str, Value | None]:
    if not (added_groups or removed_groups):
        return {}
    old = located.entry.fields.get("groups", [])
    now = [old] if isinstance(old, str) else list(old)
    gone, new = split(removed_groups), split(added_groups)
    return {"groups": [name for name in dict.fromkeys([*now, *new]) if name not in gone] or None}
