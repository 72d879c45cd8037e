"""RFC 3339, in both directions."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.timestamps import parse_rfc3339, rfc3339


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
