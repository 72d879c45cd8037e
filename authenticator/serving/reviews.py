"""Answers reviews: bytes to an HTTP answer, every outcome counted and audited. No HTTP library.

    Denied            200, authenticated: false      the API server caches it
    UnknownKey        200, with status.error         never cached, and not asked again at once
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
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol, cast

from authenticator import review
from authenticator.aws.access_keys import account_in
from authenticator.errors import (
    AuthenticatorError,
    Claim,
    Denied,
    InternalFault,
    MalformedRequest,
    TokenRefused,
    Unavailable,
    UnknownKey,
    UnknownUser,
)
from authenticator.login import Pending
from authenticator.serving.audit import AuditRecord

_LOG = logging.getLogger(__name__)
SCRUBBED = "(scrubbed)"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the API server.

    Attributes:
        status: the HTTP status.
        body: a TokenReview if `status` is 200, and a constant text otherwise.
        content_type: the media type of `body`.
    """

    status: int
    body: bytes
    content_type: str = "application/json"


class CountsReviews(Protocol):
    """Counts reviews; `authenticator.serving.metrics.Metrics` does."""

    def observe_review(self, result: str, seconds: float) -> None:
        """Count one review and the time that it took."""
        ...


@dataclass(slots=True)
class Attempt:
    """A review that is being answered.

    Attributes:
        started: when it began, by the timer of `Reviews`.
        record: what is written about it.
        request: what was posted, once it has been read.
    """

    started: float
    record: AuditRecord
    request: review.ReviewRequest | None = None


@dataclass(frozen=True, slots=True)
class PendingReview:
    """A review that waits for STS or EC2.

    Attributes:
        attempt: the review.
        login: what it waits for.
    """

    attempt: Attempt
    login: Pending


class DecidesLogins(Protocol):
    """`authenticator.login.Login`."""

    def begin(self, token: str, /) -> review.Decision | Pending:
        """Decide at once, or return what to wait for; see `Login.begin`."""
        ...

    async def finish(self, pending: Pending, /) -> review.Decision:
        """Wait and decide; see `Login.finish`."""
        ...


class AnswersReviews(Protocol):
    """`Reviews`, traced or not."""

    def begin(self, body: bytes, remote: str, /) -> Answer | PendingReview:
        """Answer at once, or return what to wait for; see `Reviews.begin`."""
        ...

    async def finish(self, pending: PendingReview, /) -> Answer:
        """Wait and answer; see `Reviews.finish`."""
        ...


