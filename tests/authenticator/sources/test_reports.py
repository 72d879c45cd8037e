"""Events and statuses: by one process, once, and never in anyone's way."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from authenticator.mapping.problems import Origin, Problem
from authenticator.sources.cluster import ClusterError, Object
from authenticator.sources.reports import ClusterReports, Target
from dev.waiting import PATIENCE_SECONDS
from tests.authenticator.sources.doubles import FakeCluster

CONFIG_MAP = Target("v1", "ConfigMap", "aws-auth", "kube-system", "uid-1")
MAPPING = Target("iamauthenticator.k8s.aws/v1alpha1", "IAMIdentityMapping", "a", "", "uid-2")
PROBLEM = Problem(Origin("EKSConfigMap", "mapRoles", 2, 14), "it is wrong")


class SlowCluster(FakeCluster):
    """An API server that answers once it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.answering = threading.Event()

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
    ) -> Object:
        self.asked.set()
        assert self.answering.wait(PATIENCE_SECONDS)
        return super().request(method, path, query, body)


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
    reports.status("/x", {"a": "b"}, urgent=False)
    cluster.wait(lambda: bool(cluster.written))
    assert cluster.written == [("PATCH", "/x/status", {"status": {"a": "b"}})]


def test_one_process_of_a_host_writes_and_another_takes_over(
    cluster: FakeCluster, tmp_path: Path
) -> None:
    others = FakeCluster()
    first = ClusterReports(cluster, tmp_path / "lock", clock=lambda: 0.0)
    second = ClusterReports(others, tmp_path / "lock", clock=lambda: 0.0)
    first.status("/x", {}, urgent=False)
    cluster.wait(lambda: len(cluster.written) == 1)
    second.status("/dropped", {}, urgent=False)
    first.stop()
    second.status("/y", {}, urgent=False)
    others.wait(lambda: ("PATCH", "/y/status", {"status": {}}) in others.written)
    second.stop()


def test_a_refusal_is_logged_and_the_next_report_is_made(
    cluster: FakeCluster, reports: ClusterReports, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.refuse = ClusterError(403, "forbidden")
    reports.problems(CONFIG_MAP, [PROBLEM])
    reports.status("/x", {}, urgent=False)
    cluster.wait(lambda: len(cluster.requests) == 2)
    cluster.refuse = None
    reports.status("/y", {}, urgent=False)
    cluster.wait(lambda: bool(cluster.written))
    assert "cannot write an Event on ConfigMap aws-auth: 403: forbidden" in caplog.text


class TestOrder:
    """Statuses of 5,000 objects took 20 minutes, and the wrong ones came whenever."""

    @pytest.fixture
    def cluster(self) -> Iterator[SlowCluster]:
        made = SlowCluster()
        yield made
        made.answering.set()

    @pytest.fixture
    def held(self, cluster: SlowCluster, tmp_path: Path) -> Iterator[ClusterReports]:
        """Reports of which the first is under way until the API server answers."""
        made = ClusterReports(cluster, tmp_path / "lock", clock=lambda: 0.0, pause_seconds=0)
        made.status("/first", {}, urgent=False)
        assert cluster.asked.wait(PATIENCE_SECONDS)
        yield made
        cluster.answering.set()
        made.stop()

    def test_what_is_wrong_is_written_first(
        self, cluster: SlowCluster, held: ClusterReports
    ) -> None:
        for number in range(5000):
            held.status(f"/{number}", {}, urgent=number == 4000)
        held.problems(MAPPING, [PROBLEM])
        cluster.answering.set()
        cluster.wait(lambda: len(cluster.written) == 5002)
        paths = [path.removesuffix("/status") for _, path, _ in cluster.written]
        assert paths[:2] == ["/first", "/4000"]
        assert paths[2].endswith("/events")
        assert paths[3:] == [f"/{number}" for number in range(5000) if number != 4000]

    def test_of_several_statuses_of_an_object_the_last_is_written(
        self, cluster: SlowCluster, held: ClusterReports
    ) -> None:
        held.status("/x", {"a": "1"}, urgent=False)
        held.status("/x", {"a": "2"}, urgent=True)
        held.status("/x", {"a": "3"}, urgent=False)
        held.status("/last", {}, urgent=False)
        cluster.answering.set()
        cluster.wait(lambda: any(path == "/last/status" for _, path, _ in cluster.written))
        assert [body for _, path, body in cluster.written if path == "/x/status"] == [
            {"status": {"a": "3"}}
        ]

    def test_what_cannot_wait_any_more_is_dropped_with_a_warning(
        self,
        cluster: SlowCluster,
        held: ClusterReports,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr("authenticator.sources.reports._WAITING", 2)
        for number in range(3):
            held.status(f"/{number}", {}, urgent=False)
        assert "one is dropped" in caplog.text
        cluster.answering.set()
        cluster.wait(lambda: len(cluster.written) == 3)

    def test_writes_keep_a_distance_that_stop_cuts_short(
        self, cluster: SlowCluster, tmp_path: Path
    ) -> None:
        made = ClusterReports(cluster, tmp_path / "lock", clock=lambda: 0.0, pause_seconds=3600)
        cluster.answering.set()
        made.status("/1", {}, urgent=False)
        made.status("/2", {}, urgent=False)
        cluster.wait(lambda: len(cluster.written) == 1)
        made.stop()
        assert len(cluster.written) == 1


def test_stop_without_a_report_does_nothing(reports: ClusterReports) -> None:
    reports.stop()


def test_a_state_directory_that_cannot_be_written_costs_reports_and_not_their_thread(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "absent" / "lock"
    reports = ClusterReports(cluster, lock, clock=lambda: 0.0)
    attempted = threading.Event()
    monkeypatch.setattr("authenticator.sources.reports._LOG.warning", lambda *_: attempted.set())
    reports.status("/x", {}, urgent=False)
    assert attempted.wait(PATIENCE_SECONDS)
    lock.parent.mkdir()
    reports.status("/y", {}, urgent=False)
    cluster.wait(lambda: bool(cluster.written))
    reports.stop()
    assert cluster.written == [("PATCH", "/y/status", {"status": {}})]


class ForeignResource(FakeCluster):
    """An API server that drops conditions, as it does with the reference's resource."""

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
    ) -> Object:
        super().request(method, path, query, body)
        kept = {"canonicalARN": "arn"} if body and "status" in body else {}
        return {"metadata": {"name": "a"}, "spec": {}, "status": kept}


def test_a_resource_that_drops_conditions_is_named_once_with_the_remedy(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = ForeignResource()
    reports = ClusterReports(cluster, tmp_path / "lock", clock=lambda: 0.0)
    status = {"canonicalARN": "arn", "conditions": [{"type": "Valid", "status": "True"}]}
    for name in ("a", "b"):
        reports.status(f"/apis/x/{name}", status, urgent=True)
    cluster.wait(lambda: len(cluster.written) == 2)
    reports.stop()
    (message,) = caplog.messages
    assert "drops userid, expires and status.conditions" in message
    assert "kubectl apply -f manifests/base/crd.yaml" in message
