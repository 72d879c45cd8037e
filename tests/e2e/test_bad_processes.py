"""Workers on a host without memory, processes or a reader of the log: the rest goes on."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dev.server import WebhookServer, write_config
from tests.e2e import bad_days, callers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.aws_double import AwsDouble

_USER, _MOST_TASKS = 54_321, 100

pytestmark = pytest.mark.slow


def start(aws: AwsDouble, directory: Path, wrapper: list[str]) -> WebhookServer:
    config = write_config(directory, callers.configuration())
    return WebhookServer(config, aws.environment(), wrapper=wrapper)


@pytest.fixture
def small_memory(aws: AwsDouble, tmp_path: Path) -> Iterator[WebhookServer]:
    with start(aws, tmp_path, bad_days.on_small_disk("/dev/shm")) as server:
        yield server


def test_a_full_dev_shm_kills_no_worker(small_memory: WebhookServer) -> None:
    """Every worker that started died of SIGBUS, 10 to 20 a second."""
    server = small_memory
    bad_days.fill(bad_days.inside(server, "/dev/shm"))
    for _ in range(2):
        bad_days.replace(server)
        bad_days.assert_serves(server)
    since = server.log.end
    server.signal(signal.SIGHUP)
    server.wait_for_workers(since)
    bad_days.assert_serves(server)
    # Counting goes on; a worker that is killed loses a quarter of a second.
    bad_days.wait_for_metric(server, 'authenticate_latency_seconds_count{result="success"}', 8)


def test_reloads_leave_no_file_and_no_descriptor_behind(small_memory: WebhookServer) -> None:
    """46 reloads left 192 files in /dev/shm, and a scrape took 125 ms."""
    server = small_memory

    def held() -> tuple[list[str], int]:
        files = [path.name for path in bad_days.inside(server, "/dev/shm").iterdir()]
        return files, bad_days.count(f"/proc/{server.pid}/fd")

    since = server.log.end
    server.signal(signal.SIGHUP)
    server.wait_for_workers(since)
    server.poll_until(lambda: len(server.workers) == 2, "old workers stay")
    before = held()
    for _ in range(3):
        since = server.log.end
        server.signal(signal.SIGHUP)
        server.wait_for_workers(since)
        server.poll_until(lambda: len(server.workers) == 2, "old workers stay")
    assert held() == before
    assert before[0] == []


@pytest.mark.parametrize("room", [0, 1], ids=["for no process", "for a process without threads"])
def test_workers_that_cannot_start_are_tried_less_and_less_often(
    aws: AwsDouble, tmp_path: Path, room: int
) -> None:
    """With a limit of 100 processes, one worker was started ten times a second."""
    user = _USER + room
    with start(aws, tmp_path, bad_days.as_user(user, _MOST_TASKS)) as server:
        # STS has to be asked no more, which may take a thread.
        known = callers.fresh_token(callers.ALICE.principal)
        bad_days.assert_serves(server, known)
        killed = min(bad_days.workers(server))
        left = bad_days.tasks(server) - bad_days.count(f"/proc/{killed}/task")
        since = server.log.end
        with bad_days.other_tasks(user, _MOST_TASKS - left - room):
            os.kill(killed, signal.SIGKILL)
            lines = server.log.wait_for(waiting_seconds, since=since, count=4)
            assert lines[-3:] == [1.0, 2.0, 4.0] or lines[-3:] == [0.0, 1.0, 2.0]
            # The other worker serves, and the server does not end.
            bad_days.assert_serves(server, known)
        server.poll_until(lambda: len(server.workers) == 2, "no worker is started again")
        bad_days.assert_serves(server)


def waiting_seconds(line: str) -> float | None:
    """How long the next worker waits, if a line says so."""
    found = re.search(r"failure \d+ in a row\); the next worker starts in (\d+) s", line)
    return float(found[1]) if found else None


def test_a_stalled_log_delays_no_replacement_and_no_end(aws: AwsDouble, tmp_path: Path) -> None:
    """The main process hung in write(2): no worker was replaced, and SIGTERM did nothing."""
    with (
        bad_days.StalledLog(tmp_path / "log") as log,
        start(aws, tmp_path, log.wrapper) as server,
    ):
        log.stall()
        bad_days.replace(server)
        bad_days.replace(server, signal.SIGSTOP)
        bad_days.assert_serves(server)
        log.read()
        os.kill(min(bad_days.workers(server)), signal.SIGKILL)
        server.poll_until(
            lambda: "log lines were lost" in log.read(), "the loss of lines is not logged"
        )
        log.stall()
        server.signal(signal.SIGTERM)
        server.wait_until_ended()


def test_a_reload_does_not_wait_for_a_worker_that_hangs(aws: AwsDouble, tmp_path: Path) -> None:
    """For 25 s, no other worker that hung or died was replaced, and no signal was heard."""
    with start(aws, tmp_path, []) as server:
        hung = min(bad_days.workers(server))
        os.kill(hung, signal.SIGSTOP)
        server.signal(signal.SIGHUP)
        server.log.wait_for(lambda line: line if "Handling signal: hup" in line else None, since=0)
        server.signal(signal.SIGUSR1)  # is handled when the reload has ended
        words = (f"WORKER TIMEOUT (pid:{hung})", "Handling signal: usr1")
        lines = server.log.wait_for(
            lambda line: next((one for one in words if one in line), None), since=0, count=2
        )
        assert tuple(lines) == words
        bad_days.assert_serves(server)


def test_a_server_starts_while_the_log_stalls(aws: AwsDouble, tmp_path: Path) -> None:
    with bad_days.StalledLog(tmp_path / "log") as log:
        log.stall()
        with start(aws, tmp_path, log.wrapper) as server:
            bad_days.assert_serves(server)


def test_a_server_starts_without_standard_error(aws: AwsDouble, tmp_path: Path) -> None:
    """Its number would be that of the next file that is opened."""
    with start(aws, tmp_path, ["sh", "-c", 'exec "$@" 2>&-', "sh"]) as server:
        bad_days.assert_serves(server)


_BREAKABLE = """
import hashlib, os
def sha256(*arguments, **keywords):
    if os.path.exists({flag!r}):
        raise ValueError("[digital envelope routines] unsupported")
    return approved(*arguments, **keywords)
approved, hashlib.sha256 = hashlib.sha256, sha256
"""


def test_a_worker_that_can_answer_no_login_fails_its_probes_until_it_can(
    aws: AwsDouble, tmp_path: Path
) -> None:
    """Every valid login was answered 500, and /readyz said 200."""
    flag, patches = tmp_path / "broken", tmp_path / "patches"
    patches.mkdir()
    (patches / "sitecustomize.py").write_text(_BREAKABLE.format(flag=str(flag)))
    config = write_config(tmp_path, callers.configuration())
    environment = {**aws.environment(), "PYTHONPATH": str(patches)}
    with WebhookServer(config, environment) as server:

        def probes() -> set[int]:
            with server.poster() as poster:
                return {poster.get(path).status for path in ("/healthz", "/readyz")}

        assert probes() == {200}
        flag.touch()
        server.poll_until(lambda: probes() == {503}, "the probes stay well")
        with server.poster() as poster:
            assert b"self-test of hash functions failed: ValueError" in poster.get("/readyz").body
        flag.unlink()
        server.poll_until(lambda: probes() == {200}, "the probes stay ill")
        bad_days.assert_serves(server)
