"""The corpus and other hostile input against the running server."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from dev.server import now
from tests.corpus import forge
from tests.e2e import callers
from tests.e2e.callers import ALICE, LONG_SESSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.poster import Poster
    from dev.server import WebhookServer

TOKENS = forge.cases("tokens")
REQUESTS = forge.cases("requests")
HALF_OPEN = 200
AUDIT = json.loads((Path(__file__).parents[2] / "docs" / "audit.schema.json").read_text())


@pytest.fixture
def poster(server: WebhookServer) -> Iterator[Poster]:
    with server.poster() as poster:
        yield poster


def named(case: dict[str, Any]) -> str:
    name: str = case["name"]
    return name


@pytest.mark.parametrize("case", TOKENS, ids=named)
def test_token(server: WebhookServer, poster: Poster, case: dict[str, Any]) -> None:
    long = "security_token_bytes" in case
    token = forge.token(case, callers.signer(LONG_SESSION) if long else forge.Signer())
    since = now()
    answer = poster.review(token)
    assert answer.status == 200
    record = server.audited(since)
    jsonschema.validate(record, AUDIT)
    if case.get("granted"):
        assert answer.user is not None, server.log.tail
        return
    assert answer.user is None
    assert record["decision"] == "deny"
    # STS's refusals have no check of the text's.
    assert record.get("check", "sts") == case["check"]


@pytest.mark.parametrize("case", REQUESTS, ids=named)
def test_request(poster: Poster, case: dict[str, Any]) -> None:
    answer = poster.post(forge.body(case))
    assert answer.status == case["status"]
    if answer.status == 200:
        assert answer.user is None


def test_a_valid_review_is_answered_in_the_middle_of_it_all(
    server: WebhookServer, poster: Poster
) -> None:
    floods = [case for case in REQUESTS if case["name"] in {"one-mebibyte", "nested-5000-deep"}]
    assert len(floods) == 2
    with contextlib.ExitStack() as open_sockets:
        for _ in range(HALF_OPEN):
            address = ("127.0.0.1", server.port)
            open_sockets.enter_context(socket.create_connection(address, timeout=10))
        for case in floods * 5:
            assert poster.post(forge.body(case)).status == case["status"]
        answer = poster.review(callers.fresh_token(ALICE.principal))
    assert (answer.user or {})["username"] == ALICE.username, server.log.tail
