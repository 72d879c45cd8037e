"""EKS access policies, which Kubernetes knows nothing of, and what stands in for them.

Source: Amazon EKS User Guide, "Review access policy permissions".
"""

from __future__ import annotations

from dataclasses import dataclass

from authenticator.editing.formats.conversion import Options
from authenticator.editing.formats.texts import as_fields, as_text, as_texts
from authenticator.mapping.nodes import Fields, Node
from authenticator.mapping.rules import MASTERS

CLUSTER_ADMIN = "AmazonEKSClusterAdminPolicy"
# The ClusterRole of Kubernetes that grants about as much ("User-facing roles").
_CLUSTER_ROLES = {
    CLUSTER_ADMIN: "cluster-admin",
    "AmazonEKSAdminPolicy": "admin",
    "AmazonEKSEditPolicy": "edit",
    "AmazonEKSViewPolicy": "view",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """An access policy that is associated with an entry.

    Attributes:
        name: without the ARN before it.
        namespaces: where it applies; empty for the whole cluster.
    """

    name: str
    namespaces: tuple[str, ...] = ()

    @property
    def written(self) -> str:
        """The policy as `EKS_KEYS` have it: `NAME` or `NAME=NAMESPACE,...`."""
        return f"{self.name}={','.join(self.namespaces)}" if self.namespaces else self.name

    @classmethod
    def of(cls, node: Node) -> Policy:
        """Read an item of `associatedAccessPolicies`.

        Raises:
            DocumentError: it is none.
        """
        found = as_fields(node, "an access policy")
        scope = as_fields(found.values.get("accessScope") or Fields(node.line), "accessScope")
        namespaces = as_texts(scope.values.get("namespaces"), "namespaces")
        if as_text(scope.values.get("type"), "accessScope.type") != "cluster":
            # What does not say "cluster" is never taken for it.
            namespaces = namespaces or ["(not told)"]
        arn = as_text(found.values.get("policyArn"), "policyArn")
        return cls(arn.rpartition("/")[2], tuple(namespaces))


# From the least to the most that a policy grants; policies that are not listed come between.
_RANKS = {"AmazonEKSViewPolicy": 0, "AmazonEKSEditPolicy": 1, "AmazonEKSAdminPolicy": 3}
_OTHER_RANK, _HIGHEST_RANK = 2, 4


def rank(policy: Policy) -> tuple[bool, int, str]:
    """Return a key that sorts policies by what they grant, the least first."""
    number = _HIGHEST_RANK if policy.name == CLUSTER_ADMIN else _RANKS.get(policy.name, _OTHER_RANK)
    return not policy.namespaces, number, policy.name


def granted(policy: Policy, options: Options) -> tuple[str, str]:
    """The group that stands in for a policy, "" for none, and a remark for the administrator."""
    if policy == Policy(CLUSTER_ADMIN):
        if options.map_admin_policy:
            return MASTERS, f"{CLUSTER_ADMIN} becomes the group {MASTERS}, as you asked"
        return "", (
            f"{CLUSTER_ADMIN} is not carried over; 'mappings import --map-admin-policy' makes it"
            f" the group {MASTERS}, or bind the ClusterRole cluster-admin"
        )
    where = (
        f"in the namespaces {', '.join(policy.namespaces)}" if policy.namespaces else "everywhere"
    )
    role = _CLUSTER_ROLES.get(policy.name)
    remedy = f"the ClusterRole {role}" if role else "a Role that grants what it does"
    return "", (
        f"{policy.name} ({where}) is not carried over; bind {remedy} to a group and put that group"
        " into the entry"
    )
