"""kubectl logs in to a real API server with IAM-signed tokens."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dev.cluster import ControlPlane, KubectlError
from dev.server import COMMAND
from tests.e2e import callers
from tests.e2e.callers import ALICE, CLUSTER_ID, DEPLOYER, MAPPED, exec_user, variables
from tests.e2e.logins import whoami

if TYPE_CHECKING:
    from dev.aws_double import AwsDouble
    from tests.e2e.conftest import Planes

pytestmark = pytest.mark.cluster

V1, V1BETA1 = (f"client.authentication.k8s.io/{version}" for version in ("v1", "v1beta1"))
OURS = exec_user(str(COMMAND), "token", "-i", CLUSTER_ID)
EXEC_USERS = {
    "ours": OURS,
    "ours-v1beta1": exec_user(str(COMMAND), "token", "-i", CLUSTER_ID, version=V1BETA1),
    # As `aws eks update-kubeconfig` writes it.
    "awscli": exec_user(
        str(Path(sys.executable).with_name("aws")),
        *("--region", callers.REGION, "eks", "get-token"),
        *("--cluster-name", CLUSTER_ID, "--output", "json"),
        version=V1BETA1,
    ),
}


@pytest.mark.parametrize("plugin", EXEC_USERS)
def test_kubectl_runs_the_plugin_and_is_the_mapped_user(
    plane: ControlPlane, aws: AwsDouble, plugin: str
) -> None:
    env = variables(ALICE.principal, aws.environment())
    assert whoami(plane, EXEC_USERS[plugin], env) == ALICE.user_info


def test_a_token_of_boto3_is_the_mapped_user(plane: ControlPlane) -> None:
    token = callers.boto3_token(ALICE.principal)
    assert whoami(plane, {"token": token}) == ALICE.user_info


@pytest.mark.parametrize("kind", MAPPED)
def test_every_kind_of_caller_is_mapped(plane: ControlPlane, aws: AwsDouble, kind: str) -> None:
    caller = MAPPED[kind]
    env = variables(caller.principal, aws.environment())
    assert whoami(plane, OURS, env) == caller.user_info


def test_the_plugin_assumes_the_role_that_the_kubeconfig_names(
    plane_v1: ControlPlane, aws: AwsDouble
) -> None:
    role = ("--role", callers.DEPLOYER_ROLE.arn, "--session-name", "from-alice")
    user = exec_user(str(COMMAND), "token", "-i", CLUSTER_ID, *role)
    info = whoami(plane_v1, user, variables(ALICE.principal, aws.environment()))
    assert info["username"] == "deployer:from-alice"
    assert info["extra"]["canonicalArn"] == [DEPLOYER.canonical_arn]


def test_many_kubectls_at_once_are_each_their_own_user(
    plane_v1: ControlPlane, aws: AwsDouble
) -> None:
    kubeconfig = plane_v1.kubeconfig("everybody", OURS)

    def name(caller: callers.Caller) -> str:
        shown = plane_v1.kubectl(
            *("auth", "whoami", "--output=json"),
            kubeconfig=kubeconfig,
            env=variables(caller.principal, aws.environment()),
        )
        username: str = json.loads(shown.stdout)["status"]["userInfo"]["username"]
        return username

    everybody = list(MAPPED.values()) * 3
    with ThreadPoolExecutor(len(everybody)) as pool:
        assert list(pool.map(name, everybody)) == [caller.username for caller in everybody]


def test_the_audit_log_names_the_arn_and_session_behind_the_user(plane_v1: ControlPlane) -> None:
    token = callers.fresh_token(DEPLOYER.principal)
    kubeconfig = plane_v1.kubeconfig("audited", {"token": token})
    plane_v1.kubectl("get", "configmap", "audited", kubeconfig=kubeconfig, check=False)
    (event,) = [
        event
        for event in plane_v1.audit_events()
        if event["requestURI"].endswith("/configmaps/audited")
    ]
    assert event["user"]["username"] == DEPLOYER.username
    assert event["user"]["extra"]["arn"] == [DEPLOYER.principal.arn]
    assert event["user"]["extra"]["sessionName"] == [DEPLOYER.session]


@pytest.fixture(scope="module")
def shared_namespace(planes: Planes) -> ControlPlane:
    """A control plane where the group "readers" may read the ConfigMaps of one namespace."""
    plane = planes("v1")
    plane.kubectl("create", "namespace", "shared")
    plane.kubectl("create", "configmap", "news", "--namespace=shared")
    allowed = ("--verb=get,list", "--resource=configmaps")
    plane.kubectl("create", "role", "read", *allowed, "--namespace=shared")
    bound = ("--role=read", "--group=readers")
    plane.kubectl("create", "rolebinding", "readers", *bound, "--namespace=shared")
    return plane


def as_alice(plane: ControlPlane, *arguments: str) -> str:
    kubeconfig = plane.kubeconfig("alice", {"token": callers.fresh_token(ALICE.principal)})
    return plane.kubectl(*arguments, kubeconfig=kubeconfig).stdout


def test_the_group_may_do_what_its_role_grants(shared_namespace: ControlPlane) -> None:
    assert as_alice(shared_namespace, "get", "configmaps", "--namespace=shared").startswith("NAME")


@pytest.mark.parametrize(
    "arguments",
    [
        ("get", "secrets", "--namespace=shared"),
        ("create", "configmap", "mine", "--namespace=shared"),
        ("get", "configmaps", "--namespace=kube-system"),
        ("get", "nodes"),
    ],
    ids=" ".join,
)
def test_the_group_may_do_nothing_else(
    shared_namespace: ControlPlane, arguments: tuple[str, ...]
) -> None:
    with pytest.raises(KubectlError, match='is forbidden: User "alice" cannot '):
        as_alice(shared_namespace, *arguments)
