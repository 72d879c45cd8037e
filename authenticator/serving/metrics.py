"""Counts what happens, for Prometheus: the metrics of `authenticator.serving.metric_table`.

Each worker counts in plain numbers, and publishes them to the others several times a second
(`authenticator.serving.shared_counts`). prometheus-client writes the text. Its own way of counting
in several processes maps files into memory: on a full disk, that kills the worker.
"""

from __future__ import annotations

import json
import logging
import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from authenticator.serving.metric_table import METRICS, NAMESPACE, RESULTS, Metric
from authenticator.serving.shared_counts import SharedCounts
from authenticator.verdicts.breaker import StsHealth

_LOG = logging.getLogger(__name__)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# From a review answered out of memory (a millisecond) to one that waits for STS until its deadline.
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LIMITS = (*map(floatToGoString, _SECONDS), "+Inf")
_TABLE = {metric.name: metric for metric in METRICS}

# The name of a metric and its labels' values.
Key = tuple[str, ...]
# One number; of a histogram, how many observations each bucket has, and their sum.
Counts = dict[Key, list[float]]


class Metrics:
    """Everything that is counted. Safe to use from many threads."""

    def __init__(self) -> None:
        """Begin at zero. Create it before the workers are forked, which then count together."""
        self._lock = threading.Lock()
        # Zero from the beginning, so that a counter has a rate when it first counts.
        self._counts: Counts = {
            (metric.name,): _zero(metric) for metric in METRICS if not metric.labels
        }
        for result in RESULTS:
            self._at("authenticate_latency_seconds", result)
        for verdict in ("proven", "refused"):
            self._at("verdict_cache_hits_total", verdict)
        self._at("admission_reviews_total", "unauthenticated")
        self._faulty: set[str] = set()
        self._shared: SharedCounts | None = None
        try:
            self._shared = SharedCounts()
        except OSError as error:
            _LOG.warning("each worker shows its own metrics only: no shared memory: %s", error)

    def forking(self, number: int) -> None:
        """Prepare for a worker by its serial number; called in the main process."""
        if self._shared is not None:
            self._shared.take(number)

    def ended(self, number: int) -> None:
        """Keep what a worker has counted that has ended; called in the main process."""
        if self._shared is not None:
            self._shared.release(number, _merged_past)

    def flush(self) -> None:
        """Publish what this worker has counted. Never blocks."""
        if self._shared is not None:
            self._shared.publish(self._snapshot())

    def render(self) -> bytes:
        """Return all of it in the Prometheus text format, summed over the workers."""
        # The next scrape, at another worker, must show no less.
        self.flush()
        past, others = b"", list[bytes]()
        if self._shared is not None:
            past, others = self._shared.others()
        total: Counts = {}
        _add(total, _decoded(past), living=False)
        for snapshot in (*others, self._snapshot()):
            _add(total, _decoded(snapshot), living=True)
        registry = CollectorRegistry()
        registry.register(_Families(total))
        return generate_latest(registry)

    def _snapshot(self) -> bytes:
        with self._lock:
            return json.dumps([*self._counts.items()], separators=(",", ":")).encode()

    def _at(self, *key: str) -> list[float]:
        """Return the counts of a metric with the values of its labels, which are zero at first."""
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = _zero(_TABLE[key[0]])
        return counts

    def _count(self, *key: str) -> None:
        with self._lock:
            self._at(*key)[0] += 1

    def _set(self, value: float, *key: str) -> None:
        with self._lock:
            self._at(*key)[0] = float(value)

    def _observe(self, seconds: float, *key: str) -> None:
        with self._lock:
            counts = self._at(*key)
            counts[bisect_left(_SECONDS, seconds)] += 1
            counts[-1] += seconds

    def observe_review(self, result: str, seconds: float) -> None:
        """Count one review; `result` is one of `RESULTS`."""
        self._observe(seconds, "authenticate_latency_seconds", result)

    def refused(self, status: int) -> None:
        """Count a request that reached no endpoint, by the status it was answered with."""
        self._count("http_requests_refused_total", str(int(status)))

    def sts_response(self, code: int, region: str, seconds: float) -> None:
        """Count an answer of STS: its HTTP status, the region of a known STS host, and its time."""
        self._count("sts_responses_total", str(code), region)
        self._observe(seconds, "sts_latency_seconds", region)

    def sts_connection_failed(self, region: str) -> None:
        """Count a call that STS did not answer."""
        self._count("sts_connection_failures_total", region)

    def sts_throttled(self, region: str) -> None:
        """Count a call that STS refused for its quota."""
        self._count("sts_throttling_total", region)

    def ec2_called(self) -> None:
        """Count a call of DescribeInstances."""
        self._count("ec2_describe_instances_calls_total")

    def failed(self, source: str) -> None:
        """Count a failure to read or watch a source of mappings."""
        self._count("mapping_source_failures_total", source)
        # The reference's names for two of them.
        if source == "EKSConfigMap":
            self._count("configmap_watch_failures_total")
        elif source == "DynamicFile":
            self._count("dynamicfile_failures_total")

    def applied(self, source: str, seconds: float) -> None:
        """Count an edit of a source that came into force `seconds` after it was made."""
        self._observe(seconds, "dynamic_e2e_latency_seconds", source)

    def emptied(self, source: str, section: str) -> None:
        """Count a section that had entries and has none any more."""
        self._count("mapping_sections_emptied_total", section, source)

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
        self._set(in_force, "mappings_in_force")
        self._faulty |= set(faults)
        for source in self._faulty:
            self._set(faults.get(source, 0), "mapping_faults", source)
            self._set(stale.get(source, 0), "mapping_source_stale_since_seconds", source)
        self._set(overlaps, "mapping_overlaps")

    def dynamic_file(self, *, enabled: bool, only: bool) -> None:
        """Say whether DynamicFile is in use, and whether alone."""
        self._set(enabled, "dynamic_file_enabled")
        self._set(only, "dynamic_file_only")

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
        self._set(health.silent_hosts, "sts_circuits_open")
        self._set(health.unused_silent_hosts, "sts_unused_circuits_open")

    def admission(self, result: str) -> None:
        """Count an AdmissionReview; `result` is one of `ADMISSIONS`."""
        self._count("admission_reviews_total", result)

    def anonymous_admission(self) -> None:
        """Count an AdmissionReview of an unauthenticated peer that is answered."""
        self._count("admission_anonymous_reviews_total")

    def untrusted_client(self) -> None:
        """Count a TLS handshake with a client certificate that is not accepted."""
        self._count("tls_client_certificates_refused_total")

    def admission_certificate_ends(self, time: float) -> None:
        """Say when the client certificate of API servers ends, in Unix time."""
        self._set(time, "admission_certificate_expiry_timestamp_seconds")

    def reviews_waiting(self, number: int) -> None:
        """Say how many reviews wait for STS."""
        self._set(number, "reviews_waiting")

    def certificate_in_use(self, begins: float, ends: float) -> None:
        """Say from when until when the certificate in use is valid, in Unix time."""
        self._set(ends, "certificate_expiry_timestamp_seconds")
        self._set(ends - begins, "certificate_lifetime_seconds")

    def key_fetch_failed(self, issuer: str) -> None:
        """Count a key set that could not be fetched or used."""
        self._count("issuer_key_fetch_failures_total", issuer)

    def issuer_keys(self, issuer: str, number: int, since: float) -> None:
        """Note how many keys of an issuer count, and since when; see `ObservesKeys`."""
        self._set(number, "issuer_keys", issuer)
        self._set(since, "issuer_keys_since_seconds", issuer)

    def trouble(self, *, recreated: bool, unwritten: int, faults: int) -> None:
        """Tell of conditions that an administrator should mend.

        Args:
            recreated: whether the certificate took the place of one that was lost.
            unwritten: how many files could not be written and are tried again.
            faults: how many checks of the self-test fail.
        """
        self._set(recreated, "certificate_recreated")
        self._set(unwritten, "files_unwritten")
        self._set(faults, "self_test_faults")

    def audit_dropped(self) -> None:
        """Count an audit line that could not be kept."""
        self._count("audit_dropped_total")


