"""What the manifests let the server do in a cluster, what it did, and how to take a right away."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.e2e.administrator import Administrator
from tests.e2e.manifests import BASE, Object, render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.cluster import ControlPlane

_ACCOUNT = "system:serviceaccount:kube-system:aws-iam-authenticator"
_SUBJECT = {
    "kind": "ServiceAccount",
    "name": "aws-iam-authenticator",
    "namespace": "kube-system",
}


@dataclass(frozen=True)
class Right:
    """One verb on one resource. A name or namespace of "" means any."""

    namespace: str
    verb: str
    group: str
    resource: str
    name: str = ""

    def covers(self, asked: Right) -> bool:
        """Whether RBAC lets a request pass by this right."""
        return (
            (self.verb, self.group, self.resource) == (asked.verb, asked.group, asked.resource)
            and self.namespace in ("", asked.namespace)
            and self.name in ("", asked.name)
        )

    def __str__(self) -> str:
        return f"{self.verb} {self.resource} in {self.namespace or 'the cluster'}"


@dataclass(frozen=True)
class _Rule:
    role: Object
    number: int


@functools.cache
def granted() -> dict[Right, _Rule]:
    """What base grants the server, and by which rule."""
    rights = {}
    for role in (obj for obj in render(BASE) if obj["kind"] in ("Role", "ClusterRole")):
        assert _is_bound(role)
        namespace = role["metadata"].get("namespace", "")
        for number, rule in enumerate(role["rules"]):
            (group,), (resource,) = rule["apiGroups"], rule["resources"]
            (name,) = rule.get("resourceNames", [""])
            for verb in rule["verbs"]:
                rights[Right(namespace, verb, group, resource, name)] = _Rule(role, number)
    return rights


def _is_bound(role: Object) -> bool:
    metadata = role["metadata"]
    return any(
        obj["kind"] == f"{role['kind']}Binding"
        and (obj["roleRef"]["kind"], obj["roleRef"]["name"]) == (role["kind"], metadata["name"])
        and obj["metadata"].get("namespace") == metadata.get("namespace")
        and obj["subjects"] == [_SUBJECT]
        for obj in render(BASE)
    )


class Installed:
    """A control plane with base applied to it, and a kubeconfig of the server's own."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.administrator = Administrator(plane)
        plane.kubectl("apply", f"--kustomize={BASE}")
        crd = "crd/iamidentitymappings.iamauthenticator.k8s.aws"
        plane.kubectl("wait", "--for=condition=Established", crd)
        account = ("--namespace=kube-system", "aws-iam-authenticator")
        token = plane.kubectl("create", "token", *account).stdout.strip()
        self.kubeconfig = plane.kubeconfig("service-account", {"token": token})

    @contextlib.contextmanager
    def without(self, right: Right) -> Iterator[None]:
        """Take one right away, and give it back."""
        role, number = granted()[right].role, granted()[right].number
        rules = [dict(rule) for rule in role["rules"]]
        rules[number]["verbs"] = [verb for verb in rules[number]["verbs"] if verb != right.verb]
        # The API server refuses a rule without verbs.
        self.administrator.apply({**role, "rules": [rule for rule in rules if rule["verbs"]]})
        self.administrator.wait_for(lambda: not self._may(right))
        try:
            yield
        finally:
            self.administrator.apply(role)
            self.administrator.wait_for(lambda: self._may(right))

    def _may(self, right: Right) -> bool:
        resource, _, subresource = right.resource.partition("/")
        kind = f"{resource}.{right.group}" if right.group else resource
        asked = self.plane.kubectl(
            *("auth", "can-i", right.verb, f"{kind}/{right.name}" if right.name else kind),
            *([f"--subresource={subresource}"] if subresource else []),
            *([f"--namespace={right.namespace}"] if right.namespace else []),
            kubeconfig=self.kubeconfig,
            check=False,
        )
        return asked.stdout.strip() == "yes"

    def asked(self, since: int) -> set[tuple[Right, str]]:
        """What the server asked of the API server, with the authorizer's answers.

        Args:
            since: how many audit events there were before.
        """
        return {
            (_right(event), event["annotations"]["authorization.k8s.io/decision"])
            for event in self.plane.audit_events()[since:]
            if event["user"]["username"] == _ACCOUNT
            # And not kubectl with the same token.
            and event["userAgent"] == "aws-iam-authenticator"
        }


def _right(event: dict[str, Any]) -> Right:
    target = event["objectRef"]
    return Right(
        target.get("namespace", ""),
        event["verb"],
        target.get("apiGroup", ""),
        "/".join(filter(None, (target["resource"], target.get("subresource")))),
        target.get("name", ""),
    )
