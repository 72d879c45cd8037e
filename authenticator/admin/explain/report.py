"""An explanation as a whole, and as plain data for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from authenticator import review
from authenticator.admin.explain.near import NearMiss, nearest
from authenticator.admin.explain.trace import Trace
from authenticator.admin.in_force import InForce
from authenticator.admin.verify_steps import Step, identity_fields
from authenticator.errors import Unavailable
from authenticator.mapping.rules import Match, Rule
from authenticator.timestamps import rfc3339

ALLOWED, DENIED, UNDECIDED, UNKNOWN = "ALLOWED", "DENIED", "UNDECIDED", "UNKNOWN"
_REQUEST = review.ReviewRequest("authentication.k8s.io/v1", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What the server would make of a caller, and why.

    Attributes:
        trace: what its own login did.
        in_force: the mappings that it asked.
        now: the Unix time of the login.
        checks: the checks of the token; none for an ARN.
        placeholders: the flags that would have told more, each with what stood in.
        scrubbed_accounts: the setting `scrubbedAccounts`.
    """

    trace: Trace
    in_force: InForce
    now: float
    checks: Sequence[Step] = ()
    placeholders: Mapping[str, str] = field(default_factory=dict)
    scrubbed_accounts: frozenset[str] = frozenset()

    @property
    def verdict(self) -> str:
        """What comes of the caller, as far as that is known.

        `UNDECIDED` is a server's own answer while AWS is away. `UNKNOWN` is none of a server's: a
        source could not be read here, and may name the caller.
        """
        if self.trace.identity is not None and self.in_force.unread:
            return UNKNOWN
        if isinstance(self.trace.error, Unavailable):
            return UNDECIDED
        return ALLOWED if self.trace.decision else DENIED

    @property
    def result(self) -> str:
        """The label `result` of the server's metrics."""
        return self.trace.error.result if self.trace.error else "success"

    @property
    def answer(self) -> dict[str, Any]:
        """The `status` of the TokenReview that goes back; empty if the answer is an HTTP error."""
        if isinstance(self.trace.error, Unavailable):
            return {}
        decision = self.trace.decision
        if decision is None:
            body = review.deny(_REQUEST)
        else:
            scrubbed = decision.identity.arn.account_id in self.scrubbed_accounts
            body = review.allow(_REQUEST, decision, scrubbed=scrubbed)
        status: dict[str, Any] = json.loads(body)["status"]
        return status

    @property
    def http_status(self) -> int:
        """The HTTP status of the answer."""
        error = self.trace.error
        return error.status if isinstance(error, Unavailable) else 200

    @property
    def account_asked(self) -> str:
        """The account that was looked up, as happens where no rule applies; "" if none was."""
        identity = self.trace.identity
        if identity is None or any(not attempt.refusal for attempt in self.trace.tried):
            return ""
        refused = self.in_force.rules.refusing(identity, self.now)
        return "" if refused else identity.arn.account_id

    @property
    def account_match(self) -> Match | None:
        """What maps that account; None if nothing does."""
        return self.in_force.rules.accounts.get(self.account_asked)

    @property
    def near(self) -> tuple[NearMiss, ...]:
        """The mappings that nearly name a caller whom none maps."""
        identity = self.trace.identity
        if identity is None or not self.account_asked or self.account_match:
            return ()
        return nearest(identity, self.in_force.rules, self.now)


def as_data(explanation: Explanation) -> dict[str, Any]:
    """The explanation as texts, numbers, lists and maps."""
    trace = explanation.trace
    made: dict[str, Any] = {
        "verdict": explanation.verdict,
        "allowed": explanation.verdict == ALLOWED,
        "result": explanation.result,
        "reason": str(trace.error) if trace.error else "",
        "identity": identity_fields(trace.identity) if trace.identity else {},
        "placeholders": dict(explanation.placeholders),
        "checks": [
            {"check": step.check, "passed": step.passed, "detail": step.detail}
            for step in explanation.checks
        ],
        "sources": _sources(explanation.in_force),
        "unread": list(explanation.in_force.unread),
        "leftOut": list(explanation.in_force.left_out),
        "mappings": [
            {
                "mapping": str(attempt.rule.match.origin),
                "names": named(attempt.rule),
                "applies": not attempt.refusal,
                "reason": attempt.refusal,
            }
            for attempt in trace.tried
        ],
    }
    if explanation.account_asked:
        match = explanation.account_match
        made["account"] = {
            "account": explanation.account_asked,
            "mapping": str(match.origin) if match else "",
        }
    made["nearest"] = [
        {"mapping": str(miss.origin), "names": miss.names, "reason": miss.reason}
        for miss in explanation.near
    ]
    made["answer"] = {"httpStatus": explanation.http_status, "status": explanation.answer}
    return made


def _sources(in_force: InForce) -> list[dict[str, Any]]:
    return [
        {
            "name": state.name,
            "mappings": len(state.rules) + len(state.accounts),
            "read": state.synced,
            "revision": state.revision,
            "lastGoodOf": None if state.stale_since is None else rfc3339(state.stale_since),
            "problems": [str(problem) for problem in state.faults],
        }
        for state in in_force.status.sources
    ]


def named(rule: Rule) -> str:
    """Whom a rule names."""
    return rule.selector.written if rule.selector else f"userid {rule.user_id}"
