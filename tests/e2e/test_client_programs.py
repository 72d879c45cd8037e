"""Client programs in other languages log in with the plugin, on the real API server.

Each runs as its users run it: with the entry that our verb writes, with that of `aws eks
update-kubeconfig`, and with that of eksctl. Sources: the AWS CLI's own command for its entry;
eksctl's `pkg/utils/kubeconfig` for the other.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from dev.clients import CLIENTS, Client, is_built
from dev.server import COMMAND
from tests.e2e.callers import ALICE, CLUSTER_ID, variables

if TYPE_CHECKING:
    from dev.aws_double import AwsDouble
    from dev.cluster import ControlPlane

pytestmark = pytest.mark.cluster

GROUP = "client.authentication.k8s.io"
EKSCTL = {
    "apiVersion": f"{GROUP}/v1beta1",
    "command": "aws-iam-authenticator",
    "args": ["token", "-i", CLUSTER_ID],
    "env": [
        {"name": "AWS_STS_REGIONAL_ENDPOINTS", "value": "regional"},
        {"name": "AWS_DEFAULT_REGION", "value": "eu-west-1"},
    ],
    "provideClusterInfo": False,
}
AWS_CLI = {
    "apiVersion": f"{GROUP}/v1beta1",
    "command": "aws",
    "args": [
        *("--region", "eu-west-1", "eks", "get-token"),
        *("--cluster-name", CLUSTER_ID, "--output", "json"),
    ],
}
PROXIES = ("HTTPS_PROXY", "https_proxy")
PYTHON = """
import sys, kubernetes.client, kubernetes.config
kubernetes.config.load_kube_config(sys.argv[1])
api = kubernetes.client.AuthenticationV1Api()
review = api.create_self_subject_review(kubernetes.client.V1SelfSubjectReview())
print(review.status.user_info.username)
"""


@pytest.fixture
def environment(aws: AwsDouble, tmp_path: Path) -> dict[str, str]:
    """Alice's, with a home of her own, and the commands on PATH."""
    return {
        **variables(ALICE.principal, aws.environment()),
        "HOME": str(tmp_path),
        "PATH": f"{COMMAND.parent}:/usr/local/bin:/usr/bin:/bin",
    }


@pytest.fixture
def outside(environment: dict[str, str]) -> dict[str, str]:
    """The client program's own environment: the proxy to AWS is the plugin's alone."""
    return {name: value for name, value in environment.items() if name not in PROXIES}


@pytest.fixture(params=["our verb", "aws eks update-kubeconfig", "eksctl"])
def kubeconfig(
    request: pytest.FixtureRequest,
    plane_v1: ControlPlane,
    environment: dict[str, str],
    tmp_path: Path,
) -> Path:
    file = tmp_path / "kubeconfig"
    place = ("--kubeconfig", file, "--server", plane_v1.server)
    authority = ("--certificate-authority", plane_v1.ca)
    subprocess.run(
        [COMMAND, "kubeconfig", "-i", CLUSTER_ID, "--region", "eu-west-1", *place, *authority],
        env=environment,
        check=True,
        capture_output=True,
    )
    content = yaml.safe_load(file.read_text())
    user = content["users"][0]["user"]
    entry = {"aws eks update-kubeconfig": AWS_CLI, "eksctl": EKSCTL}.get(
        request.param, user["exec"]
    )
    proxies = [{"name": name, "value": environment[name]} for name in PROXIES]
    user["exec"] = {**entry, "env": [*(entry.get("env") or ()), *proxies]}
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize("program", CLIENTS, ids=lambda client: client.name)
def test_logs_in(program: Client, kubeconfig: Path, outside: dict[str, str]) -> None:
    assert is_built(program), "build it first: python -m dev.clients"

    assert name_printed(program.argv(kubeconfig), outside) == "alice"


def test_python_logs_in(kubeconfig: Path, outside: dict[str, str]) -> None:
    command = [sys.executable, "-c", PYTHON, str(kubeconfig)]

    assert name_printed(command, outside) == "alice"


def name_printed(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()
