"""The endpoints: what each outcome of a review is answered with, counted as and audited as."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from flask.testing import FlaskClient

from authenticator import errors
from authenticator.admission.review import MAX_BYTES
from authenticator.aws.arns import CallerIdentity, PrincipalArn
from authenticator.review import Decision
from authenticator.serving.app import MAX_BODY_BYTES, build_app
from authenticator.serving.audit import AuditRecord
from authenticator.serving.readiness import Readiness
from authenticator.serving.reviews import Answer, Reviews

TOKEN = "k8s-aws-v1.secret"
V1 = "authentication.k8s.io/v1"
IDENTITY = CallerIdentity(
    PrincipalArn.parse("arn:aws:sts::111122223333:assumed-role/Dev/bob"), "AROAEXAMPLE:bob", "AKIA1"
)
DECISION = cast(
    "Decision",
    SimpleNamespace(
        username="dev:bob",
        groups=("dev",),
        identity=IDENTITY,
        match=SimpleNamespace(origin="config.yaml: mapRoles[0]"),
        source=SimpleNamespace(value="sts"),
    ),
)


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
    """Decides at once, or leaves it to whoever may wait."""

    def __init__(self, decide: Callable[[str], Decision], *, at_once: bool) -> None:
        self._decide = decide
        self._at_once = at_once

    def begin(self, token: str) -> Decision | Callable[[], Decision]:
        return self._decide(token) if self._at_once else partial(self._decide, token)


class Server:
    """The app with a use case that does as it is told."""

    def __init__(
        self, decide: Callable[[str], Decision], scrubbed: frozenset[str], *, at_once: bool = True
    ) -> None:
        self.counted = Counted()
        self.audited: list[AuditRecord] = []
        reviews = Reviews(
            login=Login(decide, at_once=at_once),
            metrics=self.counted,
            audit=self.audited.append,
            scrubbed_accounts=scrubbed,
        )
        self.client: FlaskClient = build_app(
            reviews.begin,
            lambda: b"metric 1\n",
            lambda: Readiness(self.ready, b"{}"),
            lambda posted, remote: Answer(200, f"{len(posted)} {remote}".encode()),
        ).test_client()
        self.ready = True

    def review(self, posted: bytes = body(), **options: Any) -> Any:
        return self.client.post("/authenticate?timeout=30s", data=posted, **options)


def serving(outcome: Decision | Exception, scrubbed: frozenset[str] = frozenset()) -> Server:
    def decide(token: str) -> Decision:
        assert token == TOKEN
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return Server(decide, scrubbed)


@pytest.mark.parametrize("version", [V1, "authentication.k8s.io/v1beta1"])
def test_a_caller_who_may_enter_is_answered_in_the_version_asked(version: str) -> None:
    server = serving(DECISION)
    response = server.review(body(version))
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert response.json["apiVersion"] == version
    assert response.json["status"]["user"]["username"] == "dev:bob"
    assert server.counted.results == ["success"]
    [record] = server.audited
    assert (record.decision, record.arn) == ("allow", str(IDENTITY.arn))
    assert record.mapping == "config.yaml: mapRoles[0]"
    assert record.api_version == version
    assert not record.denial_id


def test_a_scrubbed_account_is_neither_answered_nor_audited() -> None:
    server = serving(DECISION, frozenset({"111122223333"}))
    assert b"111122223333" not in server.review().data
    [record] = server.audited
    assert record.username == "dev:bob"
    assert "111122223333" not in repr(record)
    assert "AKIA1" not in repr(record)


def test_a_scrubbed_account_is_not_in_the_audited_username() -> None:
    """`mapAccounts` and templates put it there."""
    named = SimpleNamespace(**vars(DECISION))
    named.username, named.groups = IDENTITY.canonical_arn, ("of-111122223333",)
    server = serving(cast("Decision", named), frozenset({"111122223333"}))
    assert server.review().status_code == 200
    [record] = server.audited
    assert "111122223333" not in repr(record)
    assert "role/" in record.username


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


@pytest.mark.parametrize(("error", "result"), DENIALS, ids=lambda value: type(value).__name__)
def test_a_denial_is_a_clean_200_that_the_api_server_caches(
    error: errors.Denied, result: str
) -> None:
    server = serving(error)
    response = server.review()
    assert response.status_code == 200
    assert response.json["status"] == {"authenticated": False}
    assert server.counted.results == [result]
    [record] = server.audited
    assert (record.decision, record.reason) == ("deny", "no")
    assert len(record.denial_id) == 10
    assert record.denial_id.encode() not in response.data


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


@pytest.mark.parametrize(("error", "status", "result"), FAULTS, ids=lambda v: type(v).__name__)
def test_a_passing_fault_is_asked_again_within_seconds(
    error: Exception, status: int, result: str
) -> None:
    server = serving(error)
    response = server.review()
    assert response.status_code == status
    assert "Retry-After" not in response.headers
    assert b"?" not in response.data
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
    [b" ", b"{", b"[]", b'{"kind":"Pod"}', b"\xff", DEEP, body("authentication.k8s.io/v2")],
    ids=["blank", "not JSON", "a list", "a pod", "not UTF-8", "nested 5,000 deep", "v2"],
)
def test_what_is_no_review_is_a_400(posted: bytes) -> None:
    server = serving(DECISION)
    response = server.review(posted)
    assert (response.status_code, response.data) == (400, b"Bad Request\n")
    assert server.counted.results == ["malformed_request"]


@pytest.mark.parametrize("kind", ["", "text/plain", "application/json; charset=utf-8"])
def test_the_content_type_does_not_matter(kind: str) -> None:
    assert serving(DECISION).review(content_type=kind).status_code == 200


def test_a_body_over_the_cap_is_refused_before_it_is_read() -> None:
    server = serving(DECISION)
    assert server.review(b" " * (MAX_BODY_BYTES + 1)).status_code == 413
    assert server.counted.results == []


def test_a_body_of_unknown_length_is_refused() -> None:
    server = serving(DECISION)
    response = server.client.post("/authenticate", headers={"Transfer-Encoding": "chunked"})
    assert response.status_code == 411


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/metrics", 200),
        ("GET", "/healthz", 200),
        ("GET", "/healthz?verbose", 200),
        ("GET", "/authenticate", 405),
        ("PUT", "/authenticate", 405),
        ("OPTIONS", "/authenticate", 405),
        ("POST", "/metrics", 405),
        ("POST", "/authenticate/", 404),
        ("POST", "//authenticate", 404),
        ("POST", "/authenticate/%2e", 404),
        ("GET", "/", 404),
    ],
)
def test_there_are_three_endpoints(method: str, path: str, status: int) -> None:
    response = serving(DECISION).client.open(path, method=method)
    assert response.status_code == status
    if status != 200:
        assert response.data.decode().strip() in {"Not Found", "Method Not Allowed"}


def test_readiness_comes_with_its_detail() -> None:
    server = serving(DECISION)
    answers = []
    for server.ready in (True, False):
        answer = server.client.get("/readyz")
        answers.append((answer.status_code, answer.data, answer.content_type))
    assert answers == [(200, b"{}", "application/json"), (503, b"{}", "application/json")]


def test_an_edit_is_validated() -> None:
    client = serving(DECISION).client
    assert client.post("/validate?timeout=5s", data=b"x" * MAX_BYTES).data == b"4194304 127.0.0.1"


@pytest.mark.parametrize(
    ("path", "size"), [("/validate", MAX_BYTES + 1), ("/authenticate", MAX_BODY_BYTES + 1)]
)
def test_a_body_has_the_limit_of_its_path(path: str, size: int) -> None:
    assert serving(DECISION).client.post(path, data=b"x" * size).status_code == 413


def test_scrapes_at_once_leave_threads_for_logins() -> None:
    """Whoever can connect can ask for the metrics in a loop."""
    inside: list[int] = []

    def render() -> bytes:
        # Each scrape begins another, until one is turned away.
        inside.append(app.test_client().get("/metrics").status_code)
        return b"metric 1\n"

    app = build_app(
        lambda _body, _remote: Answer(200, b""),
        render,
        lambda: Readiness(ready=True, detail=b"{}"),
        lambda _body, _remote: Answer(200, b""),
    )
    assert app.test_client().get("/metrics").status_code == 200
    assert inside == [503, 200]
    assert app.test_client().get("/metrics").status_code == 200
