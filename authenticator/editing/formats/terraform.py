"""Values for the aws-auth part of the Terraform module terraform-aws-modules/eks.

`*.tfvars.json` and the output of `terraform output -json` are read. HCL (`terraform.tfvars`) is
written only, since Terraform alone can evaluate it. The variables are `aws_auth_roles`,
`aws_auth_users` and `aws_auth_accounts`; before version 18 of the module they were `map_roles`,
`map_users` and `map_accounts`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import NoReturn

from authenticator.editing.entry import MappingEntry
from authenticator.editing.formats import hcl
from authenticator.editing.formats.aws_auth import entry_of
from authenticator.editing.formats.checking import Usable
from authenticator.editing.formats.conversion import Conversion, Export, Options
from authenticator.editing.formats.plain import plain_refusal, remarks
from authenticator.editing.formats.texts import as_fields, as_items
from authenticator.editing.formats.withholding import checked, sift
from authenticator.editing.writing import as_json
from authenticator.mapping.nodes import DocumentError, Fields, Node
from authenticator.mapping.sections import MAP_ACCOUNTS, MAP_ROLES, MAP_USERS

_VARIABLES = {
    "aws_auth_roles": MAP_ROLES,
    "aws_auth_users": MAP_USERS,
    "aws_auth_accounts": MAP_ACCOUNTS,
}
_OLD_NAMES = {
    "map_roles": MAP_ROLES,
    "map_users": MAP_USERS,
    "map_accounts": MAP_ACCOUNTS,
}
_SECTIONS = {**_VARIABLES, **_OLD_NAMES}
_ASSIGNMENT = re.compile(rf"^[ \t]*\"?(?:{'|'.join(_SECTIONS)})\"?\s*=", re.MULTILINE)


def is_hcl(text: str) -> bool:
    """Whether a text sets one of the variables in HCL."""
    return _ASSIGNMENT.search(text) is not None


def refuse_hcl(text: str) -> NoReturn:
    """Refuse a text in HCL.

    Raises:
        DocumentError: always.
    """
    found = _ASSIGNMENT.search(text)
    raise DocumentError(
        "HCL cannot be read, since only Terraform can evaluate it; give the output of"
        " `terraform output -json`, or a .tfvars.json file",
        text.count("\n", 0, found.start()) + 1 if found else 0,
    )


def recognises(nodes: tuple[Node, ...]) -> bool:
    """Whether it has one of the variables."""
    first = nodes[0]
    return isinstance(first, Fields) and not _SECTIONS.keys().isdisjoint(first.values)


def read(nodes: tuple[Node, ...], _: Options) -> Conversion:
    """Read the variables; others in the file are nobody's mapping and are passed over.

    Raises:
        DocumentError: none of them is there, or one is no list.
    """
    entries: list[MappingEntry] = []
    sections: set[str] = set()
    for node in nodes:
        variables = as_fields(node, "a file of variables").values
        if _SECTIONS.keys().isdisjoint(variables):
            raise DocumentError(f"it sets none of {', '.join(_VARIABLES)}", node.line)
        for name, section in _SECTIONS.items():
            items = as_items(_value(variables.get(name)), name)
            entries += [entry_of(section, item) for item in items]
            sections.update([section] if name in variables else [])
    empty = sections.difference(entry.section for entry in entries)
    return replace(checked(entries), empty=frozenset(empty))


def write_hcl(entries: Iterable[MappingEntry], _: Options) -> Export:
    """Write a `terraform.tfvars`."""
    kept, notes = sift(entries, plain_refusal)
    lines = [f"{name} = {hcl.written(value)}\n" for name, value in _variables(kept).items()]
    return Export("\n".join(lines), (*notes, *remarks(kept)))


def write_json(entries: Iterable[MappingEntry], _: Options) -> Export:
    """Write a `terraform.tfvars.json`."""
    kept, notes = sift(entries, plain_refusal)
    text = as_json(_variables(kept), 2)
    return Export(f"{text}\n", (*notes, *remarks(kept)))


def _value(node: Node | None) -> Node | None:
    """A variable's value; `terraform output -json` wraps it."""
    if isinstance(node, Fields) and {"sensitive", "value"} <= node.values.keys():
        return node.values["value"]
    return node


def _variables(usables: list[Usable]) -> dict[str, list[object]]:
    found: dict[str, list[object]] = {name: [] for name in _VARIABLES}
    for usable in usables:
        name = next(n for n, section in _VARIABLES.items() if section == usable.entry.section)
        found[name].append(usable.account_id if usable.account else _item(usable))
    return found


def _item(usable: Usable) -> dict[str, object]:
    key = "rolearn" if usable.entry.section == MAP_ROLES else "userarn"
    # Terraform wants all items of a list to have the same keys.
    return {
        key: usable.text(key),
        "username": usable.text("username") or "{{CanonicalARN}}",
        "groups": usable.groups,
    }
