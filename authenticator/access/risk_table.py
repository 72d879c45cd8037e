"""What makes a grant dangerous: a table.

Each risk is a list of requests, any of which whoever holds the grant may make. Where one object is
enough (one user to impersonate, one webhook to change), a grant with `resourceNames` shows it too:
these requests are for `ALL`. Sources: Kubernetes,
"RBAC good practices" (privilege escalation risks) and "Hardening guide: authentication and
authorization".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from authenticator.access.rules import ALL, Request

# Where the cluster's own machinery lives: rights in it are rights over the cluster.
SYSTEM_NAMESPACE = "kube-system"


class Severity(IntEnum):
    """How much harm a grant can do."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        """`high`."""
        return self.name.lower()


_LOW, _MEDIUM, _HIGH, _CRITICAL = Severity


@dataclass(frozen=True, slots=True)
class Risk:
    """One kind of dangerous grant.

    Attributes:
        id: its name in reports; it does not change.
        title: what can be done, in a few words.
        why: what somebody can make of it.
        severity: when it is granted for the whole cluster, or in kube-system.
        within: when it is granted in another namespace; None if it means nothing there, or is no
            matter of bindings.
        signs: requests, any one of which shows it.
    """

    id: str
    title: str
    why: str
    severity: Severity
    within: Severity | None
    signs: tuple[Request, ...] = ()

    def severity_in(self, namespace: str) -> Severity | None:
        """How severe it is when granted in a namespace; "" is the whole cluster."""
        return self.severity if namespace in ("", SYSTEM_NAMESPACE) else self.within


_RBAC = "rbac.authorization.k8s.io"
_AUTHENTICATION = "authentication.k8s.io"
_WRITES = ("create", "update", "patch")
_CHANGES = ("update", "patch")


def _asks(
    verbs: tuple[str, ...], *resources: str, group: str = "", name: str = ""
) -> list[Request]:
    """Requests of each verb on each resource; `pods/exec` is a subresource."""
    made = []
    for resource in resources:
        main, _, sub = resource.partition("/")
        made += [Request(verb, main, group, sub, name) for verb in verbs]
    return made


MASTERS = Risk(
    "masters",
    "Member of system:masters",
    "The API server asks no authorizer about this group: it may do everything, and no change of"
    " RBAC takes that away.",
    _CRITICAL,
    None,
)
CHOSEN_NAME = Risk(
    "chosen-name",
    "Takes a name that has rights by choice of session",
    "Whoever assumes the role chooses the session name; with the right one the caller becomes a"
    " user or a group that a binding names.",
    _MEDIUM,
    None,
)
NODE = Risk(
    "node",
    "Node of the cluster",
    "The Node authorizer gives members of system:nodes what a kubelet needs, secrets of its pods"
    " included. These rights are not in RBAC, and not in this report.",
    _LOW,
    None,
)

# In the order of reports: what makes an administrator first.
BY_REQUEST = (
    Risk(
        "cluster-admin",
        "Everything (any verb on any resource)",
        "As good as system:masters where it is bound, secrets, workloads and RBAC included.",
        _CRITICAL,
        _HIGH,
        (Request(ALL, ALL, ALL),),
    ),
    Risk(
        "mappings-write",
        "Change the IAM mappings",
        "Whoever writes aws-auth or IAMIdentityMappings can map themselves to system:masters.",
        _CRITICAL,
        None,
        (
            *_asks(_CHANGES, "configmaps", name="aws-auth"),
            *_asks(_WRITES, "iamidentitymappings", group="iamauthenticator.k8s.aws", name=ALL),
        ),
    ),
    Risk(
        "escalate",
        "Escalate roles",
        "The verb escalate allows to write roles with more rights than one has.",
        _CRITICAL,
        _HIGH,
        tuple(_asks(("escalate",), "clusterroles", "roles", group=_RBAC, name=ALL)),
    ),
    Risk(
        "bind",
        "Bind any role",
        "The verb bind allows to bind roles with more rights than one has, cluster-admin included.",
        _CRITICAL,
        _HIGH,
        (
            *_asks(("bind",), "clusterroles", "roles", group=_RBAC),
            *_asks(("bind",), "clusterroles", group=_RBAC, name="cluster-admin"),
        ),
    ),
    Risk(
        "impersonate",
        "Impersonate others",
        "Acting as any user, group or service account gives the rights of all of them.",
        _CRITICAL,
        _HIGH,
        tuple(_asks(("impersonate",), "users", "groups", "serviceaccounts", name=ALL)),
    ),
    Risk(
        "impersonate-constrained",
        "Impersonate others for some requests",
        "Constrained impersonation (Kubernetes 1.36): the requests that impersonate-on verbs name,"
        " with the rights of others. What that amounts to is listed as risks of its own.",
        _HIGH,
        _MEDIUM,
        (
            *_asks(("impersonate:user-info",), "users", group=_AUTHENTICATION, name=ALL),
            *_asks(
                ("impersonate:serviceaccount",), "serviceaccounts", group=_AUTHENTICATION, name=ALL
            ),
            *_asks(("impersonate:arbitrary-node",), "nodes", group=_AUTHENTICATION, name=ALL),
        ),
    ),
    Risk(
        "impersonate-own-node",
        "Impersonate the node of a pod",
        "The mode associated-node is for a ServiceAccount's token in a pod. An IAM principal cannot"
        " use it; a ServiceAccount with the same role can.",
        _LOW,
        None,
        tuple(_asks(("impersonate:associated-node",), "nodes", group=_AUTHENTICATION, name=ALL)),
    ),
    Risk(
        "certificates",
        "Approve or sign certificates",
        "A client certificate that the cluster's signer issues is a login as whoever it names.",
        _CRITICAL,
        None,
        (
            *_asks(
                _CHANGES,
                "certificatesigningrequests/approval",
                "certificatesigningrequests/status",
                group="certificates.k8s.io",
            ),
        ),
    ),
    Risk(
        "admission-write",
        "Change admission webhooks or policies",
        "An admission webhook sees and changes every object that is written, secrets included; to"
        " remove one switches off what it protects.",
        _CRITICAL,
        None,
        tuple(
            _asks(
                (*_WRITES, "delete"),
                "mutatingwebhookconfigurations",
                "validatingwebhookconfigurations",
                "validatingadmissionpolicies",
                "validatingadmissionpolicybindings",
                "mutatingadmissionpolicies",
                "mutatingadmissionpolicybindings",
                group="admissionregistration.k8s.io",
                name=ALL,
            )
        ),
    ),
    Risk(
        "apiservices-write",
        "Redirect parts of the API",
        "Whoever serves an APIService gets the requests of everybody for it, and the controllers'.",
        _CRITICAL,
        None,
        tuple(_asks(_WRITES, "apiservices", group="apiregistration.k8s.io", name=ALL)),
    ),
    Risk(
        "nodes-proxy",
        "Reach the kubelets' API",
        "Through nodes/proxy commands can be run in every pod of a node, past admission and audit;"
        " get is enough.",
        _CRITICAL,
        None,
        tuple(_asks(("get", "create"), "nodes/proxy")),
    ),
    Risk(
        "token-create",
        "Make tokens of service accounts",
        "A token is the service account's rights; some in kube-system can do nearly everything.",
        _CRITICAL,
        _MEDIUM,
        tuple(_asks(("create",), "serviceaccounts/token", name=ALL)),
    ),
    Risk(
        "secrets-read",
        "Read secrets",
        "Secrets hold passwords, keys and tokens; list and watch show their content as get does.",
        _HIGH,
        _MEDIUM,
        tuple(_asks(("get", "list", "watch"), "secrets")),
    ),
    Risk(
        "persistentvolumes",
        "Create persistent volumes",
        "A volume of type hostPath is a directory of the node: its files and its credentials.",
        _HIGH,
        None,
        tuple(_asks(_WRITES, "persistentvolumes")),
    ),
    Risk(
        "workloads",
        "Run workloads",
        "A pod runs as any service account of its namespace, mounts its secrets and, where Pod"
        " Security does not forbid it, takes over the node.",
        _HIGH,
        _MEDIUM,
        (
            *_asks(("create",), "pods"),
            *_asks(_WRITES, "replicationcontrollers", "podtemplates"),
            *_asks(
                _WRITES, "deployments", "daemonsets", "replicasets", "statefulsets", group="apps"
            ),
            *_asks(_WRITES, "jobs", "cronjobs", group="batch"),
        ),
    ),
    Risk(
        "pods-exec",
        "Run commands in pods",
        "exec, attach and ephemeral containers give what the pod has: its service account's token,"
        " its secrets, its network.",
        _HIGH,
        _MEDIUM,
        (
            *_asks(("get", "create"), "pods/exec", "pods/attach"),
            *_asks(_CHANGES, "pods/ephemeralcontainers"),
        ),
    ),
    Risk(
        "nodes-write",
        "Change nodes",
        "Labels and taints of nodes decide which pods, with which secrets, run where.",
        _HIGH,
        None,
        tuple(_asks(_CHANGES, "nodes", "nodes/status")),
    ),
    Risk(
        "crd-write",
        "Change custom resource definitions",
        "To delete one deletes all of its objects; to change one changes what controllers obey.",
        _HIGH,
        None,
        tuple(
            _asks((*_WRITES, "delete"), "customresourcedefinitions", group="apiextensions.k8s.io")
        ),
    ),
    Risk(
        "rbac-write",
        "Change roles and bindings",
        "One's own rights can be given to anybody, and kept beyond the day that they are taken.",
        _HIGH,
        _MEDIUM,
        tuple(
            _asks(
                _WRITES,
                "clusterroles",
                "clusterrolebindings",
                "roles",
                "rolebindings",
                group=_RBAC,
            )
        ),
    ),
    Risk(
        "namespaces-write",
        "Change namespaces",
        "Labels of a namespace switch Pod Security and network policies on and off.",
        _MEDIUM,
        _MEDIUM,
        tuple(_asks(_CHANGES, "namespaces")),
    ),
    Risk(
        "secrets-write",
        "Create secrets",
        "A secret of the type service-account-token is filled with a token that does not expire.",
        _MEDIUM,
        _LOW,
        tuple(_asks(("create",), "secrets")),
    ),
    Risk(
        "proxy",
        "Reach into the cluster's network",
        "Port forwarding and proxies reach pods and services past network policies.",
        _MEDIUM,
        _LOW,
        (*_asks(("get", "create"), "pods/portforward", "pods/proxy", "services/proxy"),),
    ),
)
WILD_RESOURCES = Risk(
    "wildcard-resources",
    "Every resource",
    "A rule for all resources covers secrets, and what is installed tomorrow.",
    _MEDIUM,
    _LOW,
)
WILD_VERBS = Risk(
    "wildcard-verbs",
    "Every verb",
    "A rule for all verbs covers escalate, bind, impersonate and deletecollection where they mean"
    " something.",
    _MEDIUM,
    _LOW,
)
# All of them, in the order of reports.
RISKS = (MASTERS, *BY_REQUEST[:1], CHOSEN_NAME, *BY_REQUEST[1:], WILD_RESOURCES, WILD_VERBS, NODE)
BY_ID: Mapping[str, Risk] = MappingProxyType({risk.id: risk for risk in RISKS})
