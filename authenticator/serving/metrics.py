"""The metrics, under the reference's names, summed over the workers.

Each worker counts in files of its own in one directory in memory, and whoever answers `/metrics`
adds up all of them (prometheus-client, "Multiprocess Mode"). A dead worker's files stay, so that no
counter ever falls.

Every label takes its values from a set that is fixed before the first request: nothing that a
caller sends can make a new time series.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

_DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "aws-iam-authenticator-metrics-"
_ORPHAN_SECONDS = 60.0
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_NAMESPACE = "aws_iam_authenticator"
RESULTS = (
    "success",
    "invalid_token",
    "unknown_user",
    "malformed_request",
    "sts_error",
    "sts_throttling",
    "ec2_error",
    "overloaded",
    "internal_error",
)
# From a review answered out of memory (a millisecond) to one that waits for STS until its deadline.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def share_between_workers() -> Path:
    """Prepare for counting in several processes; call once, before any `Metrics` is made.

    Returns:
        the directory of the counters, readable by us alone; `discard` it at the end.

    Raises:
        RuntimeError: prometheus-client has been imported already, and counts in one process only.
    """
    if "prometheus_client" in sys.modules:
        raise RuntimeError("prometheus_client was imported before its directory was known")
    memory = "/dev/shm"  # noqa: S108 (only the parent of a directory that mkdtemp makes for us)
    parent = memory if os.access(memory, os.W_OK) else tempfile.gettempdir()
    _discard_orphans(Path(parent))
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    _lock(directory)
    # Whatever an operator's environment says: a directory of an earlier run holds its counters.
    os.environ[_DIRECTORY_VARIABLE] = str(directory)
    return directory


def _discard_orphans(parent: Path) -> None:
    """Remove what servers left that were killed, or memory would fill up with their counters."""
    for directory in parent.glob(f"{_PREFIX}*"):
        # One that is in use is locked (OSError), and one just made is about to be.
        with suppress(OSError):
            if time.time() - directory.stat().st_mtime > _ORPHAN_SECONDS:
                descriptor = _lock(directory)
                discard(directory)
                os.close(descriptor)


def _lock(directory: Path) -> int:
    """Lock `directory` for as long as this process, or one forked from it, lives.

    Raises:
        OSError: another has locked it, or it is not ours.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(directory, flags)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def discard(directory: Path) -> None:
    """Remove what `share_between_workers` made."""
    shutil.rmtree(directory, ignore_errors=True)


