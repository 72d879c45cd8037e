"""RBAC objects, as `kubectl get -o json` and the API server write them, become an `Rbac`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from authenticator.access.aggregation import ClusterRole, Requirement, aggregated
from authenticator.access.rbac import Binding, Rbac, RoleKey, Subject, SubjectKind
from authenticator.access.rules import PolicyRule

API_GROUP = "rbac.authorization.k8s.io"
KINDS = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
_CLUSTER_ROLE, _CLUSTER_ROLE_BINDING, _ROLE, _ROLE_BINDING = KINDS
Object = Mapping[str, Any]


def read_rbac(objects: Iterable[Object]) -> Rbac:
    """Read the objects whose kind is one of `KINDS`, and no others.

    Raises:
        ValueError: an object is not of the form that the API server gives it.
    """
    cluster_roles: dict[str, ClusterRole] = {}
    roles: dict[RoleKey, tuple[PolicyRule, ...]] = {}
    bindings: list[Binding] = []
    for obj in objects:
        kind = obj.get("kind")
        if kind not in KINDS or not str(obj.get("apiVersion", "")).startswith(f"{API_GROUP}/"):
            continue
        try:
            metadata = obj["metadata"]
            name = str(metadata["name"])
            if kind == _CLUSTER_ROLE:
                cluster_roles[name] = _cluster_role(obj)
            elif kind == _ROLE:
                roles[RoleKey(name, _namespace(metadata))] = _rules(obj)
            else:
                namespace = _namespace(metadata) if kind == _ROLE_BINDING else ""
                bindings.append(_binding(obj, name, namespace))
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"a {kind} is not as the API server writes it: {error!r}") from error
    whole = {RoleKey(name): rules for name, rules in aggregated(cluster_roles).items()}
    return Rbac.of(whole | roles, bindings)


def _namespace(metadata: Object) -> str:
    # Empty, it would count for the whole cluster.
    return str(metadata.get("namespace") or "default")


def _rules(obj: Object) -> tuple[PolicyRule, ...]:
    return tuple(
        PolicyRule(
            verbs=_texts(rule, "verbs"),
            groups=_texts(rule, "apiGroups"),
            resources=_texts(rule, "resources"),
            names=_texts(rule, "resourceNames"),
            paths=_texts(rule, "nonResourceURLs"),
        )
        for rule in obj.get("rules") or ()
    )


def _texts(rule: Object, key: str) -> frozenset[str]:
    values = rule.get(key) or ()
    if isinstance(values, str):
        raise TypeError(f"{key} must be a list")
    return frozenset(str(value) for value in values)


def _cluster_role(obj: Object) -> ClusterRole:
    labels = {str(key): str(value) for key, value in (obj["metadata"].get("labels") or {}).items()}
    aggregation = obj.get("aggregationRule") or {}
    selectors = tuple(
        tuple(_requirements(selector)) for selector in aggregation.get("clusterRoleSelectors") or ()
    )
    return ClusterRole(_rules(obj), labels, selectors)


def _requirements(selector: Object) -> Iterator[Requirement]:
    for key, value in (selector.get("matchLabels") or {}).items():
        yield Requirement(str(key), "In", (str(value),))
    for expression in selector.get("matchExpressions") or ():
        values = tuple(str(value) for value in expression.get("values") or ())
        yield Requirement(str(expression["key"]), str(expression["operator"]), values)


def _binding(obj: Object, name: str, namespace: str) -> Binding:
    reference = obj["roleRef"]
    role = RoleKey(str(reference["name"]), namespace if reference["kind"] == _ROLE else "")
    subjects = tuple(
        subject
        for given in obj.get("subjects") or ()
        if (subject := _subject(given, namespace)) is not None
    )
    return Binding(name, namespace, role, subjects)


def _subject(given: Object, namespace: str) -> Subject | None:
    kind, name = str(given["kind"]), str(given["name"])
    if kind == "ServiceAccount":
        # A mapping may name such a user, too: RBAC compares usernames and nothing else.
        of = str(given.get("namespace") or namespace)
        return Subject(SubjectKind.USER, f"system:serviceaccount:{of}:{name}") if of else None
    if kind in (SubjectKind.USER.value, SubjectKind.GROUP.value):
        return Subject(SubjectKind(kind), name)
    return None
