"""The metrics, as scraped, from one process and from several.

Each test scrapes processes of its own, since prometheus-client decides when it is imported whether
it counts in one process or in several.
"""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from authenticator import errors
from authenticator.serving.metric_table import METRICS, NAMESPACE, RESULTS


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


EVERYTHING = """
from authenticator.serving.metrics import Metrics
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
print(metrics.render().decode())
"""


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
    return run(EVERYTHING)


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
    printed = run(
        """
from authenticator.serving.metrics import Metrics
metrics = Metrics()
faults = {"EKSConfigMap": 2, "MountedFile": 0}
metrics.mappings(in_force=5, faults=faults, stale={"EKSConfigMap": 7.0}, overlaps=0)
metrics.mappings(in_force=5, faults={"MountedFile": 1}, stale={}, overlaps=0)
print(metrics.render().decode())
"""
    )
    assert 'mapping_faults{source="EKSConfigMap"} 0.0' in printed
    assert 'mapping_faults{source="MountedFile"} 1.0' in printed
    assert 'mapping_source_stale_since_seconds{source="EKSConfigMap"} 0.0' in printed


def test_workers_are_summed_and_a_dead_ones_counters_stay() -> None:
    output = run(
        """
import os
from authenticator.serving import metric_files as files
directory = files.share_between_workers()
from authenticator.serving.metrics import Metrics
metrics = Metrics()
for count in (1, 2):
    pid = os.fork()
    if not pid:
        for _ in range(count):
            metrics.observe_review("success", 0.02)
        metrics.dynamic_file(enabled=True, only=True)
        metrics.flush()
        os._exit(0)
    os.waitpid(pid, 0)
    files.mark_dead(pid)
print(metrics.render().decode())
print("mode", oct(directory.stat().st_mode & 0o777))
files.discard(directory)
print("left", directory.exists())
"""
    )
    assert 'authenticate_latency_seconds_count{result="success"} 3.0\n' in output
    assert "dynamic_file_enabled 1.0" not in output
    assert "mode 0o700\nleft False" in output


def test_what_is_counted_in_plain_integers_is_what_prometheus_client_would_count() -> None:
    """The buckets are its own, so that a change of them must show here."""
    printed = run(
        """
from authenticator.serving import metrics
from prometheus_client import CollectorRegistry, Histogram, generate_latest
seconds = [0.0, 0.001, 0.0011, 0.02, 0.02, 9.99, 10.0, 10.1, 500.0]
texts = []
for tally in (True, False):
    registry = CollectorRegistry()
    one = Histogram("h", "h", buckets=metrics._SECONDS, registry=registry)
    counted = metrics._Tally(one)
    for each in seconds:
        counted.add(each) if tally else one.observe(each)
        counted.flush()
    texts.append([l for l in generate_latest(registry).split(b"\\n") if b"created" not in l])
print(texts[0] == texts[1], len(texts[0]))
"""
    )
    assert printed == "True 19\n"


def test_what_a_killed_server_left_is_removed_and_what_is_in_use_is_not() -> None:
    output = run(
        """
import os, signal, subprocess, sys
share = "import time; from authenticator.serving import metric_files;"
share += "print(metric_files.share_between_workers(), flush=True);"
def start(then):
    process = subprocess.Popen([sys.executable, "-c", share + then], stdout=subprocess.PIPE)
    path = process.stdout.readline().decode().strip()
    os.utime(path, (0, 0))  # it was made long ago
    return process, path
killed, left = start("time.sleep(1000)")
killed.kill()
killed.wait()
living, used = start("time.sleep(1000)")
from authenticator.serving import metric_files
metric_files.discard(metric_files.share_between_workers())
print(os.path.exists(left), os.path.exists(used))
living.kill()
living.wait()
metric_files.discard(used)
"""
    )
    assert output == "False True\n"


def test_sharing_after_prometheus_client_was_imported_is_refused() -> None:
    run(
        """
import prometheus_client
from authenticator.serving.metric_files import share_between_workers
try:
    share_between_workers()
except RuntimeError:
    raise SystemExit(0)
raise SystemExit("not refused")
"""
    )


def test_every_kind_of_error_has_its_result() -> None:
    def kinds(kind: type[errors.AuthenticatorError]) -> set[str]:
        return {kind.result}.union(*map(kinds, kind.__subclasses__()))

    assert kinds(errors.AuthenticatorError) <= set(RESULTS)
