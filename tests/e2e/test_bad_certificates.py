"""Certificates that end, get lost or belong to another user: no login is refused in silence."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from authenticator.serving.certificates.pair import Wanted, load_or_create
from dev.cluster import Options, Webhook
from dev.server import COMMAND, WebhookServer, write_config
from dev.waiting import wait_until
from tests.e2e import bad_days, callers
from tests.e2e.callers import ALICE
from tests.e2e.logins import log_in

if TYPE_CHECKING:
    from dev.aws_double import AwsDouble
    from tests.e2e.conftest import StartControlPlane

_DAY = timedelta(days=1)
_USER = 10_000


def age(state: Path, *, lived: timedelta, left: timedelta) -> bytes:
    """Put a certificate that has lived for a while into a state directory; return its PEM."""
    wanted = Wanted(hostname="localhost", address="127.0.0.1", lifetime=lived + left)
    # A certificate begins a little before it is made.
    made = datetime.now(timezone.utc) - lived + min(timedelta(hours=1), wanted.lifetime / 10)
    return load_or_create(state, wanted, made).pem


def fresh(plane: Any) -> int:
    return log_in(plane, callers.fresh_token(ALICE.principal))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, callers.configuration())


def ready(server: WebhookServer) -> dict[str, Any]:
    """Return the JSON of `/readyz`."""
    with server.poster() as poster:
        detail: dict[str, Any] = json.loads(poster.get("/readyz").body)
        return detail


@pytest.mark.cluster
def test_a_start_near_the_end_of_the_certificate_refuses_no_login(
    aws: AwsDouble, config: Path, start_control_plane: StartControlPlane
) -> None:
    """3.5 s after the start of a server with 5 days left: 401, x509 unknown authority."""
    state = config.parent / "state"
    old = age(state, lived=360 * _DAY, left=5 * _DAY)
    # The kubeconfig that the API server reads is that of the first start.
    command = [str(COMMAND), "init", "--config", str(config)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    kubeconfig = config.parent / "webhook.kubeconfig"
    plane = start_control_plane(Options(Webhook(kubeconfig, "v1", "0s")))
    with WebhookServer(config, aws.environment()) as server:
        [line] = server.log.wait_for(announced, since=0)
        due = line.partition(f"{kubeconfig} before ")[2][:25]
        # Half of the five days.
        left = datetime.fromisoformat(due) - datetime.now(timezone.utc)
        assert 2.4 * _DAY < left < 2.6 * _DAY
        # New workers look at once, as a second server of the host does.
        for _ in range(2):
            bad_days.replace(server)
            assert fresh(plane) == 201
        assert (state / "cert.pem").read_bytes() == old
        assert (state / "next-cert.pem").exists()


def test_the_next_certificate_is_served_in_time_when_years_are_seconds(
    aws: AwsDouble, config: Path
) -> None:
    """Of 40 s, 20 are left: both are trusted at once, and the next one is served near the end."""
    state = config.parent / "state"
    old = age(state, lived=timedelta(seconds=20), left=timedelta(seconds=20))
    with WebhookServer(config, aws.environment()) as server:
        wait_until((state / "next-cert.pem").exists, "there is no next certificate")
        server.log.wait_for(announced, since=0)
        # Trusts both, as an API server that was restarted does.
        with server.poster() as poster:
            wait_until(
                lambda: (state / "cert.pem").read_bytes() != old, "the next one is not served"
            )
            server.wait_for_each_worker("serving a new certificate", 0)
            assert poster.get("/healthz").status == 200
        bad_days.assert_serves(server)
        assert not (state / "next-cert.pem").exists()


def announced(line: str) -> str | None:
    """The line that says by when API servers are to be restarted."""
    return line if "restart every API server that reads" in line else None


def test_a_state_directory_that_is_lost_is_announced(aws: AwsDouble, config: Path) -> None:
    """A new pair was created without one log line, and /readyz said 200."""
    state = config.parent / "state"
    with WebhookServer(config, aws.environment()) as server:
        assert ready(server)["warnings"] == []
        assert bad_days.metric(server, "certificate_recreated") == 0.0
    shutil.rmtree(state)
    with WebhookServer(config, aws.environment()) as server:
        warning = f"restart every API server that reads {server.kubeconfig}"
        [line] = server.log.wait_for(lambda line: line if warning in line else None, since=0)
        assert "level=warning" in line
        detail = ready(server)
        assert detail["ready"]
        assert warning in detail["warnings"][0]
        bad_days.wait_for_metric(server, "certificate_recreated", 1.0)


def test_another_certificate_than_the_kubeconfig_trusted_is_announced(
    aws: AwsDouble, config: Path
) -> None:
    """A state directory of another node, or of a backup, was not noticed."""
    state = config.parent / "state"
    init = [str(COMMAND), "init", "--config", str(config)]
    subprocess.run(init, check=True, capture_output=True)
    for name in ("cert.pem", "key.pem"):
        (state / name).unlink()
    age(state, lived=_DAY, left=300 * _DAY)
    with WebhookServer(config, aws.environment()) as server:
        warning = "is not the one that"
        server.log.wait_for(lambda line: line if warning in line else None, since=0)
        assert f"every API server that reads {server.kubeconfig}" in ready(server)["warnings"][0]


@pytest.mark.parametrize("step", ["rotate", "init"])
def test_files_that_root_writes_can_be_read_by_the_server(
    aws: AwsDouble, config: Path, step: str
) -> None:
    """rotate reported success, and the server could not read the key (0:0 0600)."""
    state = config.parent / "state"
    os.chown(state, _USER, _USER)
    command = [str(COMMAND), step, "--config", str(config)]
    subprocess.run([str(COMMAND), "init", "--config", str(config)], check=True, capture_output=True)
    if step == "rotate":
        for flags in ([], ["--switch"]):
            subprocess.run([*command, *flags], check=True, capture_output=True)
    owners = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in state.iterdir()}
    assert set(owners.values()) == {(_USER, _USER)}, owners
    # Files of an earlier version that did not are given away as well.
    for path in state.iterdir():
        os.chown(path, 0, 0)
    subprocess.run([str(COMMAND), "init", "--config", str(config)], check=True, capture_output=True)
    assert {path.stat().st_uid for path in state.iterdir()} == {_USER}


def test_root_who_may_not_give_files_away_is_refused(config: Path) -> None:
    """As on a network disk with root_squash: the server could not read the key."""
    state = config.parent / "state"
    os.chown(state, _USER, _USER)
    weak = ["setpriv", "--bounding-set=-chown", "--inh-caps=-chown"]
    refused = subprocess.run(
        [*weak, str(COMMAND), "init", "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert f"run this as user {_USER}" in refused.stderr
    assert list(state.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "cure"),
    [
        (lambda state: (state / "key.pem").unlink(), "restore it from a backup"),
        (
            lambda state: shutil.copy(callers.__file__, state / "key.pem"),
            "put a matching certificate and key there",
        ),
    ],
    ids=["missing", "rubbish"],
)
def test_a_start_that_fails_names_the_cure_for_its_cause(
    config: Path, damage: Any, cure: str
) -> None:
    state = config.parent / "state"
    subprocess.run([str(COMMAND), "init", "--config", str(config)], check=True, capture_output=True)
    damage(state)
    failed = subprocess.run(
        [str(COMMAND), "server", "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert failed.returncode == 1
    assert cure in failed.stderr


def test_an_expired_certificate_can_be_rotated(aws: AwsDouble, config: Path) -> None:
    """rotate refused to begin, since the certificate had expired."""
    state = config.parent / "state"
    age(state, lived=8 * _DAY, left=-_DAY)
    command = [str(COMMAND), "server", "--config", str(config)]
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "`aws-iam-authenticator rotate` and `rotate --switch`" in failed.stderr
    for flags in ([], ["--switch"]):
        rotate = [str(COMMAND), "rotate", "--config", str(config), *flags]
        subprocess.run(rotate, check=True, capture_output=True)
    with WebhookServer(config, aws.environment()) as server:
        bad_days.assert_serves(server)
