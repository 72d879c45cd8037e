"""The log: nothing in it but what we say, and nobody waits for it."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator

import pytest

from authenticator.serving.logs import LogHandler, configure


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def log(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[LogHandler]:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    level = root.level
    with os.fdopen(os.dup(pipe[1]), "w") as stderr:
        monkeypatch.setattr("sys.stderr", stderr)
        yield configure("json", "info")
    root.setLevel(level)


def test_a_reader_that_stalls_delays_nobody_who_logs(
    log: LogHandler, pipe: tuple[int, int]
) -> None:
    dropped: list[None] = []
    log.start(lambda: dropped.append(None))
    # More than a pipe holds and than may wait: were a line written here, this would never end.
    for _ in range(12_000):
        logging.getLogger("x").warning("y" * 100)
    assert dropped
    os.set_blocking(pipe[1], False)  # lets the thread end
    while len(os.read(pipe[0], 65536)) == 65536:
        pass
    log.stop()


def test_lines_come_out_before_during_and_after_the_thread(
    log: LogHandler, pipe: tuple[int, int]
) -> None:
    logger = logging.getLogger("x")
    logger.warning("before")
    log.start(pytest.fail)
    logger.warning("during")
    log.stop()
    logger.warning("after")
    lines = os.read(pipe[0], 65536).splitlines()
    assert [json.loads(line)["msg"] for line in lines] == ["before", "during", "after"]


@pytest.mark.usefixtures("log")
def test_an_exception_is_logged_by_where_it_happened_and_not_by_what_it_says(
    pipe: tuple[int, int],
) -> None:
    token = "k8s-aws-v1.secret"

    def fails() -> None:
        try:
            int(token)
        except ValueError as error:
            raise KeyError(token) from error

    try:
        fails()
    except KeyError:
        logging.getLogger("x").exception("it failed")
    (line,) = os.read(pipe[0], 65536).splitlines()
    trace = json.loads(line)["trace"]
    assert trace.startswith("KeyError\n")
    assert "ValueError\n" in trace
    assert "in fails" in trace
    assert token.encode() not in line
