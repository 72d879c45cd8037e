"""The audit log: lines that cannot be forged."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.serving.audit import AdmissionRecord, AuditRecord, Record, as_json, as_text
from authenticator.serving.metric_table import RESULTS

DOCS = Path(__file__).parents[3] / "docs"
SCHEMA = json.loads((DOCS / "audit.schema.json").read_text())
KINDS = {kind.event: kind for kind in (AuditRecord, AdmissionRecord)}

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
        "version": 1,
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
    assert "time=2023-11-14T22:13:20.500Z event=review version=1 decision=allow " in line
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


def described(event: str) -> dict[str, Any]:
    """What the schema says of a kind of line, by field."""
    shared = SCHEMA["$defs"]
    fields: dict[str, Any] = shared[event]["properties"]
    return {
        name: shared[field["$ref"].rpartition("/")[2]] | field if "$ref" in field else field
        for name, field in fields.items()
    }


@pytest.mark.parametrize("event", KINDS)
def test_the_schema_has_the_fields_of_the_record_and_no_others(event: str) -> None:
    written = {field.name for field in fields(KINDS[event])} | {"event", "version"}
    assert set(described(event)) == written


def test_the_schema_is_one_and_knows_every_result() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert described("review")["result"]["enum"] == list(RESULTS)


@pytest.mark.parametrize("event", KINDS)
def test_the_page_says_of_each_field_what_the_schema_says(event: str) -> None:
    page = (DOCS / "audit.md").read_text()
    for name, field in described(event).items():
        assert f"| `{name}` | {field['description']} |\n" in page


def examples() -> list[str]:
    page = (DOCS / "audit.md").read_text().splitlines()
    return [line for line in page if line.startswith('{"time"')]


def test_the_examples_on_the_page_fit_the_schema() -> None:
    assert {json.loads(example)["event"] for example in examples()} == set(KINDS)
    for example in examples():
        jsonschema.validate(json.loads(example), SCHEMA)


def values(field: dict[str, Any], *, optional: bool) -> st.SearchStrategy[Any]:
    """What a field may hold, or nothing if it may be empty."""
    if field.get("type") == "array":
        return st.lists(st.text(), min_size=not optional).map(tuple)
    if field.get("type") == "number":
        return st.floats(0, 1e6)
    if "enum" in field or "const" in field:
        found = st.sampled_from(field.get("enum") or [field["const"]])
    elif "pattern" in field:
        found = st.from_regex(field["pattern"], fullmatch=True).filter(str.isascii)
    else:
        found = st.text()
    return found | st.just("") if optional else found


def records(event: str) -> st.SearchStrategy[Record]:
    known, required = described(event), SCHEMA["$defs"][event]["required"]
    made = {
        field.name: values(known[field.name], optional=field.name not in required)
        for field in fields(KINDS[event])
        if field.name != "time"
    }
    return st.builds(KINDS[event], time=st.floats(0, 4e9), **made)


@pytest.mark.parametrize("event", KINDS)
@given(data=st.data())
def test_every_line_fits_the_schema(event: str, data: st.DataObject) -> None:
    jsonschema.validate(json.loads(as_json(data.draw(records(event)))), SCHEMA)


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": "k8s-aws-v1.x"},
        {"version": 2},
        {"event": "admission"},
        {"denial_id": "?"},
        {"session": ""},
    ],
    ids=str,
)
def test_what_is_no_such_line_does_not_fit(wrong: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(as_json(RECORD)) | wrong, SCHEMA)
