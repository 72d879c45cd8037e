"""Fires the corpus at a webhook, whoever made it, and says what it granted or refused wrongly."""

from __future__ import annotations

import enum
import http.client
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.corpus import forge

_TIMEOUT_SECONDS = 30.0
_OK = 200


class Outcome(str, enum.Enum):
    """What a webhook made of a case."""

    GRANTED = "granted"
    REFUSED = "refused"
    # Neither a TokenReview nor any other answer: the connection ended, or nothing came.
    NONE = "no answer"


class Wrong(str, enum.Enum):
    """In which way that is wrong."""

    GRANTED = "wrongly granted"
    REFUSED = "wrongly refused"


@dataclass(frozen=True)
class Result:
    """One case and what came of it.

    Attributes:
        name: the case's.
        why: what the case is about.
        outcome: what the webhook made of it.
        status: the HTTP status, 0 for none.
        wrong: in which way that is wrong, if it is.
    """

    name: str
    why: str
    outcome: Outcome
    status: int
    wrong: Wrong | None


@dataclass(frozen=True)
class Target:
    """A webhook.

    Attributes:
        url: where TokenReviews are posted.
        context: how its certificate is verified.
        version: the version of TokenReview that it is asked in, `v1` or `v1beta1`.
        signer: whose keys sign the tokens, which the webhook must let in.
        long_signer: the same for tokens with a session token of 6 KiB; None leaves them out.
    """

    url: str
    context: ssl.SSLContext
    version: str
    signer: forge.Signer
    long_signer: forge.Signer | None


def fire(target: Target) -> Iterator[Result]:
    """Fire every case, and see in the end whether the webhook has survived."""
    for case in forge.cases("tokens"):
        if case.get("granted") and "security_token_bytes" in case and target.long_signer is None:
            continue
        yield _judged(target, case, _token_review(target, case))
    for case in forge.cases("requests"):
        yield _judged(target, case, forge.body(case).replace(b".k8s.io/v1", _version(target)))
    survivor = {"name": "survived", "why": "a good token after all of this", "granted": True}
    yield _judged(target, survivor, _token_review(target, survivor))


def _version(target: Target) -> bytes:
    return f".k8s.io/{target.version}".encode()


def _token_review(target: Target, case: dict[str, Any]) -> bytes:
    long = "security_token_bytes" in case and target.long_signer is not None
    signer = target.long_signer if long and target.long_signer else target.signer
    review = {
        "kind": "TokenReview",
        "apiVersion": f"authentication.k8s.io/{target.version}",
        "spec": {"token": forge.token(case, signer)},
    }
    return json.dumps(review).encode()


def _judged(target: Target, case: dict[str, Any], body: bytes) -> Result:
    status, answer = _post(target, body)
    outcome = _outcome(status, answer)
    wrong = None
    if outcome is Outcome.GRANTED and not case.get("granted"):
        wrong = Wrong.GRANTED
    if outcome is not Outcome.GRANTED and case.get("granted"):
        wrong = Wrong.REFUSED
    return Result(case["name"], case["why"], outcome, status, wrong)


def _post(target: Target, body: bytes) -> tuple[int, bytes]:
    url = urlsplit(target.url)
    # A connection for each, as what went before may have broken it.
    connection = http.client.HTTPSConnection(
        url.netloc, timeout=_TIMEOUT_SECONDS, context=target.context
    )
    try:
        headers = {"Content-Type": "application/json", "Accept": "application/json, */*"}
        connection.request("POST", f"{url.path}?timeout=30s", body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def _outcome(status: int, answer: bytes) -> Outcome:
    """Read an answer as an API server does: any 2xx counts, and nothing else."""
    if not status:
        return Outcome.NONE
    try:
        document = json.loads(answer)
        granted = _OK <= status < _OK + 100 and document["status"]["authenticated"] is True
    except (ValueError, LookupError, TypeError):
        granted = False
    return Outcome.GRANTED if granted else Outcome.REFUSED
