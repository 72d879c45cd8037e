"""RFC 3339 in both directions, and durations."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.timestamps import duration, elapsed, ending, parse_rfc3339, rfc3339


@pytest.mark.parametrize(
    ("seconds", "text", "with_milliseconds"),
    [
        (0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"),
        (1_700_000_000.9999, "2023-11-14T22:13:20Z", "2023-11-14T22:13:20.999Z"),
        (-1.0, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.000Z"),
        # strftime writes the year without its zeros.
        (-62_135_596_800, "0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
    ],
)
def test_a_time_is_written_in_utc(seconds: float, text: str, with_milliseconds: str) -> None:
    assert rfc3339(seconds) == text
    assert rfc3339(seconds, milliseconds=True) == with_milliseconds


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_every_second_is_read_back(seconds: int) -> None:
    assert parse_rfc3339(rfc3339(seconds)) == seconds


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_a_zone_is_taken_into_account(naive: datetime, minutes: int) -> None:
    moment = naive.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_rfc3339(moment.isoformat()) == moment.timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2030-01-31",
        "2030-01-31T18:00:00",
        "2030-01-31T18:00Z",
        "2030-02-30T18:00:00Z",
        "2030-01-31T18:00:00+0100",
        "2030-01-31T18:00:00Z\n",
        "\N{FULLWIDTH DIGIT TWO}030-01-31T18:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "1900000000",
    ],
)
def test_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"it must|day is out of range"):
        parse_rfc3339(text)


@given(st.text())
def test_no_text_raises_another_error(text: str) -> None:
    try:
        parse_rfc3339(text)
    except ValueError:
        return


NOW = 1_900_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("8h", 28_800), ("7d", 604_800), ("90m", 5_400), ("1h30m", 5_400), ("1d1s", 86_401)],
)
def test_a_duration_is_read(text: str, seconds: int) -> None:
    assert duration(text) == seconds
    assert ending(text, NOW) == NOW + seconds


@pytest.mark.parametrize(
    "text", ["", "8", "h", "0h", "-8h", "8 h", "8H", "1.5h", "30m1h", "1_0h", "٨h", "99999d"]
)
def test_any_other_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it must be a duration"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2031-01-31", "2031-01-31T23:59:59Z"),
        ("2031-01-31T18:00:00Z", "2031-01-31T18:00:00Z"),
        ("2031-01-31t18:00:00+01:00", "2031-01-31T17:00:00Z"),
    ],
)
def test_a_day_ends_with_its_last_second_in_utc(text: str, end: str) -> None:
    assert rfc3339(ending(text, NOW)) == end


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2020-01-31", "2020-01-31T23:59:59Z is in the past"),
        ("2020-01-31T00:00:00Z", "in the past"),
        ("tomorrow", "it must be a duration"),
        ("8", "it must be a duration"),
        ("2031-02-30", "day is out of range"),
        ("2031-01-31T18:00", "with a zone"),
    ],
)
def test_an_end_that_is_none_or_over_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ending(text, NOW)


@given(st.text(max_size=20))
def test_any_text_is_an_end_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert ending(text, NOW) > NOW


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0, "0s"), (59, "59s"), (61, "1m1s"), (3_600, "1h"), (9_000, "2h30m"), (40_000, "11h")),
        *((100_000, "1d3h"), (86_700, "1d"), (5_600_000, "64d"), (-5, "0s")),
    ],
)
def test_a_duration_is_written_in_one_or_two_units(seconds: float, text: str) -> None:
    assert elapsed(seconds) == text
