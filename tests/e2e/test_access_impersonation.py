"""The report on impersonation agrees with what a real API server lets callers do."""

from __future__ import annotations

import datetime as dt
import http.client
import itertools
import random
import ssl
import time
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from authenticator.access.impersonation import LEGACY, Impersonated
from authenticator.access.objects import read_rbac
from authenticator.access.principals import entrants
from authenticator.access.rbac import SubjectKind
from authenticator.access.report import Grant, Report
from authenticator.access.rules import Request
from authenticator.admin.access.reading import of_cluster
from authenticator.sources.kubernetes_api import KubernetesApi, configuration
from dev.cluster import ControlPlane, Options
from dev.waiting import wait_until
from tests.authenticator.access.clusters import binding, mapped, role, rule, sections
from tests.e2e.test_access_report import allowed, create, silent, wait_until_known

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import StartControlPlane

pytestmark = pytest.mark.cluster

_SEED = 20_261_127
_NAMESPACES = ("one", "two")
_TEAMS = ("readers", "ops", "system:masters", "system:unauthenticated", "system:nodes")
_ACCOUNT = "system:serviceaccount:one:builder"
_NODE = "system:node:worker"
# Whom a caller may try to be: users, who can be given groups, and the others, who have their own.
_USERS = ("alice", "zed")
_FIXED = (
    _ACCOUNT,
    "system:serviceaccount:two:other",
    _NODE,
    "system:node:other",
    "system:anonymous",
)
# With four groups and more, the API server asks whether all groups are allowed.
_FILLERS = ("filler-1", "filler-2", "filler-3")
_MODES = ("user-info", "serviceaccount", "arbitrary-node")
_CALLERS = ("by-account", *(f"caller-{number}" for number in range(14)))
_AUTHENTICATION = "authentication.k8s.io"

# Each with its path and the namespace that it is made in.
_REQUESTS = (
    (Request("get", "secrets", name="red"), "one", "/api/v1/namespaces/one/secrets/red"),
    (Request("get", "secrets", name="red"), "two", "/api/v1/namespaces/two/secrets/red"),
    (Request("list", "pods"), "one", "/api/v1/namespaces/one/pods"),
    (Request("list", "pods"), "", "/api/v1/pods"),
    (Request("get", "nodes", name="worker"), "", "/api/v1/nodes/worker"),
    (Request("get", path="/metrics"), "", "/metrics"),
)


