"""Token buckets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.rate import Bucket

RATES = st.floats(0.01, 1e4)
TIMES = st.floats(0, 1e7)


def test_tokens_are_added_at_the_rate_up_to_the_burst() -> None:
    bucket = Bucket(rate=2, burst=5)
    assert bucket.level(0, 10, 11) == 2
    assert bucket.level(4, 10, 11) == 5
    assert bucket.level(-3, 10, 11) == -1
    assert bucket.refill_seconds == 2.5


def test_a_clock_that_goes_back_adds_and_takes_nothing() -> None:
    assert Bucket(2, 5).level(3, 10, 9) == 3


def test_a_token_is_waited_for_as_long_as_it_takes_to_be_added() -> None:
    bucket = Bucket(2, 5)
    assert bucket.wait(1) == 0
    assert bucket.wait(0) == 0.5
    assert bucket.wait(-1, needed=2) == 1.5


@given(RATES, st.floats(1, 1e4), st.floats(-1e4, 1e4), TIMES, TIMES)
def test_the_level_is_never_above_the_burst_nor_below_what_was_left(
    rate: float, burst: float, left: float, since: float, now: float
) -> None:
    level = Bucket(rate, burst).level(left, since, now)
    assert level <= burst
    assert level >= min(left, burst)


@given(RATES, st.floats(-100, 100), st.floats(1, 50))
def test_after_the_wait_the_tokens_are_there(rate: float, left: float, needed: float) -> None:
    bucket = Bucket(rate, 1e6)
    wait = bucket.wait(left, needed)
    assert bucket.level(left, 0, wait) >= needed or bucket.level(left, 0, wait) == pytest.approx(
        needed, abs=1e-6
    )
