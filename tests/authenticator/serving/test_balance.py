"""Who takes the next connection."""

from __future__ import annotations

import os

import pytest

from authenticator.serving.http.balance import Balance


def test_the_worker_with_the_fewest_takes_the_next() -> None:
    balance = Balance()
    first, second = balance.of(1), balance.of(2)
    first.set(3)
    second.set(2)
    assert (first.is_lowest(), second.is_lowest()) == (False, True)
    second.set(3)
    assert (first.is_lowest(), second.is_lowest()) == (True, True)


def test_a_worker_that_leaves_is_not_waited_for() -> None:
    balance = Balance()
    first, second = balance.of(1), balance.of(2)
    first.set(3)
    second.set(0)
    second.clear()
    assert first.is_lowest()


def test_the_counts_are_shared_with_processes_that_are_forked() -> None:
    balance = Balance()
    balance.of(1).set(1)
    if not (pid := os.fork()):
        balance.of(2).set(0)
        os._exit(0)
    os.waitpid(pid, 0)
    assert not balance.of(1).is_lowest()


@pytest.mark.parametrize(
    ("connections", "excess"),
    [([1, 0], 0), ([2, 0], 1), ([2, 1], 0), ([3, 1], 1), ([8, 0], 3), ([6, 4], 0), ([400, 0], 150)],
    ids=str,
)
def test_what_a_worker_has_above_its_share(connections: list[int], excess: int) -> None:
    balance = Balance()
    for age, count in enumerate(connections):
        balance.of(age).set(count)
    assert [balance.of(age).excess() for age in range(2)] == [excess, 0]


def test_a_worker_alone_has_nothing_above_its_share() -> None:
    balance = Balance()
    balance.of(1).set(500)
    assert balance.of(1).excess() == 0
