"""Has callers proven by the JWT that AWS gave them: no call, no quota, no outage of STS.

    checks     of everything but the signature (`authenticator.tokens.jwt`)
    key        by issuer and `kid`, of a set that is not too old
    budget     signatures that are verified in a second, for each issuer, and some more for callers
               who were proven before
    memory     a token that was verified a moment ago with the same keys

A verified token is remembered by its hash in the worker that verified it. That is sound, since a
verdict depends on the token's bytes, the keys, the settings and the time alone: it is dropped with
the keys it was verified with, and counts between the token's own bounds only. Refusals are not
remembered: forgeries must not push out what was verified.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from hashlib import sha256

from authenticator.aws.arns import CallerIdentity
from authenticator.errors import KeysUnavailable, Overloaded, UnknownKey
from authenticator.rate import Bucket
from authenticator.tokens import jwt
from authenticator.tokens.jwks import Algorithm
from authenticator.tokens.jwt import JwtPolicy, UnprovenJwt
from authenticator.verdicts.issuer_keys import IssuerKeys, KeySet, wait_for
from authenticator.verdicts.limits import RateLimit
from authenticator.verdicts.verdict import Proof, Source

# How long a login waits for keys to be fetched.
_WAIT_SECONDS = 2.0
# How many logins of one issuer wait at once in a worker; further ones are answered at once.
_WAITING_MOST = 64
_REMEMBERED = 4096
# RS256 takes 83 us, ES384 551 us. One issuer has a quarter of a worker's time at most.
_COST = {Algorithm.RS256: 1.0, Algorithm.ES384: 7.0}
_RATE = Bucket(rate=3000.0, burst=3000.0)
# What forgeries cannot use up: a caller who was proven gets a token every few minutes. All of those
# that are remembered together have a quarter of a worker's time as well.
_PROVEN_RATE, _PROVEN_BURST = 0.1, 3.0


@dataclass(frozen=True, slots=True)
class KeyWait:
    """A JWT of an issuer whose keys are being fetched.

    Attributes:
        jwt: the checked token.
        digest: what it is remembered under.
        fetched: done once the keys have been fetched, or could not be.
    """

    jwt: UnprovenJwt
    digest: bytes = field(repr=False)
    fetched: Future[None]


@dataclass(frozen=True, slots=True)
class _Verified:
    identity: CallerIdentity
    url: str
    keys: KeySet
    valid_from: int
    valid_until: int


class WebIdentity:
    """Proves callers by JWTs. Belongs to one event loop.

    Args:
        policy: which tokens are taken.
        keys: the issuers' keys.
        clock: Unix seconds.
        timer: seconds that never fall.
    """

    def __init__(
        self,
        policy: JwtPolicy,
        keys: IssuerKeys,
        clock: Callable[[], float],
        timer: Callable[[], float],
    ) -> None:
        self._policy = policy
        self._keys = keys
        self._clock = clock
        self._timer = timer
        self._verified: dict[bytes, _Verified] = {}
        self._waiting = dict.fromkeys(policy.issuers, 0)
        self._left = dict.fromkeys(policy.issuers, (_RATE.burst, timer()))
        # The callers who were proven, the one that was proven longest ago first.
        self._proven: dict[bytes, None] = {}
        self._reserve = RateLimit(_PROVEN_RATE, _PROVEN_BURST, timer)

    def recall(self, token: str) -> Proof | KeyWait:
        """Return the proof, or what to wait for. Never waits.

        Raises:
            TokenRefused: a check of the token failed.
            UnknownKey: its key is not known, and may be before long.
            KeysUnavailable: no key of its issuer is known.
            Overloaded: too many signatures of its issuer are verified.
        """
        jwt.check_size(token)
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        now = self._clock()
        known = self._verified.get(digest)
        if (
            known is not None
            and known.valid_from <= now < known.valid_until
            and self._keys.current(known.url) is known.keys
        ):
            return Proof(known.identity, Source.JWT)
        checked = jwt.check(token, now=now, policy=self._policy)
        url = checked.issuer.url
        keys = self._keys.current(url)
        if keys is not None and checked.key_id in keys.keys:
            return self._verify(checked, digest, keys)
        fetched = self._keys.request(url)
        if fetched is None or self._waiting[url] >= _WAITING_MOST:
            raise _unknown(keys)
        return KeyWait(checked, digest, fetched)

    async def ask(self, wait: KeyWait) -> Proof:
        """Return the proof once the keys have been fetched.

        Raises:
            As `recall`.
        """
        url = wait.jwt.issuer.url
        self._waiting[url] += 1
        try:
            await wait_for(wait.fetched, _WAIT_SECONDS)
        finally:
            self._waiting[url] -= 1
        keys = self._keys.current(url)
        if keys is None or wait.jwt.key_id not in keys.keys:
            raise _unknown(keys)
        return self._verify(wait.jwt, wait.digest, keys)

    def _verify(self, checked: UnprovenJwt, digest: bytes, keys: KeySet) -> Proof:
        url, key = checked.issuer.url, keys.keys[checked.key_id]
        caller = str(checked.subject).encode()
        self._spend(url, _COST[key.algorithm], caller)
        identity = checked.verify(key)
        self._proven.pop(caller, None)
        if len(self._proven) >= _REMEMBERED:
            del self._proven[next(iter(self._proven))]
        self._proven[caller] = None
        if len(self._verified) >= _REMEMBERED:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = _Verified(
            identity, url, keys, checked.valid_from, checked.valid_until
        )
        return Proof(identity, Source.JWT)

    def _spend(self, url: str, cost: float, caller: bytes) -> None:
        """Take from the issuer's budget of signatures, or else from what a proven caller has.

        Raises:
            Overloaded: it is used up.
        """
        now = self._timer()
        level = _RATE.level(*self._left[url], now)
        if level < cost:
            if caller in self._proven and self._reserve.take(caller):
                return
            raise Overloaded("too many tokens of this issuer are verified at the moment")
        self._left[url] = level - cost, now


def _unknown(keys: KeySet | None) -> UnknownKey | KeysUnavailable:
    if keys is None:
        return KeysUnavailable(
            "no keys of the token's issuer are known; see webIdentity in /readyz"
        )
    return UnknownKey("its issuer has published no key of its kid so far; the keys are fetched")
