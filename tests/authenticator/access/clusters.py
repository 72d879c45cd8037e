"""Clusters and mappings for tests, made of as few words as can be."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from authenticator.access.objects import read_rbac
from authenticator.access.principals import entrants
from authenticator.access.report import Report
from authenticator.mapping.documents import read_file
from authenticator.mapping.guards import Guard
from authenticator.mapping.sections import Section, SectionReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_VERSION = "rbac.authorization.k8s.io/v1"
Object = dict[str, Any]


def rule(
    verbs: str, resources: str = "", groups: str = "", names: str = "", paths: str = ""
) -> Object:
    """A rule of words that are split at spaces; without groups it is of the core group."""
    made: Object = {"verbs": verbs.split()}
    if paths:
        return made | {"nonResourceURLs": paths.split()}
    made |= {"apiGroups": groups.split() or [""], "resources": resources.split()}
    return made | ({"resourceNames": names.split()} if names else {})


def role(name: str, *rules: Object, namespace: str = "", **more: Any) -> Object:
    """A Role, or a ClusterRole without namespace."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    metadata |= {"labels": more.pop("labels")} if "labels" in more else {}
    kind = "Role" if namespace else "ClusterRole"
    return {
        "apiVersion": _VERSION,
        "kind": kind,
        "metadata": metadata,
        "rules": list(rules),
        **more,
    }


def binding(name: str, role_name: str, *subjects: str, namespace: str = "", of: str = "") -> Object:
    """A binding of a role (`of` says its kind) to subjects like `Group/admins`."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    kind = of or ("Role" if namespace else "ClusterRole")
    split = [subject.split("/", 1) for subject in subjects]
    group = _VERSION.partition("/")[0]
    return {
        "apiVersion": _VERSION,
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": group, "kind": kind, "name": role_name},
        "subjects": [{"kind": kind, "name": name, "apiGroup": group} for kind, name in split],
    }


def mapped(name: str, username: str, *groups: str, **more: str) -> Object:
    """An entry of mapRoles for a role of this name."""
    arn = f"arn:aws:iam::111122223333:role/{name}"
    return {"rolearn": arn, "username": username, "groups": list(groups), **more}


def sections(
    roles: Sequence[Object] = (), users: Sequence[Object] = (), accounts: Sequence[str] = ()
) -> list[Section]:
    """What is read of a mapping file."""
    content = {"mapRoles": list(roles), "mapUsers": list(users), "mapAccounts": list(accounts)}
    return list(read_file(json.dumps(content).encode(), SectionReader("test", Guard())))


def report(objects: Iterable[Object], mappings: Sequence[Section]) -> Report:
    """The report of a cluster."""
    return Report(read_rbac(objects), entrants(mappings, time.time()))
