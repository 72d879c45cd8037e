"""How long the next worker waits, by how the last ones ended."""

from __future__ import annotations

from authenticator.serving.supervisor import Backoff


def test_each_worker_that_dies_once_is_replaced_at_once() -> None:
    backoff = Backoff(2)
    assert backoff.may_start(0.0)
    assert backoff.failed(100.0) == 0.0
    assert backoff.failed(100.0) == 0.0
    assert backoff.may_start(100.0)


def test_each_further_one_makes_the_next_wait_twice_as_long_up_to_half_a_minute() -> None:
    backoff = Backoff(1)
    delays = [backoff.failed(100.0) for _ in range(9)]
    assert delays == [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert not backoff.may_start(129.9)
    assert backoff.may_start(130.0)


def test_a_worker_that_is_well_ends_the_waiting() -> None:
    backoff = Backoff(1)
    for _ in range(5):
        backoff.failed(100.0)
    backoff.succeeded()
    assert backoff.failed(200.0) == 0.0


def test_failures_of_days_do_not_overflow() -> None:
    backoff = Backoff(1)
    for _ in range(2000):
        delay = backoff.failed(0.0)
    assert delay == 30.0