class Metrics:
    """Everything that is counted. Safe to use from many threads."""

    def __init__(self) -> None:
        # Imported here, since its import decides how it counts: see `share_between_workers`.
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram  # noqa: PLC0415

        self._registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, namespace=_NAMESPACE, registry=self._registry)

        def gauge(
            name: str,
            text: str,
            *labels: str,
            over_workers: Literal["livemax", "livemin"] = "livemax",
        ) -> Gauge:
            return Gauge(
                name,
                text,
                labels,
                namespace=_NAMESPACE,
                registry=self._registry,
                multiprocess_mode=over_workers,
            )

        latency = Histogram(
            "authenticate_latency_seconds",
            "Time to answer a review, by its result",
            ["result"],
            namespace=_NAMESPACE,
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._latency = {result: latency.labels(result) for result in RESULTS}
        self._sts_responses = counter(
            "sts_responses_total", "Answers of STS", "ResponseCode", "StsRegion"
        )
        self._sts_latency = Histogram(
            "sts_latency_seconds",
            "Time until STS answered",
            ["StsRegion"],
            namespace=_NAMESPACE,
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._sts_failures = counter(
            "sts_connection_failures_total", "Calls that STS did not answer", "StsRegion"
        )
        self._sts_throttling = counter(
            "sts_throttling_total", "Calls that STS refused for its quota", "StsRegion"
        )
        self._ec2_calls = counter(
            "ec2_describe_instances_calls_total", "Calls of EC2 DescribeInstances"
        )
        self._source_failures = counter(
            "mapping_source_failures_total", "Failures to read a source of mappings", "source"
        )
        self._mappings = gauge("mappings_in_force", "Mappings in force")
        self._mapping_faults = gauge(
            "mapping_faults", "Faults that keep a mapping out of force", "source"
        )
        self._faulty: set[str] = set()
        self._mapping_overlaps = gauge("mapping_overlaps", "Mappings that claim the same callers")
        self._watch_failures = counter(
            "configmap_watch_failures_total", "Failures of the watch of the ConfigMap aws-auth"
        )
        self._file_failures = counter(
            "dynamicfile_failures_total", "Failures to read the dynamic file"
        )
        self._dynamic_latency = Histogram(
            "dynamic_e2e_latency_seconds",
            "Time from an edit of a dynamic file until it is in force",
            ["type"],
            namespace=_NAMESPACE,
            registry=self._registry,
        )
        self._file_enabled = gauge("dynamic_file_enabled", "1 while DynamicFile is in use")
        self._file_only = gauge("dynamic_file_only", "1 while DynamicFile alone is in use")
        self._cache_hits = counter(
            "verdict_cache_hits_total", "Reviews answered from what STS said before", "verdict"
        )
        self._collapsed = counter(
            "sts_calls_collapsed_total", "Reviews that shared the call of another"
        )
        self._budget_refusals = counter(
            "sts_budget_refusals_total", "Reviews for which no call of STS was left", "caller"
        )
        self._degraded = counter(
            "degraded_logins_total", "Callers let in by a verdict past its time, STS being away"
        )
        self._open_circuits = gauge("sts_circuits_open", "STS hosts that do not answer")
        self._queue = gauge(
            "reviews_waiting", "Reviews that wait for a thread, in the worker that has most"
        )
        self._certificate_ends = gauge(
            "certificate_expiry_timestamp_seconds",
            "When the certificate in use ends (Unix time)",
            over_workers="livemin",
        )
        self._audit_dropped = counter("audit_dropped_total", "Audit lines that could not be kept")

    def observe_review(self, result: str, seconds: float) -> None:
        """Count one review; `result` is one of `RESULTS`."""
        self._latency[result].observe(seconds)

    def sts_response(self, code: int, region: str, seconds: float) -> None:
        """Count an answer of STS: its HTTP status, the region of a known STS host, and its time."""
        self._sts_responses.labels(str(code), region).inc()
        self._sts_latency.labels(region).observe(seconds)

    def sts_connection_failed(self, region: str) -> None:
        """Count a call that STS did not answer."""
        self._sts_failures.labels(region).inc()

    def sts_throttled(self, region: str) -> None:
        """Count a call that STS refused for its quota."""
        self._sts_throttling.labels(region).inc()

    def ec2_called(self) -> None:
        """Count a call of DescribeInstances."""
        self._ec2_calls.inc()

    def failed(self, source: str) -> None:
        """Count a failure to read or watch a source of mappings."""
        self._source_failures.labels(source).inc()
        # The reference's names for two of them.
        if source == "EKSConfigMap":
            self._watch_failures.inc()
        elif source == "DynamicFile":
            self._file_failures.inc()

    def applied(self, source: str, seconds: float) -> None:
        """Count an edit of a source that came into force `seconds` after it was made."""
        self._dynamic_latency.labels(source).observe(seconds)

    def mappings(self, *, in_force: int, faults: Mapping[str, int], overlaps: int) -> None:
        """Say how many mappings are in force, left out for a fault, and claim the same callers.

        `faults` counts by source; a source that is no longer among them has none.
        """
        self._mappings.set(in_force)
        self._faulty |= set(faults)
        for source in self._faulty:
            self._mapping_faults.labels(source).set(faults.get(source, 0))
        self._mapping_overlaps.set(overlaps)

    def dynamic_file(self, *, enabled: bool, only: bool) -> None:
        """Say whether DynamicFile is in use, and whether alone."""
        self._file_enabled.set(enabled)
        self._file_only.set(only)

    def cache_hit(self, verdict: str) -> None:
        """Count a review answered from a remembered verdict: `proven` or `refused`."""
        self._cache_hits.labels(verdict).inc()

    def call_collapsed(self) -> None:
        """Count a review that shared the call of another."""
        self._collapsed.inc()

    def budget_refused(self, caller: str) -> None:
        """Count a review for which there was no call left: `known`, `stranger` or `key`."""
        self._budget_refusals.labels(caller).inc()

    def degraded_answer(self) -> None:
        """Count a caller let in by a verdict past its time."""
        self._degraded.inc()

    def circuits_open(self, number: int) -> None:
        """Say how many STS hosts do not answer."""
        self._open_circuits.set(number)

    def reviews_waiting(self, number: int) -> None:
        """Say how many reviews wait for a thread."""
        self._queue.set(number)

    def certificate_ends(self, time: float) -> None:
        """Say when the certificate in use ends, in Unix time."""
        self._certificate_ends.set(time)

    def audit_dropped(self) -> None:
        """Count an audit line that could not be kept."""
        self._audit_dropped.inc()

    def render(self) -> bytes:
        """Give all of it in the Prometheus text format, summed over the workers that share it."""
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 (as above)
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

        directory = os.environ.get(_DIRECTORY_VARIABLE)
        if directory is None:
            return generate_latest(self._registry)
        summed = CollectorRegistry()
        MultiProcessCollector(summed, path=directory)  # type: ignore[no-untyped-call]
        return generate_latest(summed)


def mark_dead(pid: int) -> None:
    """Forget what only a living worker can say (gauges); its counters stay."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 (as in Metrics)

    mark_process_dead(pid)  # type: ignore[no-untyped-call]
