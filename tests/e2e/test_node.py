"""A worker node joins: EC2 names it, and the API server lets it be that node and no other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import boto3
import pytest
from moto.server import ThreadedMotoServer

from dev.aws_double.principals import Principal, assumed_role
from dev.server import COMMAND, now
from tests.e2e.callers import CLUSTER_ID, REGION, exec_user, variables
from tests.e2e.following import Cluster, following

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dev.aws_double import AwsDouble
    from tests.e2e.conftest import StartControlPlane

pytestmark = pytest.mark.cluster

ACCOUNT = "123456789012"  # moto's
MAP_ROLES = f"""\
- rolearn: arn:aws:iam::{ACCOUNT}:role/path/Node
  username: system:node:{{{{EC2PrivateDNSName}}}}
  groups: [system:bootstrappers, system:nodes]
"""


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


@pytest.fixture
def instance(ec2: Mapping[str, str]) -> dict[str, str]:
    """A running instance with an instance profile."""
    session = boto3.session.Session(
        ec2["AWS_ACCESS_KEY_ID"], ec2["AWS_SECRET_ACCESS_KEY"], region_name=REGION
    )
    endpoint = ec2["AWS_ENDPOINT_URL_EC2"]
    iam = session.client("iam", endpoint_url=endpoint)
    profile = iam.create_instance_profile(InstanceProfileName="node")["InstanceProfile"]
    client = session.client("ec2", endpoint_url=endpoint)
    started: dict[str, str] = client.run_instances(
        ImageId=client.describe_images()["Images"][0]["ImageId"],
        MinCount=1,
        MaxCount=1,
        IamInstanceProfile={"Arn": profile["Arn"]},
    )["Instances"][0]
    return started


@pytest.fixture(scope="module")
def cluster(
    start_control_plane: StartControlPlane,
    session_aws: AwsDouble,
    ec2: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    """A cluster whose aws-auth maps the nodes' role."""
    directory = tmp_path_factory.mktemp("node")
    environment = {**session_aws.environment(), **ec2}
    with following(start_control_plane, directory, environment, {}) as running:
        since = running.server.log.end
        running.administrator.write(MAP_ROLES)
        running.server.wait_for_each_worker("EKSConfigMap has changed", since)
        yield running


def node_object(name: str, **metadata: object) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, **metadata}})


class Node:
    """kubectl with a session of the nodes' role, whose tokens our client makes."""

    def __init__(self, cluster: Cluster, session: Principal, aws: AwsDouble) -> None:
        aws.principals.add(session)
        self._plane = cluster.plane
        user = exec_user(str(COMMAND), "token", "-i", CLUSTER_ID)
        self._kubeconfig = cluster.plane.kubeconfig("node", user)
        self._environment = variables(session, aws.environment())

    def who_am_i(self) -> dict[str, object]:
        """What the API server takes it for."""
        status = json.loads(self._run("auth", "whoami", "--output=json")[0])["status"]
        found: dict[str, object] = status["userInfo"]
        return found

    def register(self, name: str) -> str:
        """Create a Node object; gives what the API server says against it."""
        return self._run("create", "--filename=-", stdin=node_object(name))[1]

    def change(self, name: str) -> str:
        """Change a Node object; gives what the API server says against it."""
        changed = node_object(name, labels={"kubernetes.io/os": "linux"})
        # At the server, since kubectl itself would read first what a node may not read.
        return self._run("apply", "--server-side", "--filename=-", stdin=changed)[1]

    def _run(self, *arguments: str, stdin: str = "") -> tuple[str, str]:
        done = self._plane.kubectl(
            *arguments,
            kubeconfig=self._kubeconfig,
            env=self._environment,
            stdin=stdin,
            check=False,
        )
        return done.stdout, done.stderr


def test_a_node_registers_itself_and_cannot_touch_another(
    cluster: Cluster, instance: Mapping[str, str], session_aws: AwsDouble
) -> None:
    name = instance["PrivateDnsName"]
    node = Node(cluster, assumed_role(ACCOUNT, "Node", instance["InstanceId"]), session_aws)
    found = node.who_am_i()
    assert found["username"] == f"system:node:{name}", cluster.server.log.tail
    assert found["groups"] == ["system:bootstrappers", "system:nodes", "system:authenticated"]
    cluster.plane.kubectl("create", "--filename=-", stdin=node_object("another"))
    assert node.register(name) == ""
    assert node.change(name) == ""
    assert "is not allowed to modify node" in node.change("another")
    assert "is not allowed to" in node.register("a-third")


@pytest.mark.parametrize("session", ["admin", "i-0123456789abcdef0"])
def test_a_session_that_is_no_instance_of_the_account_is_no_node(
    cluster: Cluster, session_aws: AwsDouble, session: str
) -> None:
    since = now()
    principal = assumed_role(ACCOUNT, "Node", session)
    session_aws.principals.add(principal)
    assert cluster.log_in(principal) == 401
    assert "instance" in cluster.server.audited(since)["reason"]
