"""The access entries of an EKS cluster as one document: each principal is an entry.

The access policy AmazonEKSClusterAdminPolicy for the whole cluster counts as the group
system:masters, which EKS refuses in entries: both may do everything. It is read and written so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from authenticator.aws.arns import PrincipalArn, PrincipalKind
from authenticator.editing.documents import Updates
from authenticator.editing.edits import EditError
from authenticator.editing.entry import ACCESS_POLICIES, EKS_KEYS, ENTRY_TYPE, MappingEntry, Value
from authenticator.editing.formats import eks_types
from authenticator.editing.formats.access_entries_writer import fields_of, refusal
from authenticator.editing.formats.checking import Usable
from authenticator.editing.formats.conversion import Note
from authenticator.editing.formats.eks_policies import CLUSTER_ADMIN, Policy, rank
from authenticator.editing.formats.withholding import sift
from authenticator.editing.located import Located, reader
from authenticator.editing.objects import as_text
from authenticator.mapping.rules import MASTERS
from authenticator.mapping.sections import MAP_ROLES, MAP_USERS, Section

_ADMIN = Policy(CLUSTER_ADMIN)
_KEYS = {MAP_ROLES: "rolearn", MAP_USERS: "userarn"}
# The keys of an object, as EKS has them, in the order in which they are written.
_TYPE, _USERNAME, _GROUPS, _POLICIES, _TAGS = (
    "type",
    "username",
    "kubernetesGroups",
    "accessPolicies",
    "tags",
)
_FIELDS = (_TYPE, _USERNAME, _GROUPS, _POLICIES, _TAGS)


@dataclass(frozen=True)
class AccessEntries:
    """All access entries of a cluster.

    Attributes:
        objects: by the principal's ARN, each with `type` and, where they are not empty,
            `username` and `kubernetesGroups` (which EKS sets for types of nodes, so that they are
            left out), `accessPolicies` (`policyArn` and `accessScope`, sorted) and `tags`.
    """

    objects: Mapping[str, Mapping[str, Any]]

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> AccessEntries:
        """Return the document with these `texts`.

        Raises:
            ValueError: they are not of such a document.
        """
        return cls({arn: _parsed(arn, text) for arn, text in texts.items()})

    @property
    def texts(self) -> Mapping[str, str]:
        """Each access entry as JSON, by the ARN of its principal."""
        return self._texts

    def sections(self) -> tuple[Section, ...]:
        """Give the rights as EKS grants them; see `authenticator.editing.documents.Document`."""
        return self._sections

    def entries(self) -> tuple[Located, ...]:
        """The entries by ARN; see `Document`."""
        return self._entries

    def edited(
        self,
        *,
        updates: Updates = (),
        removals: Sequence[Located] = (),
        additions: Sequence[MappingEntry] = (),
    ) -> AccessEntries:
        """The document after changes; see `Document`."""
        objects = dict(self.objects)
        for located in removals:
            del objects[located.id]
        for located, fields in updates:
            objects[located.id] = self._updated(located.id, fields)
        for entry in additions:
            arn, made = _made(entry)
            if arn in objects:
                raise EditError(f"{arn} has an access entry already; EKS allows one for each")
            objects[arn] = made
        return replace(self, objects=objects)

    def _updated(self, arn: str, fields: Mapping[str, Value | None]) -> dict[str, Any]:
        before = self.objects[arn]
        entry = _entry(arn, before)
        merged = {**entry.fields, **{key.lower(): value for key, value in fields.items()}}
        given = {key: value for key, value in merged.items() if value is not None}
        _, made = _made(MappingEntry(entry.section, given))
        if made[_TYPE] != before[_TYPE]:
            raise EditError(
                f"{arn}: EKS cannot change the type of an access entry from {before[_TYPE]} to"
                f" {made[_TYPE]}; remove the entry and add it again"
            )
        return {**made, **({_TAGS: before[_TAGS]} if before.get(_TAGS) else {})}

    @cached_property
    def _texts(self) -> Mapping[str, str]:
        return {arn: as_text(self.objects[arn]) for arn in sorted(self.objects)}

    @cached_property
    def _entries(self) -> tuple[Located, ...]:
        return tuple(
            Located(arn, (arn, -1), 0, _entry(arn, self.objects[arn]))
            for arn in sorted(self.objects, key=_order)
        )

    @cached_property
    def _sections(self) -> tuple[Section, ...]:
        identity = reader("EKS").identity
        return tuple(identity(located.id, _spec(located.entry)) for located in self._entries)


def portable(entries: Iterable[MappingEntry]) -> tuple[list[MappingEntry], list[Note]]:
    """Return the entries that an access entry can hold, and notes about the others."""
    kept, notes = sift(entries, _impossible)
    return [usable.entry for usable in kept], notes


def without_eks_keys(entries: Iterable[MappingEntry]) -> tuple[list[MappingEntry], list[Note]]:
    """Return entries as other sources know them, and notes about what only EKS has."""
    plain: list[MappingEntry] = []
    notes: list[Note] = []
    for entry in entries:
        fields = {key: value for key, value in entry.fields.items() if key not in EKS_KEYS}
        plain.append(replace(entry, fields=fields))
        if policies := entry.fields.get(ACCESS_POLICIES):
            text = f"its access policies are not carried over: {' '.join(policies)}"
            notes.append(Note(entry.principal, text))
    return plain, notes


def _impossible(usable: Usable) -> str:
    try:
        _made(usable.entry)
    except EditError as error:
        return str(error).removeprefix(f"{usable.entry.principal}: ")
    return ""


def normal(entry: Mapping[str, Any], policies: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return an object of `AccessEntries`.

    Args:
        entry: what DescribeAccessEntry says.
        policies: what ListAssociatedAccessPolicies says.
    """
    kind = str(entry.get(_TYPE) or eks_types.STANDARD)
    found: dict[str, Any] = {_TYPE: kind}
    if eks_types.grants(kind) is None:
        found[_USERNAME] = entry.get(_USERNAME, "")
        found[_GROUPS] = list(entry.get(_GROUPS) or ())
    found[_POLICIES] = sorted(map(_association, policies), key=lambda one: one["policyArn"])
    found[_TAGS] = dict(sorted((entry.get(_TAGS) or {}).items()))
    return {key: value for key, value in found.items() if value}


