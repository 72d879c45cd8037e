"""One call for what several threads ask at once (single flight)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Runs one call for all who ask for the same key meanwhile, and gives all its outcome."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[bytes, Future[T]] = {}

    def do(self, key: bytes, call: Callable[[], T], timeout: float) -> tuple[T, bool]:
        """Give what `call` returns or raises, for the first; the same for those who join.

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
        with self._lock:
            flight = self._flights.get(key)
            first = flight is None
            if flight is None:
                flight = self._flights[key] = Future()
        if not first:
            return self._join(flight, timeout), True
        try:
            outcome = call()
        except BaseException as error:
            flight.set_exception(error)
            raise
        else:
            flight.set_result(outcome)
            return outcome, False
        finally:
            with self._lock:
                del self._flights[key]
            # An error keeps this frame, and the flight the error: a circle that would stay in
            # memory until it is looked for, one for each review of an outage.
            del flight

    @staticmethod
    def _join(flight: Future[T], timeout: float) -> T:
        try:
            return flight.result(timeout)
        except FutureTimeoutError as error:  # another class than TimeoutError before Python 3.11
            raise TimeoutError from error
