"""One rule of RBAC, and whether it allows one request.

Source: Kubernetes, `pkg/apis/rbac/v1/evaluation_helpers.go` and `plugin/pkg/auth/authorizer/rbac`
(`RuleAllows`). `tests/e2e/test_access_report.py` compares the answers with an API server's.
"""

from __future__ import annotations

from dataclasses import dataclass

ALL = "*"


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody may want to do.

    Attributes:
        verb: "get", "create", ...
        resource: the resource in the plural, in lower case: "pods"; "" for a request of a path.
        group: its API group; "" for the core group.
        subresource: "log", "exec", ...; "" for the object itself.
        name: the one object meant; "" for any of them, and `ALL` for some one, whichever.
        path: the path of a request that is for no resource: "/healthz".
    """

    verb: str
    resource: str = ""
    group: str = ""
    subresource: str = ""
    name: str = ""
    path: str = ""

    @property
    def full_resource(self) -> str:
        """The resource as rules spell it: "pods/log"."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """One element of the `rules` of a Role or ClusterRole."""

    verbs: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()

    def allows(self, request: Request) -> bool:
        """Whether it allows `request`, where the role is bound."""
        if not self.verbs & {ALL, request.verb}:
            return False
        if request.path:
            return self._covers_path(request.path)
        return (
            bool(self.groups & {ALL, request.group})
            and self._covers_resource(request)
            and (not self.names or request.name == ALL or request.name in self.names)
        )

    def _covers_resource(self, request: Request) -> bool:
        wanted = {ALL, request.full_resource}
        if request.subresource:
            # `*/scale` is every resource's; `pods/*` is not a wildcard.
            wanted.add(f"{ALL}/{request.subresource}")
        return bool(self.resources & wanted)

    def _covers_path(self, path: str) -> bool:
        return any(
            own == path or (own.endswith(ALL) and path.startswith(own.rstrip(ALL)))
            for own in self.paths
        )
