"""The names of resources, from the API server's discovery as kubectl has them.

Source: Kubernetes, "API discovery": `/apis` lists the groups, and `/apis/GROUP/VERSION` the
resources of one with their singular and short names. Every authenticated user may read both
(`system:discovery`).
"""

from __future__ import annotations

from collections.abc import Iterator

from authenticator.access.resources import GROUPS, PLURALS
from authenticator.access.rules import ALL
from authenticator.sources.cluster import Cluster, ClusterError, Object

_GROUPS = "/apis"
_NOT_FOUND = 404


def known(name: str, group: str) -> tuple[str, str] | None:
    """Return plural name and API group of a resource that every cluster has; None for others.

    Args:
        name: in the plural or singular, or a short name.
        group: its API group; "" if none was given.
    """
    if name == ALL:
        return ALL, group or ALL
    plural = PLURALS.get(name, "")
    if plural and group in ("", GROUPS[plural]):
        return plural, GROUPS[plural]
    return None


def discovered(cluster: Cluster, name: str, group: str) -> tuple[str, str] | None:
    """Return plural name and API group of a resource of this cluster; None if it has none such.

    Args:
        cluster: its API server.
        name: in the plural or singular, or a short name.
        group: its API group; "" to look in all of them, in the API server's order.

    Raises:
        ClusterError: the API server does not answer, or refuses.
    """
    for found in _groups(cluster, group):
        for resource in cluster.request("GET", found).get("resources") or ():
            names = (resource["name"], resource.get("singularName"), resource.get("kind", ""))
            if name in (*names[:2], names[2].lower(), *(resource.get("shortNames") or ())):
                return str(resource["name"]), found.split("/")[2]
    return None


def _groups(cluster: Cluster, wanted: str) -> Iterator[str]:
    """Yield the path of the preferred version of each group, or of the one wanted."""
    own = frozenset(GROUPS.values())
    if wanted:
        try:
            yield _path(cluster.request("GET", f"{_GROUPS}/{wanted}"))
        except ClusterError as error:
            if error.status != _NOT_FOUND:
                raise
        return
    for group in cluster.request("GET", _GROUPS).get("groups") or ():
        if group["name"] not in own:
            yield _path(group)


def _path(group: Object) -> str:
    return f"{_GROUPS}/{group['preferredVersion']['groupVersion']}"
