"""A worker node joins: EC2 names it, and the API server lets it be that node and no other."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import botocore.session
import pytest
from moto.server import ThreadedMotoServer

from authenticator.aws.arns import CallerIdentity, PrincipalArn
from authenticator.aws.batching import Batcher, Bucket
from authenticator.aws.ec2 import MAX_IDS, Ec2
from authenticator.aws.instance_names import InstanceNames
from authenticator.mapping.documents import read_data
from authenticator.mapping.guards import Guard
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import SectionReader
from dev.cluster import ControlPlane, Options

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import StartControlPlane

pytestmark = pytest.mark.cluster

REGION = "eu-central-1"
ACCOUNT = "123456789012"  # moto's
AWS_AUTH = f"""
- rolearn: arn:aws:iam::{ACCOUNT}:role/path/Node
  username: system:node:{{{{EC2PrivateDNSName}}}}
  groups: [system:bootstrappers, system:nodes]
"""


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A running instance with an instance profile."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    session = botocore.session.get_session()
    profile = session.create_client("iam", REGION).create_instance_profile(
        InstanceProfileName="node"
    )
    ec2 = session.create_client("ec2", REGION)
    yield ec2.run_instances(
        ImageId=ec2.describe_images()["Images"][0]["ImageId"],
        MinCount=1,
        MaxCount=1,
        IamInstanceProfile={"Arn": profile["InstanceProfile"]["Arn"]},
    )["Instances"][0]
    server.stop()


def node_object(name: str, **metadata: object) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, **metadata}})


class Node:
    """kubectl with the username and groups that the mapping makes of the node."""

    def __init__(self, plane: ControlPlane, username: str, groups: tuple[str, ...]) -> None:
        self._plane = plane
        self._flags = [f"--as={username}", *(f"--as-group={group}" for group in groups)]
        self._flags.append("--as-group=system:authenticated")

    def register(self, name: str) -> str:
        """Create a Node object; gives what the API server says against it."""
        return self._run("create", "--filename=-", stdin=node_object(name))

    def change(self, name: str) -> str:
        """Change a Node object; gives what the API server says against it."""
        changed = node_object(name, labels={"kubernetes.io/os": "linux"})
        # At the server, since kubectl itself would read first what a node may not read.
        return self._run("apply", "--server-side", "--filename=-", stdin=changed)

    def _run(self, *arguments: str, stdin: str = "") -> str:
        return self._plane.kubectl(*self._flags, *arguments, stdin=stdin, check=False).stderr


def test_a_node_registers_itself_and_cannot_touch_another(
    start_control_plane: StartControlPlane, instance: dict[str, str]
) -> None:
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/Node/{instance['InstanceId']}"
    identity = CallerIdentity(PrincipalArn.parse(session), "AROAEXAMPLE:x", "ASIAEXAMPLE")
    rules = read_data({"mapRoles": AWS_AUTH}, SectionReader("EKSConfigMap", Guard()))[0].rules
    match = RuleSet((rules,)).find(identity, time.time())
    assert match
    assert match.needs_instance_name
    ec2 = Ec2(role_arn="", source_arn="", called=lambda: None)
    bucket = Bucket(rate=15, burst=5, clock=time.monotonic)
    names = InstanceNames(Batcher(ec2.describe, bucket, size=MAX_IDS, callers=1), time.monotonic)
    name = names(identity)
    names.stop()
    assert name == instance["PrivateDnsName"]
    username, groups = match.render(identity, name)

    plane = start_control_plane(Options(nodes=True))
    plane.kubectl("create", "--filename=-", stdin=node_object("another"))
    node = Node(plane, username, groups)
    assert node.register(name) == ""
    assert node.change(name) == ""
    assert "is not allowed to modify node" in node.change("another")
    assert "is not allowed to" in node.register("a-third")
