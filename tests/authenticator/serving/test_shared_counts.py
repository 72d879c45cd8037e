"""Snapshots that processes share: always whole, whatever a worker does when it ends."""

from __future__ import annotations

import os
import signal
import time

import pytest

from authenticator.serving.shared_counts import SharedCounts

LENGTH = 20_000


def concatenated(past: bytes, last: bytes) -> bytes:
    return past + last


def fork(shared: SharedCounts, number: int) -> int:
    shared.take(number)
    return os.fork()


def test_a_worker_killed_while_it_writes_leaves_its_last_whole_snapshot() -> None:
    shared = SharedCounts(slots=3)
    for number in range(1, 6):
        pid = fork(shared, number)
        if not pid:
            while True:
                for letter in b"abcdefgh":
                    shared.publish(bytes([letter]) * LENGTH)
        reader = SharedCounts.others
        while not reader_sees(shared, reader):
            pass
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        shared.release(number, lambda past, last: last)
        past, living = reader(shared)
        assert len(past) == LENGTH
        assert past == past[:1] * LENGTH
        assert living == []


def reader_sees(shared: SharedCounts, reader: object) -> bool:
    shared._own = None  # look as a third process would
    _, living = shared.others()
    for snapshot in living:
        assert snapshot == snapshot[:1] * LENGTH
    return bool(living)


def test_no_reader_counts_an_ended_worker_twice_or_not_at_all() -> None:
    shared = SharedCounts(slots=4)
    reader = os.fork()
    if not reader:
        seen, end = 0, time.monotonic() + 20
        while seen < 200 and time.monotonic() < end:
            past, living = shared.others()
            total = len(past) + sum(map(len, living))
            if total < seen:
                os._exit(1)
            seen = total
        os._exit(0 if seen == 200 else 2)
    for number in range(1, 201):
        pid = fork(shared, number)
        if not pid:
            shared.publish(b"x")
            os._exit(0)
        os.waitpid(pid, 0)
        shared.release(number, concatenated)
    assert os.waitpid(reader, 0)[1] == 0


def test_a_snapshot_that_is_too_long_leaves_the_last_one(caplog: pytest.LogCaptureFixture) -> None:
    shared = SharedCounts(slots=2, slot_bytes=256)
    shared.take(1)
    shared.publish(b"short")
    for _ in range(2):
        shared.publish(b"x" * 200)
    assert caplog.text.count("metrics are incomplete") == 1
    shared.release(1, concatenated)
    assert shared.others() == (b"short", [])


def test_a_worker_that_never_started_has_nothing_to_keep() -> None:
    shared = SharedCounts(slots=2)
    shared.take(1)
    shared.release(1, concatenated)
    shared.release(1, concatenated)
    shared.take(2)
    shared.publish(b"second")
    shared.release(2, concatenated)
    assert shared.others() == (b"second", [])
