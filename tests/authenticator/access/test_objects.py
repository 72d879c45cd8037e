"""Objects of Kubernetes become roles, bindings and subjects."""

from __future__ import annotations

import pytest

from authenticator.access.objects import read_rbac
from authenticator.access.rbac import RoleKey, Subject, SubjectKind
from authenticator.access.rules import Request
from tests.authenticator.access.clusters import Object, binding, role, rule

READ = Request("get", "pods")


def aggregating(name: str, *selectors: Object, **more: object) -> Object:
    return role(name, aggregationRule={"clusterRoleSelectors": list(selectors)}, **more)


def verbs(objects: list[Object], name: str) -> list[str]:
    """The verbs that a ClusterRole ends up with."""
    return sorted(verb for each in read_rbac(objects).roles[RoleKey(name)] for verb in each.verbs)


def test_a_role_of_a_namespace_is_not_the_cluster_role_of_the_same_name() -> None:
    rbac = read_rbac([role("a", rule("get", "pods")), role("a", namespace="n")])
    assert (len(rbac.roles[RoleKey("a")]), len(rbac.roles[RoleKey("a", "n")])) == (1, 0)


def test_a_role_binding_counts_in_its_namespace_only() -> None:
    rbac = read_rbac(
        [
            role("read", rule("get", "pods")),
            binding("here", "read", "User/alice", namespace="here", of="ClusterRole"),
        ]
    )
    granting = [len(rbac.granting(READ, place)) for place in ("here", "there", "", None)]
    assert granting == [1, 0, 0, 1]


def test_a_binding_in_a_namespace_grants_nothing_outside_of_namespaces() -> None:
    everything = role("all", rule("*", "*", "*"), rule("*", paths="*"))
    rbac = read_rbac([everything, binding("b", "all", "User/a", namespace="n", of="ClusterRole")])
    assert rbac.granting(READ, None)
    assert not rbac.granting(Request("get", "nodes"), None)
    assert not rbac.granting(Request("get", path="/metrics"), None)
    # Whether a role may be bound is asked in the namespace of the binding.
    assert rbac.granting(Request("bind", "clusterroles", "rbac.authorization.k8s.io"), None)


def test_a_binding_of_a_role_that_is_not_there_grants_nothing_and_is_named() -> None:
    rbac = read_rbac([binding("b", "gone", "User/alice")])
    assert not rbac.granting(READ, "")
    assert [str(found) for found in rbac.dangling()] == ["ClusterRoleBinding/b"]


def test_a_service_account_is_the_user_that_it_logs_in_as() -> None:
    bound = binding("b", "r", namespace="own")
    bound["subjects"] = [
        {"kind": "ServiceAccount", "name": "x"},
        {"kind": "ServiceAccount", "name": "y", "namespace": "other"},
    ]
    names = {subject.name for subject in read_rbac([bound]).by_subject}
    assert names == {"system:serviceaccount:own:x", "system:serviceaccount:other:y"}


def test_a_subject_that_is_named_twice_counts_once() -> None:
    rbac = read_rbac([binding("b", "r", "Group/g", "Group/g")])
    assert len(rbac.by_subject[Subject(SubjectKind.GROUP, "g")]) == 1


def test_other_objects_are_passed_over() -> None:
    other = {"apiVersion": "example.com/v1", "kind": "Role", "metadata": {"name": "x"}}
    assert read_rbac([{"kind": "Secret"}, other]).roles == {}


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"metadata": None}, id="no metadata"),
        pytest.param({"rules": ["x"]}, id="a rule that is a word"),
        pytest.param({"rules": [{"verbs": "get"}]}, id="verbs that are a word"),
        pytest.param({"rules": 3}, id="rules that are a number"),
    ],
)
def test_what_no_api_server_writes_is_refused(broken: Object) -> None:
    with pytest.raises(ValueError, match="ClusterRole"):
        read_rbac([role("r") | broken])


def test_null_is_the_same_as_nothing() -> None:
    empty = {"rules": None, "aggregationRule": None}
    assert read_rbac([role("r") | empty, binding("b", "r") | {"subjects": None}]).bindings


PARTS = [
    role("a", rule("get", "x"), labels={"part": "a", "kind": "read"}),
    role("b", rule("list", "x"), labels={"part": "b"}),
    role("c", rule("delete", "x")),
]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        pytest.param({"matchLabels": {"part": "a"}}, ["get"], id="a label"),
        pytest.param({"matchLabels": {"part": "a", "kind": "x"}}, [], id="all labels"),
        pytest.param({}, ["delete", "get", "list"], id="no condition is met by all"),
        pytest.param(
            {"matchExpressions": [{"key": "part", "operator": "In", "values": ["a", "b"]}]},
            ["get", "list"],
            id="In",
        ),
        pytest.param(
            {"matchExpressions": [{"key": "part", "operator": "NotIn", "values": ["a"]}]},
            ["delete", "list"],
            id="NotIn, which is met without the label",
        ),
        pytest.param(
            {"matchExpressions": [{"key": "kind", "operator": "Exists"}]}, ["get"], id="Exists"
        ),
        pytest.param(
            {"matchExpressions": [{"key": "part", "operator": "DoesNotExist"}]},
            ["delete"],
            id="DoesNotExist",
        ),
        pytest.param(
            {"matchExpressions": [{"key": "part", "operator": "Likes"}]}, [], id="unknown"
        ),
    ],
)
def test_a_selector_aggregates(selector: Object, expected: list[str]) -> None:
    assert verbs([*PARTS, aggregating("sum", selector)], "sum") == expected


def test_selectors_are_alternatives() -> None:
    either = [{"matchLabels": {"part": "a"}}, {"matchLabels": {"part": "b"}}]
    assert verbs([*PARTS, aggregating("sum", *either)], "sum") == ["get", "list"]


def test_an_aggregated_role_is_aggregated_in_turn_in_circles_too() -> None:
    objects = [
        *PARTS,
        aggregating(
            "one",
            {"matchLabels": {"part": "a"}},
            {"matchLabels": {"in": "two"}},
            labels={"in": "one"},
        ),
        aggregating(
            "two",
            {"matchLabels": {"part": "b"}},
            {"matchLabels": {"in": "one"}},
            labels={"in": "two"},
        ),
    ]
    assert verbs(objects, "one") == verbs(objects, "two") == ["get", "list"]


def test_what_the_controller_has_written_stays_and_counts_once() -> None:
    written = aggregating("sum", {"matchLabels": {"part": "a"}}) | {
        "rules": [rule("get", "x"), rule("watch", "x")]
    }
    assert verbs([*PARTS, written], "sum") == ["get", "watch"]
