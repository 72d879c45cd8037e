"""The installed `explain`, about a real server, its log, its tokens and its cluster."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from dev.server import COMMAND, WebhookServer, now
from tests.e2e import callers
from tests.e2e.administrator import Administrator
from tests.e2e.callers import DEPLOYER, STRANGER
from tests.e2e.logins import log_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dev.aws_double import AwsDouble
    from dev.cluster import ControlPlane

pytestmark = pytest.mark.cluster


def explain(
    *arguments: str, stdin: str = "", environment: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """Run it; gives its exit code and what it says."""
    ran = subprocess.run(
        [COMMAND, "explain", *arguments, "--output", "json"],
        input=stdin,
        env={"PATH": os.environ["PATH"], **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout, ran.stderr
    return ran.returncode, json.loads(ran.stdout)


def test_a_denial_is_found_in_the_servers_log(
    plane_v1: ControlPlane, server: WebhookServer
) -> None:
    since = now()
    assert log_in(plane_v1, callers.fresh_token(STRANGER)) == 401
    denial_id = server.audited(since)["denial_id"]
    [line] = server.log.wait_for(lambda line: line if denial_id in line else None, since=0)
    arguments = ("--id", denial_id, "--log", "-", "--config", str(server.config))
    code, said = explain(*arguments, stdin=f"a line before\n{line}\n")
    assert code == 1
    assert said["logged"]["reason"] == f"no mapping names {STRANGER.arn}"
    assert (said["reason"], said["allowed"]) == (said["logged"]["reason"], False)


def test_a_live_token_is_explained_as_the_server_answers_it(
    aws: AwsDouble, server: WebhookServer
) -> None:
    token = callers.fresh_token(DEPLOYER.principal)
    code, said = explain(
        *("--config", str(server.config), "--token", "-"),
        stdin=token,
        environment=aws.environment(),
    )
    assert code == 0
    with server.poster() as poster:
        assert said["answer"]["status"]["user"] == poster.review(token).user
    assert all(check["passed"] for check in said["checks"])


def test_the_mappings_of_a_cluster_are_asked_and_left_alone(plane_v1: ControlPlane) -> None:
    administrator = Administrator(plane_v1)
    arn = "arn:aws:iam::111122223333:role/explained"
    administrator.write([{"rolearn": arn, "username": "explained"}])
    try:
        before = administrator.get("--namespace=kube-system", "configmap", "aws-auth")
        connection = ("--cluster", "--kubeconfig", str(plane_v1.admin_kubeconfig))
        code, said = explain("--arn", arn, *connection)
        assert code == 0
        assert said["answer"]["status"]["user"]["username"] == "explained"
        assert said["sources"][0]["revision"] == before["metadata"]["resourceVersion"]
        after = administrator.get("--namespace=kube-system", "configmap", "aws-auth")
        assert after == before
    finally:
        administrator.delete_config_map()