def least_first(associations: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Sort `accessPolicies` of an object by what they grant, the least first."""
    return sorted(associations, key=lambda one: rank(_policy(one)))


def _association(found: Mapping[str, Any]) -> dict[str, Any]:
    scope = found.get("accessScope") or {}
    names = sorted(scope.get("namespaces") or ())
    known = {"type": scope.get("type", ""), **({"namespaces": names} if names else {})}
    return {"policyArn": str(found.get("policyArn", "")), "accessScope": known}


def _policy(association: Mapping[str, Any]) -> Policy:
    scope = association["accessScope"]
    names = tuple(scope.get("namespaces", ()))
    if scope["type"] != "cluster":
        # A scope without the word "cluster" is never taken for the whole cluster.
        names = names or ("(none)",)
    return Policy(association["policyArn"].rpartition("/")[2], names)


def _parsed(arn: str, text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict) or not value.keys() <= set(_FIELDS):
        raise ValueError(f"{arn}: an access entry has the keys {', '.join(_FIELDS)}, and no others")
    groups, policies, tags = (value.get(key) or [] for key in (_GROUPS, _POLICIES, _TAGS))
    is_known = (
        all(isinstance(value.get(key, ""), str) for key in (_TYPE, _USERNAME))
        and _are_texts(groups)
        and isinstance(policies, list)
        and all(map(_is_association, policies))
        and (not tags or (isinstance(tags, dict) and _are_texts([*tags, *tags.values()])))
    )
    if not is_known:
        raise ValueError(f"{arn}: a value of the access entry is of the wrong kind")
    return normal(value, policies)


def _is_association(value: object) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("accessScope"), dict):
        return False
    scope = value["accessScope"]
    texts = [value.get("policyArn"), scope.get("type")]
    return _are_texts(texts) and _are_texts(scope.get("namespaces", []))


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _order(arn: str) -> tuple[bool, str]:
    return _section(arn) == MAP_USERS, arn


def _section(arn: str) -> str:
    try:
        is_role = PrincipalArn.parse(arn).kind is PrincipalKind.ROLE
    except ValueError:
        is_role = True
    return MAP_ROLES if is_role else MAP_USERS


def _entry(arn: str, obj: Mapping[str, Any]) -> MappingEntry:
    section = _section(arn)
    username, known_groups = eks_types.grants(obj[_TYPE]) or (obj.get(_USERNAME, ""), ())
    policies = [_policy(found) for found in obj.get(_POLICIES, ())]
    groups = [*known_groups, *obj.get(_GROUPS, ()), *([MASTERS] if _ADMIN in policies else [])]
    others = [policy.written for policy in policies if policy != _ADMIN]
    fields: dict[str, Value] = {_KEYS[section]: arn, "username": username}
    if groups:
        fields["groups"] = groups
    if obj[_TYPE] != eks_types.STANDARD:
        fields[ENTRY_TYPE] = str(obj[_TYPE])
    if others:
        fields[ACCESS_POLICIES] = others
    return MappingEntry(section, fields)


def _spec(entry: MappingEntry) -> dict[str, Value]:
    """Return the entry as the server's reader knows it."""
    fields = {key: value for key, value in entry.fields.items() if key in ("username", "groups")}
    return {"arn": entry.principal, **fields}


def _made(entry: MappingEntry) -> tuple[str, dict[str, Any]]:
    """Return the principal's ARN and the object for an entry; EditError if EKS has no form for it.

    A username is what `mappings export --format access-entries` writes.
    """
    fields = {key.lower(): value for key, value in entry.fields.items()}
    kind, policies = fields.pop(ENTRY_TYPE, ""), fields.pop(ACCESS_POLICIES, [])
    groups = fields.get("groups", [])
    listed = [groups] if isinstance(groups, str) else list(groups)
    is_admin = MASTERS in listed
    fields["groups"] = [name for name in listed if name != MASTERS]
    known = eks_types.grants(str(kind))
    if known is not None:
        _refuse_names(entry.principal, str(kind), fields, known)
        # Only the principal and the end are left to check.
        fields = {**fields, "username": "", "groups": []}
    kept, notes = sift([MappingEntry(entry.section, fields)], refusal)
    for note in notes:
        if note.left_out:
            raise EditError(f"{note.subject or entry.principal}: {note.text}")
    (usable,) = kept
    made = fields_of(usable)
    arn = str(made.pop("principalArn"))
    if known is not None:
        made = {_TYPE: kind}
    elif kind and kind != made[_TYPE]:
        raise EditError(f"{arn}: the type {kind} is not known; use 'aws eks' for such an entry")
    partition = PrincipalArn.parse(arn).partition
    texts = policies if isinstance(policies, list) else [str(policies)]
    wanted = [_associated(text, partition) for text in [*texts, *([CLUSTER_ADMIN] * is_admin)]]
    _check_policies(arn, str(made[_TYPE]), wanted)
    return arn, normal(made, {one["policyArn"]: one for one in wanted}.values())


def _refuse_names(
    principal: str, kind: str, fields: Mapping[str, Value], known: tuple[str, tuple[str, ...]]
) -> None:
    username, groups = fields.get("username"), fields.get("groups")
    given = (username or known[0], set(groups or known[1]))
    if given != (known[0], set(known[1])):
        raise EditError(
            f"{principal}: EKS sets the username and the groups of type {kind}; leave out"
            " --username and --groups"
        )


def _associated(text: str, partition: str) -> dict[str, Any]:
    name, equals, names = text.partition("=")
    namespaces = [part.strip() for part in names.split(",") if part.strip()]
    name = name.strip().rpartition("/")[2]
    if not name or (equals and not namespaces):
        raise EditError(f"{text!r} is not an access policy; write NAME or NAME=NAMESPACE,NAMESPACE")
    scope = {"type": "namespace", "namespaces": namespaces} if equals else {"type": "cluster"}
    arn = f"arn:{partition}:eks::aws:cluster-access-policy/{name}"
    return _association({"policyArn": arn, "accessScope": scope})


def _check_policies(arn: str, kind: str, wanted: Sequence[Mapping[str, Any]]) -> None:
    names = [one["policyArn"] for one in wanted]
    if wanted and kind not in eks_types.WITH_POLICIES:
        raise EditError(f"{arn}: EKS allows no access policies for entries of type {kind}")
    # The group system:masters and its policy may both be given.
    if len(set(map(json.dumps, wanted))) != len(set(names)):
        raise EditError(f"{arn}: an access policy is there with two scopes; EKS allows one")
