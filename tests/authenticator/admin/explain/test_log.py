"""A denial is found in the server's log, in whichever format and wrapping that is."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.admin.explain.log import find
from authenticator.serving.audit import AuditRecord, as_json, as_text

ID = "0123456789"
ARN = "arn:aws:sts::111122223333:assumed-role/Dev/bob"
Render = Callable[[AuditRecord], str]


def denial(denial_id: str = ID, reason: str = 'no mapping: a "role"') -> AuditRecord:
    return AuditRecord(
        time=1_700_000_000.5,
        decision="deny",
        result="unknown_user",
        remote="127.0.0.1",
        denial_id=denial_id,
        reason=reason,
        arn=ARN,
    )


WRAPPINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda line: line,
    "containerd": lambda line: f"2026-01-01T00:00:00.000000000Z stderr F {line}",
    "journald": lambda line: f"Jan 01 00:00:00 host authenticator[7]: {line}",
    "docker": lambda line: json.dumps({"log": line + "\n", "stream": "stderr", "time": "?"}),
}


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
@pytest.mark.parametrize("render", [as_json, as_text])
def test_a_denial_is_found_among_other_lines(render: Render, wrap: Callable[[str], str]) -> None:
    log = [
        "a line of another program {",
        wrap(render(denial("9876543210"))),
        f"somebody mentions {ID}",
        f'{{"mentions": "{ID}"}}',
        f'["{ID}"]',
        f'denial_id="{ID}\\q"',
        wrap(render(denial())),
    ]
    record = find(log, ID)
    assert record is not None
    expected = ("2023-11-14T22:13:20.500Z", "deny", 'no mapping: a "role"', ARN)
    assert tuple(record[name] for name in ("time", "decision", "reason", "arn")) == expected


@pytest.mark.parametrize("render", [as_json, as_text])
def test_an_id_is_found_whole_or_not_at_all(render: Render) -> None:
    assert find([render(denial())], ID[:-1]) is None


@given(st.text())
@pytest.mark.parametrize("render", [as_json, as_text])
def test_whatever_the_server_writes_is_read(render: Render, reason: str) -> None:
    record = find([render(denial(reason=reason))], ID)
    assert record is not None
    assert record.get("reason", "") == reason


@given(st.text())
def test_no_line_is_too_strange_to_be_passed_over(line: str) -> None:
    assert find([f"{line} {ID}", as_json(denial())], ID) is not None


def test_a_long_word_is_passed_over_without_reading_it_from_each_of_its_letters() -> None:
    """That would take minutes."""
    assert find([f"{'a' * 200_000} {ID}", as_json(denial())], ID) is not None
