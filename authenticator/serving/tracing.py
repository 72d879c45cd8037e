"""Whether logins are traced, and what a tracer can follow.

Tracing is on by OpenTelemetry's own conventions: when the environment names a collector. The
packages come with the extra `tracing`, and are imported only then.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Protocol

from authenticator.aws.sts import Fetches
from authenticator.aws.sts_hosts import StsHost
from authenticator.login import NamesInstances
from authenticator.serving.audit import Audits
from authenticator.serving.reviews import AnswersReviews

_LOG = logging.getLogger(__name__)
# OpenTelemetry specification, "Environment Variable Specification".
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class Tracing(Protocol):
    """Follows a login through the parts that it goes through, by standing before each of them."""

    def reviews(self, reviews: AnswersReviews) -> AnswersReviews:
        """Wrap `Reviews`: one span for each review."""
        ...

    def audit(self, audit: Audits) -> Audits:
        """Stand before the audit log, to learn how a review ended."""
        ...

    def sts(self, fetch: Fetches, hosts: Mapping[str, StsHost]) -> Fetches:
        """Stand before the calls of STS; `hosts` are those that may be called, by name."""
        ...

    def ec2(self, name_instance: NamesInstances) -> NamesInstances:
        """Stand before the lookups of instances' names."""
        ...

    def start(self) -> None:
        """Begin to send; called in each worker."""
        ...

    def stop(self) -> None:
        """Send what waits, for a moment, and end."""
        ...


class Untraced:
    """Tracing that is off: every part is used as it is, so that a login costs nothing more."""

    def reviews(self, reviews: AnswersReviews) -> AnswersReviews:
        """See `Tracing`."""
        return reviews

    def audit(self, audit: Audits) -> Audits:
        """See `Tracing`."""
        return audit

    def sts(self, fetch: Fetches, hosts: Mapping[str, StsHost]) -> Fetches:  # noqa: ARG002 (a port)
        """See `Tracing`."""
        return fetch

    def ec2(self, name_instance: NamesInstances) -> NamesInstances:
        """See `Tracing`."""
        return name_instance

    def start(self) -> None:
        """See `Tracing`."""

    def stop(self) -> None:
        """See `Tracing`."""


def tracing(environment: Mapping[str, str]) -> Tracing:
    """What traces logins, as far as the environment asks for it."""
    if not _wanted(environment):
        return Untraced()
    try:
        from authenticator.serving.spans import Traced  # noqa: PLC0415 (see above)
    except ModuleNotFoundError as error:
        _LOG.warning(
            "logins are not traced, although the environment names a collector: %s is missing;"
            " install the extra 'tracing' (in a checkout: pip install '.[server,tracing]'), or"
            " unset %s",
            error.name,
            " and ".join(name for name in _ENDPOINTS if environment.get(name)),
        )
        return Untraced()
    return Traced()


def _wanted(environment: Mapping[str, str]) -> bool:
    off = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    off = off or environment.get("OTEL_TRACES_EXPORTER") == "none"
    return not off and any(environment.get(name) for name in _ENDPOINTS)
