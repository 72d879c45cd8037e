"""An installed server on each supported Python: start, login, stop."""

from __future__ import annotations

import os
import signal
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from dev import installs, pythons
from dev.aws_double import AwsDouble
from dev.server import WebhookServer, write_config
from tests.e2e import callers
from tests.e2e.callers import ALICE, CLUSTER_ID, variables

pytestmark = pytest.mark.installs


def interpreter(version: str) -> Path:
    """Find a Python. In CI each of them must be there."""
    try:
        return pythons.find(version)
    except pythons.MissingPythonError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("version", pythons.SUPPORTED)
def test_a_server_starts_answers_a_login_and_stops(version: str, tmp_path: Path) -> None:
    """Python 3.13.0: RuntimeError: thread already started."""
    python = interpreter(version)
    bin_directory = installs.install(installer=installs.UV, python=python, extra="server")
    command = bin_directory / installs.COMMAND
    with AwsDouble([ALICE.principal]) as aws:
        config = write_config(tmp_path, callers.configuration())
        environment = aws.environment()
        with WebhookServer(config, environment, command=command) as server:
            token = subprocess.run(
                [command, "token", "-i", CLUSTER_ID, "--token-only"],
                env={"HOME": str(tmp_path), **variables(ALICE.principal, environment)},
                capture_output=True,
                text=True,
                check=True,
            ).stdout.strip()
            with server.poster() as poster:
                user = poster.review(token).user
            assert user is not None
            assert user["username"] == ALICE.username
            server.signal(signal.SIGTERM)
            server.wait_until_ended()


def test_each_supported_python_is_tested() -> None:
    """The classifiers promise no other."""
    setup = ConfigParser()
    setup.read(installs.ROOT / "setup.cfg")
    prefix = "Programming Language :: Python :: 3."
    lines = setup["metadata"]["classifiers"].splitlines()
    promised = [line.rpartition(" ")[2] for line in lines if line.startswith(prefix)]
    assert tuple(promised) == pythons.SUPPORTED
