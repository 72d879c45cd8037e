"""The metrics, as scraped, from one process and from several."""

from __future__ import annotations

import errno
import mmap
import os
import re
from collections.abc import Callable
from functools import partial

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from authenticator import errors
from authenticator.serving.metric_table import METRICS, NAMESPACE, RESULTS
from authenticator.serving.metrics import _SECONDS, Metrics
from authenticator.serving.shared_counts import SLOTS


def everything() -> str:
    metrics = Metrics()
    metrics.admission("allowed")
    metrics.observe_review("success", 0.02)
    metrics.sts_response(200, "eu-west-1", 0.02)
    metrics.sts_connection_failed("eu-west-1")
    metrics.sts_throttled("eu-west-1")
    metrics.ec2_called()
    metrics.failed("EKSConfigMap")
    metrics.failed("DynamicFile")
    metrics.applied("DynamicFile", 0.5)
    metrics.emptied("EKSConfigMap", "mapUsers")
    metrics.dynamic_file(enabled=True, only=False)
    metrics.audit_dropped()
    metrics.mappings(in_force=1, faults={"CRD": 0}, stale={"CRD": 0.0}, overlaps=0)
    metrics.budget_refused("key")
    metrics.refused(405)
    metrics.key_fetch_failed("https://issuer.example")
    metrics.issuer_keys("https://issuer.example", 2, 1_790_000_000.0)
    return metrics.render().decode()


@pytest.mark.parametrize(
    "line",
    [
        'authenticate_latency_seconds_count{result="success"} 1.0',
        'sts_responses_total{ResponseCode="200",StsRegion="eu-west-1"} 1.0',
        'sts_latency_seconds_count{StsRegion="eu-west-1"} 1.0',
        'sts_connection_failures_total{StsRegion="eu-west-1"} 1.0',
        'sts_throttling_total{StsRegion="eu-west-1"} 1.0',
        "ec2_describe_instances_calls_total 1.0",
        "configmap_watch_failures_total 1.0",
        "dynamicfile_failures_total 1.0",
        'mapping_sections_emptied_total{section="mapUsers",source="EKSConfigMap"} 1.0',
        'dynamic_e2e_latency_seconds_count{type="DynamicFile"} 1.0',
        "dynamic_file_enabled 1.0",
        "dynamic_file_only 0.0",
    ],
)
def test_the_names_are_the_references(scraped: str, line: str) -> None:
    assert f"aws_iam_authenticator_{line}\n" in scraped


@pytest.fixture(scope="module")
def scraped() -> str:
    return everything()


def test_what_is_scraped_is_what_the_table_says(scraped: str) -> None:
    families = set(re.findall(r"^# TYPE aws_iam_authenticator_(\w+) (\w+)$", scraped, re.MULTILINE))
    created = {family for family in families if family[0].endswith("_created")}
    assert families - created == {(metric.name, metric.kind) for metric in METRICS}
    for metric in METRICS:
        found = re.search(
            rf"^{NAMESPACE}_{metric.name}(?:_count)?\{{(.*)\}} ", scraped, re.MULTILINE
        )
        labels = re.findall(r'(\w+)="', found[1]) if found else []
        assert labels == [label for label, _ in metric.labels], metric.name


def test_a_source_that_has_left_the_chain_has_no_faults() -> None:
    metrics = Metrics()
    faults = {"EKSConfigMap": 2, "MountedFile": 0}
    metrics.mappings(in_force=5, faults=faults, stale={"EKSConfigMap": 7.0}, overlaps=0)
    metrics.mappings(in_force=5, faults={"MountedFile": 1}, stale={}, overlaps=0)
    printed = metrics.render().decode()
    assert 'mapping_faults{source="EKSConfigMap"} 0.0' in printed
    assert 'mapping_faults{source="MountedFile"} 1.0' in printed
    assert 'mapping_source_stale_since_seconds{source="EKSConfigMap"} 0.0' in printed


