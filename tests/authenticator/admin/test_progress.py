"""What takes long is said at a terminal."""

from __future__ import annotations

import sys
import threading

import click
import pytest

from authenticator.admin.progress import progress
from dev.waiting import PATIENCE_SECONDS


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    lines: list[tuple[str, bool]] = []
    monkeypatch.setattr(click, "echo", lambda text, err: lines.append((text, err)))
    return lines


def test_at_a_terminal_a_line_says_what_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    lines, is_said = list[tuple[str, bool]](), threading.Event()

    def echo(text: str, *, err: bool) -> None:
        lines.append((text, err))
        is_said.set()

    monkeypatch.setattr(click, "echo", echo)
    with progress("Reading \x1b[2J", after=0):
        assert is_said.wait(PATIENCE_SECONDS)
    assert lines == [(r"Reading \x1b[2J ...", True)]


def test_what_is_done_soon_is_not_spoken_of(
    monkeypatch: pytest.MonkeyPatch, said: list[tuple[str, bool]]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    before = threading.active_count()
    with progress("Reading", after=PATIENCE_SECONDS):
        assert threading.active_count() == before + 1
    assert said == []


def test_a_log_stays_as_it_is(said: list[tuple[str, bool]]) -> None:
    before = threading.active_count()
    with progress("Reading", after=0):
        assert threading.active_count() == before
    assert said == []
