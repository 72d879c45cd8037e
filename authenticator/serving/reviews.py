"""Answers reviews: bytes to an HTTP answer, every outcome counted and audited. No HTTP library.

    Denied            200, authenticated: false      the API server caches it
    MalformedRequest  its 4xx                        never retried
    Unavailable       its 429, 500 or 504            asked again within seconds, never cached
    anything else     500                            a fault of ours

Source: docs of `authenticator.errors`, which says why.
"""

from __future__ import annotations

import logging
import secrets
import time
import traceback
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

from authenticator import review
from authenticator.errors import (
    AuthenticatorError,
    Denied,
    InternalFault,
    MalformedRequest,
    TokenRefused,
    Unavailable,
)
from authenticator.serving.audit import AuditRecord

if TYPE_CHECKING:
    from collections.abc import Callable

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the API server.

    Attributes:
        status: the HTTP status.
        body: a TokenReview if `status` is 200, and a constant text otherwise.
    """

    status: int
    body: bytes


class CountsReviews(Protocol):
    """Counts reviews; `authenticator.serving.metrics.Metrics` does."""

    def observe_review(self, result: str, seconds: float) -> None:
        """Count one review and the time that it took."""
        ...


class Reviews:
    """Answers reviews. Safe to use from many threads: it holds no state that changes."""

    def __init__(
        self,
        *,
        decide: Callable[[str], review.Decision],
        metrics: CountsReviews,
        audit: Callable[[AuditRecord], None],
        scrubbed_accounts: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Set up.

        Args:
            decide: `Login.decide`.
            metrics: counts each review.
            audit: takes one record for each review, and never blocks.
            scrubbed_accounts: AWS accounts whose ids appear in no answer and in no record.
            clock: seconds since the epoch.
            timer: seconds since any moment, never falling.
        """
        self._decide = decide
        self._metrics = metrics
        self._audit = audit
        self._scrubbed_accounts = scrubbed_accounts
        self._clock = clock
        self._timer = timer

    def answer(self, body: bytes, remote: str) -> Answer:
        """Answer one review; never raises.

        Args:
            body: what was posted, of a size that has been limited.
            remote: the address of who posted it, for the audit log.
        """
        started = self._timer()
        record = AuditRecord(time=self._clock(), decision="allow", result="success", remote=remote)
        try:
            answer = self._decided(body, record)
        except MalformedRequest as error:
            answer = plain(error.status)
            self._explain(record, "malformed", error)
        except Unavailable as error:
            answer = plain(error.status)
            self._explain(record, "fault", error)
        except Exception as error:  # noqa: BLE001 (a fault of ours must not take the worker along)
            log_fault("a review", error)
            answer = plain(InternalFault.status)
            self._explain(record, "fault", InternalFault(type(error).__name__))
        seconds = self._timer() - started
        record.latency_ms = round(seconds * 1000, 3)
        self._metrics.observe_review(record.result, seconds)
        self._audit(record)
        return answer

    def _decided(self, body: bytes, record: AuditRecord) -> Answer:
        request = review.parse(body)
        record.api_version = request.api_version
        try:
            decision = self._decide(request.token)
        except Denied as error:
            self._explain(record, "deny", error)
            return Answer(HTTPStatus.OK, review.deny(request))
        identity = decision.identity
        scrubbed = identity.arn.account_id in self._scrubbed_accounts
        record.username = decision.username
        record.groups = decision.groups
        record.mapping = str(decision.match.origin)
        if not scrubbed:
            record.arn = str(identity.arn)
            record.canonical_arn = identity.canonical_arn
            record.account = identity.arn.account_id
            record.session = identity.arn.session
            record.access_key_id = identity.access_key_id
        return Answer(HTTPStatus.OK, review.allow(request, decision, scrubbed=scrubbed))

    def _explain(self, record: AuditRecord, decision: str, error: AuthenticatorError) -> None:
        """Say in `record` why it was not allowed, under an id that an operator can ask for."""
        record.decision = decision
        record.result = error.result
        record.reason = str(error)
        record.denial_id = secrets.token_hex(5)
        if isinstance(error, TokenRefused):
            record.check = error.check
        if any(account in record.reason for account in self._scrubbed_accounts):
            record.reason = "left out: it names a scrubbed account"


def plain(status: int) -> Answer:
    """Give the constant answer of `status`, which tells whoever probes no more than that."""
    return Answer(status, HTTPStatus(status).phrase.encode() + b"\n")


def log_fault(what: str, error: Exception) -> None:
    """Log where a fault of ours happened in `what`. Not its message: it could quote the token."""
    where = "".join(traceback.format_tb(error.__traceback__))
    _LOG.error("%s failed with %s:\n%s", what, type(error).__name__, where)
