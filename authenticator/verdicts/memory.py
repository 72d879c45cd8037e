"""What the workers of one host remember together: verdicts, work in hand, and who has logged in.

Times are by a clock that nobody can set, so that a step of the machine's time neither lengthens
what is remembered nor ends it. Only a token's own end is in Unix seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from authenticator.aws.arns import CallerIdentity
from authenticator.errors import NotProven
from authenticator.verdicts.table import SharedTable
from authenticator.verdicts.verdict import Proven, Refused, Verdict, decode, encode

# A new access key is not known everywhere in AWS at once: a refusal must not outlive that by much.
REFUSED_SECONDS = 10.0
# An access key that has logged in within this time is known.
KNOWN_SECONDS = 3600.0

_CLAIM = b"token being asked about\n"  # no token begins like this
_KNOWN_SLOT_BYTES = 64


@dataclass(frozen=True, slots=True)
class Remembering:
    """How long verdicts are kept.

    Attributes:
        fresh_seconds: how long no call is made for a token that STS has proven.
        degraded_seconds: how much longer that counts while STS cannot be asked; 0 for not at all.
    """

    fresh_seconds: float = 120.0
    degraded_seconds: float = 300.0


class Memory:
    """Shared by the processes that are forked after it is made. Safe to use from many threads.

    Args:
        remembering: how long verdicts are kept.
        clock: Unix seconds.
        timer: seconds that never fall and are the same in every worker.
    """

    def __init__(
        self, remembering: Remembering, clock: Callable[[], float], timer: Callable[[], float]
    ) -> None:
        self._remembering = remembering
        self._clock = clock
        self._timer = timer
        self._verdicts = SharedTable()
        # A table of its own: no flood of tokens can make us forget who has logged in.
        self._known = SharedTable(slot_bytes=_KNOWN_SLOT_BYTES)

    def recall(self, key: bytes) -> Verdict | None:
        """The verdict on a token, unless it or the token has ended."""
        payload = self._verdicts.get(key, self._timer())
        verdict = None if payload is None else decode(payload)
        if isinstance(verdict, Proven) and self._clock() >= verdict.valid_until:
            return None
        return verdict

    def is_fresh(self, proven: Proven) -> bool:
        """Whether a verdict counts without asking STS."""
        return self._timer() < proven.proven_at + self._remembering.fresh_seconds

    def may_stand_in(self, proven: Proven) -> bool:
        """Whether a verdict counts while STS cannot be asked."""
        bounds = self._remembering
        end = proven.proven_at + bounds.fresh_seconds + bounds.degraded_seconds
        return self._timer() < end and self._clock() < proven.valid_until

    def proven(self, key: bytes, identity: CallerIdentity, valid_until: float) -> None:
        """Remember whom STS has proven, until `valid_until` (Unix seconds) at most."""
        bounds, now = self._remembering, self._timer()
        longest = bounds.fresh_seconds + bounds.degraded_seconds
        keep_until = now + min(longest, valid_until - self._clock())
        verdict = Proven(identity, now, valid_until)
        self._verdicts.put(key, encode(verdict), keep_until=keep_until, now=now)

    def refused(self, key: bytes, error: NotProven) -> None:
        """Remember for a moment that STS refused a token."""
        verdict, now = Refused(error.code, str(error)), self._timer()
        self._verdicts.put(key, encode(verdict), keep_until=now + REFUSED_SECONDS, now=now)

    def claim(self, key: bytes, seconds: float) -> None:
        """Tell the other workers that this one asks about a token, for `seconds` at most."""
        now = self._timer()
        self._verdicts.put(_claim(key), b"", keep_until=now + seconds, now=now)

    def is_claimed(self, key: bytes) -> bool:
        """Whether a worker asks about a token now."""
        return self._verdicts.get(_claim(key), self._timer()) is not None

    def release(self, key: bytes) -> None:
        """End a claim."""
        self._verdicts.delete(_claim(key))

    def know(self, access_key_id: str) -> None:
        """Remember that an access key has logged in."""
        now = self._timer()
        self._known.put(_hash(access_key_id), b"", keep_until=now + KNOWN_SECONDS, now=now)

    def knows(self, access_key_id: str) -> bool:
        """Whether an access key has logged in lately."""
        return self._known.get(_hash(access_key_id), self._timer()) is not None


def key_of(token: str) -> bytes:
    """What a token is remembered under; the token itself is not kept."""
    # Lone surrogates are no UTF-8; such a token fails its checks, but must not fail here.
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def _claim(key: bytes) -> bytes:
    return sha256(_CLAIM + key).digest()


def _hash(access_key_id: str) -> bytes:
    return sha256(access_key_id.encode()).digest()
