"""Reads what `access` reports on: RBAC and mappings, of a cluster or of files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import yaml

from authenticator.access.objects import API_GROUP
from authenticator.admin.progress import Say
from authenticator.errors import ConfigError
from authenticator.mapping.documents import decoded
from authenticator.mapping.files import NAME, NAMESPACE, Held, Identity, Part, broken_in, held
from authenticator.mapping.guards import Guard
from authenticator.mapping.nodes import DocumentError
from authenticator.mapping.sections import Section, SectionReader
from authenticator.modes import CRD, EKS_CONFIG_MAP
from authenticator.sources.cluster import Cluster, ClusterError, Object
from authenticator.sources.config_map import AwsAuth
from authenticator.sources.crd_schema import API_VERSION, KIND
from authenticator.sources.custom_resources import IdentityMappings


@dataclass(frozen=True, slots=True)
class _Collection:
    version: str
    kind: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    optional: bool = False


_RBAC = tuple(
    _Collection(f"{API_GROUP}/v1", kind, f"/apis/{API_GROUP}/v1/{kind.lower()}s")
    for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
)
_MAPPINGS = (
    _Collection("v1", "ConfigMap", AwsAuth.resource.path, AwsAuth.resource.query),
    # Without its definition there are no such objects.
    _Collection(API_VERSION, KIND, IdentityMappings.resource.path, optional=True),
)
# Sections by the mode of their source.
ByMode: TypeAlias = dict[str, list[Section]]
NO_GUARDS: Mapping[str, Guard] = MappingProxyType({})
_PAGE = "500"
_FORBIDDEN, _NOT_FOUND, _GONE = 403, 404, 410
_SUFFIXES = frozenset({".json", ".yaml", ".yml"})


def of_cluster(cluster: Cluster, say: Say, *, mappings: bool) -> list[Object]:
    """Read RBAC, and the mappings if wanted, from the API server.

    Args:
        cluster: the API server.
        say: told what is being read.
        mappings: whether to read aws-auth and the IAMIdentityMapping objects.

    Raises:
        ConfigError: something cannot be read.
    """
    collections = (*_RBAC, *(_MAPPINGS if mappings else ()))
    return [obj for collection in collections for obj in _all(cluster, collection, say)]


def _all(cluster: Cluster, collection: _Collection, say: Say) -> list[Object]:
    try:
        try:
            return list(_pages(cluster, collection, say, {"limit": _PAGE}))
        except ClusterError as error:
            if error.status != _GONE:
                raise
            # The first page is too old for a next one by now: all at once, as client-go does.
            return list(_pages(cluster, collection, say, {}))
    except ClusterError as error:
        if error.status == _NOT_FOUND and collection.optional:
            return []
        raise ConfigError(
            (f"{collection.path} cannot be read: {error}{_remedy(error)}",)
        ) from error


def _remedy(error: ClusterError) -> str:
    if error.status != _FORBIDDEN:
        return ""
    return "; ask for the right to list it, or for what kubectl prints of it (--filename)"


def _pages(
    cluster: Cluster, collection: _Collection, say: Say, query: dict[str, str]
) -> Iterator[Object]:
    count = 0
    while True:
        say(f"Reading {collection.kind} objects ({count})")
        answer = cluster.request("GET", collection.path, {**collection.query, **query})
        for item in answer.get("items") or ():
            count += 1
            # In lists the API server leaves these out.
            yield {"apiVersion": collection.version, "kind": collection.kind, **item}
        token = (answer.get("metadata") or {}).get("continue")
        if not token:
            return
        query = {**query, "continue": str(token)}


def of_files(
    names: Sequence[str], guards: Mapping[str, Guard] = NO_GUARDS
) -> tuple[list[Object], ByMode]:
    """Read Kubernetes objects from files, as kubectl prints them.

    Args:
        names: JSON or YAML files, directories of them, or "-" for standard input.
        guards: by mode, what its mappings may not grant.

    Returns:
        the objects, and the mappings among them.

    Raises:
        ConfigError: one cannot be read, or holds something else.
    """
    contents = [(path, _content(path)) for name in names for path in _files(name)]
    objects = [
        obj for path, content in contents for obj in _objects(path, _documents(path, content))
    ]
    parts = [part for path, content in contents for part in _held(path, content).parts]
    found: dict[str, list[Section]] = {EKS_CONFIG_MAP: [], CRD: []}
    for part in map(_as_of_server, parts):
        mode = CRD if isinstance(part, Identity) else EKS_CONFIG_MAP
        found[mode] += _sections([part], "", guards.get(mode, Guard()))
    return objects, found


def _as_of_server(part: Part) -> Part:
    """A part as an API server would give it: lines of what kubectl printed mean nothing."""
    if isinstance(part, Identity):
        return replace(part, spec=replace(part.spec, line=0))
    return part


def _files(name: str) -> list[str]:
    path = Path(name)
    if name == "-" or not path.is_dir():
        return [name]
    found = sorted(str(file) for file in path.rglob("*") if file.suffix in _SUFFIXES)
    if not found:
        raise ConfigError((f"{name}: no .json or .yaml file is in it",))
    return found


def _content(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise ConfigError((f"{name}: it cannot be read: {error.strerror}",)) from error


def _objects(name: str, documents: Sequence[Any]) -> Iterator[Object]:
    for document in documents:
        if not isinstance(document, dict) or "kind" not in document:
            raise ConfigError((f"{name}: it holds something else than Kubernetes objects",))
        # `kubectl get` prints a List; `kubectl get --raw` a ClusterRoleList of items without kind.
        if not isinstance(document.get("items"), list):
            yield document
            continue
        kind = str(document["kind"]).removesuffix("List")
        version = str(document.get("apiVersion", ""))
        for item in document["items"]:
            if not isinstance(item, dict):
                raise ConfigError((f"{name}: an item of its list is no object",))
            yield {"apiVersion": version, "kind": kind, **item}


def _documents(name: str, content: bytes) -> list[Any]:
    try:
        return [json.loads(content)]
    except ValueError:
        pass
    try:
        loaded = yaml.load_all(content, Loader=yaml.CSafeLoader)
        return [document for document in loaded if document is not None]
    except yaml.YAMLError as error:
        raise ConfigError((f"{name}: it is neither JSON nor YAML: {error}",)) from error


def sections_of(
    objects: Sequence[Object], now: float, guards: Mapping[str, Guard] = NO_GUARDS
) -> ByMode:
    """The mappings among Kubernetes objects.

    Args:
        objects: any objects.
        now: Unix time.
        guards: by mode, what its mappings may not grant.
    """
    aws_auth = AwsAuth(SectionReader(EKS_CONFIG_MAP, guards.get(EKS_CONFIG_MAP, Guard())))
    aws_auth.listed([obj for obj in objects if _is_aws_auth(obj)], now)
    resources = IdentityMappings(SectionReader(CRD, guards.get(CRD, Guard())))
    resources.listed([obj for obj in objects if obj.get("kind") == KIND], now)
    return {EKS_CONFIG_MAP: list(aws_auth.sections()), CRD: list(resources.sections())}


def _is_aws_auth(obj: Object) -> bool:
    metadata = obj.get("metadata") or {}
    place = metadata.get("namespace", NAMESPACE), metadata.get("name")
    return obj.get("kind") == "ConfigMap" and place == (NAMESPACE, NAME)


def mappings_of_file(name: str) -> list[Section]:
    """The mappings of one file: a mapping file, a server's config file, or Kubernetes objects.

    Args:
        name: the file, or "-" for standard input.

    Raises:
        ConfigError: it cannot be read, or not all of it.
    """
    found = _held(name, _content(name))
    try:
        parts = found.understood()
    except DocumentError as error:
        raise ConfigError((f"{name}: {error}",)) from error
    return _sections(parts, name)


def _held(name: str, content: bytes) -> Held:
    try:
        found = held(decoded(content))
    except DocumentError as error:
        raise ConfigError((f"{name}: {error}",)) from error
    if found.unread:
        raise ConfigError(tuple(f"{name}: {error}" for error in found.unread))
    return found


def _sections(parts: Iterable[Part], name: str, guard: Guard | None = None) -> list[Section]:
    """What parts of files say; a section that cannot be read is an error, not an empty one."""
    sections: list[Section] = []
    for part in parts:
        source = name or (CRD if isinstance(part, Identity) else EKS_CONFIG_MAP)
        sections += part.sections(SectionReader(source, guard or Guard()))
    if errors := tuple(f"{name or 'mappings'}: {error}" for error in broken_in(sections)):
        raise ConfigError(errors)
    return sections
