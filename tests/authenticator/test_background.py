"""A thread that is created when it is started."""

from __future__ import annotations

import os
import threading

import pytest

from authenticator.background import BackgroundThread


def test_runs_in_a_daemon_thread_of_its_name() -> None:
    seen: list[tuple[str, bool]] = []

    def run() -> None:
        thread = threading.current_thread()
        seen.append((thread.name, thread.daemon))

    background = BackgroundThread(run, "worker")
    background.start()

    assert background.join()
    assert seen == [("worker", True)]


def test_a_thread_that_was_never_started_has_ended() -> None:
    background = BackgroundThread(lambda: None, "never")

    assert not background.started
    assert background.join()


def test_tells_that_it_goes_on() -> None:
    end = threading.Event()

    def run() -> None:
        end.wait()

    background = BackgroundThread(run, "long")
    background.start()

    assert background.started
    assert not background.join(0)

    end.set()
    assert background.join()


def test_starts_once() -> None:
    background = BackgroundThread(lambda: None, "once")
    background.start()

    with pytest.raises(RuntimeError, match="thread once has already been started"):
        background.start()
    background.join()


def test_starts_in_a_process_forked_after_it_was_made() -> None:
    """Python 3.13.0: RuntimeError: thread already started."""
    background = BackgroundThread(lambda: None, "after-fork")
    child = os.fork()
    if child == 0:
        try:
            background.start()
            os._exit(0 if background.join(30) else 1)
        finally:
            os._exit(2)

    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
