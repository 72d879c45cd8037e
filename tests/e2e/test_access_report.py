"""What we say that somebody may do is what the API server allows."""

from __future__ import annotations

import itertools
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from authenticator.access.document import rules_of
from authenticator.access.objects import read_rbac
from authenticator.access.principals import entrants
from authenticator.access.rbac import RoleKey
from authenticator.access.report import Report
from authenticator.access.resources import GROUPS, PLURALS
from authenticator.access.rules import Request
from authenticator.admin.access import reading
from authenticator.admin.access.command import access
from authenticator.admin.access.discovery import discovered
from authenticator.admin.access.reading import of_cluster
from authenticator.sources.cluster import ClusterError
from authenticator.sources.kubernetes_api import KubernetesApi, configuration
from dev.cluster import ControlPlane, Options
from dev.waiting import wait_until
from tests.authenticator.access.clusters import binding, mapped, role, rule, sections
from tests.e2e.administrator import Administrator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.e2e.conftest import StartControlPlane

pytestmark = pytest.mark.cluster

_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_PLURALS = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "Role": "roles",
    "RoleBinding": "rolebindings",
}
_NAMESPACES = ("one", "two")
_VERBS = ("get", "list", "create", "delete", "bind", "impersonate", "*")
_RESOURCES = ("pods", "pods/log", "pods/*", "secrets", "deployments", "*/scale", "nodes", "*")
_GROUPS = ("", "apps", "*", "example.com")
_NAMES = ("red", "blue")
_PATHS = ("/healthz", "/healthz/*", "/metrics", "/a*", "*")
_USERS = ("alice", "bob", "system:serviceaccount:one:builder", "dev:carol")
_TEAMS = ("ops", "dev", "system:authenticated", "system:masters")
_REQUESTS = 50
_SEED = 20_261_121


@pytest.fixture(scope="module")
def plane(start_control_plane: StartControlPlane) -> ControlPlane:
    return start_control_plane(Options())


@pytest.fixture(scope="module")
def api(plane: ControlPlane) -> KubernetesApi:
    return KubernetesApi(partial(configuration, plane.admin_kubeconfig, ""))