@dataclass(frozen=True)
class Authority:
    """Issues client certificates: this is how a user of any name reaches the API server."""

    directory: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, directory: Path) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(
            "test", key, "test", key, x509.BasicConstraints(ca=True, path_length=None)
        )
        (directory / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        return cls(directory, key, made)

    def context(self, username: str, ca: Path) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = x509.BasicConstraints(ca=False, path_length=None)
        made = _certificate(username, key, "test", self.key, leaf)
        path = self.directory / f"{username}.pem"
        path.touch(mode=0o600)
        path.write_bytes(
            made.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.create_default_context(cafile=ca)
        context.load_cert_chain(path)
        return context


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    constraints: x509.BasicConstraints,
) -> x509.Certificate:
    now = dt.datetime.now(dt.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(constraints, critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def plane(start_control_plane: StartControlPlane, authority: Authority) -> ControlPlane:
    flag = f"--client-ca-file={authority.directory / 'ca.pem'}"
    return start_control_plane(Options(extra_flags=(flag,)))


@pytest.fixture(scope="module")
def api(plane: ControlPlane) -> KubernetesApi:
    return KubernetesApi(partial(configuration, plane.admin_kubeconfig, ""))


cluster_binding = partial(binding, of="ClusterRole")


class Generator:
    """Roles for callers, of few words, so that the two rights often meet."""

    def __init__(self) -> None:
        self._chance = random.Random(_SEED)

    def some(self, words: tuple[str, ...], most: int) -> str:
        return " ".join(self._chance.sample(words, self._chance.randint(1, min(most, len(words)))))

    def maybe(self, words: tuple[str, ...], most: int = 2) -> str:
        return self.some(words, most) if self._chance.random() < 0.5 else ""

    def objects(self) -> Iterator[dict[str, Any]]:
        yield from _targets()
        yield from _by_account()
        for number, caller in enumerate(_CALLERS[1:]):
            rules = [*self._to_be(), *self._to_do()]
            yield role(f"own-{number}", *rules)
            namespace = self._chance.choice(("", "", "", *_NAMESPACES))
            subject = f"User/{caller}"
            yield cluster_binding(f"own-{number}", f"own-{number}", subject, namespace=namespace)
            if self._chance.random() < 0.5:
                yield role(f"more-{number}", *self._to_do())
                yield binding(f"more-{number}", f"more-{number}", f"User/{caller}")

    def _to_be(self) -> Iterator[dict[str, Any]]:
        names = ("alice", _ACCOUNT, _NODE)
        if self._chance.random() < 0.8:
            group = self._chance.choice(("", _AUTHENTICATION))
            verb = "impersonate" if not group else "impersonate:user-info"
            yield rule(verb, "users", group, names=self.maybe(names))
            yield rule(verb, "groups", group, names=self.maybe((*_TEAMS, "*"), 3))
        if self._chance.random() < 0.4:
            group = self._chance.choice(("", _AUTHENTICATION))
            verb = "impersonate" if not group else "impersonate:serviceaccount"
            yield rule(verb, "serviceaccounts", group, names=self.maybe(("builder",)))
        if self._chance.random() < 0.4:
            names = ("worker", "not_a_name")
            yield rule(
                "impersonate:arbitrary-node", "nodes", _AUTHENTICATION, names=self.maybe(names)
            )

    def _to_do(self) -> Iterator[dict[str, Any]]:
        verbs = tuple(f"impersonate-on:{m}:{v}" for m in _MODES for v in ("get", "list"))
        yield rule(self.some(verbs, 5), "secrets pods nodes")
        if self._chance.random() < 0.5:
            yield rule("impersonate-on:user-info:get", paths="/metrics")


def _targets() -> Iterator[dict[str, Any]]:
    """Rights that can be reached by impersonation."""
    yield role("reader", rule("get", "secrets"), rule("list", "pods"))
    yield binding("readers", "reader", "Group/readers")
    yield cluster_binding("local", "reader", "User/alice", namespace="one")
    yield role("node", rule("get", "nodes"))
    yield binding("nodes", "node", "Group/system:nodes", f"User/{_NODE}")
    yield role("metrics", rule("get", paths="/metrics"))
    yield binding("metrics", "metrics", "Group/ops", "Group/system:unauthenticated")
    yield role("account", rule("list", "pods"))
    yield binding("account", "account", f"User/{_ACCOUNT}", "Group/system:serviceaccounts:two")


def _by_account() -> Iterator[dict[str, Any]]:
    """A caller of the mode that chance rarely brings together with a target."""
    to_be = rule("impersonate:serviceaccount", "serviceaccounts", _AUTHENTICATION)
    yield role("by-account", to_be, rule("impersonate-on:serviceaccount:list", "pods"))
    yield cluster_binding("by-account", "by-account", "User/by-account", namespace="one")


class Caller:
    """One user with a connection of their own."""

    def __init__(self, plane: ControlPlane, authority: Authority, username: str) -> None:
        address = urlsplit(plane.server)
        context = authority.context(username, plane.ca)
        self._connection = http.client.HTTPSConnection(
            address.hostname or "", address.port, timeout=30, context=context
        )

    def may(self, path: str, user: str = "", groups: tuple[str, ...] = ()) -> bool:
        """Whether a request is let through, made as another user if one is given."""
        self._connection.putrequest("GET", path)
        if user:
            self._connection.putheader("Impersonate-User", user)
        for group in groups:
            self._connection.putheader("Impersonate-Group", group)
        self._connection.endheaders()
        answer = self._connection.getresponse()
        answer.read()
        assert answer.status in (HTTPStatus.OK, HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN)
        return answer.status != HTTPStatus.FORBIDDEN

    def may_as_others(self, path: str) -> bool:
        """Whether a request is let through as anybody."""
        ways: Iterator[tuple[str, tuple[str, ...]]] = itertools.chain(
            ((user, ()) for user in (*_USERS, *_FIXED)),
            ((user, (team,)) for user in (*_USERS, _ACCOUNT) for team in _TEAMS),
            ((user, (team, *_FILLERS)) for user in _USERS for team in _TEAMS),
        )
        return any(self.may(path, user, groups) for user, groups in ways)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def joined(api: KubernetesApi) -> Report:
    """The report on a cluster of many callers who may impersonate something."""
    for name in _NAMESPACES:
        api.request("POST", "/api/v1/namespaces", body={"metadata": {"name": name}})
    create(api, Generator().objects())
    wait_until_known(api)
    entries = [mapped(f"r{number}", caller) for number, caller in enumerate(_CALLERS)]
    live = of_cluster(api, silent, mappings=False)
    return Report(read_rbac(live), entrants(sections(entries), time.time()))


def grants(report: Report, request: Request, namespace: str | None) -> dict[str, tuple[Grant, ...]]:
    found = report.who_can(request, namespace)
    return {principal.username.text: grants for principal, grants in found}


def test_who_can_agrees_with_impersonated_requests(
    joined: Report, plane: ControlPlane, authority: Authority
) -> None:
    differing, answers = [], []
    for name in _CALLERS:
        caller = Caller(plane, authority, name)
        for request, namespace, path in _REQUESTS:
            ours = name in grants(joined, request, namespace)
            theirs = caller.may(path) or caller.may_as_others(path)
            answers.append(theirs)
            if ours != theirs:
                differing.append((name, path, ours))
        caller.close()
    assert differing == []
    # Neither answer is rare, or the agreement would prove little.
    assert 0.1 < sum(answers) / len(answers) < 0.9


def test_each_step_of_an_impersonation_is_one_that_the_api_server_allows(
    joined: Report, api: KubernetesApi
) -> None:
    modes = set()
    for request, namespace, _ in _REQUESTS:
        for name, ways in grants(joined, request, namespace).items():
            for way in (grant.impersonated for grant in ways if grant.impersonated):
                modes.add(way.mode)
                if way.on is not None:
                    verb = f"impersonate-on:{way.mode}:{request.verb}"
                    assert allowed(api, name, (), replace(request, verb=verb), namespace)
                assert as_target(api, way, request, namespace)
    assert modes == {*_MODES, LEGACY}


def as_target(api: KubernetesApi, way: Impersonated, request: Request, namespace: str) -> bool:
    is_user = way.target.kind is SubjectKind.USER
    user = way.target.name if is_user else "a-user"
    groups = () if is_user else (way.target.name,)
    return allowed(api, user, groups, request, namespace)


def test_an_iam_principal_cannot_be_the_node_of_a_pod(
    joined: Report, api: KubernetesApi, plane: ControlPlane, authority: Authority
) -> None:
    """The mode associated-node is for ServiceAccounts whose token says which node they run on."""
    objects = [
        role(
            "associated",
            rule("impersonate:associated-node", "nodes", _AUTHENTICATION),
            rule("impersonate-on:associated-node:get", "nodes"),
        ),
        binding("associated", "associated", "User/agent"),
    ]
    create(api, objects)
    sentinel = Request("impersonate:associated-node", "nodes", _AUTHENTICATION, name="worker")
    wait_until(lambda: allowed(api, "agent", (), sentinel, ""), "the binding is not known")
    caller = Caller(plane, authority, "agent")
    assert not caller.may_as_others("/api/v1/nodes/worker")
    caller.close()
    live = of_cluster(api, silent, mappings=False)
    report = Report(read_rbac(live), entrants(sections([mapped("Agent", "agent")]), time.time()))
    assert grants(report, Request("get", "nodes", name="worker"), "") == {}
    ((_, standing),) = report.principals
    assert "impersonate-own-node" in standing.risks


def test_reading_secrets_as_others_is_not_called_nothing_risky(
    joined: Report, api: KubernetesApi, plane: ControlPlane, authority: Authority
) -> None:
    """The report said so once, and `who-can get secrets` named no principal."""
    create(
        api,
        [
            role(
                "constrained",
                rule("impersonate:user-info", "users groups", _AUTHENTICATION),
                rule("impersonate-on:user-info:get", "secrets"),
            ),
            binding("constrained", "constrained", "User/mallory"),
        ],
    )
    sentinel = Request("impersonate-on:user-info:get", "secrets")
    wait_until(lambda: allowed(api, "mallory", (), sentinel, "one"), "the binding is not known")
    caller = Caller(plane, authority, "mallory")
    path = "/api/v1/namespaces/two/secrets/red"
    assert not caller.may(path)
    assert caller.may(path, "zed", ("readers",))
    caller.close()
    live = of_cluster(api, silent, mappings=False)
    report = Report(read_rbac(live), entrants(sections([mapped("M", "mallory")]), time.time()))
    (found,) = grants(report, Request("get", "secrets"), None)["mallory"]
    assert found.impersonated is not None
    assert str(found.impersonated.target) == "Group/readers"
    ((_, standing),) = report.principals
    assert set(standing.risks) == {"secrets-read", "impersonate-constrained"}
