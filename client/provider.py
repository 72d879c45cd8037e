"""Tokens for programs that run longer than one token lasts."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

from .errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .token import Token

# A token that ends on its way is refused; one that ends this soon is replaced first.
_EARLY_SECONDS = 60
# While the old one lasts, a refusal is not asked for again at every request.
_RETRY_SECONDS = 10


class TokenProvider:
    """Hands out a token that lasts, and mints the next one before it ends.

    One provider may serve any number of threads and event loops: while one of them mints, the
    others wait for its token.

    >>> provider = TokenProvider(functools.partial(client.mint, "my-cluster"))

    Args:
        mint: makes a token, or raises `ClientError`.
        clock: seconds since the epoch, on the same clock as the tokens' ends.
        timer: seconds that no step of the clock changes, so that a token does not outlive its time
            when the clock is set back.
    """

    def __init__(
        self,
        mint: Callable[[], Token],
        *,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mint = mint
        self._clock = clock
        self._timer = timer
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._end = 0.0  # of the token, by the timer
        self._next_attempt = 0.0  # likewise

    def get(self) -> str:
        """Return a bearer token that is good for a minute at least, if one can be had.

        Raises:
            ClientError: there is none, and no earlier one that still lasts.
        """
        with self._lock:
            token = self._token
            left, now = self._left(token), self._timer()
            if token and (left > _EARLY_SECONDS or (left > 0 and now < self._next_attempt)):
                return token.value
            try:
                self._token = self._mint()
            except ClientError:
                if token is None or left <= 0:
                    raise
                self._next_attempt = now + _RETRY_SECONDS
                return token.value
            self._end = self._timer() + self._token.expiration - self._clock()
            return self._token.value

    async def get_async(self) -> str:
        """Return what `get` does, without holding up the event loop. Raises ClientError."""
        token = self._token
        if token and self._left(token) > _EARLY_SECONDS:
            return token.value
        return await asyncio.to_thread(self.get)

    def _left(self, token: Token | None) -> float:
        """Return how many seconds a token lasts by both clocks: the timer stops in a sleep."""
        if token is None:
            return 0.0
        return min(token.expiration - self._clock(), self._end - self._timer())

    def reject(self, value: str) -> None:
        """Mint a new token next time: the server refused this one (401)."""
        with self._lock:
            if self._token and self._token.value == value:
                self._token = None
