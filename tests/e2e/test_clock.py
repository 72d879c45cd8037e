"""Logins while the machine's time is set, and after it was suspended.

Only the server's clocks step here: AWS and the API server keep the true time.
"""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from dev.aws_double.principals import user
from dev.server import COMMAND, WebhookServer, write_config
from tests.e2e import callers
from tests.e2e.callers import ALICE
from tests.e2e.shims import wrapper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dev.aws_double import AwsDouble
    from dev.poster import Poster

_DAY = 86400


class Machine:
    """The server, and the clocks of the machine that it runs on."""

    def __init__(self, directory: Path, aws: AwsDouble, wall: float = 0.0) -> None:
        self._steps = directory / "clocks.json"
        self.step(wall=wall)
        config = write_config(directory, callers.configuration())
        environment = {**aws.environment(), "CLOCK_STEPS": str(self._steps)}
        flags = ("--log-format", "json")
        self.server = WebhookServer(config, environment, arguments=flags, wrapper=wrapper("clocks"))

    def step(self, *, wall: float = 0.0, suspended: float = 0.0) -> None:
        """Set how far the clocks are from the true ones, in seconds."""
        unfinished = self._steps.with_suffix(".new")
        unfinished.write_text(json.dumps({"wall": wall, "suspended": suspended}))
        unfinished.replace(self._steps)


@pytest.fixture
def machine(tmp_path: Path, aws: AwsDouble) -> Iterator[Machine]:
    made = Machine(tmp_path, aws)
    with made.server:
        yield made


@pytest.fixture
def poster(machine: Machine) -> Iterator[Poster]:
    with machine.server.poster() as made:
        yield made


def test_a_key_revoked_while_the_machine_was_suspended_is_refused(
    machine: Machine, poster: Poster, aws: AwsDouble
) -> None:
    sleeper = user(callers.LISTED_ACCOUNT, "sleeper")
    aws.principals.add(sleeper)
    token = callers.fresh_token(sleeper)
    assert poster.review(token).user is not None, machine.server.log.tail
    aws.principals.remove(sleeper.access_key_id)
    # Its time goes on, as at the true machine; the monotonic clock has stood still.
    machine.step(wall=600, suspended=600)
    assert poster.review(token).user is None


def test_a_step_back_lets_no_token_live_longer(machine: Machine, poster: Poster) -> None:
    token = callers.fresh_token(ALICE.principal, age_seconds=840)
    assert poster.review(token).user is not None, machine.server.log.tail
    machine.step(wall=-3600)
    assert poster.review(token).user is not None
    machine.step(wall=-3600 + 70, suspended=70)
    assert poster.review(token).user is None


def test_a_time_that_was_20_days_ahead_leaves_nothing_behind(
    machine: Machine, poster: Poster
) -> None:
    kubeconfig = machine.server.kubeconfig.read_bytes()
    machine.step(wall=20 * _DAY)
    assert poster.review(callers.fresh_token(ALICE.principal)).user is None
    assert "compare the clocks" in machine.server.audited("")["reason"]
    machine.server.start()
    assert machine.server.kubeconfig.read_bytes() == kubeconfig
    machine.step()
    with machine.server.poster() as again:
        assert again.review(callers.fresh_token(ALICE.principal)).user is not None


def test_a_first_start_20_days_ahead_makes_a_certificate_for_today(
    tmp_path: Path, aws: AwsDouble
) -> None:
    machine = Machine(tmp_path, aws, wall=20 * _DAY)
    with machine.server:
        machine.step()
        with machine.server.poster() as poster:
            # By the true time, as an API server judges the certificate.
            assert poster.review(callers.fresh_token(ALICE.principal)).user is not None


def test_a_step_past_the_certificates_end_replaces_nothing(tmp_path: Path, aws: AwsDouble) -> None:
    """The next pair was served at once, which no running API server trusts."""
    state = tmp_path / "state"
    machine = Machine(tmp_path, aws)
    init = (COMMAND, "init", "--cluster-id=a", f"--state-dir={state}", "--days=15")
    subprocess.run([*init, f"--generate-kubeconfig={tmp_path / 'k'}"], check=True, timeout=60)
    before = {path.name: path.read_bytes() for path in state.glob("*.pem")}
    with machine.server as server:
        trusted = server.kubeconfig.read_bytes()
        machine.step(wall=20 * _DAY)
        since = server.log.end
        # New workers look at once.
        server.signal(signal.SIGHUP)
        server.wait_for_each_worker("the host's time was set", since)
        machine.step()
        assert {path.name: path.read_bytes() for path in state.glob("*.pem")} == before
        assert server.kubeconfig.read_bytes() == trusted
        with server.poster() as poster:
            assert poster.review(callers.fresh_token(ALICE.principal)).user is not None
