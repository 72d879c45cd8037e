"""Ours and the reference, each in the other's place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dev.bench.reference import reference_binary
from dev.cluster import ControlPlane, Options, Webhook
from dev.server import COMMAND, WebhookServer, write_config
from tests.e2e import callers
from tests.e2e.callers import ALICE, CLUSTER_ID, DEPLOYER, exec_user, variables
from tests.e2e.logins import whoami

if TYPE_CHECKING:
    from dev.aws_double import AwsDouble
    from tests.e2e.conftest import Planes, StartControlPlane

# The first use builds the reference, in 2 minutes.
pytestmark = [pytest.mark.cluster, pytest.mark.reference, pytest.mark.timeout(600)]

# As the reference's documentation has it: PATH says whose command this is.
USER = exec_user(
    *("aws-iam-authenticator", "token", "-i", CLUSTER_ID),
    version="client.authentication.k8s.io/v1beta1",
)
USER_OF_A_ROLE = exec_user(
    *("aws-iam-authenticator", "token", "-i", CLUSTER_ID, "-r", callers.DEPLOYER_ROLE.arn),
    version="client.authentication.k8s.io/v1beta1",
)


@pytest.fixture(scope="module")
def reference() -> Path:
    return reference_binary()


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config file that the reference can use.

    It knows permission sets only when a gate is opened, and the paths of roles not at all.
    """
    configuration = callers.configuration()
    role, _ = configuration["server"]["mapRoles"]
    configuration["server"]["mapRoles"] = [role | {"roleARN": DEPLOYER.canonical_arn}]
    return write_config(tmp_path_factory.mktemp("reference"), configuration)


@pytest.fixture(scope="module")
def asks_reference(
    start_control_plane: StartControlPlane, config: Path, reference: Path, session_aws: AwsDouble
) -> ControlPlane:
    """A control plane with the webhook kubeconfig that the reference has made."""
    with WebhookServer(config, session_aws.environment(), command=reference) as server:
        kubeconfig = server.kubeconfig
    return start_control_plane(Options(Webhook(kubeconfig, "v1beta1")))


@pytest.fixture(params=["ours", "reference"])
def client(request: pytest.FixtureRequest, reference: Path) -> Path:
    return COMMAND if request.param == "ours" else reference


def environment(caller: callers.Caller, aws: AwsDouble, client: Path) -> dict[str, str]:
    return {**variables(caller.principal, aws.environment()), "PATH": str(client.parent)}


def test_the_reference_accepts_our_tokens(
    asks_reference: ControlPlane, config: Path, reference: Path, aws: AwsDouble
) -> None:
    with WebhookServer(config, aws.environment(), command=reference) as server:
        info = whoami(asks_reference, USER, environment(ALICE, aws, COMMAND))
        assert info == ALICE.user_info, server.log.tail
        info = whoami(asks_reference, USER_OF_A_ROLE, environment(ALICE, aws, COMMAND))
        assert info["groups"] == DEPLOYER.user_info["groups"], server.log.tail


@pytest.mark.parametrize("caller", [ALICE, DEPLOYER], ids=["user", "session"])
def test_ours_gives_the_answers_of_the_reference(
    asks_reference: ControlPlane, config: Path, aws: AwsDouble, client: Path, caller: callers.Caller
) -> None:
    """The same config file, state and webhook kubeconfig, the same kubeconfig for kubectl."""
    before = {path: path.read_bytes() for path in config.parent.rglob("*") if path.is_file()}
    flags = ("--kubeconfig-pregenerated",)
    with WebhookServer(config, aws.environment(), arguments=flags) as server:
        info = whoami(asks_reference, USER, environment(caller, aws, client))
        assert info == caller.user_info, server.log.tail
    assert {path: path.read_bytes() for path in before} == before


def test_our_server_accepts_the_role_sessions_of_the_reference(
    planes: Planes, aws: AwsDouble, reference: Path
) -> None:
    info = whoami(planes("v1"), USER_OF_A_ROLE, environment(ALICE, aws, reference))
    assert info["extra"]["canonicalArn"] == [DEPLOYER.canonical_arn]