class _Families(Collector):
    """Gives prometheus-client what it writes."""

    def __init__(self, total: Counts) -> None:
        self._total = total

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
        """Yield each metric of the table with all of its labels' values."""
        for metric in METRICS:
            family = _KINDS[metric.kind](
                f"{NAMESPACE}_{metric.name}",
                metric.text,
                labels=[label for label, _ in metric.labels],
            )
            for (name, *labels), counts in sorted(self._total.items()):
                if name != metric.name:
                    continue
                if isinstance(family, HistogramMetricFamily):
                    *buckets, total = counts
                    family.add_metric(
                        labels, [*zip(_LIMITS, accumulate(buckets), strict=True)], total
                    )
                else:
                    family.add_metric(labels, counts[0])
            yield family


_KINDS = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}


def _zero(metric: Metric) -> list[float]:
    return [0.0] * (len(_LIMITS) + 1 if metric.kind == "histogram" else 1)


def _decoded(snapshot: bytes) -> Counts:
    return {tuple(key): counts for key, counts in json.loads(snapshot or b"[]")}


def _add(total: Counts, part: Counts, *, living: bool) -> None:
    """Add the counts of one worker to those of others; a gauge counts while the worker lives."""
    for key, counts in part.items():
        metric = _TABLE[key[0]]
        if metric.kind != "gauge":
            before = total.get(key) or _zero(metric)
            total[key] = [one + other for one, other in zip(before, counts, strict=True)]
        elif living:
            reduce = min if metric.reduced == "livemin" else max
            total[key] = [reduce(total.get(key, counts)[0], counts[0])]


def _merged_past(past: bytes, last: bytes) -> bytes:
    """Add the last snapshot of a worker that has ended to that of all before it."""
    total: Counts = {}
    for snapshot in (past, last):
        _add(total, _decoded(snapshot), living=False)
    return json.dumps([*total.items()], separators=(",", ":")).encode()
