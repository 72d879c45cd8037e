"""Ours and the reference next to each other on one API server: the same mappings, the same tokens.

The documents are some of those of `tests/oracle`. What each server answers is compared, whole, with
what its own packages said there: that shows that the oracle is the reference, and that nothing
stands between our readers and our answers.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dev import oracle
from dev.aws_double import AwsDouble
from dev.aws_double.principals import Principal
from dev.bench.reference import reference_binary
from dev.cluster import Options
from dev.oracle import Caller, Step, User
from dev.poster import Poster
from dev.server import WebhookServer, write_config
from dev.waiting import PATIENCE_SECONDS, wait_until
from tests.e2e import callers
from tests.e2e.administrator import Administrator
from tests.oracle import ours
from tests.oracle.cases import CALLERS, Case, session, user
from tests.oracle.documents import CASES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.e2e.conftest import StartControlPlane

# The first use builds the reference, in 2 minutes.
pytestmark = [pytest.mark.cluster, pytest.mark.reference, pytest.mark.timeout(600)]

# All whom STS of this partition knows, but sessions of instances, whom EC2 would have to name.
ASKING = tuple(
    caller for name, caller in CALLERS.items() if name not in {"china", "node", "lost-node"}
)
# Who is mapped to the number of an edit, so that an answer tells which edit is in force.
SENTINEL = Caller(
    "arn:aws:iam::777788889999:user/sentinel", "AIDA1SENTINEL0000000", "AKIA1SENTINEL0000000"
)
_EDITS = itertools.count(1)

# Whom the reference's deploy/example.yaml names, and one whom it does not.
_EXAMPLE_ACCOUNT = "000000000000"
EXAMPLE = (
    session("KubernetesAdmin", "ci@example.com", _EXAMPLE_ACCOUNT),
    session("KubernetesNode", "i-0123456789abcdef0", _EXAMPLE_ACCOUNT),
    session("KubernetesOtherAdmin", "ci@example.com", _EXAMPLE_ACCOUNT),
    session("KubernetesUsers", "ci@example.com", _EXAMPLE_ACCOUNT),
    user("Alice", _EXAMPLE_ACCOUNT),
    user("Bob", _EXAMPLE_ACCOUNT),
)


def _principal(caller: Caller) -> Principal:
    return Principal(caller.arn, caller.user_id, caller.access_key_id, "a secret of the double")


def written(mode: str, *themes: str, every: int = 1) -> list[Any]:
    """Some of the written cases of these themes, each a parameter of a test."""
    found = [case for case in CASES if case.theme in themes and case.modes == (mode,)]
    return [pytest.param(case, id=case.id) for case in found[::every]]


@dataclass(frozen=True)
class Servers:
    """The two servers, and where their mappings stand.

    Attributes:
        ours: our server.
        reference: the reference.
        administrator: who edits the cluster's mappings.
        dynamic_file: the dynamic file of both.
    """

    ours: WebhookServer
    reference: WebhookServer
    administrator: Administrator
    dynamic_file: Path

    @property
    def both(self) -> tuple[WebhookServer, WebhookServer]:
        """Ours first."""
        return self.ours, self.reference


@pytest.fixture(scope="module")
def double() -> Iterator[AwsDouble]:
    with AwsDouble([_principal(caller) for caller in (*ASKING, *EXAMPLE, SENTINEL)]) as double:
        yield double


@pytest.fixture(scope="module")
def servers(
    start_control_plane: StartControlPlane,
    tmp_path_factory: pytest.TempPathFactory,
    double: AwsDouble,
) -> Iterator[Servers]:
    """Both servers with all sources but the config file, which the reference reads once only."""
    plane = start_control_plane(Options())
    administrator = Administrator(plane)
    administrator.install_crd()
    dynamic_file = tmp_path_factory.mktemp("dynamic") / "mappings.json"
    dynamic_file.write_text("{}")
    with contextlib.ExitStack() as running:

        def started(name: str, **program: Any) -> WebhookServer:
            settings = {
                "kubeconfig": str(plane.admin_kubeconfig),
                "backendMode": ["EKSConfigMap", "CRD", "DynamicFile"],
                "dynamicfilepath": str(dynamic_file),
            }
            document = {"clusterID": callers.CLUSTER_ID, "server": settings}
            config = write_config(tmp_path_factory.mktemp(name), document)
            server = WebhookServer(config, double.environment(), **program)
            return running.enter_context(server)

        gates = ("--feature-gates", "SSORoleMatch=true,IAMIdentityMappingCRD=true")
        yield Servers(
            started("ours"),
            started("reference", command=reference_binary(), arguments=gates),
            administrator,
            dynamic_file,
        )


def asked(poster: Poster, caller: Caller) -> User | None:
    """The user that a server makes of a new token."""
    answer = poster.review(callers.fresh_token(_principal(caller)))
    # The reference denies with 403, ours with 200.
    status = json.loads(answer.body)["status"]
    return User.of(status["user"]) if status.get("authenticated") else None


def wait_for_sentinel(server: WebhookServer, edit: str | None) -> None:
    """Wait until a server maps the sentinel to an edit; None if to nothing any more."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with server.poster() as poster:
        while True:
            user = asked(poster, SENTINEL)
            if (user.username if user else None) == edit:
                return
            assert time.monotonic() < deadline, f"{edit} is not in force: {user}; {server.log.tail}"
            time.sleep(0.02)


