"""Counts what happens, for Prometheus: the metrics of `authenticator.serving.metric_table`."""

from __future__ import annotations

import os
import threading
from bisect import bisect_left
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from authenticator.serving.metric_files import DIRECTORY_VARIABLE
from authenticator.serving.metric_table import METRICS, NAMESPACE, RESULTS, Metric
from authenticator.verdicts.breaker import StsHealth

if TYPE_CHECKING:
    from prometheus_client import Counter, Gauge, Histogram

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# From a review answered out of memory (a millisecond) to one that waits for STS until its deadline.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class _Tally:
    """Counts observations in plain integers, and adds them to a histogram when flushed.

    `Histogram.observe` asks at each observation whether the process has forked, which took a sixth
    of the time of the cheapest answers.
    """

    __slots__ = ("_counts", "_histogram", "_sum")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._counts = [0] * (len(_SECONDS) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(_SECONDS, seconds)] += 1
        self._sum += seconds

    def flush(self) -> None:
        # What Histogram.observe does, for many at once; a test compares the two.
        for value, count in zip(self._histogram._buckets, self._counts, strict=True):
            if count:
                value.inc(count)
        self._histogram._sum.inc(self._sum)
        self._counts = [0] * len(self._counts)
        self._sum = 0.0


class Metrics:
    """Everything that is counted. Safe to use from many threads.

    What is counted for each review waits in memory until `flush`.
    """

    def __init__(self) -> None:
        # Imported here, since its import decides how it counts: see
        # `authenticator.serving.metric_files.share_between_workers`.
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram  # noqa: PLC0415

        self._registry = CollectorRegistry()

        def common(metric: Metric) -> dict[str, Any]:
            return {
                "name": metric.name,
                "documentation": metric.text,
                "labelnames": [label for label, _ in metric.labels],
                "namespace": NAMESPACE,
                "registry": self._registry,
            }

        self._counters: dict[str, Counter] = {
            metric.name: Counter(**common(metric)) for metric in METRICS if metric.kind == "counter"
        }
        self._gauges: dict[str, Gauge] = {
            metric.name: Gauge(**common(metric), multiprocess_mode=metric.reduced)
            for metric in METRICS
            if metric.kind == "gauge"
        }
        self._histograms: dict[str, Histogram] = {
            metric.name: Histogram(**common(metric), buckets=_SECONDS)
            for metric in METRICS
            if metric.kind == "histogram"
        }
        # Looked up once: these are counted for each review.
        latency = self._histograms["authenticate_latency_seconds"]
        self._latency = {result: _Tally(latency.labels(result)) for result in RESULTS}
        # A counter that is there from the beginning has a rate when it first counts.
        for verdict in ("proven", "refused"):
            self._counters["verdict_cache_hits_total"].labels(verdict)
        self._sts_latency: dict[str, _Tally] = {}
        self._counts: dict[tuple[str, ...], int] = {}
        self._gauged: dict[tuple[str, ...], float] = {}
        self._lock = threading.Lock()
        self._faulty: set[str] = set()

    def observe_review(self, result: str, seconds: float) -> None:
        """Count one review; `result` is one of `RESULTS`."""
        with self._lock:
            self._latency[result].add(seconds)

    def flush(self) -> None:
        """Add what was counted since the last time to what is scraped."""
        with self._lock:
            counts, self._counts = self._counts, {}
            for tally in (*self._latency.values(), *self._sts_latency.values()):
                tally.flush()
        for (name, *labels), count in counts.items():
            counter = self._counters[name]
            (counter.labels(*labels) if labels else counter).inc(count)

    def refused(self, status: int) -> None:
        """Count a request that reached no endpoint, by the status it was answered with."""
        self._count("http_requests_refused_total", str(int(status)))

    def _count(self, *name_and_labels: str) -> None:
        with self._lock:
            self._counts[name_and_labels] = self._counts.get(name_and_labels, 0) + 1

    def _gauge(self, value: float, name: str, *labels: str) -> None:
        """Set a gauge; the same value again costs nothing."""
        key = (name, *labels)
        if self._gauged.get(key) != value:
            self._gauged[key] = value
            gauge = self._gauges[name]
            (gauge.labels(*labels) if labels else gauge).set(value)

    def sts_response(self, code: int, region: str, seconds: float) -> None:
        """Count an answer of STS: its HTTP status, the region of a known STS host, and its time."""
        self._count("sts_responses_total", str(code), region)
        with self._lock:
            tally = self._sts_latency.get(region)
            if tally is None:
                histogram = self._histograms["sts_latency_seconds"].labels(region)
                tally = self._sts_latency[region] = _Tally(histogram)
            tally.add(seconds)

    def sts_connection_failed(self, region: str) -> None:
        """Count a call that STS did not answer."""
        self._count("sts_connection_failures_total", region)

    def sts_throttled(self, region: str) -> None:
        """Count a call that STS refused for its quota."""
        self._count("sts_throttling_total", region)

    def ec2_called(self) -> None:
        """Count a call of DescribeInstances."""
        self._counters["ec2_describe_instances_calls_total"].inc()

    def failed(self, source: str) -> None:
        """Count a failure to read or watch a source of mappings."""
        self._counters["mapping_source_failures_total"].labels(source).inc()
        # The reference's names for two of them.
        if source == "EKSConfigMap":
            self._counters["configmap_watch_failures_total"].inc()
        elif source == "DynamicFile":
            self._counters["dynamicfile_failures_total"].inc()

    def applied(self, source: str, seconds: float) -> None:
        """Count an edit of a source that came into force `seconds` after it was made."""
        self._histograms["dynamic_e2e_latency_seconds"].labels(source).observe(seconds)

    def emptied(self, source: str, section: str) -> None:
        """Count a section that had entries and has none any more."""
        self._counters["mapping_sections_emptied_total"].labels(section, source).inc()

    def mappings(
        self,
        *,
        in_force: int,
        faults: Mapping[str, int],
        stale: Mapping[str, float],
        overlaps: int,
    ) -> None:
        """Tell of the mappings.

        Args:
            in_force: how many there are.
            faults: by source, how many are left out; a source that is no longer there has none.
            stale: by source, the Unix time since which an older version stands in for it.
            overlaps: how many claim the same callers.
        """
        self._gauges["mappings_in_force"].set(in_force)
        self._faulty |= set(faults)
        for source in self._faulty:
            self._gauges["mapping_faults"].labels(source).set(faults.get(source, 0))
            since = self._gauges["mapping_source_stale_since_seconds"].labels(source)
            since.set(stale.get(source, 0))
        self._gauges["mapping_overlaps"].set(overlaps)

    def dynamic_file(self, *, enabled: bool, only: bool) -> None:
        """Say whether DynamicFile is in use, and whether alone."""
        self._gauges["dynamic_file_enabled"].set(enabled)
        self._gauges["dynamic_file_only"].set(only)

    def cache_hit(self, verdict: str) -> None:
        """Count a review answered from a remembered verdict: `proven` or `refused`."""
        self._count("verdict_cache_hits_total", verdict)

    def call_collapsed(self) -> None:
        """Count a review that shared the call of another."""
        self._count("sts_calls_collapsed_total")

    def budget_refused(self, caller: str) -> None:
        """Count a review for which there was no call left, by its `Standing`."""
        self._count("sts_budget_refusals_total", caller)

    def degraded_answer(self) -> None:
        """Count a caller let in by a verdict past its time."""
        self._count("degraded_logins_total")

    def circuits_open(self, health: StsHealth) -> None:
        """Take note of how many STS hosts do not answer."""
        self._gauge(health.silent_hosts, "sts_circuits_open")
        self._gauge(health.unused_silent_hosts, "sts_unused_circuits_open")

    def admission(self, result: str) -> None:
        """Count an AdmissionReview; `result` is one of `ADMISSIONS`."""
        self._counters["admission_reviews_total"].labels(result).inc()

    def reviews_waiting(self, number: int) -> None:
        """Say how many reviews wait for STS."""
        self._gauge(number, "reviews_waiting")

    def certificate_in_use(self, begins: float, ends: float) -> None:
        """Say from when until when the certificate in use is valid, in Unix time."""
        self._gauges["certificate_expiry_timestamp_seconds"].set(ends)
        self._gauges["certificate_lifetime_seconds"].set(ends - begins)

    def audit_dropped(self) -> None:
        """Count an audit line that could not be kept."""
        self._counters["audit_dropped_total"].inc()

    def render(self) -> bytes:
        """Give all of it in the Prometheus text format, summed over the workers that share it."""
        from prometheus_client import CollectorRegistry, generate_latest  # noqa: PLC0415 (as above)
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

        self.flush()
        directory = os.environ.get(DIRECTORY_VARIABLE)
        if directory is None:
            return generate_latest(self._registry)
        summed = CollectorRegistry()
        MultiProcessCollector(summed, path=directory)  # type: ignore[no-untyped-call]
        return generate_latest(summed)
