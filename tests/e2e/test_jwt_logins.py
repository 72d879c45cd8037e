"""kubectl logs in with JWTs that AWS issues: plugin, API server and webhook together."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import boto3
import pytest
from moto.server import ThreadedMotoServer

from dev.aws_double.faults import Fail
from dev.aws_double.principals import assumed_role, instance, sso_user, user
from dev.cluster import Options, Webhook
from dev.server import COMMAND, WebhookServer, write_config
from tests.e2e.callers import CLUSTER_ID, DEPLOYER_ROLE, REGION, exec_user, variables
from tests.e2e.logins import log_in, whoami

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from dev.aws_double import AwsDouble, Principal
    from dev.cluster import ControlPlane
    from tests.e2e.conftest import StartControlPlane

pytestmark = pytest.mark.cluster

ACCOUNT = "123456789012"  # moto's, so that EC2 knows the instance
AUDIENCE = f"urn:k8s-aws:{CLUSTER_ID}"
ALICE = user(ACCOUNT, "alice", path="staff/")
DEV = assumed_role(ACCOUNT, "Dev", "alice", path="team/", claims={"source_identity": "alice"})
CAROL = sso_user(ACCOUNT, "Developer", "carol@example.com")
MAPPINGS = {
    "mapUsers": [{"userARN": ALICE.arn, "username": "alice", "groups": ["readers"]}],
    "mapRoles": [
        {
            "roleARN": f"arn:aws:iam::{ACCOUNT}:role/team/Dev",
            "username": "dev:{{SourceIdentity}}",
            "groups": ["developers"],
        },
        {
            "sso": {"permissionSetName": "Developer", "accountID": ACCOUNT},
            "username": "sso:{{IdentityStoreUserID}}",
            "groups": ["developers"],
        },
        {
            "roleARN": f"arn:aws:iam::{ACCOUNT}:role/Node",
            "username": "system:node:{{EC2PrivateDNSName}}",
            "groups": ["system:bootstrappers", "system:nodes"],
            "proof": "jwt",
        },
        {"roleARN": DEPLOYER_ROLE.arn, "username": "deployer", "groups": []},
    ],
}
EXPECTED = {
    "user": (ALICE, "alice", "readers"),
    "role": (DEV, "dev:alice", "developers"),
    "identity-center": (CAROL, f"sso:{CAROL.claims['identity_store_user_id']}", "developers"),
}
JWT = exec_user(str(COMMAND), "token", "-i", CLUSTER_ID, "--jwt")


@pytest.fixture(scope="module")
def ec2() -> Iterator[dict[str, str]]:
    """The variables that make an AWS SDK find moto's EC2."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield {
        "AWS_ENDPOINT_URL_EC2": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": REGION,
    }
    server.stop()


@pytest.fixture(scope="module")
def server(
    session_aws: AwsDouble, ec2: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebhookServer]:
    """A server that takes the JWTs of two accounts."""
    issuers = [
        {"url": session_aws.federation.enable(account).url, "accountID": account}
        for account in (ACCOUNT, DEPLOYER_ROLE.arn.split(":")[4])
    ]
    for principal in (ALICE, DEV, CAROL):
        session_aws.principals.add(principal)
    settings = {
        "clusterID": CLUSTER_ID,
        "server": {**MAPPINGS, "webIdentity": {"issuers": issuers}},
    }
    config = write_config(tmp_path_factory.mktemp("jwt"), settings)
    environment = {**session_aws.environment(), **ec2}
    with WebhookServer(config, environment, arguments=("--log-format", "json")) as running:
        yield running


@pytest.fixture(scope="module")
def plane(start_control_plane: StartControlPlane, server: WebhookServer) -> ControlPlane:
    """A control plane with the node authorizer."""
    return start_control_plane(Options(Webhook(server.kubeconfig), nodes=True))


def environment(principal: Principal, aws: AwsDouble, home: Path) -> dict[str, str]:
    return {**variables(principal, aws.environment()), "HOME": str(home)}


@pytest.mark.parametrize("kind", EXPECTED)
def test_kubectl_is_the_mapped_user_and_the_server_asks_sts_nothing(
    plane: ControlPlane, aws: AwsDouble, tmp_path: Path, kind: str
) -> None:
    principal, username, group = EXPECTED[kind]
    aws.calls.clear()

    for _ in range(2):
        found = whoami(plane, JWT, environment(principal, aws, tmp_path))
        assert found["username"] == username
        assert group in found["groups"]

    counts = aws.calls.counts().by_action
    assert counts["GetWebIdentityToken"] == 1
    assert counts["GetCallerIdentity"] == 0


