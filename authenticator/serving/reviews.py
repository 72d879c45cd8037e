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
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Protocol, TypeVar, cast

from authenticator import review
from authenticator.errors import (
    AuthenticatorError,
    Denied,
    InternalFault,
    MalformedRequest,
    TokenRefused,
    Unavailable,
    UnknownUser,
)
from authenticator.serving.audit import AuditRecord

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
SCRUBBED = "(scrubbed)"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the API server.

    Attributes:
        status: the HTTP status.
        body: a TokenReview if `status` is 200, and a constant text otherwise.
    """

    status: int
    body: bytes

    @property
    def content_type(self) -> str:
        """The media type of `body`."""
        return "application/json" if self.status == HTTPStatus.OK else "text/plain"


class CountsReviews(Protocol):
    """Counts reviews; `authenticator.serving.metrics.Metrics` does."""

    def observe_review(self, result: str, seconds: float) -> None:
        """Count one review and the time that it took."""
        ...


@dataclass(slots=True)
class _Attempt:
    """A review that is being answered."""

    started: float
    record: AuditRecord
    request: review.ReviewRequest | None = None


class BeginsLogins(Protocol):
    """`authenticator.login.Login`."""

    def begin(self, token: str, /) -> review.Decision | Callable[[], review.Decision]:
        """Decide at once, or give what will decide; see `authenticator.login.Login.begin`."""
        ...


class Reviews:
    """Answers reviews. Safe to use from many threads: it holds no state that changes."""

    def __init__(
        self,
        *,
        login: BeginsLogins,
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

    def begin(self, body: bytes, remote: str) -> Answer | Callable[[], Answer]:
        """Answer one review at once if nothing has to be waited for; never raises.

        Args:
            body: what was posted, of a size that has been limited.
            remote: the address of who posted it, for the audit log.

        Returns:
            the answer; or, when somebody has to be asked, what will ask and answer.
        """
        attempt = _Attempt(
            self._timer(),
            AuditRecord(time=self._clock(), decision="allow", result="success", remote=remote),
        )
        answer = self._guarded(attempt, partial(self._start, attempt, body))
        if not isinstance(answer, Answer):
            return partial(self._continue, attempt, answer)
        return self._finish(attempt, answer)

    def answer(self, body: bytes, remote: str) -> Answer:
        """Answer one review, waiting for whatever has to be asked; never raises."""
        answer = self.begin(body, remote)
        return answer if isinstance(answer, Answer) else answer()

    def _start(self, attempt: _Attempt, body: bytes) -> Answer | Callable[[], Answer]:
        request = review.parse(body)
        attempt.request = request
        attempt.record.api_version = request.api_version
        decision = self._login.begin(request.token)
        if callable(decision):
            return lambda: self._allow(attempt, decision())
        return self._allow(attempt, decision)

    def _continue(self, attempt: _Attempt, answer: Callable[[], Answer]) -> Answer:
        return self._finish(attempt, self._guarded(attempt, answer))

    def _guarded(self, attempt: _Attempt, step: Callable[[], T]) -> T | Answer:
        """Take a step; what it raises becomes an answer."""
        try:
            return step()
        except Denied as error:
            self._explain(attempt.record, "deny", error)
            # Only what has been read as a review can be denied.
            return Answer(HTTPStatus.OK, review.deny(cast("review.ReviewRequest", attempt.request)))
        except MalformedRequest as error:
            self._explain(attempt.record, "malformed", error)
            return plain(error.status)
        except Unavailable as error:
            self._explain(attempt.record, "fault", error)
            return plain(error.status)
        except Exception as error:  # noqa: BLE001 (a fault of ours must not take the worker along)
            log_fault("a review", error)
            self._explain(attempt.record, "fault", InternalFault(type(error).__name__))
            return plain(InternalFault.status)

    def _allow(self, attempt: _Attempt, decision: review.Decision) -> Answer:
        identity, record = decision.identity, attempt.record
        scrubbed = identity.arn.account_id in self._scrubbed_accounts
        record.username = decision.username
        record.groups = decision.groups
        if scrubbed:
            account = identity.arn.account_id
            record.username = record.username.replace(account, SCRUBBED)
            record.groups = tuple(name.replace(account, SCRUBBED) for name in record.groups)
        record.mapping = str(decision.match.origin)
        record.source = decision.source.value
        if not scrubbed:
            record.arn = str(identity.arn)
            record.canonical_arn = identity.canonical_arn
            record.account = identity.arn.account_id
            record.session = identity.arn.session
            record.access_key_id = identity.access_key_id
        request = cast("review.ReviewRequest", attempt.request)
        return Answer(HTTPStatus.OK, review.allow(request, decision, scrubbed=scrubbed))

    def _finish(self, attempt: _Attempt, answer: Answer) -> Answer:
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
        if any(account in record.reason + record.arn for account in self._scrubbed_accounts):
            record.reason = "left out: it names a scrubbed account"
            record.arn = record.access_key_id = ""


def plain(status: int) -> Answer:
    """Give the constant answer of `status`, which tells whoever probes no more than that."""
    return Answer(status, HTTPStatus(status).phrase.encode() + b"\n")


def log_fault(what: str, error: Exception) -> None:
    """Log where a fault of ours happened in `what`. Not its message: it could quote the token."""
    where = "".join(traceback.format_tb(error.__traceback__))
    _LOG.error("%s failed with %s:\n%s", what, type(error).__name__, where)
