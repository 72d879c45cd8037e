"""Events and statuses: by one process, once, and never in anyone's way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from authenticator.mapping.problems import Origin, Problem
from authenticator.sources.cluster import ClusterError
from authenticator.sources.reports import ClusterReports, Target
from dev.waiting import PATIENCE_SECONDS
from tests.authenticator.sources.doubles import FakeCluster

CONFIG_MAP = Target("v1", "ConfigMap", "aws-auth", "kube-system", "uid-1")
MAPPING = Target("iamauthenticator.k8s.aws/v1alpha1", "IAMIdentityMapping", "a", "", "uid-2")
PROBLEM = Problem(Origin("EKSConfigMap", "mapRoles", 2, 14), "it is wrong")


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def reports(cluster: FakeCluster, tmp_path: Path) -> Iterator[ClusterReports]:
    made = ClusterReports(cluster, tmp_path / "lock", clock=lambda: 0.0)
    yield made
    made.stop()


def test_an_event_names_the_object_and_the_problem(
    cluster: FakeCluster, reports: ClusterReports
) -> None:
    reports.problems(CONFIG_MAP, [PROBLEM])
    cluster.wait(lambda: bool(cluster.written))
    ((method, path, event),) = cluster.written
    assert (method, path) == ("POST", "/api/v1/namespaces/kube-system/events")
    assert event["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "aws-auth",
        "namespace": "kube-system",
        "uid": "uid-1",
    }
    assert event["message"] == "EKSConfigMap mapRoles[2], line 14 (not in force): it is wrong"
    assert event["type"] == "Warning"
    assert event["firstTimestamp"] == "1970-01-01T00:00:00Z"


def test_an_object_without_namespace_has_its_events_in_default(
    cluster: FakeCluster, reports: ClusterReports
) -> None:
    reports.problems(MAPPING, [PROBLEM])
    cluster.wait(lambda: bool(cluster.written))
    assert cluster.written[0][1] == "/api/v1/namespaces/default/events"


def test_the_same_report_has_the_same_name_and_another_has_another(
    cluster: FakeCluster, reports: ClusterReports
) -> None:
    other = Problem(PROBLEM.origin, "it is wrong in another way")
    for problems in ([PROBLEM], [PROBLEM], [other]):
        reports.problems(CONFIG_MAP, problems)
    cluster.wait(lambda: len(cluster.written) == 3)
    names = [event["metadata"]["name"] for _, _, event in cluster.written]
    assert names[0] == names[1] != names[2]


def test_many_problems_fit_into_the_length_that_the_api_server_takes(
    cluster: FakeCluster, reports: ClusterReports
) -> None:
    reports.problems(CONFIG_MAP, [Problem(PROBLEM.origin, "é" * 100)] * 100)
    cluster.wait(lambda: bool(cluster.written))
    assert len(cluster.written[0][2]["message"].encode()) <= 1024


def test_nothing_is_written_when_nothing_is_wrong(
    cluster: FakeCluster, reports: ClusterReports
) -> None:
    reports.problems(CONFIG_MAP, [])
    reports.status("/x", {"a": "b"})
    cluster.wait(lambda: bool(cluster.written))
    assert cluster.written == [("PATCH", "/x/status", {"status": {"a": "b"}})]


def test_one_process_of_a_host_writes_and_another_takes_over(
    cluster: FakeCluster, tmp_path: Path
) -> None:
    others = FakeCluster()
    first = ClusterReports(cluster, tmp_path / "lock", clock=lambda: 0.0)
    second = ClusterReports(others, tmp_path / "lock", clock=lambda: 0.0)
    first.status("/x", {})
    cluster.wait(lambda: len(cluster.written) == 1)
    second.status("/dropped", {})
    first.stop()
    second.status("/y", {})
    others.wait(lambda: ("PATCH", "/y/status", {"status": {}}) in others.written)
    second.stop()


def test_a_refusal_is_logged_and_the_next_report_is_made(
    cluster: FakeCluster, reports: ClusterReports, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.refuse = ClusterError(403, "forbidden")
    reports.problems(CONFIG_MAP, [PROBLEM])
    reports.status("/x", {})
    cluster.wait(lambda: len(cluster.requests) == 2)
    cluster.refuse = None
    reports.status("/y", {})
    cluster.wait(lambda: bool(cluster.written))
    assert "cannot write an Event on ConfigMap aws-auth: 403: forbidden" in caplog.text


def test_stop_without_a_report_does_nothing(reports: ClusterReports) -> None:
    reports.stop()


def test_a_state_directory_that_cannot_be_written_costs_reports_and_not_their_thread(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "absent" / "lock"
    reports = ClusterReports(cluster, lock, clock=lambda: 0.0)
    attempted = threading.Event()
    monkeypatch.setattr("authenticator.sources.reports._LOG.warning", lambda *_: attempted.set())
    reports.status("/x", {})
    assert attempted.wait(PATIENCE_SECONDS)
    lock.parent.mkdir()
    reports.status("/y", {})
    cluster.wait(lambda: bool(cluster.written))
    reports.stop()
    assert cluster.written == [("PATCH", "/y/status", {"status": {}})]
