"""Ten minutes of everything that reaches a server: it neither grows nor gives a wrong answer."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from dev.aws_double import AwsDouble
from dev.server import WebhookServer, write_config
from tests.e2e import callers
from tests.e2e.callers import ALICE, MAPPED
from tests.e2e.memory import Sample, sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(1_800)]

_SECONDS = 600
# The allocator settles in this time.
_SETTLED_SECONDS = 180
_SAMPLES = 20
_STREAMS = 6
_REVIEWS_PER_CONNECTION = 50
# docs/operations.md promises the first, with two workers. The second is without the shared tables,
# which have a fixed size but fill with the tokens that come.
_MOST_MIB, _MOST_GROWTH_MIB = 128.0, 4.0
# A pool starts a thread when it is first needed.
_MOST_MORE_THREADS = 2


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebhookServer]:
    with AwsDouble(callers.PRINCIPALS) as aws:
        config = write_config(tmp_path, callers.configuration())
        with WebhookServer(config, aws.environment()) as running:
            yield running


def tokens() -> Iterator[tuple[str, str]]:
    """Yield tokens without end, each with its outcome: a username or `denied`."""
    known = {caller.username: callers.fresh_token(caller.principal) for caller in MAPPED.values()}
    for number in itertools.count():
        yield from ((token, username) for username, token in known.items())
        yield callers.fresh_token(ALICE.principal), ALICE.username
        yield f"eyJhbGciOiJSUzI1NiJ9.{number:01000d}.c2lnbmF0dXJl", "denied"
        yield f"k8s-aws-v1.{number:0400x}", "denied"
        # Tokens are valid for 15 minutes; they stay so until the end.


def ask(server: WebhookServer, ending: threading.Event, outcomes: Counter[str]) -> None:
    """Review until told to end; `outcomes` counts the right answers as "right"."""
    endless = tokens()
    while not ending.is_set():
        with server.poster() as poster:
            for token, expected in itertools.islice(endless, _REVIEWS_PER_CONNECTION):
                answer = poster.review(token)
                given = str(answer.status)
                if answer.status == 200:
                    given = (answer.user or {"username": "denied"})["username"]
                outcomes["right" if given == expected else f"{given}, not {expected}"] += 1


def test_ten_minutes_of_load_leave_memory_and_threads_as_they_were(server: WebhookServer) -> None:
    ending, outcomes = threading.Event(), Counter[str]()
    samples: list[Sample] = []
    with ThreadPoolExecutor(_STREAMS) as threads:
        streams = [threads.submit(ask, server, ending, outcomes) for _ in range(_STREAMS)]
        try:
            time.sleep(_SETTLED_SECONDS)
            for _ in range(_SAMPLES):
                time.sleep((_SECONDS - _SETTLED_SECONDS) / _SAMPLES)
                samples.append(sample(server))
                with server.poster() as poster:
                    assert poster.get("/metrics").status == 200
        finally:
            ending.set()
        for stream in streams:
            stream.result()
    assert set(outcomes) == {"right"}, outcomes
    first, last = samples[: _SAMPLES // 4], samples[-_SAMPLES // 4 :]
    shown = "\n".join(map(str, samples))
    growth = min(one.own for one in last) - min(one.own for one in first)
    assert growth <= _MOST_GROWTH_MIB, shown
    assert max(one.memory for one in samples) <= _MOST_MIB, shown
    more = max(one.threads for one in last) - max(one.threads for one in first)
    assert more <= _MOST_MORE_THREADS, shown
