"""Types of EKS access entries, and what each grants in the words of aws-auth.

Source: Amazon EKS User Guide, "Create access entries" (types and the usernames that EKS sets) and
"Grant IAM users and roles access to Kubernetes APIs" (the groups of node entries in aws-auth).
"""

from __future__ import annotations

from dataclasses import dataclass

STANDARD = "STANDARD"
_BY_INSTANCE = "system:node:{{EC2PrivateDNSName}}"
_BY_SESSION = "system:node:{{SessionName}}"
_NODES = ("system:bootstrappers", "system:nodes")


@dataclass(frozen=True, slots=True)
class NodeType:
    """A type of access entry for nodes.

    Attributes:
        name: as EKS has it.
        username: what its nodes are called.
        groups: what they are in.
    """

    name: str
    username: str
    groups: tuple[str, ...]

    @property
    def chosen_by_caller(self) -> bool:
        """Whether whoever assumes the role says which node they are."""
        return self.username == _BY_SESSION


NODE_TYPES = (
    NodeType("EC2_LINUX", _BY_INSTANCE, _NODES),
    NodeType("EC2_WINDOWS", _BY_INSTANCE, (*_NODES, "eks:kube-proxy-windows")),
    NodeType("FARGATE_LINUX", _BY_SESSION, (*_NODES, "system:node-proxier")),
    NodeType("HYBRID_LINUX", _BY_SESSION, _NODES),
)

# Types that work in EKS only: the nodes of EKS Auto Mode, and SageMaker HyperPod.
AUTO_MODE = "EC2"
_EKS_ONLY = {AUTO_MODE: (_BY_INSTANCE, _NODES[1:]), "HYPERPOD_LINUX": (_BY_SESSION, _NODES[1:])}
# The types whose entries can have access policies.
WITH_POLICIES = (STANDARD, AUTO_MODE)


def grants(kind: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the username and groups that EKS sets for a type of nodes; None for other types."""
    known = next((found for found in NODE_TYPES if found.name == kind), None)
    return (known.username, known.groups) if known else _EKS_ONLY.get(kind)


def by_name(name: str) -> NodeType | None:
    """The type of this name, whose case EKS's own documentation varies."""
    return next((known for known in NODE_TYPES if known.name == name.upper()), None)


def by_grants(username: str, groups: list[str]) -> NodeType | None:
    """The type that grants exactly this."""
    return next(
        (t for t in NODE_TYPES if (t.username, set(t.groups)) == (username, set(groups))), None
    )
