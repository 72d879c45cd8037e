"""Whether this computer's clock agrees with AWS's, which signatures depend on."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

# AWS takes signatures that are up to 5 minutes off (IAM User Guide, "Troubleshoot SigV4 signing").
_TOLERATED_SECONDS = 4 * 60


def difference(date: str, *, now: float) -> float | None:
    """Return by how many seconds the clock is ahead of a server's, or None.

    Args:
        date: the server's HTTP header ``Date`` (RFC 9110, section 6.6.1).
        now: this computer's time, in seconds since the epoch.
    """
    try:
        return now - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


def complaint(date: str, *, now: float) -> str:
    """Say what is wrong with the clock and what to do; empty if it is right enough."""
    ahead = difference(date, now=now)
    if ahead is None or abs(ahead) < _TOLERATED_SECONDS:
        return ""
    minutes = f"{abs(ahead) / 60:.0f} minutes {'ahead of' if ahead > 0 else 'behind'}"
    return f"this computer's clock is {minutes} AWS's: set it, or have NTP do so"
