"""What administrators do to a server that runs: edit its mappings, replace it, prepare it."""

from __future__ import annotations

import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from dev.aws_double.faults import Hang
from dev.poster import NobodyThereError
from dev.server import COMMAND, WebhookServer, write_config
from tests.e2e import callers
from tests.e2e.callers import ALICE, NEWCOMER
from tests.e2e.logins import log_in, stream_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dev.aws_double import AwsDouble, Principal
    from dev.cluster import ControlPlane
    from dev.poster import Answer

pytestmark = pytest.mark.cluster


@pytest.fixture
def document(server: WebhookServer) -> Iterator[dict[str, Any]]:
    """What the config file says, to be changed and written; it says the same again afterwards."""
    text = server.config.read_text()
    yield yaml.safe_load(text)
    server.config.write_text(text)


@pytest.fixture
def mortal(server: WebhookServer) -> Iterator[WebhookServer]:
    """The server, to be ended; whatever becomes of the test, it runs afterwards."""
    yield server
    if not server.running:
        server.start()


def edit(server: WebhookServer, document: dict[str, Any]) -> None:
    """Write the config file, and wait until what it says is in force in each worker."""
    since = server.log.end
    server.config.write_text(yaml.safe_dump(document))
    server.wait_for_each_worker("MountedFile has changed", since)


def log_in_afresh(plane: ControlPlane, principal: Principal = ALICE.principal) -> int:
    return log_in(plane, callers.fresh_token(principal))


def test_a_mapping_counts_as_soon_as_it_is_edited(
    plane_v1: ControlPlane, server: WebhookServer, document: dict[str, Any]
) -> None:
    assert log_in_afresh(plane_v1, NEWCOMER) == 401
    document["server"]["mapUsers"].append({"userARN": NEWCOMER.arn, "username": "newcomer"})
    edit(server, document)
    assert log_in_afresh(plane_v1, NEWCOMER) == 201
    document["server"]["mapUsers"].pop()
    edit(server, document)
    assert log_in_afresh(plane_v1, NEWCOMER) == 401
    assert log_in_afresh(plane_v1) == 201


def test_a_broken_edit_locks_nobody_out(
    plane_v1: ControlPlane, server: WebhookServer, document: dict[str, Any]
) -> None:
    since = server.log.end
    document["server"]["mapUsers"] = "nobody"
    server.config.write_text(yaml.safe_dump(document))
    server.wait_for_each_worker("mapUsers", since)
    assert log_in_afresh(plane_v1) == 201


def test_a_login_under_way_is_finished_before_the_server_ends(
    plane_v1: ControlPlane, mortal: WebhookServer, aws: AwsDouble
) -> None:
    aws.faults.start(Hang())
    before = aws.calls.counts().total
    with ThreadPoolExecutor() as pool:
        login = pool.submit(log_in_afresh, plane_v1)
        aws.calls.wait(lambda counts: counts.total > before)
        mortal.signal(signal.SIGTERM)
        mortal.wait_until_closed()
        aws.faults.stop(Hang)
        assert login.result() == 201, mortal.log.tail
    mortal.wait_until_ended()
    assert log_in_afresh(plane_v1) == 401
    mortal.start()
    # Same port and certificate: the API server need not be told.
    assert log_in_afresh(plane_v1) == 201


def test_no_review_that_was_posted_is_lost_in_a_restart(mortal: WebhookServer) -> None:
    own = threading.local()
    back = threading.Event()

    def review() -> str:
        if not hasattr(own, "poster"):
            own.poster = mortal.poster()
        try:
            answer: Answer = own.poster.review(callers.token_of_the_crowd())
        except NobodyThereError:
            back.wait()
            return "nobody was there"
        return "granted" if answer.status == 200 and answer.user else f"lost: {answer.status}"

    with stream_of(review) as stream:
        try:
            stream.wait_for_more()
            mortal.signal(signal.SIGTERM)
            mortal.wait_until_ended()
            mortal.start()
        finally:
            back.set()
        stream.wait_for_more()
    assert set(stream.outcomes) == {"granted", "nobody was there"}, mortal.log.tail


def test_new_workers_take_over_and_no_login_is_lost(
    plane_v1: ControlPlane, server: WebhookServer
) -> None:
    with stream_of(lambda: log_in(plane_v1, callers.token_of_the_crowd())) as stream:
        stream.wait_for_more()
        since = server.log.end
        server.signal(signal.SIGHUP)
        server.wait_for_workers(since)
        stream.wait_for_more()
    assert set(stream.outcomes) == {201}, server.log.tail


def test_init_prepares_what_the_server_then_uses(session_aws: AwsDouble, tmp_path: Path) -> None:
    config = write_config(tmp_path, callers.configuration())
    subprocess.run([COMMAND, "init", "--config", config], check=True, stdout=subprocess.DEVNULL)
    prepared = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.name for path in prepared} >= {"cert.pem", "key.pem", "webhook.kubeconfig"}
    flags = ("--kubeconfig-pregenerated",)
    with WebhookServer(config, session_aws.environment(), arguments=flags) as server:
        with server.poster() as poster:
            answer = poster.review(callers.fresh_token(ALICE.principal))
        assert (answer.user or {})["username"] == ALICE.username
    assert {path: path.read_bytes() for path in prepared} == prepared


def test_init_writes_into_the_working_directory_unless_told_otherwise(tmp_path: Path) -> None:
    command = [str(COMMAND), "init", "--cluster-id", callers.CLUSTER_ID]
    subprocess.run(command, cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    written = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert set(written) == {
        *("cert.pem", "key.pem", "aws-iam-authenticator.kubeconfig"),
        *("admission-client-cert.pem", "admission-client-key.pem"),
        "admission-aws-iam-authenticator.kubeconfig",
    }
    private = ("key.pem", "admission-client-key.pem", "admission-aws-iam-authenticator.kubeconfig")
    assert {written[name] for name in private} == {0o600}
