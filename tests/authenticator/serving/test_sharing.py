"""Who takes the next connection."""

from __future__ import annotations

import os

from authenticator.serving.sharing import Shares


def test_the_worker_with_the_fewest_takes_the_next() -> None:
    shares = Shares()
    first, second = shares.of(1), shares.of(2)
    first.have(3)
    second.have(2)
    assert (first.is_least(), second.is_least()) == (False, True)
    second.have(3)
    assert (first.is_least(), second.is_least()) == (True, True)


def test_a_worker_that_leaves_is_not_waited_for() -> None:
    shares = Shares()
    first, second = shares.of(1), shares.of(2)
    first.have(3)
    second.have(0)
    second.leave()
    assert first.is_least()


def test_the_counts_are_shared_with_processes_that_are_forked() -> None:
    shares = Shares()
    shares.of(1).have(1)
    if not (pid := os.fork()):
        shares.of(2).have(0)
        os._exit(0)
    os.waitpid(pid, 0)
    assert not shares.of(1).is_least()