class Generator:
    """Roles, bindings and questions of few words, so that they meet."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def some(self, words: Iterable[str], most: int = 2) -> list[str]:
        every = list(words)
        return self._chance.sample(every, self._chance.randint(1, min(most, len(every))))

    def rule(self, *, cluster: bool) -> dict[str, Any]:
        if cluster and self._chance.random() < 0.25:
            return {"verbs": self.some(_VERBS), "nonResourceURLs": self.some(_PATHS)}
        made: dict[str, Any] = {
            "verbs": self.some(_VERBS),
            "apiGroups": self.some(_GROUPS),
            "resources": self.some(_RESOURCES),
        }
        return made | ({"resourceNames": self.some(_NAMES)} if self._chance.random() < 0.3 else {})

    def objects(self) -> Iterator[dict[str, Any]]:
        for number in range(30):
            namespace = self._chance.choice(("", *_NAMESPACES))
            rules = [self.rule(cluster=not namespace) for _ in range(self._chance.randint(1, 2))]
            yield role(f"role-{number}", *rules, namespace=namespace)
        for number in range(40):
            namespace = self._chance.choice(("", *_NAMESPACES))
            kind = self._chance.choice(("Role", "ClusterRole")) if namespace else "ClusterRole"
            # Some name a role that is not there.
            of = f"role-{self._chance.randrange(32)}"
            users = [f"User/{user}" for user in self.some(_USERS[:2])]
            groups = [f"Group/{team}" for team in self.some(_TEAMS[:3], 1)]
            chosen = self._chance.choice((users, groups, [*users, *groups]))
            made = binding(f"binding-{number}", of, *chosen, namespace=namespace, of=kind)
            if self._chance.random() < 0.3:
                account = {"kind": "ServiceAccount", "name": "builder", "namespace": "one"}
                made["subjects"].append(account)
            yield made

    def request(self) -> tuple[Request, str]:
        """What is asked for, and where."""
        verb = self._chance.choice(_VERBS[:-1])
        if self._chance.random() < 0.2:
            path = self._chance.choice(("/healthz", "/healthz/etcd", "/metrics", "/apis", "/b"))
            return Request(verb, path=path), ""
        resource, _, subresource = self._chance.choice(
            ("pods", "pods/log", "secrets", "deployments", "deployments/scale", "nodes", "widgets")
        ).partition("/")
        group = self._chance.choice(("", "apps", "example.com"))
        name = self._chance.choice(("", *_NAMES, "green"))
        namespace = self._chance.choice(("", *_NAMESPACES))
        return Request(verb, resource, group, subresource, name), namespace


def create(api: KubernetesApi, objects: Iterable[dict[str, Any]]) -> None:
    for obj in objects:
        namespace = obj["metadata"].get("namespace")
        place = f"/namespaces/{namespace}" if namespace else ""
        api.request("POST", f"{_RBAC}{place}/{_PLURALS[obj['kind']]}", body=obj)


def allowed(
    api: KubernetesApi, username: str, groups: Iterable[str], request: Request, namespace: str
) -> bool:
    """What the API server says."""
    # It gives everybody who logs in this group, but a review only those that it names.
    spec: dict[str, Any] = {"user": username, "groups": [*groups, "system:authenticated"]}
    if request.path:
        spec["nonResourceAttributes"] = {"verb": request.verb, "path": request.path}
    else:
        spec["resourceAttributes"] = {
            "verb": request.verb,
            "group": request.group,
            "resource": request.resource,
            "subresource": request.subresource,
            "name": request.name,
            "namespace": namespace,
        }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    return bool(api.request("POST", path, body=review)["status"]["allowed"])


def wait_until_known(api: KubernetesApi) -> None:
    """Make the last object of each kind, and wait until the authorizer knows it.

    It follows each kind by itself, so that one binding says nothing of the others.
    """
    sentinel = rule("get", "sentinels", "sentinel.example.com")
    create(
        api,
        [
            role("sentinel", sentinel),
            role("sentinel", sentinel, namespace="one"),
            binding("sentinel", "sentinel", "User/wide"),
            binding("sentinel", "sentinel", "User/local", namespace="one"),
        ],
    )
    request = Request("get", "sentinels", "sentinel.example.com")
    wait_until(
        lambda: all(allowed(api, user, (), request, "one") for user in ("wide", "local")),
        "the authorizer does not know the last binding of each kind",
    )


def silent(_: str) -> None: ...


def callers() -> list[tuple[str, tuple[str, ...]]]:
    """Every username with every set of groups."""
    sets = [tuple(found) for size in range(4) for found in itertools.combinations(_TEAMS, size)]
    return [(user, groups) for user in _USERS for groups in sets]


def test_who_can_agrees_with_subject_access_reviews(api: KubernetesApi) -> None:
    generator = Generator(_SEED)
    for name in _NAMESPACES:
        api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": name}})
    create(api, generator.objects())
    wait_until_known(api)
    everybody = callers()
    entries = [mapped(f"r{n}", user, *groups) for n, (user, groups) in enumerate(everybody)]
    live = of_cluster(api, silent, mappings=False)
    report = Report(read_rbac(live), entrants(sections(entries), time.time()))

    asked = [generator.request() for _ in range(_REQUESTS)]
    cases = [(who, what) for what in asked for who in everybody]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda case: allowed(api, *case[0], *case[1]), cases))

    ours = []
    for request, namespace in asked:
        able = {p.origin.index for p, _ in report.who_can(request, namespace)}
        ours += [number in able for number in range(len(everybody))]
    differing = [case for case, a, b in zip(cases, answers, ours, strict=True) if a != b]
    assert differing == []
    # Neither answer is rare, or the agreement would prove little.
    assert 0.1 < sum(answers) / len(answers) < 0.9


def test_what_is_aggregated_is_what_the_api_server_allows_once_it_is_written(
    api: KubernetesApi,
) -> None:
    """No controller runs here: the test writes what it would, the rules that we found."""
    every = {"matchExpressions": [{"key": "part", "operator": "In", "values": ["a", "b"]}]}
    chained = {"matchLabels": {"whole": "yes"}}
    create(
        api,
        [
            role("part-a", rule("get", "pods"), labels={"part": "a"}),
            role("part-b", rule("list", "services"), labels={"part": "b"}),
            role("part-c", rule("delete", "pods"), labels={"part": "c"}),
            role(
                "whole",
                labels={"whole": "yes"},
                aggregationRule={"clusterRoleSelectors": [every]},
            ),
            role("chain", aggregationRule={"clusterRoleSelectors": [chained]}),
            binding("chain", "chain", "User/aggregated"),
        ],
    )
    rbac = read_rbac(of_cluster(api, silent, mappings=False))
    rules = rules_of(rbac.roles[RoleKey("chain")])
    assert [found["verbs"] for found in rules] == [["get"], ["list"]]
    api.request("PATCH", f"{_RBAC}/clusterroles/chain", body={"rules": rules})

    wanted = Request("list", "services")
    wait_until(
        lambda: allowed(api, "aggregated", (), wanted, ""),
        "the authorizer does not know the rules put together",
    )
    assert not allowed(api, "aggregated", (), Request("delete", "pods"), "")


def test_the_roles_that_every_cluster_has_are_put_together(api: KubernetesApi) -> None:
    """`view`, `edit` and `admin` have no rules until a controller runs."""
    rbac = read_rbac(of_cluster(api, silent, mappings=False))
    reads = Request("get", "pods")
    writes = Request("create", "deployments", "apps")
    can = {
        name: [
            any(r.allows(wanted) for r in rbac.roles[RoleKey(name)]) for wanted in (reads, writes)
        ]
        for name in ("view", "edit", "admin")
    }
    assert can == {"view": [True, False], "edit": [True, True], "admin": [True, True]}


def test_reading_page_by_page_finds_the_same(
    api: KubernetesApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = of_cluster(api, silent, mappings=True)
    monkeypatch.setattr(reading, "_PAGE", "7")
    assert of_cluster(api, silent, mappings=True) == whole
    assert len(whole) > 7 * 4


@pytest.fixture(scope="module")
def mapped_plane(plane: ControlPlane) -> ControlPlane:
    """The cluster with mappings in aws-auth and in a custom resource."""
    administrator = Administrator(plane)
    administrator.install_crd()
    administrator.write(
        [mapped("Admin", "admin", "system:masters"), mapped("Dev", "dev:{{SessionName}}")]
    )
    administrator.map(
        "auditor",
        arn="arn:aws:iam::111122223333:role/Auditor",
        username="auditor",
        groups=["auditors"],
    )
    administrator.apply(role("audit", rule("get list", "pods")))
    administrator.apply(binding("audit", "audit", "Group/auditors"))
    administrator.apply(binding("release", "audit", "User/dev:release"))
    return plane


def test_the_command_reports_on_a_cluster(
    mapped_plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    at = f"--kubeconfig={mapped_plane.admin_kubeconfig}"
    assert access(["report", at, "--output=json"]) == 0
    document = json.loads(capsys.readouterr().out)
    found = {
        principal["username"]: document["standings"][principal["standing"]]["subjects"]
        for principal in document["principals"]
    }
    assert found["admin"]["Group/system:masters"] == "name"
    assert found["auditor"]["Group/auditors"] == "name"
    assert found["dev:{{SessionName}}"]["User/dev:release"] == "session"

    assert access(["who-can", "list", "pods", at, "--output=json"]) == 0
    able = [found["username"] for found in json.loads(capsys.readouterr().out)["principals"]]
    assert able == ["admin", "dev:{{SessionName}}", "auditor"]

    session = "arn:aws:sts::111122223333:assumed-role/Dev/alice"
    assert access(["what", session, at, "--output=json"]) == 0
    (dev,) = json.loads(capsys.readouterr().out)["principals"]
    assert {grant["subject"] for grant in dev["grants"]} == {"Group/system:authenticated"}


def test_the_command_says_what_it_may_not_read(
    mapped_plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = mapped_plane.kubeconfig("nobody", {"token": "nobody's"})
    assert access(["report", f"--kubeconfig={nobody}"]) == 1
    error = capsys.readouterr().err
    assert "/apis/rbac.authorization.k8s.io/v1/clusterroles" in error
    assert "401" in error


def test_what_kubectl_printed_gives_the_same_report(
    mapped_plane: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = "clusterroles,clusterrolebindings,roles,rolebindings,iamidentitymappings"
    get = partial(mapped_plane.kubectl, "get", "--output=json")
    (tmp_path / "rbac.json").write_text(get(kinds, "--all-namespaces").stdout)
    (tmp_path / "aws-auth.json").write_text(get("configmap/aws-auth", "-n=kube-system").stdout)
    documents = []
    for given in (f"--filename={tmp_path}", f"--kubeconfig={mapped_plane.admin_kubeconfig}"):
        assert access(["report", given, "--output=json", "--title=same"]) == 0
        document = json.loads(capsys.readouterr().out)
        document.pop("generated")
        documents.append(document)
    assert documents[0] == documents[1]


def discovered_names(api: KubernetesApi) -> dict[tuple[str, str], set[str]]:
    """Singular and short names of all resources that the API server serves."""
    groups = api.request("GET", "/apis")["groups"]
    paths = [f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups]
    return {
        (path.split("/")[2] if path != "/api/v1" else "", found["name"]): {
            found["singularName"],
            *found.get("shortNames", ()),
        }
        for path in ("/api/v1", *paths)
        for found in api.request("GET", path)["resources"]
        if "/" not in found["name"]
    }


def test_our_names_of_resources_are_those_of_the_api_server(api: KubernetesApi) -> None:
    """A name of ours that the API server does not know would be another resource's one day."""
    served = discovered_names(api)
    for (group, plural), names in served.items():
        if GROUPS.get(plural) == group:
            ours = {name for name, meant in PLURALS.items() if meant == plural}
            assert ours == {plural, *names}, plural
    # RBAC alone knows these.
    rest = {name for name, group in GROUPS.items() if (group, name) not in served}
    assert {"pods", "deployments", "clusterroles"}.isdisjoint(rest)


WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "shortNames": ["w"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object"}},
            }
        ],
    },
}


def test_who_can_takes_custom_resources_as_kubectl_does(
    plane: ControlPlane, api: KubernetesApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """They had to be written in the plural with their group."""
    administrator = Administrator(plane)
    administrator.install_crd()
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    api.request("POST", definitions, body=WIDGETS)

    def listed() -> bool:
        try:
            return discovered(api, "w", "") is not None
        except ClusterError:  # a group is listed a moment before its version is served
            return False

    wait_until(listed, "the API server does not list the widgets")
    administrator.write([mapped("Widgets", "widgets-user")])
    create(
        api,
        [
            role("widgets", rule("get", "widgets", "example.com")),
            binding("widgets", "widgets", "User/widgets-user"),
        ],
    )
    at = f"--kubeconfig={plane.admin_kubeconfig}"
    for name in (
        "widgets",
        "widget",
        "w",
        "Widget",
        "w/red",
        "widget.example.com",
        "w.example.com",
    ):
        assert access(["who-can", "get", name, "-o", "name", at]) == 0
        assert "role/Widgets" in capsys.readouterr().out, name
        kubectl = plane.kubectl("auth", "can-i", "get", name, "--as=widgets-user", "-n=default")
        assert kubectl.stdout.strip() == "yes", name

    assert access(["who-can", "get", "gadgets.example.com", at]) == 0
    assert "the API server has no resource gadgets.example.com" in capsys.readouterr().err
    assert access(["who-can", "get", "gadgets", at]) == 2
    assert "there is no resource 'gadgets'" in capsys.readouterr().err
    assert access(["who-can", "get", "pods/log", at]) == 0
    assert "for the subresource use pods --subresource log" in capsys.readouterr().err


def test_kubectl_explains_our_resource_and_knows_its_short_name(plane: ControlPlane) -> None:
    Administrator(plane).install_crd()
    explained = plane.kubectl("explain", "iim").stdout
    assert "Maps an AWS IAM principal" in explained
    for path in ("spec.expires", "spec.userid", "spec.username", "status.conditions.message"):
        said = plane.kubectl("explain", f"iim.{path}").stdout
        assert "<empty>" not in said, path
    listed = plane.kubectl("get", "iim", "-o", "wide")
    # The tests before this one leave some, or none.
    assert "MESSAGE" in listed.stdout or "No resources found" in listed.stderr
