"""Answers AdmissionReviews: bytes to an HTTP answer, counted, and audited when refused or forced.

Reading a large object takes seconds of a processor that logins need as well. So one review at a
time is looked at in each worker, few may wait, fewer of one peer, and all together may use no more
than a part of the processor. What comes beyond that is refused: to the API server that is an outage
of this webhook, for which its `failurePolicy` is there.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from authenticator.admission.judge import Judge, Policy, Verdict
from authenticator.admission.pending import Pending
from authenticator.admission.review import AdmissionAnswer, AdmissionRequest, parse, render
from authenticator.admission.surroundings import surroundings
from authenticator.display import printable
from authenticator.errors import InternalFault, MalformedRequest, Overloaded
from authenticator.mapping.guards import Guard
from authenticator.mapping.problems import Origin
from authenticator.mapping.rules import administrator
from authenticator.serving.admission_peers import Peer
from authenticator.serving.audit import AdmissionRecord
from authenticator.serving.reviews import SCRUBBED, Answer, log_fault, plain
from authenticator.settings import Settings
from authenticator.sources.chain import StoreStatus

# Each holds a thread. The second is what one peer may have, so that none keeps the others out.
_WAITING = 6
_WAITING_EACH = 4
# Shown by kubectl to each editor, while an API server that shows no identity is answered.
_UNAUTHENTICATED = (
    "the API server did not authenticate to aws-iam-authenticator; this edit was checked only"
    " because of anonymousAdmission (docs/admission.md)"
)
# Seconds of processor time a second that reviews may use in the long run, and how many seconds may
# be saved up: two objects of the largest size, or thousands of ordinary ones.
_SHARE = 0.25
_SAVED = 10.0
_NAME_LENGTH = 256


class Judges(Protocol):
    """`authenticator.admission.judge.Judge`, which is asked by one thread at a time."""

    def decide(self, request: AdmissionRequest, /, *, trusted: bool) -> Verdict:
        """Decide about one edit; take note of it if the API server is known to ask."""
        ...


class CountsAdmissions(Protocol):
    """Counts reviews; `authenticator.serving.metrics.Metrics` does."""

    def admission(self, result: str, /) -> None:
        """Count one review."""
        ...


class Admissions:
    """Answers AdmissionReviews. Safe to use from many threads."""

    def __init__(
        self,
        *,
        judge: Judges,
        metrics: CountsAdmissions,
        audit: Callable[[AdmissionRecord], None],
        scrubbed_accounts: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.thread_time,
    ) -> None:
        """Set up.

        Args:
            judge: decides.
            metrics: counts each review.
            audit: takes a record of each edit that is refused or forced, and never blocks.
            scrubbed_accounts: AWS accounts whose ids appear in no record.
            clock: seconds since the epoch.
            monotonic: seconds since any moment, never falling.
            processor: seconds of processor time that the calling thread has used.
        """
        self._judge = judge
        self._metrics = metrics
        self._audit = audit
        self._scrubbed = scrubbed_accounts
        self._clock = clock
        self._processor = processor
        # What an unauthenticated peer uses up is not missing to an API server that is known.
        self._allowances = {
            authenticated: Allowance(_SHARE, _SAVED, monotonic) for authenticated in (True, False)
        }
        self._waiting: Counter[str] = Counter()
        self._room = threading.Lock()
        self._turn = threading.Lock()

    def answer(self, body: bytes, peer: Peer) -> Answer:
        """Answer one AdmissionReview, waiting for others that came before; never raises.

        Args:
            body: what was posted, of a size that has been limited.
            peer: who posted it.
        """
        if not self._enter(peer):
            return self._refuse("overloaded", Overloaded.status)
        try:
            with self._turn:
                allowance = self._allowances[peer.authenticated]
                if not allowance.left:
                    return self._refuse("overloaded", Overloaded.status)
                began = self._processor()
                try:
                    return self._decide(body, peer)
                finally:
                    allowance.spend(self._processor() - began)
        finally:
            self._leave(peer)

    def _enter(self, peer: Peer) -> bool:
        with self._room:
            if self._waiting.total() >= _WAITING or self._waiting[peer.share] >= _WAITING_EACH:
                return False
            self._waiting[peer.share] += 1
            return True

    def _leave(self, peer: Peer) -> None:
        with self._room:
            self._waiting[peer.share] -= 1
            if not self._waiting[peer.share]:
                del self._waiting[peer.share]

    def _decide(self, body: bytes, peer: Peer) -> Answer:
        try:
            request = parse(body)
            verdict = self._judge.decide(request, trusted=peer.authenticated)
            answer = Answer(200, render(request, _shown(verdict.answer, peer)))
        except MalformedRequest as error:
            return self._refuse("malformed", error.status)
        except Exception as error:  # noqa: BLE001 (a fault of ours must not take the worker along)
            log_fault("an admission review", error)
            return self._refuse("internal_error", InternalFault.status)
        self._metrics.admission(verdict.result)
        if verdict.findings:
            self._audit(self._record(request, verdict, peer.address))
        return answer

    def _refuse(self, result: str, status: int) -> Answer:
        self._metrics.admission(result)
        return plain(status)

    def _record(self, request: AdmissionRequest, verdict: Verdict, remote: str) -> AdmissionRecord:
        return AdmissionRecord(
            time=self._clock(),
            decision=verdict.result,
            remote=remote,
            operation=request.operation,
            object=self._told(f"{request.kind} {request.name}"),
            username=self._told(request.editor.username),
            findings=verdict.findings,
            forced_by=self._told(verdict.forced_by),
            dry_run="yes" if request.dry_run else "",
            uid=request.uid,
        )

    def _told(self, text: str) -> str:
        for account in self._scrubbed:
            text = text.replace(account, SCRUBBED)
        return printable(text, _NAME_LENGTH)


def _shown(answer: AdmissionAnswer, peer: Peer) -> AdmissionAnswer:
    if peer.authenticated:
        return answer
    return replace(answer, warnings=(_UNAUTHENTICATED, *answer.warnings))


def judge_of(
    settings: Settings, guards: Mapping[str, Guard], status: Callable[[], StoreStatus]
) -> Judge:
    """The judge of a server's own mappings.

    Args:
        settings: what the server was told; its bootstrap administrators have been checked.
        guards: by source, what it may not grant.
        status: what is in force now.
    """
    origin = Origin("config", "bootstrapAdministrators")
    administrators = [administrator(arn, origin) for arn in settings.bootstrap_administrators]
    pending = Pending()
    return Judge(
        Policy(guards, settings.allow_aws_auth_deletion),
        lambda source: surroundings(pending.applied(status(), time.time()), administrators, source),
        time.time,
        pending,
    )


class Allowance:
    """Processor time that may be used: it grows with time, up to a limit, and may be overdrawn.

    Not safe to use from several threads at once.
    """

    def __init__(self, share: float, most: float, clock: Callable[[], float]) -> None:
        """Set up, with all that can be saved.

        Args:
            share: seconds that are gained in each second.
            most: how many seconds can be saved.
            clock: seconds since any moment, never falling.
        """
        self._share = share
        self._most = most
        self._clock = clock
        self._saved = most
        self._updated = clock()

    @property
    def left(self) -> bool:
        """Whether anything may be used now."""
        now = self._clock()
        self._saved = min(self._most, self._saved + (now - self._updated) * self._share)
        self._updated = now
        return self._saved > 0

    def spend(self, seconds: float) -> None:
        """Take away what has been used."""
        self._saved -= seconds
