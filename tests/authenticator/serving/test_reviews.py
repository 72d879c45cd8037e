"""What each outcome of a review is answered with, counted as and audited as."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from authenticator import errors
from authenticator.aws.access_keys import account_in
from authenticator.aws.arns import CallerIdentity, PrincipalArn, SignedClaims
from authenticator.login import Pending
from authenticator.mapping.rules import Match
from authenticator.review import Decision
from authenticator.serving.audit import AuditRecord
from authenticator.serving.reviews import SCRUBBED, Answer, Reviews
from authenticator.verdicts.verdict import Source

TOKEN = "k8s-aws-v1.secret"
V1 = "authentication.k8s.io/v1"
IDENTITY = CallerIdentity(
    PrincipalArn.parse("arn:aws:sts::111122223333:assumed-role/Dev/bob"), "AROAEXAMPLE:bob", "AKIA1"
)
MATCH = cast("Match", SimpleNamespace(origin="config.yaml: mapRoles[0]", reason=""))
DECISION = Decision("dev:bob", ("dev",), IDENTITY, MATCH, Source.STS)


def body(version: str = V1) -> bytes:
    review = {"apiVersion": version, "kind": "TokenReview", "spec": {"token": TOKEN}}
    return json.dumps(review).encode()


class Counted:
    def __init__(self) -> None:
        self.results: list[str] = []

    def observe_review(self, result: str, seconds: float) -> None:
        assert seconds >= 0
        self.results.append(result)


class Login:
    """Decides at once, or when it is waited for."""

    def __init__(self, decide: Callable[[str], Decision], *, later: bool) -> None:
        self._decide = decide
        self._later = later

    def begin(self, token: str) -> Decision | Pending:
        return cast("Pending", token) if self._later else self._decide(token)

    async def finish(self, pending: Pending) -> Decision:
        return self._decide(str(pending))


class Server:
    """Reviews of a use case that does as it is told."""

    def __init__(
        self, decide: Callable[[str], Decision], scrubbed: frozenset[str], *, later: bool
    ) -> None:
        self.counted = Counted()
        self.audited: list[AuditRecord] = []
        self.reviews = Reviews(
            login=Login(decide, later=later),
            metrics=self.counted,
            audit=self.audited.append,
            scrubbed_accounts=scrubbed,
        )

    def review(self, posted: bytes = body()) -> Answer:
        return asyncio.run(self.reviews.answer(posted, "127.0.0.1"))


def serving(
    outcome: Decision | Exception, scrubbed: frozenset[str] = frozenset(), *, later: bool = False
) -> Server:
    def decide(token: str) -> Decision:
        assert token == TOKEN
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return Server(decide, scrubbed, later=later)


@pytest.mark.parametrize("version", [V1, "authentication.k8s.io/v1beta1"])
@pytest.mark.parametrize("later", [False, True])
def test_a_caller_who_may_enter_is_answered_in_the_version_asked(version: str, later: bool) -> None:
    server = serving(DECISION, later=later)
    response = server.review(body(version))
    assert (response.status, response.content_type) == (200, "application/json")
    assert json.loads(response.body)["apiVersion"] == version
    assert json.loads(response.body)["status"]["user"]["username"] == "dev:bob"
    assert server.counted.results == ["success"]
    [record] = server.audited
    assert (record.decision, record.arn) == ("allow", str(IDENTITY.arn))
    assert record.mapping == "config.yaml: mapRoles[0]"
    assert record.api_version == version
    assert not record.denial_id


def test_a_scrubbed_account_is_neither_answered_nor_audited() -> None:
    server = serving(DECISION, frozenset({"111122223333"}))
    assert b"111122223333" not in server.review().body
    [record] = server.audited
    assert record.username == "dev:bob"
    assert "111122223333" not in repr(record)
    assert "AKIA1" not in repr(record)


def test_a_scrubbed_account_is_not_in_the_audited_username() -> None:
    """`mapAccounts` and templates put it there."""
    named = replace(DECISION, username=IDENTITY.canonical_arn, groups=("of-111122223333",))
    server = serving(named, frozenset({"111122223333"}))
    assert server.review().status == 200
    [record] = server.audited
    assert "111122223333" not in repr(record)
    assert "role/" in record.username


@pytest.mark.parametrize(
    ("scrubbed", "written"),
    [(frozenset(), "of 111122223333"), (frozenset({"111122223333"}), f"of {SCRUBBED}")],
)
def test_the_reason_of_a_mapping_is_audited(scrubbed: frozenset[str], written: str) -> None:
    origin = "config.yaml: mapRoles[0]"
    match = cast("Match", SimpleNamespace(origin=origin, reason="of 111122223333"))
    server = serving(replace(DECISION, match=match), scrubbed)
    server.review()
    [record] = server.audited
    assert record.mapping_reason == written


def test_a_scrubbed_account_is_not_in_the_reason_of_a_denial() -> None:
    denial = errors.UnknownUser("no mapping names arn:aws:iam::111122223333:role/Dev")
    server = serving(denial, frozenset({"111122223333"}))
    server.review()
    assert "111122223333" not in repr(server.audited)


DENIALS = [
    (errors.TokenRefused("signed headers", "no"), "invalid_token"),
    (errors.NotProven("SignatureDoesNotMatch", "no"), "invalid_token"),
    (errors.UnknownUser("no"), "unknown_user"),
]


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(("error", "result"), DENIALS, ids=lambda value: type(value).__name__)
def test_a_denial_is_a_clean_200_that_the_api_server_caches(
    error: errors.Denied, result: str, later: bool
) -> None:
    server = serving(error, later=later)
    response = server.review()
    assert response.status == 200
    assert json.loads(response.body)["status"] == {"authenticated": False}
    assert server.counted.results == [result]
    [record] = server.audited
    assert (record.decision, record.reason) == ("deny", "no")
    assert len(record.denial_id) == 10
    assert record.denial_id.encode() not in response.body


@pytest.mark.parametrize("error", [DENIALS[0][0], DENIALS[1][0], errors.StsUnavailable("?")])
def test_the_claim_of_an_unproven_caller_is_audited_as_unproven(
    error: errors.AuthenticatorError,
) -> None:
    error.claim = errors.Claim("AKIAIOSFODNN7EXAMPLE", "sts.us-west-2.amazonaws.com", "us-west-2")
    server = serving(error)
    server.review()
    [record] = server.audited
    assert record.unproven_access_key_id == "AKIAIOSFODNN7EXAMPLE"
    assert record.unproven_host == "sts.us-west-2.amazonaws.com"
    assert record.unproven_region == "us-west-2"
    assert (record.arn, record.access_key_id) == ("", "")


def test_a_claimed_access_key_of_a_scrubbed_account_is_not_audited() -> None:
    """The account's id can be calculated from the key's."""
    key = "ASIAY34FZKBOKMUTVV7A"
    account = account_in(key)
    assert account is not None
    error = errors.NotProven("SignatureDoesNotMatch", "no")
    error.claim = errors.Claim(key, "sts.us-west-2.amazonaws.com", "us-west-2")
    server = serving(error, frozenset({account}))
    server.review()
    [record] = server.audited
    assert record.unproven_access_key_id == ""
    assert record.unproven_host == "sts.us-west-2.amazonaws.com"


def test_the_audit_names_the_check_that_failed() -> None:
    server = serving(errors.TokenRefused("signed headers", "no"))
    server.review()
    assert server.audited[0].check == "signed headers"


FAULTS = [
    (errors.StsUnavailable("?"), 504, "sts_error"),
    (errors.StsThrottled("?"), 429, "sts_throttling"),
    (errors.NamesUnavailable("?"), 504, "ec2_error"),
    (errors.Overloaded("?"), 429, "overloaded"),
    (errors.InternalFault("?"), 500, "internal_error"),
    (KeyError(TOKEN), 500, "internal_error"),
    (RecursionError(), 500, "internal_error"),
]


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize(("error", "status", "result"), FAULTS, ids=lambda v: type(v).__name__)
def test_a_passing_fault_is_asked_again_within_seconds(
    error: Exception, status: int, result: str, later: bool
) -> None:
    server = serving(error, later=later)
    response = server.review()
    assert response.status == status
    assert b"?" not in response.body
    assert server.counted.results == [result]
    assert server.audited[0].decision == "fault"


def test_a_fault_of_ours_is_logged_by_place_and_without_what_was_posted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        serving(KeyError(TOKEN)).review()
    assert "KeyError" in caplog.text
    assert "in decide" in caplog.text
    assert TOKEN not in caplog.text


DEEP = b'{"a":' * 5000 + b"1" + b"}" * 5000


@pytest.mark.parametrize(
    "posted",
    [
        *(b" ", b"{", b"[]", b'{"kind":"Pod"}', b"\xff", DEEP, body("authentication.k8s.io/v2")),
        *(body()[:-1] + b',"x":%s}' % number for number in (b"NaN", b"Infinity", b"-Infinity")),
    ],
    ids=[
        *("blank", "not JSON", "a list", "a pod", "not UTF-8", "nested 5,000 deep", "v2"),
        *("NaN", "Infinity", "-Infinity"),
    ],
)
def test_what_is_no_review_is_a_400(posted: bytes) -> None:
    server = serving(DECISION)
    response = server.review(posted)
    assert (response.status, response.body) == (400, b"Bad Request\n")
    assert server.counted.results == ["malformed_request"]


JWT_IDENTITY = CallerIdentity(
    PrincipalArn.parse("arn:aws:iam::111122223333:role/team/Dev"),
    "",
    "",
    SignedClaims(token_id="id-1", source_identity="alice", instance_id="i-01234567"),
)


def test_a_caller_with_a_jwt_is_told_of_by_what_it_has() -> None:
    server = serving(Decision("dev", ("devs",), JWT_IDENTITY, MATCH, Source.JWT))
    user = json.loads(server.review().body)["status"]["user"]
    assert user["uid"] == (
        "aws-iam-authenticator:111122223333:arn:aws:iam::111122223333:role/team/Dev"
    )
    assert user["extra"] == {
        "arn": ["arn:aws:iam::111122223333:role/team/Dev"],
        "canonicalArn": ["arn:aws:iam::111122223333:role/Dev"],
        "sigs.k8s.io/aws-iam-authenticator/proof": ["jwt"],
        "sigs.k8s.io/aws-iam-authenticator/token-id": ["id-1"],
        "sigs.k8s.io/aws-iam-authenticator/source-identity": ["alice"],
        "sigs.k8s.io/aws-iam-authenticator/instance-id": ["i-01234567"],
    }
    (record,) = server.audited
    assert (record.source, record.token_id, record.session) == ("jwt", "id-1", "")


def test_a_jwt_of_a_scrubbed_account_shows_nothing_of_it() -> None:
    decision = Decision("dev", (), JWT_IDENTITY, MATCH, Source.JWT)
    server = serving(decision, frozenset({"111122223333"}))
    assert b"111122223333" not in server.review().body
    assert server.audited[0].token_id == server.audited[0].arn == ""


@pytest.mark.parametrize("later", [False, True])
def test_an_unknown_key_is_not_cached_and_not_asked_again_at_once(later: bool) -> None:
    server = serving(errors.UnknownKey("no such key"), later=later)
    answer = server.review()
    assert answer.status == 200
    status = json.loads(answer.body)["status"]
    assert status["authenticated"] is False
    assert status["error"]
    assert server.counted.results == ["unknown_key"]
    assert server.audited[0].decision == "deny"


def test_without_keys_it_is_a_fault() -> None:
    server = serving(errors.KeysUnavailable("none"))
    assert server.review().status == 500
    assert server.counted.results == ["keys_unavailable"]
