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
from authenticator.tokens.presigned import PresignedRequest
from authenticator.verdicts.limits import Holder
from authenticator.verdicts.table import SharedTable
from authenticator.verdicts.verdict import Proven, Refused, Verdict, decode, encode

# A new access key is not known everywhere in AWS at once: a refusal must not outlive that by much.
REFUSED_SECONDS = 10.0
# How long a proof is kept at least beyond its time, so that asking again has a standing of its own.
_REPEATED_SECONDS = 300.0
# An access key that has logged in within this time is known.
KNOWN_SECONDS = 3600.0

# How often a worker notes the same login.
_NOTE_SECONDS = 60.0

_CLAIM = b"request being asked about\n"  # no host begins like this
_KNOWN_SLOT_BYTES = 128
_HALF = 16
# How many spellings of proven requests each worker remembers, of about 250 bytes each.
_SPELLINGS = 4096


@dataclass(frozen=True, slots=True)
class Remembering:
    """How long verdicts are kept.

    Attributes:
        fresh_seconds: how long no call is made for a token that STS has proven.
        degraded_seconds: how much longer that counts while STS does not answer; 0 for not at all.
    """

    fresh_seconds: float = 120.0
    degraded_seconds: float = 300.0


class Memory:
    """Shared by the processes that are forked after it is made.

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
        self._spellings: dict[bytes, bytes] = {}
        self._noted: dict[CallerIdentity, float] = {}

    def key_of_spelling(self, spelling: bytes) -> bytes | None:
        """Return the key of the request that a token is known to stand for; saves its checks."""
        return self._spellings.get(spelling)

    def learn_spelling(self, spelling: bytes, key: bytes) -> None:
        """Remember in this worker that a token passed its checks and stands for a request."""
        if len(self._spellings) >= _SPELLINGS:
            del self._spellings[next(iter(self._spellings))]
        self._spellings[spelling] = key

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
        """Whether a verdict counts while STS does not answer."""
        bounds = self._remembering
        end = proven.proven_at + bounds.fresh_seconds + bounds.degraded_seconds
        return self._timer() < end and self._clock() < proven.valid_until

    def proven(self, key: bytes, identity: CallerIdentity, valid_until: float) -> None:
        """Remember whom STS has proven, until `valid_until` (Unix seconds) at most."""
        bounds, now = self._remembering, self._timer()
        longest = bounds.fresh_seconds + max(bounds.degraded_seconds, _REPEATED_SECONDS)
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

    def know(self, identity: CallerIdentity) -> None:
        """Remember that an access key has logged in, and whom it belongs to."""
        now, arn = self._timer(), identity.arn
        if now - self._noted.get(identity, -KNOWN_SECONDS) < _NOTE_SECONDS:
            return
        if len(self._noted) >= _SPELLINGS:
            self._noted.clear()
        self._noted[identity] = now
        principal = principal_of(identity)
        session = _hash(f"{identity.canonical_arn}\n{arn.session}")[:_HALF]
        key = _hash(identity.access_key_id)
        self._known.put(key, session + principal, keep_until=now + KNOWN_SECONDS, now=now)

    def holder(self, access_key_id: str) -> Holder | None:
        """Return whom an access key belongs to if it has logged in lately."""
        payload = self._known.get(_hash(access_key_id), self._timer())
        return None if payload is None else Holder(payload[:_HALF], payload[_HALF:])


def spelling_of(token: str) -> bytes:
    """Return what a token is looked up by; the token itself is not kept."""
    # Lone surrogates are no UTF-8; such a token fails its checks, but must not fail here.
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def key_of(request: PresignedRequest) -> bytes:
    """Return what a request is remembered under.

    The order and the escapes of a query are free, so that one signed request has many tokens. They
    all share what is remembered: it is kept for the request that is rebuilt from the checked parts.
    """
    return _hash(f"{request.host.name}{request.target}")


def principal_of(identity: CallerIdentity) -> bytes:
    """Return what a role or user is counted under."""
    return _hash(identity.canonical_arn)[:_HALF]


def _claim(key: bytes) -> bytes:
    return sha256(_CLAIM + key).digest()


def _hash(text: str) -> bytes:
    return sha256(text.encode()).digest()
