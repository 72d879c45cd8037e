"""The resources that every cluster has: names, API groups, and which of them are in no namespace.

Source: `kubectl api-resources` of Kubernetes 1.34, plus what RBAC alone knows (users and groups to
impersonate, signers) and this project's own resource.
"""

from __future__ import annotations

from types import MappingProxyType

from authenticator.access.rules import Request

_NAMESPACED = {
    "": "bindings configmaps endpoints events limitranges persistentvolumeclaims pods podtemplates"
    " replicationcontrollers resourcequotas secrets serviceaccounts services",
    "apps": "controllerrevisions daemonsets deployments replicasets statefulsets",
    "authorization.k8s.io": "localsubjectaccessreviews",
    "autoscaling": "horizontalpodautoscalers",
    "batch": "cronjobs jobs",
    "coordination.k8s.io": "leases",
    "discovery.k8s.io": "endpointslices",
    "networking.k8s.io": "ingresses networkpolicies",
    "policy": "poddisruptionbudgets",
    "rbac.authorization.k8s.io": "rolebindings roles",
    "resource.k8s.io": "resourceclaims resourceclaimtemplates",
    "storage.k8s.io": "csistoragecapacities",
}
_CLUSTER_SCOPED = {
    "": "componentstatuses groups namespaces nodes persistentvolumes users",
    "admissionregistration.k8s.io": "mutatingadmissionpolicies mutatingadmissionpolicybindings"
    " mutatingwebhookconfigurations validatingadmissionpolicies validatingadmissionpolicybindings"
    " validatingwebhookconfigurations",
    "apiextensions.k8s.io": "customresourcedefinitions",
    "apiregistration.k8s.io": "apiservices",
    "authentication.k8s.io": "selfsubjectreviews tokenreviews uids userextras",
    "authorization.k8s.io": "selfsubjectaccessreviews selfsubjectrulesreviews subjectaccessreviews",
    "certificates.k8s.io": "certificatesigningrequests clustertrustbundles signers",
    "flowcontrol.apiserver.k8s.io": "flowschemas prioritylevelconfigurations",
    "iamauthenticator.k8s.aws": "iamidentitymappings",
    "networking.k8s.io": "ingressclasses ipaddresses servicecidrs",
    "node.k8s.io": "runtimeclasses",
    "rbac.authorization.k8s.io": "clusterrolebindings clusterroles",
    "resource.k8s.io": "deviceclasses resourceslices",
    "scheduling.k8s.io": "priorityclasses",
    "storage.k8s.io": "csidrivers csinodes storageclasses volumeattachments"
    " volumeattributesclasses",
}
# Targets of constrained impersonation. `users` and `groups` alone mean those of the core group.
_TARGETS = frozenset(f"{name}.authentication.k8s.io" for name in ("users", "groups", "nodes"))
_SHORT = (
    "cm configmaps, crd customresourcedefinitions, crds customresourcedefinitions,"
    " cj cronjobs, cs componentstatuses, csr certificatesigningrequests, deploy deployments,"
    " ds daemonsets, ep endpoints, ev events, hpa horizontalpodautoscalers,"
    " iim iamidentitymappings, ing ingresses, ip ipaddresses, limits limitranges, netpol"
    " networkpolicies, no nodes, ns namespaces, pc priorityclasses, pdb poddisruptionbudgets,"
    " po pods, pv persistentvolumes, pvc persistentvolumeclaims, quota resourcequotas,"
    " rc replicationcontrollers, rs replicasets, sa serviceaccounts, sc storageclasses,"
    " sts statefulsets, svc services, vac volumeattributesclasses"
)
# By resource, its group. `events` are in two groups, of which the core one is meant here.
GROUPS = MappingProxyType(
    {
        name: group
        for table in (_NAMESPACED, _CLUSTER_SCOPED)
        for group, names in table.items()
        for name in names.split()
    }
)
_ENDINGS = {"ies": "y", "sses": "ss", "uses": "us", "endpoints": "endpoints", "s": ""}


def singular(plural: str) -> str:
    """Return a resource's name in the singular, as Kubernetes has it: its kind in lower case."""
    ending = next(ending for ending in _ENDINGS if plural.endswith(ending))
    return plural.removesuffix(ending) + _ENDINGS[ending]


# By each name that kubectl takes for a resource, its name in the plural.
PLURALS = MappingProxyType(
    {singular(name): name for name in GROUPS}
    | dict(pair.split() for pair in _SHORT.split(","))
    | {name: name for name in GROUPS}
)
# What people write after a slash who mean a subresource (`pods/log` is the pod named log).
SUBRESOURCES = frozenset(
    {
        *("approval", "attach", "binding", "ephemeralcontainers", "eviction", "exec", "finalize"),
        *("log", "portforward", "proxy", "resize", "scale", "status", "token"),
    }
)
# Those that only the cluster as a whole has, as `resource.group`. A request for one namespace is
# made in that namespace.
CLUSTER_WIDE = _TARGETS | {
    f"{name}.{group}"
    for group, names in _CLUSTER_SCOPED.items()
    for name in names.split()
    if name != "namespaces"
}


def is_cluster_wide(request: Request) -> bool:
    """Whether only the cluster as a whole can grant it, so that a RoleBinding of it is idle.

    Whether a role may be bound is asked in the namespace of the binding, a ClusterRole's too
    (`BindingAuthorized` of Kubernetes).
    """
    if request.path:
        return True
    return f"{request.resource}.{request.group}" in CLUSTER_WIDE and request.verb != "bind"