def compare(
    case: Case,
    servers: tuple[WebhookServer, WebhookServer],
    asking: tuple[Caller, ...] = ASKING,
) -> None:
    """Hold what both servers answer next to what their own packages say."""
    question = replace(case.question(), callers=asking)
    expected_ours = ours.answer(question)
    (expected,) = oracle.ask([question])
    assert not expected_ours.refusal
    assert not expected.refusal
    allowed_ours = [frozenset({user}) for user in expected_ours.users]
    for server, allowed in zip(servers, (allowed_ours, expected.users), strict=True):
        with server.poster() as poster:
            for caller, users in zip(asking, allowed, strict=True):
                settle(poster, caller, users, server)


def settle(
    poster: Poster, caller: Caller, users: frozenset[User | None], server: WebhookServer
) -> None:
    """Wait until a caller is one of `users`.

    The sentinel does not tell of all: the reference takes the objects and sections of an edit one
    by one, in any order, and each worker of ours follows the sources itself.
    """
    wait_until(
        lambda: asked(poster, caller) in users,
        lambda: f"{caller.arn} is {asked(poster, caller)}, not of {users}; {server.log.tail}",
    )


def in_force(servers: tuple[WebhookServer, WebhookServer], edit: str | None) -> None:
    """Wait until both servers have an edit in force; None for the end of the last one."""
    for server in servers:
        wait_for_sentinel(server, edit)


def with_sentinel(data: dict[str, str], edit: str) -> dict[str, str]:
    """aws-auth with an entry for the sentinel, in a section of which the case says nothing."""
    key, section = (
        ("userarn", "mapUsers") if has_free(data, "mapUsers") else ("rolearn", "mapRoles")
    )
    entry = f'- {{{key}: "{SENTINEL.arn}", username: {edit}}}\n'
    return {**data, section: entry}


def has_free(data: Mapping[str, str], section: str) -> bool:
    """Whether no key of aws-auth is this one, in any case."""
    return section.lower() not in map(str.lower, data)


AWS_AUTH = [
    parameter
    for parameter in (
        *written("EKSConfigMap", "path (EKSConfigMap)", "sso (EKSConfigMap)", every=2),
        *written("EKSConfigMap", "duplicates (EKSConfigMap)", every=3),
        *written("EKSConfigMap", "empty section (aws-auth)", "top-level key (aws-auth)", every=3),
        *written("EKSConfigMap", "value (aws-auth)", every=8),
    )
    if any(has_free(parameter.values[0].steps[0].aws_auth, key) for key in ("mapUsers", "mapRoles"))
]


@pytest.mark.parametrize("case", AWS_AUTH)
def test_aws_auth(servers: Servers, case: Case) -> None:
    (step,) = case.steps
    edit = f"edit-{next(_EDITS)}"
    servers.administrator.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "aws-auth", "namespace": "kube-system"},
            "data": with_sentinel(dict(step.aws_auth or {}), edit),
        }
    )
    in_force(servers.both, edit)
    compare(case, servers.both)
    servers.administrator.delete_config_map()
    in_force(servers.both, None)


# Those that the schema admits.
CUSTOM_RESOURCES = [
    parameter
    for parameter in written("CRD", "custom resources")
    if parameter.id != "custom resources: with the instance's name"
]


