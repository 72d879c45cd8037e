"""Roles, bindings and subjects of one cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from authenticator.access.resources import is_cluster_wide
from authenticator.access.rules import PolicyRule, Request
from authenticator.mapping.rules import MASTERS

# The API server gives this group to everybody who has logged in.
AUTHENTICATED = "system:authenticated"


class SubjectKind(str, Enum):
    """What a binding can name. A ServiceAccount is the user that the API server makes of it."""

    USER = "User"
    GROUP = "Group"


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """Who a binding grants a role to."""

    kind: SubjectKind
    name: str

    def __str__(self) -> str:
        """`Group/developers`."""
        return f"{self.kind.value}/{self.name}"


MASTERS_GROUP = Subject(SubjectKind.GROUP, MASTERS)


@dataclass(frozen=True, slots=True, order=True)
class RoleKey:
    """Which role; `namespace` is "" for a ClusterRole."""

    name: str
    namespace: str = ""

    def __str__(self) -> str:
        """`ClusterRole/view` or `Role/kube-system/reader`."""
        return (
            f"Role/{self.namespace}/{self.name}" if self.namespace else f"ClusterRole/{self.name}"
        )


@dataclass(frozen=True, slots=True)
class Binding:
    """A RoleBinding, or a ClusterRoleBinding, whose `namespace` is ""."""

    name: str
    namespace: str
    role: RoleKey
    subjects: tuple[Subject, ...]

    def __str__(self) -> str:
        """`ClusterRoleBinding/admins` or `RoleBinding/team-a/admins`."""
        if self.namespace:
            return f"RoleBinding/{self.namespace}/{self.name}"
        return f"ClusterRoleBinding/{self.name}"

    def reaches(self, namespace: str) -> bool:
        """Whether it counts for requests in `namespace`; "" is the cluster as a whole."""
        return self.namespace in ("", namespace)


@dataclass(frozen=True, slots=True)
class Rbac:
    """The RBAC of a cluster at one moment.

    Attributes:
        roles: their rules, aggregated ones included.
        bindings: all of them, sorted by their full name.
        by_subject: the bindings of each subject.
    """

    roles: Mapping[RoleKey, tuple[PolicyRule, ...]]
    bindings: tuple[Binding, ...]
    by_subject: Mapping[Subject, tuple[Binding, ...]]

    @classmethod
    def of(
        cls, roles: Mapping[RoleKey, tuple[PolicyRule, ...]], bindings: Iterable[Binding]
    ) -> Rbac:
        """Index what was read."""
        ordered = tuple(sorted(bindings, key=str))
        by_subject: dict[Subject, list[Binding]] = {}
        for binding in ordered:
            for subject in dict.fromkeys(binding.subjects):
                by_subject.setdefault(subject, []).append(binding)
        return cls(dict(roles), ordered, {key: tuple(own) for key, own in by_subject.items()})

    def allows(self, binding: Binding, request: Request) -> bool:
        """Whether a binding's role allows `request` where the binding reaches.

        A role that does not exist allows nothing, and a RoleBinding no request of a path.
        """
        if binding.namespace and request.path:
            return False
        return any(rule.allows(request) for rule in self.roles.get(binding.role, ()))

    def granting(self, request: Request, namespace: str | None) -> tuple[Binding, ...]:
        """The bindings that allow `request`.

        Args:
            request: what is wanted.
            namespace: where; "" for the cluster as a whole, None for wherever it means something.
        """
        if namespace is None and is_cluster_wide(request):
            namespace = ""
        return tuple(
            binding
            for binding in self.bindings
            if (namespace is None or binding.reaches(namespace)) and self.allows(binding, request)
        )

    def dangling(self) -> tuple[Binding, ...]:
        """The bindings of roles that do not exist: whoever makes the role fills them."""
        return tuple(binding for binding in self.bindings if binding.role not in self.roles)
