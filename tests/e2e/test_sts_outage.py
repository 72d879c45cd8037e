"""STS fails, or is asked by a flood: nobody who is valid is denied, and it is over when it is."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from dev.aws_double import AwsDouble
from dev.aws_double.faults import Fail, Hang, Reset, Rubbish, Throttle
from dev.server import WebhookServer, write_config
from dev.waiting import PATIENCE_SECONDS, wait_until
from tests.e2e import callers, flooding
from tests.e2e.callers import ALICE, MAPPED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.aws_double.faults import Fault

FAULTS: dict[str, Fault] = {
    "hangs": Hang(),
    "resets": Reset(),
    "fails": Fail(500),
    "talks rubbish": Rubbish("html"),
}
BUDGET = 40
CONNECTIONS = 8
# More than the calls of the half second that strangers are patient for.
FLOOD = 32


@pytest.fixture(scope="module")
def module_aws() -> Iterator[AwsDouble]:
    with AwsDouble(callers.PRINCIPALS) as double:
        yield double


@pytest.fixture
def aws(module_aws: AwsDouble) -> Iterator[AwsDouble]:
    yield module_aws
    module_aws.faults.stop_all()


@pytest.fixture(scope="module")
def server(
    module_aws: AwsDouble, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebhookServer]:
    """A server for which each verdict is past its time at once, and whose budget is small."""
    configuration = callers.configuration()
    configuration["server"] |= {"verdictSeconds": 0, "stsCallsPerSecond": BUDGET}
    config = write_config(tmp_path_factory.mktemp("outage"), configuration)
    arguments = ("--log-format", "json")
    with WebhookServer(config, module_aws.environment(), arguments=arguments) as running:
        yield running


def review(server: WebhookServer, token: str) -> str:
    """Post one review on a connection of its own; the username, `denied` or the status."""
    with server.poster() as poster:
        answer = poster.review(token)
    if answer.status != 200:
        return str(answer.status)
    return str((answer.user or {"username": "denied"})["username"])


def at_once(server: WebhookServer, tokens: list[str]) -> Counter[str]:
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        return Counter(threads.map(lambda token: review(server, token), tokens))


def forged(number: int) -> str:
    """A token that nobody has signed, of a key that nobody has."""
    key = f"AKIAFORGED{number:010d}/{{day}}/us-west-2/sts/aws4_request"
    url = "https://{host}/?{query_without_signature}&X-Amz-Signature=" + 64 * "0"
    return callers.fresh_token(ALICE.principal, url=url, set={"X-Amz-Credential": key})


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_while_sts_is_away_the_proven_stay_and_nobody_is_denied(
    server: WebhookServer, aws: AwsDouble, fault: Fault
) -> None:
    proven = [callers.fresh_token(ALICE.principal) for _ in range(CONNECTIONS)]
    everybody = Counter({ALICE.username: CONNECTIONS})
    wait_until(lambda: at_once(server, proven) == everybody, "not everybody is let in")
    aws.faults.start(fault)
    since = server.log.end
    for _ in range(3):  # enough for both workers to find out
        # 429, which is asked again: the worker itself was too busy to read an answer in time.
        assert set(at_once(server, proven)) <= {ALICE.username, "429"}
    wait_until(lambda: at_once(server, proven) == everybody, "not all of the proven are let in")
    server.log.wait_for(degraded, since=since, count=CONNECTIONS)
    others = [callers.fresh_token(ALICE.principal) for _ in range(CONNECTIONS)]
    assert set(at_once(server, others)) <= {"429", "504"}
    aws.faults.stop_all()
    # None of them was denied, here or in the API server's cache: the same tokens log in now.
    wait_until(lambda: at_once(server, others) == everybody, "not everybody is let in")


def test_a_throttle_is_not_an_outage(server: WebhookServer, aws: AwsDouble) -> None:
    """A caller can use the quota of an account up; a revoked key of it must not live longer."""
    crowd = callers.CROWD[:CONNECTIONS]
    proven = [callers.fresh_token(each) for each in crowd]
    everybody = Counter(each.arn for each in crowd)
    wait_until(lambda: at_once(server, proven) == everybody, "not everybody is let in")
    aws.faults.start(Throttle(rate=0, burst=0))
    assert at_once(server, proven) == Counter({"429": CONNECTIONS})
    aws.faults.stop_all()
    wait_until(lambda: at_once(server, proven) == everybody, "they are not let in again")


def degraded(line: str) -> str | None:
    return line if '"source":"degraded"' in line.replace(" ", "") else None


@pytest.mark.slow
def test_a_flood_of_forged_tokens_keeps_no_known_user_out(
    server: WebhookServer, aws: AwsDouble
) -> None:
    known = list(MAPPED.values())
    names = Counter(caller.username for caller in known)
    wait_until(
        lambda: at_once(server, [callers.fresh_token(k.principal) for k in known]) == names,
        "not everybody is let in",
    )
    over, began = threading.Event(), threading.Semaphore(0)
    outcomes: Counter[str] = Counter()

    def flood(number: int) -> None:
        while not over.is_set():
            outcomes[review(server, forged(number))] += 1
            began.release()

    aws.calls.clear()
    started = time.monotonic()
    with ThreadPoolExecutor(FLOOD) as threads, contextlib.ExitStack() as ending:
        ending.callback(over.set)
        floods = [threads.submit(flood, number) for number in range(FLOOD)]
        for _ in range(3 * BUDGET):  # until nothing is left for strangers
            began.acquire(timeout=PATIENCE_SECONDS)
        for caller in known * 5:
            token = callers.fresh_token(caller.principal)
            assert flooding.as_api_server(server, token) == caller.username
    for each in floods:
        each.result()
    assert set(outcomes) == {"denied", "429"}
    seconds = time.monotonic() - started
    assert aws.calls.counts().total <= BUDGET * (seconds + 1)
