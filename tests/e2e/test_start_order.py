"""Neither the server nor the API server has to be there first, though each needs the other.

The mappings are in the cluster (aws-auth): the server asks the API server that asks it.
"""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING

import pytest

from dev.cluster import ControlPlane, Options, Webhook, binaries
from dev.server import COMMAND, WebhookServer, write_config
from tests.e2e import callers
from tests.e2e.administrator import Administrator
from tests.e2e.callers import ALICE
from tests.e2e.logins import log_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dev.aws_double import AwsDouble

pytestmark = pytest.mark.cluster

READ = "EKSConfigMap has been read"


class Pair:
    """A server and a control plane that know of each other, neither of which has been started."""

    def __init__(self, directory: Path, aws: AwsDouble) -> None:
        settings = {
            "kubeconfig": str(directory / "plane" / "admin.kubeconfig"),
            "backendMode": ["EKSConfigMap"],
        }
        document = {"clusterID": callers.CLUSTER_ID, "server": settings}
        config = write_config(directory, document)
        subprocess.run([COMMAND, "init", "--config", config], check=True, stdout=subprocess.DEVNULL)
        flags = ("--log-format", "json")
        self.server = WebhookServer(config, aws.environment(), arguments=flags)
        options = Options(Webhook(self.server.kubeconfig))
        self.plane = ControlPlane(binaries.find(), directory / "plane", options)

    def map_alice(self) -> Administrator:
        entry = {"userarn": ALICE.principal.arn, "username": "alice", "groups": ["readers"]}
        administrator = Administrator(self.plane)
        administrator.write([], [entry])
        return administrator

    def log_in(self) -> int:
        return log_in(self.plane, callers.fresh_token(ALICE.principal))

    def groups(self) -> list[str]:
        """What the server itself answers."""
        with self.server.poster() as poster:
            user = poster.review(callers.fresh_token(ALICE.principal)).user
        assert user is not None
        groups: list[str] = user["groups"]
        return groups


@pytest.fixture
def pair(tmp_path: Path, session_aws: AwsDouble) -> Pair:
    return Pair(tmp_path, session_aws)


@pytest.fixture
def running() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def test_the_server_may_be_there_before_the_api_server(
    pair: Pair, running: contextlib.ExitStack
) -> None:
    running.enter_context(pair.server)
    running.enter_context(pair.plane)
    pair.server.wait_for_each_worker(READ, 0)
    pair.map_alice()
    pair.server.wait_for_each_worker("EKSConfigMap has changed", 0)
    assert pair.log_in() == 201


def test_the_api_server_may_be_there_before_the_server(
    pair: Pair, running: contextlib.ExitStack
) -> None:
    running.enter_context(pair.plane)
    # Others log in meanwhile.
    pair.map_alice()
    assert pair.log_in() == 401
    running.enter_context(pair.server)
    pair.server.wait_for_each_worker(READ, 0)
    assert pair.log_in() == 201


def test_a_server_that_starts_while_the_api_server_is_away_knows_its_last_mappings(
    pair: Pair, running: contextlib.ExitStack
) -> None:
    running.enter_context(pair.server)
    with pair.plane:
        administrator = pair.map_alice()
        administrator.wait_for(lambda: pair.log_in() == 201)
    pair.server.start()
    assert pair.groups() == ["readers"]
