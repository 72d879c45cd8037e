"""Times as RFC 3339 writes them, in UTC."""

from __future__ import annotations

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
