"""Finds a denial in the audit log, by the id that the server gave it (`authenticator.serving`)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

# At the beginning of a word only: else a long one is read from each of its letters on.
_FIELD = re.compile(r'(?<![a-z_])([a-z_]+)=("(?:[^"\\]|\\.)*"|[^\s"]\S*)', re.ASCII)

Record = dict[str, Any]


def find(lines: Iterable[str], denial_id: str) -> Record | None:
    """The record of a denial; None if it is not there.

    Args:
        lines: of the server's log in either format, as they are or with what container runtimes
            and collectors put before them.
        denial_id: the id.
    """
    for line in lines:
        if denial_id in line:
            record = _read(line)
            if record.get("denial_id") == denial_id and record.get("event") == "review":
                return record
    return None


def _read(line: str) -> Record:
    if "{" not in line:
        return _read_text(line)
    try:
        value = json.loads(line[line.index("{") :])
    except (ValueError, RecursionError):
        return _read_text(line)  # a brace may stand in a quoted value
    if not isinstance(value, dict):
        return {}
    # Docker's json-file driver: the line is a text in another object.
    inner = value.get("log")
    return _read(inner) if isinstance(inner, str) and "event" not in value else value


def _read_text(line: str) -> Record:
    try:
        return {
            name: json.loads(value) if value.startswith('"') else value
            for name, value in _FIELD.findall(line)
        }
    except ValueError:
        return {}  # no line of ours