class Reviews:
    """Answers reviews. It holds no state that changes."""

    def __init__(
        self,
        *,
        login: DecidesLogins,
        metrics: CountsReviews,
        audit: Callable[[AuditRecord], None],
        scrubbed_accounts: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Set up.

        Args:
            login: decides.
            metrics: counts each review.
            audit: takes one record for each review, and never blocks.
            scrubbed_accounts: AWS accounts whose ids appear in no answer and in no record.
            clock: seconds since the epoch.
            timer: seconds since any moment, never falling.
        """
        self._login = login
        self._metrics = metrics
        self._audit = audit
        self._scrubbed_accounts = scrubbed_accounts
        self._clock = clock
        self._timer = timer

    def begin(self, body: bytes, remote: str) -> Answer | PendingReview:
        """Answer one review at once if nothing has to be waited for; never raises.

        Args:
            body: what was posted, of a size that has been limited.
            remote: the address of who posted it, for the audit log.

        Returns:
            the answer; or what `finish` has to wait for.
        """
        attempt = Attempt(
            self._timer(),
            AuditRecord(time=self._clock(), decision="allow", result="success", remote=remote),
        )
        try:
            request = attempt.request = review.parse(body)
            attempt.record.api_version = request.api_version
            decided = self._login.begin(request.token)
            if not isinstance(decided, review.Decision):
                return PendingReview(attempt, decided)
            answer = self._allow(attempt, decided)
        except Exception as error:  # noqa: BLE001 (every one becomes an answer)
            answer = self._refuse(attempt, error)
        return self._done(attempt, answer)

    async def finish(self, pending: PendingReview) -> Answer:
        """Answer one review, waiting for whatever has to be asked; never raises."""
        attempt = pending.attempt
        try:
            answer = self._allow(attempt, await self._login.finish(pending.login))
        except Exception as error:  # noqa: BLE001 (every one becomes an answer)
            answer = self._refuse(attempt, error)
        return self._done(attempt, answer)

    async def answer(self, body: bytes, remote: str) -> Answer:
        """Answer one review from its beginning to its end; never raises."""
        answer = self.begin(body, remote)
        return answer if isinstance(answer, Answer) else await self.finish(answer)

    def _refuse(self, attempt: Attempt, error: Exception) -> Answer:
        """Return the answer that an error stands for."""
        if isinstance(error, Denied):
            self._explain(attempt.record, "deny", error)
            # Only what has been read as a review can be denied.
            request = cast("review.ReviewRequest", attempt.request)
            passing = isinstance(error, UnknownKey)
            body = review.deny_for_now(request) if passing else review.deny(request)
            return Answer(HTTPStatus.OK, body)
        if isinstance(error, MalformedRequest):
            self._explain(attempt.record, "malformed", error)
            return plain(error.status)
        if isinstance(error, Unavailable):
            self._explain(attempt.record, "fault", error)
            return plain(error.status)
        log_fault("a review", error)
        self._explain(attempt.record, "fault", InternalFault(type(error).__name__))
        return plain(InternalFault.status)

    def _allow(self, attempt: Attempt, decision: review.Decision) -> Answer:
        identity, record = decision.identity, attempt.record
        scrubbed = identity.arn.account_id in self._scrubbed_accounts
        record.username = decision.username
        record.groups = decision.groups
        record.mapping_reason = decision.match.reason
        if scrubbed:
            account = identity.arn.account_id
            record.username = record.username.replace(account, SCRUBBED)
            record.groups = tuple(name.replace(account, SCRUBBED) for name in record.groups)
            record.mapping_reason = record.mapping_reason.replace(account, SCRUBBED)
        record.mapping = str(decision.match.origin)
        record.source = decision.source.value
        if not scrubbed:
            record.arn = str(identity.arn)
            record.canonical_arn = identity.canonical_arn
            record.account = identity.arn.account_id
            record.session = identity.arn.session
            record.access_key_id = identity.access_key_id
            if identity.claims is not None:
                record.token_id = identity.claims.token_id
        request = cast("review.ReviewRequest", attempt.request)
        return Answer(HTTPStatus.OK, review.allow(request, decision, scrubbed=scrubbed))

    def _done(self, attempt: Attempt, answer: Answer) -> Answer:
        seconds = self._timer() - attempt.started
        record = attempt.record
        record.latency_ms = round(seconds * 1000, 3)
        self._metrics.observe_review(record.result, seconds)
        self._audit(record)
        return answer

    def _explain(self, record: AuditRecord, decision: str, error: AuthenticatorError) -> None:
        """Say in `record` why it was not allowed, under an id that an operator can ask for."""
        record.decision = decision
        record.result = error.result
        record.reason = str(error)
        record.denial_id = secrets.token_hex(5)
        if isinstance(error, TokenRefused):
            record.check = error.check
        if isinstance(error, UnknownUser):
            record.arn, record.access_key_id = error.arn, error.access_key_id
        elif error.claim is not None:
            self._note_claim(record, error.claim)
        if any(account in record.reason + record.arn for account in self._scrubbed_accounts):
            record.reason = "left out: it names a scrubbed account"
            record.arn = record.access_key_id = ""

    def _note_claim(self, record: AuditRecord, claim: Claim) -> None:
        if account_in(claim.access_key_id) not in self._scrubbed_accounts:
            record.unproven_access_key_id = claim.access_key_id
        record.unproven_host = claim.host
        record.unproven_region = claim.region


def plain(status: int) -> Answer:
    """Give the constant answer of `status`, which tells whoever probes no more than that."""
    return Answer(status, HTTPStatus(status).phrase.encode() + b"\n", "text/plain")


def log_fault(what: str, error: Exception) -> None:
    """Log where a fault of ours happened in `what`. Not its message: it could quote the token."""
    where = "".join(traceback.format_tb(error.__traceback__))
    _LOG.error("%s failed with %s:\n%s", what, type(error).__name__, where)
