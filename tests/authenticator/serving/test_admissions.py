"""AdmissionReviews over HTTP: counted, audited, and bounded in what they may cost."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from authenticator.admission.judge import FORCE, Judge, Policy, Surroundings, Verdict
from authenticator.admission.review import AdmissionAnswer, AdmissionRequest, parse
from authenticator.editing.lockout import Elsewhere
from authenticator.mapping.documents import read_data
from authenticator.mapping.guards import Guard
from authenticator.mapping.sections import SectionReader
from authenticator.serving.admission_peers import Peer
from authenticator.serving.admissions import Admissions, Allowance, judge_of
from authenticator.serving.audit import AdmissionRecord, as_json, as_text
from authenticator.settings import Settings
from authenticator.sources.base import SourceState
from authenticator.sources.chain import StoreStatus
from dev.waiting import PATIENCE_SECONDS
from tests.authenticator.admission.reviews import ALICE, body, config_map, review, roles

ADMIN = {
    "rolearn": "arn:aws:iam::111122223333:role/Admin",
    "username": "admin",
    "groups": ["system:masters"],
}
NODE = {"rolearn": "arn:aws:iam::111122223333:role/Node", "username": "x", "groups": ["x"]}
SOUND, BROKEN = config_map(roles(ADMIN)), config_map({"mapRoles": "- {"})
FORCED = config_map(roles(), {FORCE: "moving 111122223333"})


# Not in a line of code, which a traceback shows.
SECRET = "of the object"


class Counted:
    def __init__(self) -> None:
        self.results: list[str] = []

    def admission(self, result: str) -> None:
        self.results.append(result)


API_SERVER, OTHER = (Peer(f"127.0.0.{number}", authenticated=True) for number in (1, 2))
ANONYMOUS = [Peer(f"192.0.2.{number}", authenticated=False) for number in range(20)]


class Told:
    def __init__(self, decide: Callable[[AdmissionRequest], Verdict]) -> None:
        self._decide = decide

    def decide(self, request: AdmissionRequest, *, trusted: bool) -> Verdict:
        return self._decide(request)


class Server:
    def __init__(self, decide: Callable[[AdmissionRequest], Verdict] | None = None) -> None:
        self.counted = Counted()
        self.audited: list[AdmissionRecord] = []
        self.used = 0.0
        self.now = 0.0
        real = Judge(Policy({}), lambda _: Surroundings((), Elsewhere()), lambda: 1.0)
        judge = real if decide is None else Told(decide)
        self.admissions = Admissions(
            judge=judge,
            metrics=self.counted,
            audit=self.audited.append,
            scrubbed_accounts=frozenset({"111122223333"}),
            clock=lambda: 1.0,
            monotonic=lambda: self.now,
            processor=lambda: self.used,
        )

    def post(self, posted: bytes, peer: Peer = API_SERVER) -> Any:
        return self.admissions.answer(posted, peer)


OUTCOMES = {
    "a sound edit": (body(review(None, SOUND)), 200, "allowed", 0),
    "an error": (body(review(SOUND, BROKEN)), 200, "rejected", 1),
    "break glass": (body(review(SOUND, FORCED, ALICE)), 200, "forced", 1),
    "something else": (body(review(None, config_map({}, name="x"))), 200, "ignored", 0),
    "nonsense": (b"{", 400, "malformed", 0),
    "a bomb": (b"[" * 1_000_000, 413, "malformed", 0),
}


@pytest.mark.parametrize(("posted", "status", "result", "lines"), OUTCOMES.values(), ids=OUTCOMES)
def test_each_outcome_is_counted_and_what_matters_audited(
    posted: bytes, status: int, result: str, lines: int
) -> None:
    server = Server()
    assert server.post(posted).status == status
    assert server.counted.results == [result]
    assert len(server.audited) == lines


def test_the_audit_line_says_who_forced_what_and_why() -> None:
    server = Server()
    server.post(body(review(SOUND, FORCED, ALICE, dryRun=True)))
    [record] = server.audited
    line = json.loads(as_json(record))
    assert line == {
        "time": "1970-01-01T00:00:01.000Z",
        "event": "admission",
        "version": 1,
        "decision": "forced",
        "remote": "127.0.0.1",
        "operation": "UPDATE",
        "object": "ConfigMap aws-auth",
        "username": "admin:alice",
        "findings": ["emptied-section", "own-access", "last-administrator"],
        "forced_by": "moving (scrubbed)",
        "dry_run": "yes",
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
    }
    assert 'forced_by="moving (scrubbed)"' in as_text(record)


def test_a_name_in_the_audit_log_is_of_one_line_and_bounded() -> None:
    server = Server()
    user = {**ALICE, "username": "a\nevent=review " + "x" * 9000}
    server.post(body(review(SOUND, BROKEN, user)))
    [record] = server.audited
    assert len(record.username) == 256
    assert "\n" not in as_text(record)


def test_a_fault_of_ours_is_an_outage_and_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: AdmissionRequest) -> Verdict:
        raise RuntimeError(SECRET)

    server = Server(fail)
    answer = server.post(body(review(None, SOUND)))
    assert (answer.status, server.counted.results) == (500, ["internal_error"])
    assert SECRET not in answer.body.decode() + caplog.text


YES = Verdict("allowed", AdmissionAnswer(True))


def test_few_wait_for_their_turn_and_the_others_are_refused_at_once() -> None:
    gate, answered = threading.Event(), threading.Semaphore(0)

    def wait(_: AdmissionRequest) -> Verdict:
        gate.wait()
        return YES

    server = Server(wait)
    posted = body(review(None, SOUND))
    statuses: list[int] = []

    def post() -> None:
        statuses.append(server.post(posted).status)
        answered.release()

    threads = [threading.Thread(target=post) for _ in range(10)]
    for thread in threads:
        thread.start()
    for _ in range(6):
        answered.acquire()
    assert statuses == [429] * 6
    gate.set()
    for thread in threads:
        thread.join()
    assert statuses == [429] * 6 + [200] * 4
    assert server.post(posted).status == 200


def test_one_peer_does_not_use_up_the_places_of_another() -> None:
    gate, inside = threading.Event(), threading.Semaphore(0)

    def wait(_: AdmissionRequest) -> Verdict:
        inside.release()
        gate.wait()
        return YES

    server = Server(wait)
    posted = body(review(None, SOUND))
    refused = threading.Semaphore(0)

    def post(peer: Peer) -> None:
        if server.post(posted, peer).status == 429:
            refused.release()

    flood = [threading.Thread(target=post, args=(peer,)) for peer in ANONYMOUS]
    for thread in flood:
        thread.start()
    for _ in range(16):
        assert refused.acquire(timeout=PATIENCE_SECONDS)
    statuses: list[int] = []
    known = threading.Thread(target=lambda: statuses.append(server.post(posted).status))
    known.start()
    gate.set()
    for thread in (*flood, known):
        thread.join()
    assert statuses == [200]


def test_what_an_unauthenticated_peer_uses_up_is_not_missing_to_others() -> None:
    server: Server

    def work(_: AdmissionRequest) -> Verdict:
        server.used += 20
        return YES

    server = Server(work)
    posted = body(review(None, SOUND))
    assert [server.post(posted, peer).status for peer in ANONYMOUS[:2]] == [200, 429]
    assert server.post(posted).status == 200


def test_an_editor_is_told_of_an_api_server_that_shows_no_identity() -> None:
    server = Server()
    answers = [server.post(body(review(None, SOUND)), peer) for peer in (API_SERVER, ANONYMOUS[0])]
    warnings = [json.loads(answer.body)["response"].get("warnings", []) for answer in answers]
    assert warnings[0] == []
    assert "anonymousAdmission" in warnings[1][0]


def test_processor_time_is_rationed() -> None:
    server: Server

    def work(_: AdmissionRequest) -> Verdict:
        server.used += 6
        return YES

    server = Server(work)
    posted = body(review(None, SOUND))
    assert [server.post(posted).status for _ in range(3)] == [200, 200, 429]
    server.now += 8.1  # 2 s overdrawn, gained back at a quarter of a second a second
    assert [server.post(posted).status for _ in range(2)] == [200, 429]
    assert server.counted.results.count("overloaded") == 2


def test_an_allowance_grows_up_to_its_limit() -> None:
    now = 0.0
    allowance = Allowance(0.5, 3.0, lambda: now)
    now = 1000.0
    assert allowance.left
    allowance.spend(3.0)
    assert not allowance.left
    now += 0.1
    assert allowance.left


# What the settings mean for it.

IN_FORCE = StoreStatus(
    (SourceState("EKSConfigMap", read_data(roles(ADMIN), SectionReader("EKSConfigMap", Guard()))),),
    1,
)
DELETION = parse(body(review(SOUND, None, ALICE)))
SETTINGS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "by default": ({}, ("deletion", "own-access", "last-administrator")),
    "deletion is allowed": (
        {"allow_aws_auth_deletion": True},
        ("own-access", "last-administrator"),
    ),
    "the editor created the cluster": (
        {"bootstrap_administrators": (ADMIN["rolearn"],)},
        ("deletion",),
    ),
}


@pytest.mark.parametrize(("settings", "findings"), SETTINGS.values(), ids=SETTINGS)
def test_the_settings_say_what_may_go(settings: dict[str, Any], findings: tuple[str, ...]) -> None:
    judge = judge_of(Settings(cluster_id="c", **settings), {}, lambda: IN_FORCE)
    assert judge.decide(DELETION).findings == findings


def test_what_a_source_may_not_grant_is_an_error() -> None:
    guards = {"EKSConfigMap": Guard(system_names=False)}
    judge = judge_of(Settings(cluster_id="c"), guards, lambda: IN_FORCE)
    verdict = judge.decide(parse(body(review(None, SOUND))))
    assert "reserved-name" in verdict.findings
