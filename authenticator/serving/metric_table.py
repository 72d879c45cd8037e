"""Every metric, as one table: docs/metrics.md is made from it.

The names are the reference's where it has them. Every label takes its values from a set that is
fixed before the first request: nothing that a caller sends can make a new time series.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NAMESPACE = "aws_iam_authenticator"
RESULTS = (
    "success",
    "invalid_token",
    "unknown_key",
    "unknown_user",
    "malformed_request",
    "sts_error",
    "sts_throttling",
    "ec2_error",
    "keys_unavailable",
    "overloaded",
    "internal_error",
)
# Of AdmissionReviews.
ADMISSIONS = (
    "allowed",
    "rejected",
    "forced",
    "ignored",
    "malformed",
    "overloaded",
    "unauthenticated",
    "internal_error",
)
_ISSUERS = "the URL of a configured issuer of JWTs"
_REGIONS = "the region of the STS host"
_SOURCES = "the source of mappings"
_SECTIONS = "mapRoles, mapUsers or mapAccounts"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: without the namespace.
        kind: Prometheus' type.
        text: what it tells, in a few words.
        labels: the name of each label, and what its values are.
        reduced: how the values of several workers become one, for a gauge.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    text: str
    labels: tuple[tuple[str, str], ...] = ()
    reduced: Literal["livemax", "livemin"] = "livemax"


METRICS = (
    Metric(
        "authenticate_latency_seconds",
        "histogram",
        "Time to answer a review, by its result",
        (("result", ", ".join(RESULTS)),),
    ),
    Metric(
        "sts_responses_total",
        "counter",
        "Answers of STS",
        (("ResponseCode", "the HTTP status"), ("StsRegion", _REGIONS)),
    ),
    Metric(
        "sts_latency_seconds", "histogram", "Time until STS answered", (("StsRegion", _REGIONS),)
    ),
    Metric(
        "sts_connection_failures_total",
        "counter",
        "Calls that STS did not answer",
        (("StsRegion", _REGIONS),),
    ),
    Metric(
        "sts_throttling_total",
        "counter",
        "Calls that STS refused for its quota",
        (("StsRegion", _REGIONS),),
    ),
    Metric(
        "sts_circuits_open",
        "gauge",
        "STS hosts that known callers use and that do not answer, in the worker that sees most",
    ),
    Metric(
        "sts_unused_circuits_open",
        "gauge",
        "Other STS hosts that do not answer: only strangers have named them",
    ),
    Metric("sts_calls_collapsed_total", "counter", "Reviews that shared the call of another"),
    Metric(
        "sts_budget_refusals_total",
        "counter",
        "Reviews for which no call of STS was left",
        (("caller", "proven, known, account, stranger, key"),),
    ),
    Metric(
        "verdict_cache_hits_total",
        "counter",
        "Reviews answered from what STS said before",
        (("verdict", "proven, refused"),),
    ),
    Metric(
        "degraded_logins_total",
        "counter",
        "Callers let in by a verdict past its time, STS being away",
    ),
    Metric("ec2_describe_instances_calls_total", "counter", "Calls of EC2 DescribeInstances"),
    Metric("mappings_in_force", "gauge", "Mappings in force"),
    Metric(
        "mapping_faults",
        "gauge",
        "Faults that keep a mapping out of force",
        (("source", _SOURCES),),
    ),
    Metric("mapping_overlaps", "gauge", "Mappings that claim the same callers"),
    Metric(
        "mapping_source_stale_since_seconds",
        "gauge",
        "Since when an older version of a source stands in for it (Unix time); 0 if none does",
        (("source", _SOURCES),),
    ),
    Metric(
        "mapping_source_failures_total",
        "counter",
        "Failures to read a source of mappings",
        (("source", _SOURCES),),
    ),
    Metric(
        "mapping_sections_emptied_total",
        "counter",
        "Sections of a source that had entries and have none any more",
        (("section", _SECTIONS), ("source", _SOURCES)),
    ),
    Metric(
        "configmap_watch_failures_total",
        "counter",
        "Failures of the watch of the ConfigMap aws-auth",
    ),
    Metric("dynamicfile_failures_total", "counter", "Failures to read the dynamic file"),
    Metric(
        "dynamic_e2e_latency_seconds",
        "histogram",
        "Time from an edit of a dynamic file until it is in force",
        (("type", _SOURCES),),
    ),
    Metric("dynamic_file_enabled", "gauge", "1 while DynamicFile is in use"),
    Metric("dynamic_file_only", "gauge", "1 while DynamicFile alone is in use"),
    Metric("reviews_waiting", "gauge", "Reviews that wait for STS, in the worker that has most"),
    Metric(
        "certificate_expiry_timestamp_seconds",
        "gauge",
        "When the certificate in use ends (Unix time)",
        reduced="livemin",
    ),
    Metric(
        "certificate_lifetime_seconds",
        "gauge",
        "How long the certificate in use is valid, from its beginning to its end",
        reduced="livemin",
    ),
    Metric(
        "certificate_recreated",
        "gauge",
        "1 while a certificate is served that was created in place of a lost one: API servers that"
        " run do not trust it",
    ),
    Metric("files_unwritten", "gauge", "Files that could not be written and are tried again"),
    Metric("self_test_faults", "gauge", "Checks of the self-test that fail in a worker"),
    Metric(
        "admission_reviews_total",
        "counter",
        "Edits of mappings that the API server asked about",
        (("result", ", ".join(ADMISSIONS)),),
    ),
    Metric(
        "admission_anonymous_reviews_total",
        "counter",
        "AdmissionReviews of unauthenticated peers that were answered (anonymousAdmission)",
    ),
    Metric(
        "admission_certificate_expiry_timestamp_seconds",
        "gauge",
        "When the client certificate of API servers ends (Unix time); 0 if there is none",
        reduced="livemin",
    ),
    Metric(
        "tls_client_certificates_refused_total",
        "counter",
        "TLS handshakes with a client certificate that this server did not issue",
    ),
    Metric(
        "http_requests_refused_total",
        "counter",
        "Requests that reached no endpoint",
        (("code", "the HTTP status: 400, 401, 404, 405, 411, 413, 414, 417, 429 or 431"),),
    ),
    Metric(
        "issuer_keys",
        "gauge",
        "Keys of an issuer of JWTs that count now, in the worker that has fewest",
        (("issuer", _ISSUERS),),
        reduced="livemin",
    ),
    Metric(
        "issuer_keys_since_seconds",
        "gauge",
        "When an issuer last gave its keys (Unix time); 0 for none, and for keys from a file",
        (("issuer", _ISSUERS),),
    ),
    Metric(
        "issuer_key_fetch_failures_total",
        "counter",
        "Key sets that could not be fetched or used",
        (("issuer", _ISSUERS),),
    ),
    Metric("audit_dropped_total", "counter", "Audit lines that could not be kept"),
)
