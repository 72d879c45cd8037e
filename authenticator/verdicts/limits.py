"""How much of what is reserved for known callers one of them may use.

An access key's id is no secret, and one principal can have any number of sessions and keys. So the
limits nest: a key has a part of what its session may have, and a session of what its principal (the
role or user) may have. Which session and principal a key belongs to is learned from proofs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from authenticator.rate import Bucket


class RateLimit:
    """A token bucket for each key of an open set; each worker counts for itself.

    Args:
        rate: how many a second for one key.
        burst: how many may come at once.
        clock: seconds that never fall.
    """

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._bucket = Bucket(rate, burst)
        self._clock = clock
        # What is left and when that was so, by key; the one that was used longest ago first.
        self._left: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def take(self, key: bytes) -> bool:
        """Take one of a key's; False if it has none left."""
        now = self._clock()
        self._forget_full(now)
        left, since = self._left.get(key, (self._bucket.burst, now))
        left = self._bucket.level(left, since, now)
        taken = left >= 1
        self._left[key] = (left - 1 if taken else left, now)
        self._left.move_to_end(key)
        return taken

    def _forget_full(self, now: float) -> None:
        """Forget the keys whose bucket is full again, as that of a key that was never seen.

        Kept, they would be many, and a large dict is copied whole when it grows.
        """
        while self._left:
            _, since = next(iter(self._left.values()))
            if now - since < self._bucket.refill_seconds:
                return
            self._left.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom an access key belongs to, as it was proven to at its last login.

    Attributes:
        session: a hash of the role and its session; of the user if there is no session.
        principal: a hash of the role or user.
    """

    session: bytes
    principal: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one worker.

    Attributes:
        key: by access key.
        session: by session.
        principal: by role or user.
        proven: by role or user: how often what was proven before may be asked again.
        account: for all callers together whose key names a mapped account.
    """

    key: RateLimit
    session: RateLimit
    principal: RateLimit
    proven: RateLimit
    account: RateLimit

    @classmethod
    def of(cls, calls_per_second: float, workers: int, clock: Callable[[], float]) -> Limits:
        """Return the limits that go with a budget, so that the workers together keep them.

        Args:
            calls_per_second: the budget.
            workers: how many workers share it.
            clock: seconds that never fall.
        """
        share = calls_per_second / workers
        return cls(
            key=RateLimit(max(1.0, share / 50), 10, clock),
            session=RateLimit(max(1.0, share / 32), 15, clock),
            principal=RateLimit(max(1.0, share / 16), 20, clock),
            proven=RateLimit(max(1.0, share / 4), max(20.0, share / 4), clock),
            account=RateLimit(max(1.0, share / 2), max(1.0, share / 2), clock),
        )

    def allow(self, access_key_id: str, holder: Holder) -> bool:
        """Whether a known key may use the reserve once more.

        What one key uses up beyond its own limit costs its session nothing, and so on upwards.
        """
        return (
            self.key.take(access_key_id.encode())
            and self.session.take(holder.session)
            and self.principal.take(holder.principal)
        )