@pytest.mark.parametrize("case", CUSTOM_RESOURCES)
def test_custom_resources(servers: Servers, case: Case) -> None:
    (step,) = case.steps
    edit = f"edit-{next(_EDITS)}"
    # Last in order: the reference takes them one by one.
    objects = {**step.objects, "zz-sentinel": {"arn": SENTINEL.arn, "username": edit}}
    try:
        for name, spec in objects.items():
            servers.administrator.map(name, **spec)
        in_force(servers.both, edit)
        servers.administrator.wait_for(lambda: all_have_status(servers.administrator, objects))
        compare(case, servers.both)
    finally:
        # The sentinel last here, too: when it is gone, the reference has forgotten the others.
        for names in (step.objects, ["zz-sentinel"]):
            if names:
                servers.administrator.plane.kubectl("delete", "iamidentitymappings", *names)
    in_force(servers.both, None)


def all_have_status(administrator: Administrator, objects: Mapping[str, Any]) -> bool:
    """Whether the reference's controller has seen all objects whose ARN it understands."""
    for item in administrator.get("iamidentitymappings")["items"]:
        understood = item["spec"]["arn"].strip().startswith("arn:")
        if understood and not item.get("status", {}).get("canonicalARN"):
            return False
    return True


@pytest.mark.parametrize(
    "case",
    [
        *written("DynamicFile", "duplicates (DynamicFile)", "path (DynamicFile)", every=4),
        *written("DynamicFile", "template (DynamicFile)", every=9),
    ],
)
def test_the_dynamic_file(servers: Servers, case: Case) -> None:
    (step,) = case.steps
    edit = f"edit-{next(_EDITS)}"
    content = json.loads(step.dynamic or b"")
    content["mapUsers"] = [
        *content.get("mapUsers", ()),
        {"userarn": SENTINEL.arn, "username": edit},
    ]
    servers.dynamic_file.write_text(json.dumps(content))
    in_force(servers.both, edit)
    compare(case, servers.both)
    servers.dynamic_file.write_text("{}")
    in_force(servers.both, None)


CONFIG_FILES = [
    parameter
    for parameter in (
        *written("MountedFile", "loose form (config file)", every=4),
        *written("MountedFile", "setting (config file)", every=4),
        *written("MountedFile", "duplicates (MountedFile)", every=7),
    )
    if not parameter.values[0].refused
]


@contextlib.contextmanager
def started_with(
    content: bytes, double: AwsDouble, directories: pytest.TempPathFactory
) -> Iterator[tuple[WebhookServer, WebhookServer]]:
    """Both servers with a config file whose text is as it is, but for cluster, ports and paths."""
    with contextlib.ExitStack() as running:

        def started(name: str, **program: Any) -> WebhookServer:
            config = write_config(directories.mktemp(name), {"server": {}})
            places = yaml.safe_load(config.read_text())["server"]
            lines = "".join(f"  {key}: {json.dumps(value)}\n" for key, value in places.items())
            text = content.decode().replace("server:\n", f"server:\n{lines}", 1)
            cluster = f"clusterID: {callers.CLUSTER_ID}"
            config.write_text(re.sub("^clusterID: .*$", cluster, text, flags=re.MULTILINE))
            return running.enter_context(WebhookServer(config, double.environment(), **program))

        gates = ("--feature-gates", "SSORoleMatch=true")
        yield (
            started("ours"),
            started("reference", command=reference_binary(), arguments=gates),
        )


@pytest.mark.parametrize("case", CONFIG_FILES)
def test_the_config_file(
    double: AwsDouble, tmp_path_factory: pytest.TempPathFactory, case: Case
) -> None:
    with started_with(case.steps[0].config or b"", double, tmp_path_factory) as servers:
        compare(case, servers)


def test_the_example_of_the_reference(
    double: AwsDouble, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Its deploy/example.yaml, which has one role twice, gives the same users on both."""
    manifests = yaml.safe_load_all(oracle.deployment().read_text())
    texts = [found["data"]["config.yaml"] for found in manifests if "data" in (found or {})]
    assert len(texts) == 1
    content = texts[0].encode()
    case = Case("deploy", "example.yaml", (Step(config=content),), ("MountedFile",))
    with started_with(content, double, tmp_path_factory) as servers:
        compare(case, servers, EXAMPLE)
        with servers[0].poster() as poster:
            users = [str(asked(poster, caller)) for caller in EXAMPLE]
    assert users == [
        "admin:ci-example.com [system:masters]",
        "aws:000000000000:instance:i-0123456789abcdef0 [system:bootstrappers,aws:instances]",
        "ci-example.com [system:masters]",
        "ci@example.com [developers]",
        "alice [system:masters]",
        "None",
    ]
