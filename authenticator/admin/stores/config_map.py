"""Mappings in the ConfigMap `aws-auth`; and a ConfigMap in which a history is kept."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from authenticator.admin.stores.base import (
    Cautions,
    Conflict,
    Snapshot,
    StoreError,
    new_expiries,
)
from authenticator.admin.stores.expiry import doubt
from authenticator.admin.stores.history import History
from authenticator.admin.stores.managers import warning
from authenticator.editing.documents import AwsAuth, Document
from authenticator.editing.editor import Editor
from authenticator.mapping.files import NAME, NAMESPACE
from authenticator.sources.cluster import Cluster, ClusterError, Object

HTTP_NOT_FOUND = 404
_HTTP_CONFLICT = 409
FIELD_MANAGER = "aws-iam-authenticator"
# Twenty editors at once make nineteen conflicts for the last of them.
ATTEMPTS = 40
_LONGEST_PAUSE_SECONDS = 1.0
_REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def pause(attempt: int) -> None:
    """Wait before another attempt after a conflict, each time longer and never as others do."""
    time.sleep(random.uniform(0, min(_LONGEST_PAUSE_SECONDS, 0.02 * 2**attempt)))  # noqa: S311 (no secret)


def asked(
    cluster: Cluster, method: str, path: str, body: Object | None = None, *, dry_run: bool = False
) -> Object:
    """Send one request that reads or writes mappings; unknown fields are refused.

    Raises:
        Conflict: the object has another version than the one given, or exists already.
        ClusterError: anything else that is not a success.
    """
    query = {} if method == "GET" else {"fieldManager": FIELD_MANAGER}
    if body is not None and method != "DELETE":
        # Else an API server drops fields that it does not know, and says nothing.
        query["fieldValidation"] = "Strict"
    if dry_run:
        query["dryRun"] = "All"
        if method == "DELETE":
            # Its options are in the body, and then those of the query do not count.
            body = {**(body or {}), "dryRun": ["All"]}
    try:
        return cluster.request(method, path, query, body)
    except ClusterError as error:
        if error.status == _HTTP_CONFLICT:
            raise Conflict from error
        raise


def lost(sent: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """Return the keys of what was sent that were not stored as they were sent."""
    return [key for key, value in sent.items() if stored.get(key) != value]


def not_stored(title: str, keys: Iterable[str], *, dry_run: bool) -> StoreError:
    """Return the error that a write succeeded and something of it was not stored."""
    remedy = "nothing has been written"
    if not dry_run:
        remedy = "see 'mappings list'; 'mappings rollback' undoes the edit"
    error = StoreError(
        f"{title}: the API server does not store {', '.join(keys)} as sent; an admission webhook,"
        f" or a resource that does not know the field, changes it; {remedy}"
    )
    error.partly = not dry_run
    return error


def cautions_of(
    cluster: Cluster, title: str, objects: Iterable[Object], expiring: bool
) -> Cautions:
    """Return what speaks against writing objects: no server that ends mappings, other writers.

    Args:
        cluster: where the objects are.
        title: what they are, for people.
        objects: those to be changed, as they were read.
        expiring: whether a mapping is to end that would not have.
    """
    reason = doubt(cluster) if expiring else ""
    refusals = (f"refused (expires-ignored): {reason}; the access would last",) if reason else ()
    managed = warning(title, objects)
    return Cautions(refusals, (managed,) if managed else ())


def editor(cluster: Cluster) -> Editor:
    """Return the user that the API server sees (SelfSubjectReview, GA since Kubernetes 1.28).

    Raises:
        StoreError: it does not say.
    """
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        answer = cluster.request("POST", _REVIEWS, None, review)
    except ClusterError as error:
        raise StoreError(f"the API server does not say who you are: {error}") from error
    return Editor.from_user_info((answer.get("status") or {}).get("userInfo") or {})


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """One ConfigMap in `kube-system`."""

    cluster: Cluster
    name: str

    @property
    def title(self) -> str:
        """See `Store.title`."""
        return f"ConfigMap {NAMESPACE}/{self.name}"

    def read(self) -> Object | None:
        """The object; None if it is absent.

        Raises:
            StoreError: it cannot be read.
        """
        try:
            return asked(self.cluster, "GET", f"{self._collection}/{self.name}")
        except ClusterError as error:
            if error.status == HTTP_NOT_FOUND:
                return None
            raise StoreError(f"{self.title} cannot be read: {error}") from error

    def write(
        self, found: Object | None, data: Mapping[str, str], *, dry_run: bool = False
    ) -> None:
        """Set the `data` of the object that `read` found, or create it.

        Raises:
            Conflict: it is no longer as it was found.
            StoreError: it cannot be written.
        """
        metadata = {"name": self.name, "namespace": NAMESPACE}
        new: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        obj = {**(found or new), "data": dict(data)}
        path = f"{self._collection}/{self.name}" if found else self._collection
        try:
            stored = asked(self.cluster, "PUT" if found else "POST", path, obj, dry_run=dry_run)
        except ClusterError as error:
            if found and error.status == HTTP_NOT_FOUND:
                raise Conflict from error
            raise StoreError(f"{self.title} cannot be written: {error}") from error
        if changed := lost(data, stored.get("data") or {}):
            raise not_stored(self.title, changed, dry_run=dry_run)

    @property
    def _collection(self) -> str:
        return f"/api/v1/namespaces/{NAMESPACE}/configmaps"


@dataclass(frozen=True, slots=True)
class ConfigMapHistory:
    """A history in a separate ConfigMap, one version a key."""

    config_map: ConfigMap

    def read(self) -> History:
        """The versions.

        Raises:
            StoreError: they cannot be read.
        """
        return _decoded(self.config_map.read())

    def remember(self, change: Callable[[History], History]) -> None:
        """See `Store.remember`."""
        for attempt in range(ATTEMPTS):
            found = self.config_map.read()
            history = change(_decoded(found))
            data = {f"{version.number:08d}": version.encoded() for version in history.versions}
            try:
                self.config_map.write(found, data)
            except Conflict:
                pause(attempt)
            else:
                return
        raise StoreError(f"{self.config_map.title} is written by others all the time")


class AwsAuthStore:
    """`Store` of the ConfigMap `aws-auth`, as Amazon EKS has it."""

    has_server = True
    flags = ""

    def __init__(self, cluster: Cluster, server_warnings: Sequence[str] = ()) -> None:
        """Prepare to talk to `cluster`, whose warnings are added to `server_warnings`."""
        self._cluster = cluster
        self.server_warnings = server_warnings
        self._config_map = ConfigMap(cluster, NAME)
        self._history = ConfigMapHistory(ConfigMap(cluster, f"{NAME}-history"))
        self.title = self._config_map.title
        self.history = self._history.read
        self.remember = self._history.remember

    def editor(self) -> Editor:
        """See `Store.editor`."""
        return editor(self._cluster)

    def read(self) -> Snapshot:
        """See `Store.read`."""
        found = self._config_map.read()
        obj = found or {}
        document = AwsAuth(obj.get("data") or {}, frozenset(obj.get("binaryData") or {}))
        return Snapshot(document, found)

    def cautions(self, snapshot: Snapshot, document: Document, *, moving: bool) -> Cautions:
        """See `Store.cautions`."""
        return cautions_of(
            self._cluster,
            self.title,
            [snapshot.version or {}],
            (not moving and new_expiries(snapshot.document, document)),
        )

    def write(self, snapshot: Snapshot, document: Document, *, dry_run: bool = False) -> None:
        """See `Store.write`."""
        self._config_map.write(snapshot.version, document.texts, dry_run=dry_run)

    def restored(self, texts: Mapping[str, str]) -> Document:
        """See `Store.restored`."""
        return AwsAuth(texts)


def _decoded(found: Object | None) -> History:
    return History.decoded(((found or {}).get("data") or {}).values())
