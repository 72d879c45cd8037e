"""Times as RFC 3339 writes them, in UTC, and durations."""

from __future__ import annotations

import math
import re
from datetime import datetime, timezone

_FORM = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def rfc3339(seconds: float, *, milliseconds: bool = False) -> str:
    """Return a time such as 2030-01-31T18:00:00Z.

    Args:
        seconds: Unix time. Fractions that are not shown are cut off.
        milliseconds: show three digits of the fraction.
    """
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    text = moment.isoformat(timespec="milliseconds" if milliseconds else "seconds")
    return text.replace("+00:00", "Z")


def parse_rfc3339(text: str) -> float:
    """Return the Unix time of a time with a zone. The fraction of a second is ignored.

    Raises:
        ValueError: it has another form, is not a time that exists, or lies outside the years 1 to
            9999 in UTC.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError("it must be a time with a zone, like 2030-01-31T18:00:00Z (RFC 3339)")
    date, time, zone = match.groups()
    moment = datetime.fromisoformat(f"{date}T{time}{zone.upper().replace('Z', '+00:00')}")
    try:
        return moment.astimezone(timezone.utc).timestamp()
    except OverflowError:
        raise ValueError("it must lie between the years 1 and 9999 in UTC") from None


_AMOUNT = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,7})s)?", re.ASCII)
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
# A number is shown with the next smaller unit while it is below this.
_FINE = 10


def duration(text: str) -> int:
    """Return the seconds of a duration such as 8h, 7d, 90m or 1h30m.

    Raises:
        ValueError: it has another form, or is nothing.
    """
    match = _AMOUNT.fullmatch(text.strip())
    seconds = 0
    if match is not None:
        amounts = zip(match.groups(), _UNITS, strict=True)
        seconds = sum(int(amount) * unit for amount, (_, unit) in amounts if amount)
    if not seconds:
        raise ValueError("it must be a duration like 8h, 7d or 1h30m")
    return seconds


def elapsed(seconds: float) -> str:
    """Return a duration as kubectl writes it, in one or two units: 8h, 2h30m, 3d4h, 64d."""
    left = max(int(seconds), 0)
    parts: list[str] = []
    for name, unit in _UNITS:
        count, left = divmod(left, unit)
        if count:
            parts.append(f"{count}{name}")
        if parts and (count >= _FINE or len(parts) == 2 or not count):  # noqa: PLR2004 (two units)
            break
    return "".join(parts) or "0s"


def ending(text: str, now: float) -> float:
    """Return the Unix time at which something ends: after a duration, on a day, or at a time.

    Args:
        text: a duration (`8h`, `7d`), a day (`2031-01-31`, which ends at 23:59:59 UTC), or a time
            with a zone (RFC 3339).
        now: the Unix time at which durations begin.

    Raises:
        ValueError: it has another form, or is over.
    """
    text = text.strip()
    if _DATE.fullmatch(text):
        end = parse_rfc3339(f"{text}T23:59:59Z")
    elif _DATE.match(text):
        end = parse_rfc3339(text)
    else:
        try:
            # In whole seconds, as it is written, and no shorter than it was said.
            end = float(math.ceil(now + duration(text)))
        except ValueError:
            raise ValueError(
                "it must be a duration (8h, 7d), a day (2031-01-31: its end in UTC) or a time with"
                " a zone (2031-01-31T18:00:00Z)"
            ) from None
    if end <= now:
        raise ValueError(f"{rfc3339(end)} is in the past")
    return end
