"""The audit log: lines that cannot be forged, written by a thread that delays nobody."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.serving.audit import AuditLog, AuditRecord, as_json, as_text

RECORD = AuditRecord(
    time=1_700_000_000.5,
    decision="allow",
    result="success",
    remote="127.0.0.1",
    api_version="authentication.k8s.io/v1",
    latency_ms=1.5,
    arn="arn:aws:sts::111122223333:assumed-role/Dev/bob",
    username="dev:bob",
    groups=("dev", "view all"),
)


def test_json_names_every_field_that_has_a_value() -> None:
    assert json.loads(as_json(RECORD)) == {
        "time": "2023-11-14T22:13:20.500Z",
        "event": "review",
        "decision": "allow",
        "result": "success",
        "remote": "127.0.0.1",
        "api_version": "authentication.k8s.io/v1",
        "latency_ms": 1.5,
        "arn": "arn:aws:sts::111122223333:assumed-role/Dev/bob",
        "username": "dev:bob",
        "groups": ["dev", "view all"],
    }


def test_text_quotes_what_is_not_plain() -> None:
    line = as_text(RECORD)
    assert "time=2023-11-14T22:13:20.500Z event=review decision=allow " in line
    assert line.endswith('username=dev:bob groups="dev,view all"')


@given(st.text())
@pytest.mark.parametrize("render", [as_json, as_text])
def test_no_value_can_end_the_line_or_begin_a_field(render: object, value: str) -> None:
    record = AuditRecord(time=0.0, decision="deny", result="x", remote="", reason=value)
    line = render(record)  # type: ignore[operator]
    assert line.isascii()
    assert line.isprintable()
    if render is as_text and value:
        _, _, written = line.partition(" reason=")
        assert written == value or json.loads(written) == value


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_lines_come_out_in_order_and_stopping_writes_what_waits(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    log = AuditLog(writer, lambda record: record.username, dropped=pytest.fail)
    log.start()
    for number in range(300):
        log.add(AuditRecord(time=0, decision="", result="", remote="", username=str(number)))
    log.stop()
    assert os.read(reader, 65536).decode().split() == [str(number) for number in range(300)]


def test_a_reader_that_stalls_delays_nobody_and_the_loss_is_counted(pipe: tuple[int, int]) -> None:
    dropped: list[None] = []
    log = AuditLog(pipe[1], as_json, dropped=lambda: dropped.append(None), capacity=10)
    log.start()
    # More than a pipe holds (64 KiB on Linux): were `add` to write, this would never end.
    offered = 5_000
    for _ in range(offered):
        log.add(RECORD)
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
    log = AuditLog(writer, as_json, dropped=lambda: dropped.append(None))
    log.start()
    for _ in range(3):
        log.add(RECORD)
    log.stop()
    os.close(writer)
    assert len(dropped) == 3