def test_a_kubeconfig_that_our_verb_writes(
    plane: ControlPlane, aws: AwsDouble, tmp_path: Path
) -> None:
    """With a role to assume; the audience is that of the cluster's id."""
    aws.principals.add(CALLER)
    file = tmp_path / "config"
    env = {**environment(CALLER, aws, tmp_path), "PATH": f"{COMMAND.parent}:/usr/bin:/bin"}
    given = ("--server", plane.server, "--certificate-authority", str(plane.ca))
    command = [str(COMMAND), "kubeconfig", "-i", CLUSTER_ID, *given, "--kubeconfig", str(file)]
    role = ("--role", DEPLOYER_ROLE.arn, "--session-name", "ci", "--jwt")
    subprocess.run([*command, *role], env=env, check=True, capture_output=True)

    shown = plane.kubectl("auth", "whoami", "--output=json", kubeconfig=file, env=env)

    assert json.loads(shown.stdout)["status"]["userInfo"]["username"] == "deployer"


CALLER = next(
    user(arn.split(":")[4], arn.rpartition("/")[2], path="staff/") for arn in DEPLOYER_ROLE.trusts
)


def test_an_outage_of_sts_does_not_end_logins(
    plane: ControlPlane, aws: AwsDouble, tmp_path: Path
) -> None:
    """Neither of those who have a token, nor with tokens that the server has not seen."""
    env = environment(ALICE, aws, tmp_path)
    whoami(plane, JWT, env)
    new = [aws.federation.mint(ALICE, AUDIENCE) for _ in range(20)]
    aws.faults.start(Fail(503))

    assert whoami(plane, JWT, env)["username"] == "alice"
    assert [log_in(plane, token) for token in new] == [201] * len(new)


def test_a_token_for_another_cluster_is_refused(plane: ControlPlane, aws: AwsDouble) -> None:
    assert log_in(plane, aws.federation.mint(ALICE, "urn:k8s-aws:another")) == 401
    assert log_in(plane, aws.federation.mint(ALICE, CLUSTER_ID)) == 401
    assert log_in(plane, aws.federation.mint(ALICE, [AUDIENCE, "urn:k8s-aws:another"])) == 401
    assert log_in(plane, aws.federation.mint(ALICE, AUDIENCE)) == 201


def node_object(name: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})


def test_a_node_registers_itself_and_cannot_touch_another(
    plane: ControlPlane, aws: AwsDouble, ec2: Mapping[str, str], tmp_path: Path
) -> None:
    """As a kubelet: AWS names the instance, whatever the session is called."""
    session = boto3.session.Session(
        ec2["AWS_ACCESS_KEY_ID"], ec2["AWS_SECRET_ACCESS_KEY"], region_name=REGION
    )
    endpoint = ec2["AWS_ENDPOINT_URL_EC2"]
    iam = session.client("iam", endpoint_url=endpoint)
    profile = iam.create_instance_profile(InstanceProfileName="jwt-node")["InstanceProfile"]
    client = session.client("ec2", endpoint_url=endpoint)
    started = client.run_instances(
        ImageId=client.describe_images()["Images"][0]["ImageId"],
        MinCount=1,
        MaxCount=1,
        IamInstanceProfile={"Arn": profile["Arn"]},
    )["Instances"][0]
    node = instance(ACCOUNT, "Node", started["InstanceId"], region=REGION)
    aws.principals.add(node)
    name = started["PrivateDnsName"]
    env = environment(node, aws, tmp_path)

    found = whoami(plane, JWT, env)
    assert found["username"] == f"system:node:{name}"
    assert {"system:bootstrappers", "system:nodes"} <= {*found["groups"]}

    kubeconfig = plane.kubeconfig("node", JWT)

    def create(node_name: str) -> str:
        done = plane.kubectl(
            *("create", "--filename=-"),
            kubeconfig=kubeconfig,
            env=env,
            stdin=node_object(node_name),
            check=False,
        )
        return done.stderr

    assert create(name) == ""
    assert "is not allowed to" in create("another")

    # A person with the nodes' role, who chose the session's name.
    impostor = assumed_role(ACCOUNT, "Node", started["InstanceId"])
    assert log_in(plane, aws.federation.mint(impostor, AUDIENCE)) == 401
