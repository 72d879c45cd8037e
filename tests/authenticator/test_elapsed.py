"""The timer of everything that is remembered, and steps of the machine's time."""

from __future__ import annotations

import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.elapsed import ClockSteps, elapsed

HOUR, DAY = 3600.0, 86400.0


class Clocks:
    def __init__(self) -> None:
        self.wall, self.timer = 1_790_000_000.0, 5000.0

    def steps(self) -> ClockSteps:
        return ClockSteps(lambda: self.wall, lambda: self.timer)

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.timer += seconds


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has CLOCK_BOOTTIME")
def test_the_time_that_the_machine_is_suspended_counts() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= elapsed() <= time.clock_gettime(time.CLOCK_BOOTTIME)


@pytest.mark.parametrize("step", [20 * DAY, -20 * DAY, 1.1 * HOUR])
def test_a_time_that_was_set_is_settled_after_a_day(step: float) -> None:
    clocks = Clocks()
    steps = clocks.steps()
    clocks.pass_by(30 * DAY)
    assert steps.is_settled()
    clocks.wall += step
    assert not steps.is_settled()
    clocks.pass_by(0.9 * DAY)
    assert not steps.is_settled()
    clocks.pass_by(0.2 * DAY)
    assert steps.is_settled()


def test_a_step_back_to_the_true_time_is_a_step_of_its_own() -> None:
    clocks = Clocks()
    steps = clocks.steps()
    clocks.wall += 20 * DAY
    assert not steps.is_settled()
    clocks.pass_by(2 * DAY)
    clocks.wall -= 20 * DAY
    assert not steps.is_settled()


@given(st.lists(st.floats(0, 400 * DAY), max_size=20), st.floats(-0.9 * HOUR, 0.9 * HOUR))
def test_the_passing_of_time_and_small_corrections_are_no_steps(
    passed: list[float], correction: float
) -> None:
    clocks = Clocks()
    steps = clocks.steps()
    clocks.wall += correction
    for seconds in passed:
        clocks.pass_by(seconds)
        assert steps.is_settled()
