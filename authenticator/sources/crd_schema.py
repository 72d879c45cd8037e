"""Whether the cluster's IAMIdentityMapping resource knows every field that we write.

The reference's CustomResourceDefinition has no `userid`, `expires` or `reason`, and earlier ones of
this project have no conditions. An API server drops fields that it does not know without an error:
access that should end would last, and access that is narrowed would be wide.

Source: Kubernetes, "OpenAPI v3" (served to every authenticated user by `system:discovery`) and
"Custom Resources", field pruning.
"""

from __future__ import annotations

from collections.abc import Iterable

from authenticator.mapping.conditions import CONDITION_KEYS
from authenticator.sources.cluster import Cluster, ClusterError, Object

API_VERSION = "iamauthenticator.k8s.aws/v1alpha1"
KIND = "IAMIdentityMapping"
REMEDY = "install ours, which suits the Go program too: kubectl apply -f manifests/base/crd.yaml"

_SCHEMAS = f"/openapi/v3/apis/{API_VERSION}"
# Those of the reference are required by it, and always known.
_OURS = ("userid", "expires", "reason", *CONDITION_KEYS)


def foreign(fields: Iterable[str]) -> str:
    """Say that the cluster's resource drops these fields."""
    *first, last = fields
    dropped = f"{', '.join(first)} and {last}" if first else last
    return f"the {KIND} resource of this cluster is another program's, and drops {dropped}"


def unknown_fields(cluster: Cluster) -> tuple[str, ...]:
    """Return the fields of a spec that the cluster's resource would drop.

    Empty also where the schema cannot be read: a write has strict validation in any case.
    """
    try:
        schemas = cluster.request("GET", _SCHEMAS).get("components", {}).get("schemas", {})
    except ClusterError:
        return ()
    spec = _spec(schemas)
    if spec is None or spec.get("x-kubernetes-preserve-unknown-fields"):
        return ()
    return tuple(name for name in _OURS if name not in spec.get("properties", {}))


def _spec(schemas: Object) -> Object | None:
    for schema in schemas.values():
        kinds = schema.get("x-kubernetes-group-version-kind") or ()
        if any(kind.get("kind") == KIND for kind in kinds):
            spec: Object | None = schema.get("properties", {}).get("spec")
            return spec
    return None
