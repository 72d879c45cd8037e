"""EKS access entries as `aws eks` prints them, read into entries.

Read are the answers of `describe-access-entry` and `list-associated-access-policies`, alone, in
lists, merged into one object or one after another, and the input of `create-access-entry`.
Source: the service model of EKS (2017-11-01), and the Amazon EKS User Guide, "Create access
entries".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from authenticator.aws.arns import PrincipalArn, PrincipalKind
from authenticator.editing.entry import ACCESS_POLICIES, ENTRY_TYPE, MappingEntry, Value
from authenticator.editing.formats import eks_types
from authenticator.editing.formats.conversion import Conversion, Note, Options, entry_for
from authenticator.editing.formats.eks_policies import CLUSTER_ADMIN, Policy, granted
from authenticator.editing.formats.texts import as_fields, as_items, as_text, as_texts
from authenticator.editing.formats.withholding import checked
from authenticator.mapping.nodes import DocumentError, Fields, Items, Node, Text
from authenticator.mapping.rules import MASTERS
from authenticator.mapping.sections import MAP_ROLES, MAP_USERS

_ENTRY, _ENTRIES, _POLICIES = "accessEntry", "accessEntries", "associatedAccessPolicies"
_ARN = "principalArn"
_MARKS = frozenset({_ENTRY, _ENTRIES, _POLICIES, _ARN})
_PIN = (
    "EKS pins each entry to the unique id of its principal and does not show it; here, a role or"
    " user that is deleted and made again under its name has access again, unless you add userid"
)


@dataclass(slots=True)
class _Found:
    """What the document says of one principal."""

    entry: Fields | None = None
    policies: list[Policy] = field(default_factory=list)
    tells_policies: bool = False


def recognises(nodes: tuple[Node, ...]) -> bool:
    """Whether it looks like an answer of `aws eks`."""
    first = nodes[0]
    if isinstance(first, Items) and first.values:
        first = first.values[0]
    return isinstance(first, Fields) and not _MARKS.isdisjoint(first.values)


def read(nodes: tuple[Node, ...], options: Options) -> Conversion:
    """Read access entries and the access policies associated with them.

    Raises:
        DocumentError: it is something else, or holds nothing but the ARNs of entries.
    """
    principals: dict[str, _Found] = {}
    for node in nodes:
        for found in _objects(node):
            _take(found, principals)
    entries: list[MappingEntry] = []
    notes: list[Note] = []
    for arn, principal in principals.items():
        entries += _entries(arn, principal, options, notes)
    if options.for_eks:
        return Conversion(tuple(entries), tuple(notes))
    return checked(entries, *([Note("", _PIN)] if entries else []), *notes)


def _objects(node: Node) -> Iterator[Fields]:
    if isinstance(node, Items):
        for item in node.values:
            yield from _objects(item)
        return
    if isinstance(node, Text):
        raise DocumentError(
            "it lists the ARNs of access entries, which does not say what they grant; give the"
            " answers of `aws eks describe-access-entry` for them",
            node.line,
        )
    found = as_fields(node, "an access entry")
    if _ENTRIES in found.values:
        yield from _objects(found.values[_ENTRIES])
    else:
        yield found


def _take(found: Fields, principals: dict[str, _Found]) -> None:
    inner = found.values.get(_ENTRY)
    entry = as_fields(inner, _ENTRY) if inner else found
    arns = {as_text(part.values.get(_ARN), _ARN) for part in (found, entry)} - {""}
    if len(arns) != 1:
        raise DocumentError(
            f"an access entry must have one {_ARN}, and has {len(arns)}", found.line
        )
    arn = arns.pop()
    principal = principals.setdefault(arn, _Found())
    policies = found.values.get(_POLICIES) or entry.values.get(_POLICIES)
    principal.tells_policies |= _POLICIES in {*found.values, *entry.values}
    principal.policies += [Policy.of(item) for item in as_items(policies, _POLICIES)]
    if not inner and _POLICIES in found.values and not _says_something(entry):
        return
    if principal.entry is not None:
        raise DocumentError(f"{arn} has two access entries, which EKS does not allow", found.line)
    principal.entry = entry


def _says_something(entry: Fields) -> bool:
    """Whether it is more than the answer of `list-associated-access-policies`."""
    return not {"type", "username", "kubernetesGroups", "accessEntryArn"}.isdisjoint(entry.values)


def _entries(
    arn: str, found: _Found, options: Options, notes: list[Note]
) -> tuple[MappingEntry, ...]:
    try:
        return (_entry(arn, found, options, notes),)
    except ValueError as error:
        notes.append(Note(arn, str(error), left_out=True))
        return ()


def _entry(arn: str, found: _Found, options: Options, notes: list[Note]) -> MappingEntry:
    if found.entry is None:
        raise ValueError(
            "only its access policies are there; add the answer of describe-access-entry"
        )
    fields = found.entry
    principal = PrincipalArn.parse(arn)
    kind = as_text(fields.values.get("type"), "type") or eks_types.STANDARD
    tags = fields.values.get("tags")
    if isinstance(tags, Fields) and tags.values:
        notes.append(Note(arn, "its tags are not carried over"))
    if options.for_eks:
        return _eks_entry(principal, kind, fields.values, found)
    if kind != eks_types.STANDARD:
        return _node_entry(arn, kind, notes)
    groups = as_texts(fields.values.get("kubernetesGroups"), "kubernetesGroups")
    if any("{{" in group for group in groups):
        raise ValueError("a group with {{ is only a name in EKS, and would be filled in here")
    for policy in found.policies:
        group, remark = granted(policy, options)
        groups += [group] if group else []
        notes.append(Note(arn, remark))
    username = as_text(fields.values.get("username"), "username") or _default(principal)
    if principal.kind is PrincipalKind.ROLE:
        return entry_for(MAP_ROLES, rolearn=arn, username=username, groups=groups)
    return entry_for(MAP_USERS, userarn=arn, username=username, groups=groups)


def _eks_entry(
    principal: PrincipalArn, kind: str, values: Mapping[str, Node], found: _Found
) -> MappingEntry:
    """Return the entry as EKS has it; policies that the document does not tell of stay as they are.

    `AccessEntries` checks it, since EKS has other rules than the server.
    """
    others = [policy for policy in found.policies if policy != Policy(CLUSTER_ADMIN)]
    masters = [MASTERS] * (len(others) < len(found.policies))
    fields: dict[str, Value] = {}
    kind = kind.upper()  # EKS's own documentation varies it
    if known := eks_types.grants(kind):
        fields = {"username": known[0], "groups": [*known[1], *masters], ENTRY_TYPE: kind}
    else:
        groups = as_texts(values.get("kubernetesGroups"), "kubernetesGroups")
        username = as_text(values.get("username"), "username") or _default(principal)
        fields = {"username": username, "groups": [*groups, *masters]}
        if kind != eks_types.STANDARD:
            fields[ENTRY_TYPE] = kind
    if found.tells_policies:
        fields[ACCESS_POLICIES] = [policy.written for policy in others]
    section = MAP_ROLES if principal.kind is PrincipalKind.ROLE else MAP_USERS
    key = "rolearn" if section == MAP_ROLES else "userarn"
    return MappingEntry(section, {key: str(principal), **fields})


def _node_entry(arn: str, kind: str, notes: list[Note]) -> MappingEntry:
    known = eks_types.by_name(kind)
    if known is None:
        raise ValueError(
            f"entries of type {kind} work in EKS only; if its nodes are to join this cluster, map"
            " the role by hand"
        )
    if known.chosen_by_caller:
        remark = f"of type {known.name}: whoever may assume the role chooses which node they are"
        notes.append(Note(arn, remark))
    return entry_for(MAP_ROLES, rolearn=arn, username=known.username, groups=list(known.groups))


def _default(principal: PrincipalArn) -> str:
    """The username that EKS sets where none is given."""
    if principal.kind is not PrincipalKind.ROLE:
        return str(principal)
    head = f"arn:{principal.partition}:sts::{principal.account_id}"
    return f"{head}:assumed-role/{principal.name}/{{{{SessionName}}}}"
