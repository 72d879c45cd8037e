"""What an operator reads in the log after the first start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import authenticator
from dev.ports import free_port
from dev.server import WebhookServer, write_config
from tests.e2e import callers

if TYPE_CHECKING:
    from pathlib import Path

    from dev.aws_double import AwsDouble


def lines_with(server: WebhookServer, words: str) -> list[str]:
    """The lines of the log so far that hold some words."""
    return [line for line in server.log.lines if words in line]


def test_the_first_start_says_once_what_to_do_next(tmp_path: Path, aws: AwsDouble) -> None:
    metrics = free_port()
    configuration = callers.configuration()
    configuration["server"]["metricsAddress"] = f"127.0.0.1:{metrics}"
    config = write_config(tmp_path, configuration)
    server = WebhookServer(config, aws.environment())
    with server:
        server.wait_for_workers(0)
        [line] = lines_with(server, f"aws-iam-authenticator {authenticator.__version__}")
        assert f"cluster id {callers.CLUSTER_ID!r}" in line
        assert "mappings from MountedFile" in line

        [line] = lines_with(server, "wrote ")
        state = tmp_path / "state"
        for file in (state / "cert.pem", state / "key.pem", server.kubeconfig):
            assert str(file) in line
        assert "valid until" in line

        flag = "--authentication-token-webhook-config-file"
        [line] = lines_with(server, flag)
        assert f"{flag}={server.kubeconfig}" in line

        [line] = lines_with(server, "istening at")
        assert f"https://127.0.0.1:{server.port} for logins" in line
        assert f"http://127.0.0.1:{server.health_port} for probes" in line
        assert f"http://127.0.0.1:{metrics} for metrics" in line


def test_a_later_start_does_not_claim_to_have_made_a_certificate(
    tmp_path: Path, aws: AwsDouble
) -> None:
    server = WebhookServer(write_config(tmp_path, callers.configuration()), aws.environment())
    with server:
        since = server.log.end
        server.start()
        server.wait_for_workers(since)
        said = server.log.lines[since:]
        assert not [line for line in said if "wrote " in line and "cert.pem" in line]
