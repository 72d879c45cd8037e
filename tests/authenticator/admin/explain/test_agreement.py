"""`explain` says what the server does: four thousand callers, asked of both."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

import pytest

from authenticator.admin.explain.report import Explanation, as_data
from authenticator.admin.explain.text import as_text
from authenticator.admin.explain.trace import Given, trace
from authenticator.admin.verify_steps import Asking, prover, steps
from authenticator.aws.sts import Sts
from authenticator.login import Login
from authenticator.serving.audit import AuditRecord
from authenticator.serving.metrics import Metrics
from authenticator.serving.reviews import Answer, Reviews
from authenticator.settings import Settings
from authenticator.verdicts.budget import Budget
from authenticator.verdicts.limits import Limits
from authenticator.verdicts.memory import Remembering
from authenticator.verdicts.prover import AsksSts, Prover
from tests.authenticator.admin.explain import generated
from tests.authenticator.admin.explain.generated import ACCOUNTS, NOW, Case, name_instance
from tests.corpus import forge
from tests.examples import examples

if TYPE_CHECKING:
    from authenticator.admin.in_force import InForce
    from authenticator.login import ProvesCallers

BLOCKS = examples(2)
SERVERS = 100
CALLERS = 20
SETTINGS = Settings(cluster_id=forge.Signer().cluster_id, scrubbed_accounts=[ACCOUNTS[2]])
METRICS = Metrics()
# What a block of 2,000 callers must have met, lest the agreement be about nothing.
OUTCOMES = {
    *("success", "unknown_user", "invalid_token", "sts_error", "sts_throttling", "ec2_error"),
    *("reserved", "account", "BreakGlass", "passed over"),
}


@pytest.mark.parametrize("block", range(BLOCKS))
def test_explain_agrees_with_the_server(block: int) -> None:
    random = Random(block)
    met: Counter[str] = Counter()
    for _ in range(SERVERS):
        mappings = generated.in_force(random)
        for _ in range(CALLERS):
            case = generated.case(random)
            answer, record = _served(case, mappings)
            explanation = _explained(case, mappings)
            _agree(answer, record, explanation)
            met.update(_kinds(record, explanation))
    assert set(met) >= OUTCOMES, met


def _served(case: Case, mappings: InForce) -> tuple[Answer, AuditRecord]:
    """The answer of the server's own parts, put together as it does."""
    login = Login(
        prover=_server_prover(case) if case.token else Given(case.identity),
        rules=lambda: mappings.rules,
        name_instance=name_instance,
        clock=lambda: NOW,
    )
    audited: list[AuditRecord] = []
    reviews = Reviews(
        login=login,
        metrics=METRICS,
        audit=audited.append,
        scrubbed_accounts=frozenset(SETTINGS.scrubbed_accounts),
    )
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
    body = json.dumps({**request, "spec": {"token": case.token or "unused"}}).encode()
    return asyncio.run(reviews.answer(body, "127.0.0.1")), audited[0]


def _server_prover(case: Case) -> ProvesCallers:
    return Prover(
        ask=_asks(case),
        hosts=SETTINGS.hosts,
        budget=Budget(SETTINGS.sts_calls_per_second, time.monotonic),
        limits=Limits.of(SETTINGS.sts_calls_per_second, 2, time.monotonic),
        observer=METRICS,
        remembering=Remembering(SETTINGS.verdict_seconds, SETTINGS.degraded_seconds),
        clock=lambda: NOW,
    )


def _asks(case: Case) -> AsksSts:
    return Sts(SETTINGS.cluster_id, case.fetch, METRICS).prove


def _explained(case: Case, mappings: InForce) -> Explanation:
    ask = Asking(_asks(case))
    made = trace(
        case.token,
        prover=prover(SETTINGS, ask, lambda: NOW) if case.token else Given(case.identity),
        rules=mappings.rules,
        name_instance=name_instance,
        clock=lambda: NOW,
    )
    return Explanation(
        trace=made,
        in_force=mappings,
        now=NOW,
        checks=steps(made.proof_error, ask.host, by_key=False) if case.token else (),
        scrubbed_accounts=frozenset(SETTINGS.scrubbed_accounts),
    )


def _agree(answer: Answer, record: AuditRecord, explanation: Explanation) -> None:
    data = as_data(explanation)
    assert data["answer"]["httpStatus"] == answer.status
    status = json.loads(answer.body)["status"] if answer.status == 200 else {}
    assert data["answer"]["status"] == status
    assert data["result"] == record.result
    assert data["allowed"] == (record.decision == "allow")
    if "scrubbed" not in record.reason:
        assert data["reason"] == record.reason
    failed = [step["check"] for step in data["checks"] if not step["passed"]]
    assert [check for check in failed if check != "sts"] == [record.check] * bool(record.check)
    applied = [made["mapping"] for made in data["mappings"] if made["applies"]]
    applied += filter(None, [data.get("account", {}).get("mapping")])
    assert len(applied) <= 1
    if data["allowed"]:
        assert applied == [record.mapping]
    assert not (data["nearest"] and applied)
    assert record.result in as_text(explanation) or data["allowed"]
    # Whoever is refused must not learn by what name the administrators find it.
    assert bool(record.denial_id) != data["allowed"]
    assert not record.denial_id or record.denial_id.encode() not in answer.body


def _kinds(record: AuditRecord, explanation: Explanation) -> set[str]:
    return {
        record.result,
        "reserved" if "reserved" in record.reason else "",
        "account" if "mapAccounts" in record.mapping else "",
        record.mapping.partition(" ")[0],
        "passed over" if any(attempt.refusal for attempt in explanation.trace.tried) else "",
    }
