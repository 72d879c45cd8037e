"""`iamIdentityMappings` of an eksctl ClusterConfig; `eksctl get iamidentitymapping -o json`.

Source: eksctl User Guide, "Manage IAM users and roles", and eksctl's schema v1alpha5.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from authenticator.editing.entry import MappingEntry
from authenticator.editing.formats.aws_auth import quoted
from authenticator.editing.formats.checking import Usable
from authenticator.editing.formats.conversion import (
    Conversion,
    Export,
    Note,
    Options,
    entry_for,
)
from authenticator.editing.formats.plain import plain_refusal, remarks
from authenticator.editing.formats.texts import as_fields, as_items, as_text, as_texts
from authenticator.editing.formats.withholding import checked, sift
from authenticator.mapping.nodes import DocumentError, Fields, Items, Node, value_of
from authenticator.mapping.sections import MAP_ACCOUNTS, MAP_ROLES, MAP_USERS
from authenticator.mapping.selectors import by_arn

_API_VERSION, _KIND, _KEY = "eksctl.io/v1alpha5", "ClusterConfig", "iamIdentityMappings"
_ARN_KEYS = ("arn", "rolearn", "userarn")
# `noDuplicateARNs` tells eksctl what to refuse, and grants nothing.
_KNOWN = frozenset({*_ARN_KEYS, "username", "groups", "account", "noduplicatearns"})


def recognises(nodes: tuple[Node, ...]) -> bool:
    """Whether it is a ClusterConfig, or a list of identity mappings."""
    first = nodes[0]
    if isinstance(first, Items) and first.values:
        item = first.values[0]
        keys = map(str.lower, item.values) if isinstance(item, Fields) else ()
        return not {*_ARN_KEYS, "account"}.isdisjoint(keys)
    return value_of(first, _KEY) is not None


def read(nodes: tuple[Node, ...], _: Options) -> Conversion:
    """Read the identity mappings.

    Raises:
        DocumentError: it is something else.
    """
    entries: list[MappingEntry] = []
    notes: list[Note] = []
    for node in nodes:
        for item in as_items(_list(node), _KEY):
            fields = _in_lower_case(as_fields(item, f"an item of {_KEY}"))
            try:
                entries.append(_entry(fields))
            except ValueError as error:
                notes.append(Note(_subject(fields), str(error), left_out=True))
    return checked(entries, *notes)


def write(entries: Iterable[MappingEntry], options: Options) -> Export:
    """Write a ClusterConfig for `eksctl create iamidentitymapping --config-file`.

    Raises:
        DocumentError: the cluster's name or Region is missing.
    """
    if not (options.cluster and options.region):
        raise DocumentError("eksctl wants to know the cluster; give --cluster and --region")
    kept, notes = sift(entries, plain_refusal)
    lines = [
        f"apiVersion: {_API_VERSION}",
        f"kind: {_KIND}",
        "metadata:",
        f"  name: {quoted(options.cluster)}",
        f"  region: {quoted(options.region)}",
        f"{_KEY}:{'' if kept else ' []'}",
    ]
    for usable in kept:
        for place, (key, value) in enumerate(_item(usable).items()):
            lines.append(f"  {'  ' if place else '- '}{key}: {quoted(value)}")
    return Export("\n".join(lines) + "\n", (*notes, *remarks(kept)))


def _list(node: Node) -> Node:
    if isinstance(node, Items):
        return node
    found = value_of(as_fields(node, "a ClusterConfig"), _KEY)
    if found is None:
        raise DocumentError(f"it has no {_KEY}", node.line)
    return found


def _in_lower_case(fields: Fields) -> Fields:
    """The same map with keys in lower case: eksctl reads them in any.

    Raises:
        DocumentError: a key stands twice.
    """
    values = {key.lower(): value for key, value in fields.values.items()}
    if len(values) < len(fields.values):
        raise DocumentError("a key stands twice in different cases; keep one", fields.line)
    return replace(fields, values=values)


def _item(usable: Usable) -> dict[str, str | list[str]]:
    if usable.account:
        return {"account": usable.account_id}
    item: dict[str, str | list[str]] = {
        "arn": usable.text("rolearn") or usable.text("userarn"),
        "username": usable.text("username") or "{{CanonicalARN}}",
    }
    return {**item, **({"groups": usable.groups} if usable.groups else {})}


def _entry(fields: Fields) -> MappingEntry:
    if "servicename" in fields.values:
        raise ValueError(
            "serviceName makes roles for a service of AWS as well; let eksctl make it, and import"
            " what `eksctl get iamidentitymapping -o json` then prints"
        )
    if unknown := sorted(fields.values.keys() - _KNOWN):
        raise ValueError(f"its key {unknown[0]!r} is unknown")
    account = as_text(fields.values.get("account"), "account")
    arns = [arn for key in _ARN_KEYS if (arn := as_text(fields.values.get(key), key))]
    if len(arns) + bool(account) != 1:
        raise ValueError("it must have either an arn or an account")
    if account:
        return entry_for(MAP_ACCOUNTS, account=account)
    username = as_text(fields.values.get("username"), "username")
    groups = as_texts(fields.values.get("groups"), "groups")
    if by_arn(arns[0]).is_role:
        return entry_for(MAP_ROLES, rolearn=arns[0], username=username, groups=groups)
    return entry_for(MAP_USERS, userarn=arns[0], username=username, groups=groups)


def _subject(fields: Fields) -> str:
    keys = (*_ARN_KEYS, "account", "servicename")
    nodes = (fields.values.get(key) for key in keys)
    found = [as_text(node, "it") for node in nodes if node is not None]
    return next(iter(found), f"an identity mapping in line {fields.line}")