def series(text: str) -> dict[str, float]:
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name.removeprefix(f"{NAMESPACE}_"): float(value) for name, value in lines}


def in_worker(metrics: Metrics, number: int, work: Callable[[], None]) -> None:
    """Do some work in a worker, which then ends without a word."""
    metrics.forking(number)
    pid = os.fork()
    if not pid:
        work()
        metrics.flush()
        os._exit(0)
    os.waitpid(pid, 0)
    # Who scrapes is another worker.
    assert metrics._shared is not None
    metrics._shared._own = None


def test_workers_are_summed_and_a_dead_ones_counters_stay() -> None:
    metrics = Metrics()

    def work() -> None:
        metrics.observe_review("success", 0.02)
        metrics.sts_response(200, "eu-west-1", 0.02)
        metrics.dynamic_file(enabled=True, only=True)

    expected = 0.0
    for number in range(1, SLOTS + 20):
        in_worker(metrics, number, work)
        expected += 1
        if number % 50 == 1:
            found = series(metrics.render().decode())
            assert found['authenticate_latency_seconds_count{result="success"}'] == expected
            # It lives, as far as we know.
            assert found["dynamic_file_enabled"] == 1.0
        metrics.ended(number)
    found = series(metrics.render().decode())
    assert found['sts_responses_total{ResponseCode="200",StsRegion="eu-west-1"}'] == expected
    assert found["dynamic_file_enabled"] == 0.0


def test_a_gauge_is_that_of_the_worker_with_most_or_least() -> None:
    metrics = Metrics()

    def work(number: int) -> None:
        metrics.reviews_waiting(number)
        metrics.certificate_in_use(0.0, 1000.0 + number)

    for number in (1, 2):
        in_worker(metrics, number, partial(work, number))
    work(0)
    found = series(metrics.render().decode())
    assert found["reviews_waiting"] == 2.0
    assert found["certificate_expiry_timestamp_seconds"] == 1000.0


def test_without_shared_memory_a_worker_shows_its_own_counts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr(mmap, "mmap", refuse)
    metrics = Metrics()
    assert "each worker shows its own metrics only" in caplog.text
    metrics.forking(1)
    metrics.audit_dropped()
    metrics.flush()
    assert series(metrics.render().decode())["audit_dropped_total"] == 1.0
    metrics.ended(1)


def test_a_worker_beyond_the_slots_counts_for_itself_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Metrics()
    for number in range(SLOTS):
        metrics.forking(number)
    assert "there are too many workers" in caplog.text
    metrics.audit_dropped()
    metrics.flush()
    assert series(metrics.render().decode())["audit_dropped_total"] == 1.0
    metrics.ended(SLOTS)


def test_what_is_counted_is_what_prometheus_client_would_count() -> None:
    seconds = [0.0, 0.001, 0.0011, 0.02, 0.02, 9.99, 10.0, 10.1, 500.0]
    registry = CollectorRegistry()
    theirs = Histogram("h", "h", buckets=_SECONDS, registry=registry)
    ours = Metrics()
    for each in seconds:
        theirs.observe(each)
        ours.observe_review("success", each)
    expected = series(generate_latest(registry).decode())
    found = series(ours.render().decode())
    for name, value in expected.items():
        if not name.startswith("h_created"):
            labels = name.removeprefix("h").replace("{", '{result="success",')
            if "{" not in labels:
                labels += '{result="success"}'
            swapped = re.sub(r'\{(result="success"),(le="[^"]*")\}', r"{\2,\1}", labels)
            key = f"authenticate_latency_seconds{labels}"
            other = f"authenticate_latency_seconds{swapped}"
            assert found.get(key, found.get(other)) == value, name


def test_every_kind_of_error_has_its_result() -> None:
    def kinds(kind: type[errors.AuthenticatorError]) -> set[str]:
        return {kind.result}.union(*map(kinds, kind.__subclasses__()))

    assert kinds(errors.AuthenticatorError) <= set(RESULTS)
