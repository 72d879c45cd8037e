"""Disks without room, or that cannot be written: the server serves with what is there."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dev.server import COMMAND, WebhookServer, write_config
from tests.e2e import bad_days, callers

if TYPE_CHECKING:
    from dev.aws_double import AwsDouble


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config file whose server keeps its kubeconfig in the state directory, on one disk."""
    path = write_config(tmp_path, callers.configuration())
    document = yaml.safe_load(path.read_text())
    kubeconfig = tmp_path / "state" / "webhook.kubeconfig"
    document["server"]["generateKubeconfig"] = str(kubeconfig)
    path.write_text(yaml.safe_dump(document))
    return path


def prepared(config: Path) -> dict[Path, bytes]:
    """Write the files of a server that ran before; return their contents."""
    subprocess.run([COMMAND, "init", "--config", config], check=True, stdout=subprocess.DEVNULL)
    return {path: path.read_bytes() for path in (config.parent / "state").iterdir()}


def read_only(place: Path) -> list[str]:
    """Return a program that starts a command which cannot write in `place`."""
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
    return ["unshare", "--mount", "sh", "-ec", script, str(place)]


def all_read_only(_place: Path) -> list[str]:
    """Return a program that starts a command which can write nowhere, not even in /tmp."""
    script = (
        'for place in $(awk "{print \\$2}" /proc/mounts); do case $place in /proc*|/sys*) ;;'
        " *) mount -o remount,bind,ro $place 2>/dev/null || true ;; esac; done;"
        ' ! touch /tmp/writable /dev/shm/writable 2>/dev/null && exec "$@"'
    )
    return ["unshare", "--mount", "sh", "-ec", script, "sh"]


def full(place: Path) -> list[str]:
    """Return a program that starts a command for which `place` is on a disk without room."""
    script = (
        'mkdir "$0.copy" && cp -p "$0"/* "$0.copy"'
        ' && mount -t tmpfs -o size=64k tmpfs "$0" && cp -p "$0.copy"/* "$0"'
        ' && { cat /dev/zero >"$0/filler" 2>/dev/null || true; } && exec "$@"'
    )
    return ["unshare", "--mount", "sh", "-ec", script, str(place)]


def ready(server: WebhookServer) -> dict[str, Any]:
    with server.poster() as poster:
        detail: dict[str, Any] = json.loads(poster.get("/readyz").body)
        return detail


@pytest.mark.parametrize("disk", [read_only, all_read_only, full])
def test_a_restart_serves_with_the_files_that_are_there(
    aws: AwsDouble, config: Path, disk: Any
) -> None:
    """It ended with status 1, since it wrote a kubeconfig that was identical already."""
    before = prepared(config)
    with WebhookServer(config, aws.environment(), wrapper=disk(config.parent / "state")) as server:
        bad_days.assert_serves(server)
        bad_days.replace(server)
        since = server.log.end
        server.signal(signal.SIGHUP)
        server.wait_for_workers(since)
        bad_days.assert_serves(server)
    assert {path: path.read_bytes() for path in before} == before


def test_a_kubeconfig_that_cannot_be_written_is_tried_again_and_visible(
    aws: AwsDouble, config: Path
) -> None:
    prepared(config)
    document = yaml.safe_load(config.read_text())
    kubeconfig = Path(document["server"]["generateKubeconfig"])
    right = kubeconfig.read_bytes()
    # Trusts the certificate, but names another port: it is to be written again.
    kubeconfig.write_bytes(right.replace(b":%d/" % document["server"]["port"], b":1/"))
    wrapper = full(config.parent / "state")
    server = WebhookServer(config, aws.environment(), wrapper=wrapper)
    server.kubeconfig = config.parent / "right.kubeconfig"
    server.kubeconfig.write_bytes(right)
    with server:
        problem = f"{kubeconfig}: the webhook kubeconfig cannot be written: No space left"
        server.log.wait_for(lambda line: line if problem in line else None, since=0)
        server.poll_until(lambda: len(ready(server)["warnings"]) > 0, "/readyz says nothing")
        assert ready(server)["ready"]
        bad_days.wait_for_metric(server, "files_unwritten", 1.0)
        bad_days.assert_serves(server)
        (bad_days.inside(server, config.parent / "state") / "filler").unlink()
        seen = bad_days.inside(server, kubeconfig)
        server.poll_until(lambda: seen.read_bytes() == right, "it is not tried again")
        server.poll_until(lambda: ready(server)["warnings"] == [], "the warning stays")


def test_a_first_start_that_cannot_write_ends_with_the_reason(config: Path) -> None:
    wrapper = read_only(config.parent / "state")
    command = [*wrapper, str(COMMAND), "server", "--config", str(config)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "Read-only file system; mount its disk so that it can be written" in ended.stderr
