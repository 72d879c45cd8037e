"""Kubeconfigs of several origins, in kubectl and in the Python client."""

from __future__ import annotations

import functools
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes.client
import kubernetes.config
import pytest
import yaml

import client
from dev.cluster import binaries
from dev.server import COMMAND
from tests.e2e import callers
from tests.e2e.callers import ALICE, CLUSTER_ID, exec_user, variables
from tests.e2e.logins import whoami

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dev.aws_double import AwsDouble
    from dev.cluster import ControlPlane

pytestmark = pytest.mark.cluster

GROUP = "client.authentication.k8s.io"


@pytest.fixture
def environment(aws: AwsDouble, tmp_path: Path) -> dict[str, str]:
    """Alice's, with a home of her own and the command on PATH."""
    return {
        **variables(ALICE.principal, aws.environment()),
        "HOME": str(tmp_path),
        "PATH": str(COMMAND.parent),
    }


@pytest.fixture
def as_alice(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def names(plane: ControlPlane, kubeconfig: Path, env: Mapping[str, str]) -> str:
    shown = plane.kubectl("auth", "whoami", "--output=json", kubeconfig=kubeconfig, env=env)
    username: str = json.loads(shown.stdout)["status"]["userInfo"]["username"]
    return username


def own_view(api_client: kubernetes.client.ApiClient) -> str:
    api = kubernetes.client.AuthenticationV1Api(api_client)
    review = api.create_self_subject_review(kubernetes.client.V1SelfSubjectReview())
    username: str = review.status.user_info.username
    return username


@pytest.mark.parametrize(
    ("flags", "username"),
    [
        ((), "alice"),
        (("-r", callers.DEPLOYER_ROLE.arn, "-s", "from-alice"), "deployer:from-alice"),
    ],
    ids=["caller", "role"],
)
def test_what_the_verb_writes_logs_in(
    flags: tuple[str, ...],
    username: str,
    plane_v1: ControlPlane,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    place = ("--kubeconfig", kubeconfig, "--server", plane_v1.server)
    authority = ("--certificate-authority", plane_v1.ca)
    subprocess.run(
        [COMMAND, "kubeconfig", "-i", CLUSTER_ID, *flags, *place, *authority],
        env=environment,
        check=True,
        capture_output=True,
    )

    assert names(plane_v1, kubeconfig, environment) == username


# As they are written for the reference: by its documentation, by eksctl, and by hand for a role.
WRITTEN_FOR_THE_REFERENCE = {
    "its documentation": (
        """
        exec:
          apiVersion: client.authentication.k8s.io/v1beta1
          command: aws-iam-authenticator
          args: [token, -i, {cluster}]
        """,
        "alice",
    ),
    "eksctl": (
        """
        exec:
          apiVersion: client.authentication.k8s.io/v1beta1
          args:
          - token
          - -i
          - {cluster}
          command: aws-iam-authenticator
          env:
          - name: AWS_STS_REGIONAL_ENDPOINTS
            value: regional
          - name: AWS_DEFAULT_REGION
            value: eu-west-1
          provideClusterInfo: false
        """,
        "alice",
    ),
    "a role": (
        """
        exec:
          apiVersion: client.authentication.k8s.io/v1
          interactiveMode: IfAvailable
          command: aws-iam-authenticator
          args: ["token", "--cluster-id={cluster}", "-r", "{role}", "-s", "x1", "--cache"]
          env: null
          installHint: Install it
        """,
        "deployer:x1",
    ),
}


@pytest.mark.parametrize("origin", WRITTEN_FOR_THE_REFERENCE)
def test_a_kubeconfig_written_for_the_reference_works_unchanged(
    origin: str, plane_v1: ControlPlane, environment: dict[str, str]
) -> None:
    text, username = WRITTEN_FOR_THE_REFERENCE[origin]
    user = yaml.safe_load(text.format(cluster=CLUSTER_ID, role=callers.DEPLOYER_ROLE.arn))

    assert whoami(plane_v1, user, environment)["username"] == username


@pytest.mark.parametrize("api_version", [f"{GROUP}/v1", f"{GROUP}/v1beta1"])
@pytest.mark.usefixtures("as_alice")
def test_the_python_client_runs_the_plugin(plane_v1: ControlPlane, api_version: str) -> None:
    user = exec_user(str(COMMAND), "token", "-i", CLUSTER_ID, version=api_version)
    kubeconfig = plane_v1.kubeconfig("python", user)

    with kubernetes.config.new_client_from_config(str(kubeconfig)) as api_client:
        assert own_view(api_client) == "alice"


@pytest.mark.usefixtures("as_alice")
def test_a_provider_keeps_the_python_client_logged_in_over_three_lifetimes(
    plane_v1: ControlPlane,
) -> None:
    clock = Clock()
    minted: list[client.Token] = []

    def mint() -> client.Token:
        token = client.mint(CLUSTER_ID)
        # Signed now, as STS demands, and good for its time on the clock that is moved.
        minted.append(client.Token(token.value, clock.now + 840))
        return minted[-1]

    configuration = kubernetes.client.Configuration(host=plane_v1.server)
    configuration.ssl_ca_cert = str(plane_v1.ca)
    configuration.no_proxy = "127.0.0.1"
    client.keep_authorized(configuration, client.TokenProvider(mint, clock=clock))

    with kubernetes.client.ApiClient(configuration) as api_client:
        for _ in range(4):
            assert own_view(api_client) == "alice"
            clock.now += 840

    assert len(minted) == 4


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_cluster_tells_its_id(
    plane_v1: ControlPlane, environment: dict[str, str], tmp_path: Path
) -> None:
    """With `provideClusterInfo`, one user entry serves clusters that name themselves."""
    plugin: dict[str, Any] = exec_user(str(COMMAND), "token")
    plugin["exec"]["provideClusterInfo"] = True
    extension = {"name": f"{GROUP}/exec", "extension": {"clusterID": CLUSTER_ID}}
    cluster = {
        "server": plane_v1.server,
        "certificate-authority": str(plane_v1.ca),
        "extensions": [extension],
    }
    kubeconfig = tmp_path / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "self-named", "cluster": cluster}],
        "users": [{"name": "alice", "user": plugin}],
        "contexts": [{"name": "c", "context": {"cluster": "self-named", "user": "alice"}}],
        "current-context": "c",
    }
    kubeconfig.write_text(yaml.safe_dump(content))

    assert names(plane_v1, kubeconfig, environment) == "alice"


def test_whoami_and_doctor_agree_with_the_cluster(
    plane_v1: ControlPlane, environment: dict[str, str]
) -> None:
    user = exec_user(str(COMMAND), "token", "-i", CLUSTER_ID)
    environment |= {
        "KUBECONFIG": str(plane_v1.kubeconfig("diagnosis", user)),
        "PATH": f"{binaries.find().kubectl.parent}:{COMMAND.parent}:/usr/bin:/bin",
    }
    run = functools.partial(subprocess.run, env=environment, capture_output=True, text=True)

    shown = run([COMMAND, "whoami", "--cluster", "-o", "json"], check=True)
    examined = run([COMMAND, "doctor"], check=False)

    identity = json.loads(shown.stdout)
    assert (identity["arn"], identity["cluster"]["username"]) == (ALICE.principal.arn, "alice")
    assert (examined.returncode, examined.stderr) == (0, ""), examined.stdout
    assert "logged in as alice" in examined.stdout
