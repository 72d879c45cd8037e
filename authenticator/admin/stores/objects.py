"""Mappings in IAMIdentityMapping objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from authenticator.admin.stores.base import (
    Cautions,
    Conflict,
    Snapshot,
    StoreError,
    new_expiries,
)
from authenticator.admin.stores.config_map import (
    HTTP_NOT_FOUND,
    ConfigMap,
    ConfigMapHistory,
    asked,
    cautions_of,
    editor,
    lost,
    not_stored,
)
from authenticator.editing.documents import Document
from authenticator.editing.editor import Editor
from authenticator.editing.objects import IdentityMappings
from authenticator.sources.cluster import Cluster, ClusterError, Object
from authenticator.sources.crd_schema import API_VERSION, KIND, REMEDY, foreign, unknown_fields

_PATH = f"/apis/{API_VERSION}/iamidentitymappings"
_HISTORY = "iamidentitymappings-history"
_KEPT_METADATA = ("labels", "annotations")
_Request: TypeAlias = tuple[str, str, Object]


class ObjectsStore:
    """`Store` of all IAMIdentityMapping objects of a cluster."""

    has_server = True
    flags = " --source crd"
    title = "IAMIdentityMapping objects"

    def __init__(self, cluster: Cluster, server_warnings: Sequence[str] = ()) -> None:
        """Prepare to talk to `cluster`, whose warnings are added to `server_warnings`."""
        self._cluster = cluster
        self.server_warnings = server_warnings
        self._history = ConfigMapHistory(ConfigMap(cluster, _HISTORY))
        self.history = self._history.read
        self.remember = self._history.remember

    def editor(self) -> Editor:
        """See `Store.editor`."""
        return editor(self._cluster)

    def read(self) -> Snapshot:
        """See `Store.read`."""
        try:
            found = asked(self._cluster, "GET", _PATH)
        except ClusterError as error:
            if error.status == HTTP_NOT_FOUND:
                raise StoreError(
                    f"the cluster has no {KIND} resource; install it with"
                    " kubectl apply -f manifests/base/crd.yaml"
                ) from error
            raise StoreError(f"{self.title} cannot be read: {error}") from error
        objects = {str(obj["metadata"]["name"]): obj for obj in found.get("items") or ()}
        document = IdentityMappings({name: _manifest(obj) for name, obj in objects.items()})
        return Snapshot(document, objects)

    def cautions(self, snapshot: Snapshot, document: Document, *, moving: bool) -> Cautions:
        """See `Store.cautions`."""
        before = self.restored(snapshot.document.texts).objects
        after = self.restored(document.texts).objects
        changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
        missing = unknown_fields(self._cluster)
        for name in changed:
            spec = after.get(name, {}).get("spec", {})
            if dropped := [field for field in missing if field in spec]:
                raise StoreError(f"{foreign(dropped)}, which {name} has; {REMEDY}")
        cautions = cautions_of(
            self._cluster,
            self.title,
            [snapshot.version[name] for name in changed if name in snapshot.version],
            not moving and new_expiries(snapshot.document, document),
        )
        if missing:
            note = f"{foreign(missing)}; {REMEDY}"
            return replace(cautions, warnings=(*cautions.warnings, note))
        return cautions

    def write(self, snapshot: Snapshot, document: Document, *, dry_run: bool = False) -> None:
        """See `Store.write`. Removals come last, so that every caller keeps access meanwhile."""
        before = self.restored(snapshot.document.texts).objects
        after = self.restored(document.texts).objects
        requests = [
            _request(name, snapshot.version.get(name), manifest)
            for name, manifest in after.items()
            if before.get(name) != manifest
        ]
        requests += [_deletion(snapshot.version[name]) for name in before if name not in after]
        for done, request in enumerate(requests):
            progress = f" ({done} of {len(requests)} objects were written before)" if done else ""
            try:
                self._send(*request, dry_run=dry_run, progress=progress)
            except (Conflict, StoreError) as error:
                error.partly = (done > 0 or error.partly) and not dry_run
                raise

    def restored(self, texts: Mapping[str, str]) -> IdentityMappings:
        """See `Store.restored`."""
        try:
            return IdentityMappings.from_texts(texts)
        except (ValueError, RecursionError) as error:
            raise StoreError(f"this version is not of {self.title}; choose another") from error

    def _send(self, method: str, path: str, body: Object, *, dry_run: bool, progress: str) -> None:
        try:
            stored = asked(self._cluster, method, path, body, dry_run=dry_run)
        except ClusterError as error:
            if error.status == HTTP_NOT_FOUND and method != "POST":
                raise Conflict from error
            raise StoreError(f"{self.title} cannot be written{progress}: {error}") from error
        if changed := lost(body.get("spec", {}), stored.get("spec") or {}):
            raise not_stored(f"{path}{progress}", changed, dry_run=dry_run)


def _manifest(obj: Object) -> dict[str, Any]:
    metadata = obj.get("metadata") or {}
    kept = {key: metadata[key] for key in _KEPT_METADATA if metadata.get(key)}
    return {**({"metadata": kept} if kept else {}), "spec": obj.get("spec") or {}}


def _request(name: str, found: Object | None, manifest: Mapping[str, Any]) -> _Request:
    old = (found or {}).get("metadata") or {"name": name}
    bare = {key: value for key, value in old.items() if key not in _KEPT_METADATA}
    obj = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {**bare, **manifest.get("metadata", {})},
        "spec": manifest["spec"],
    }
    return ("PUT", f"{_PATH}/{name}", obj) if found else ("POST", _PATH, obj)


def _deletion(found: Object) -> _Request:
    metadata = found["metadata"]
    conditions = {key: metadata[key] for key in ("uid", "resourceVersion")}
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": conditions}
    return "DELETE", f"{_PATH}/{metadata['name']}", options
