"""The arithmetic of a token bucket: so many in a second, and so many at once.

Only the arithmetic: the level and the time since which it holds are the caller's to keep, be it in
memory that processes share, one pair for each key, or behind a lock.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bucket:
    """A rate with a burst.

    Attributes:
        rate: tokens that are added in a second; more than 0.
        burst: tokens that the bucket holds at most.
    """

    rate: float
    burst: float

    def added(self, since: float, now: float) -> float:
        """Return the tokens added between two times in seconds; 0 if the clock went back."""
        return max(0.0, now - since) * self.rate

    def level(self, left: float, since: float, now: float) -> float:
        """Return the tokens at `now`, given that `left` were there at `since`.

        `left` is below 0 where tokens are promised that are yet to be added.
        """
        return min(self.burst, left + self.added(since, now))

    def wait(self, left: float, needed: float = 1.0) -> float:
        """Return the seconds until a bucket with `left` tokens has `needed`."""
        return max(0.0, (needed - left) / self.rate)

    @property
    def refill_seconds(self) -> float:
        """The seconds after which an empty bucket is full again."""
        return self.burst / self.rate
