"""One call for what several reviews ask at once (single flight)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs one call for all who ask for the same key meanwhile, and gives all its outcome.

    Belongs to one event loop.
    """

    def __init__(self) -> None:
        self._flights: dict[bytes, asyncio.Future[T]] = {}

    async def do(
        self, key: bytes, call: Callable[[], Awaitable[T]], timeout: float
    ) -> tuple[T, bool]:
        """Return what `call` returns or raises, to the first; the same to those who join.

        Args:
            key: what is asked.
            call: how to find out.
            timeout: seconds to wait for another's call.

        Returns:
            the outcome, and whether it is another's.

        Raises:
            TimeoutError: another's call takes longer than `timeout`.
            Exception: whatever `call` raised.
        """
        flight = self._flights.get(key)
        try:
            if flight is not None:
                await asyncio.wait((flight,), timeout=timeout)
                if not flight.done():
                    raise TimeoutError
                return flight.result(), True
            flight = self._flights[key] = asyncio.get_running_loop().create_future()
            return await self._lead(key, flight, call), False
        finally:
            # An error keeps this frame, and the flight the error: a circle that would stay in
            # memory until it is looked for, one for each review of an outage.
            del flight

    async def _lead(
        self, key: bytes, flight: asyncio.Future[T], call: Callable[[], Awaitable[T]]
    ) -> T:
        try:
            outcome = await call()
        except BaseException as error:
            flight.set_exception(error)
            flight.exception()  # it counts as seen if no other review has joined
            raise
        else:
            flight.set_result(outcome)
            return outcome
        finally:
            del self._flights[key], flight
