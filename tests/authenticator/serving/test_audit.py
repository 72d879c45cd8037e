"""The audit log: lines that cannot be forged."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.serving.audit import AuditRecord, as_json, as_text

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
