"""One deadline for all waits of one exchange."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

_T = TypeVar("_T")


class Deadline:
    """The moment by which everything awaited through it ends; a context manager.

    One timer serves the whole exchange, and no task is made for it, unlike with
    `asyncio.wait_for`. One coroutine uses it, for one wait at a time.

    Args:
        seconds: from now; must be used on the running event loop.
    """

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._when = self._loop.time() + seconds
        self._timer: asyncio.TimerHandle | None = None
        self._awaited: asyncio.Future[object] | None = None

    def __enter__(self) -> Self:
        self._timer = self._loop.call_at(self._when, self._expire)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._awaited = None

    @property
    def remaining(self) -> float:
        """Seconds that are left; at least 0."""
        return max(0.0, self._when - self._loop.time())

    async def wait(self, future: asyncio.Future[_T]) -> _T:
        """Return the future's result.

        The future must belong to this wait alone: it fails when the deadline passes.

        Raises:
            TimeoutError: the deadline passed.
        """
        if not self.remaining:
            future.cancel()
            raise TimeoutError
        self._awaited = future  # type: ignore[assignment]  # only its exception is ever set
        return await future

    def _expire(self) -> None:
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_exception(TimeoutError())
