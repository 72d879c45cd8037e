"""Whether a cluster's server ends mappings: `expires` means nothing to any other than ours."""

from __future__ import annotations

from authenticator.sources.cluster import Cluster, ClusterError, Object
from authenticator.sources.crd_schema import API_VERSION
from authenticator.sources.custom_resources import CONDITION

# The labels that the manifests give to the server's pods.
_PODS = "app.kubernetes.io/part-of=kube-iam-authenticator,app.kubernetes.io/component=server"
_MAPPINGS = f"/apis/{API_VERSION}/iamidentitymappings"
_EKS = "-eks-"


def doubt(cluster: Cluster) -> str:
    """Return why the server of a cluster may never end a mapping; "" if ours is seen to run.

    Ours is seen by its pods, or by the condition that it sets on custom resources. A server that
    runs as a process of the host leaves neither.
    """
    version = str(_get(cluster, "/version").get("gitVersion", ""))
    if _EKS in version:
        return f"this is Amazon EKS ({version}), whose own authenticator ignores `expires`"
    if _has_pods(cluster) or _has_conditions(cluster):
        return ""
    return (
        "no server of kube-iam-authenticator can be seen in this cluster, and any other ignores"
        " `expires`"
    )


def _has_pods(cluster: Cluster) -> bool:
    pods = _get(cluster, "/api/v1/namespaces/kube-system/pods", {"labelSelector": _PODS})
    return any((pod.get("status") or {}).get("phase") == "Running" for pod in _items(pods))


def _has_conditions(cluster: Cluster) -> bool:
    return any(
        condition.get("type") == CONDITION
        for obj in _items(_get(cluster, _MAPPINGS))
        for condition in (obj.get("status") or {}).get("conditions") or ()
    )


def _items(found: Object) -> list[Object]:
    return found.get("items") or []


def _get(cluster: Cluster, path: str, query: dict[str, str] | None = None) -> Object:
    """Return an object; an empty one if it is absent or may not be read."""
    try:
        return cluster.request("GET", path, query)
    except ClusterError:
        return {}
