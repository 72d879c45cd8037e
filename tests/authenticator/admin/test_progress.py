"""What takes long is said at a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import ClassVar

import click
import pytest

from authenticator.admin.progress import progress
from dev.waiting import PATIENCE_SECONDS


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    lines: list[tuple[str, bool]] = []
    monkeypatch.setattr(click, "echo", lambda text, err: lines.append((text, err)))
    return lines


class Timer:
    """`threading.Timer` whose time comes when a test says so."""

    made: ClassVar[list[Timer]] = []
    daemon = False

    def __init__(self, after: float, function: Callable[[], None]) -> None:
        self.after, self.fire, self.is_over = after, function, False
        self.made.append(self)

    def start(self) -> None:
        """Wait for the test."""

    def cancel(self) -> None:
        self.is_over = True


def test_at_a_terminal_a_line_says_what_takes_long(
    monkeypatch: pytest.MonkeyPatch, said: list[tuple[str, bool]]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(threading, "Timer", Timer)
    with progress("Beginning") as say:
        say("Reading \x1b[2J")
        timer = Timer.made.pop()
        assert (timer.after, said) == (1.0, [])
        timer.fire()
    assert said == [(r"Reading \x1b[2J ...", True)]
    assert timer.is_over


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
