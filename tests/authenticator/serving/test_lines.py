"""Lines written by a thread that delays nobody."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from authenticator.serving.lines import LineWriter

LINE = "a line of the log " * 10


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_lines_come_out_in_order_and_stopping_writes_what_waits(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    log = LineWriter(writer, str, dropped=pytest.fail)
    log.start()
    for number in range(300):
        log.add(number)
    log.stop()
    assert os.read(reader, 65536).decode().split() == [str(number) for number in range(300)]


def test_a_reader_that_stalls_delays_nobody_and_the_loss_is_counted(pipe: tuple[int, int]) -> None:
    dropped: list[None] = []
    log = LineWriter(pipe[1], str, dropped=lambda: dropped.append(None), capacity=10)
    log.start()
    # More than a pipe holds (64 KiB on Linux): were `add` to write, this would never end.
    offered = 5_000
    for _ in range(offered):
        log.add(LINE)
    assert dropped
    received = bytearray()

    def read() -> None:
        while data := os.read(pipe[0], 65536):
            received.extend(data)
            if data.endswith(b"the end\n"):
                return

    reader = threading.Thread(target=read)
    reader.start()
    log.stop(timeout=60)
    os.write(pipe[1], b"the end\n")
    reader.join()
    assert received.count(b"\n") - 1 + len(dropped) == offered


def test_a_closed_log_costs_its_lines_only() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    dropped: list[None] = []
    log = LineWriter(writer, str, dropped=lambda: dropped.append(None))
    log.start()
    for _ in range(3):
        log.add(LINE)
    log.stop()
    os.close(writer)
    assert len(dropped) == 3


def test_a_log_that_never_ran_can_be_stopped() -> None:
    """A worker that dies while it starts comes by here."""
    assert LineWriter(2, str, dropped=pytest.fail).stop()
