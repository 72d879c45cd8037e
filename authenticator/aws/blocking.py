"""Calls a coroutine function from threads, on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Generic, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Blocking(Generic[_P, _T]):
    """A coroutine function as a function. Safe to use from many threads.

    Make it before the fork or after it: the thread starts with the first call, and is a daemon.
    """

    def __init__(self, function: Callable[_P, Coroutine[Any, Any, _T]]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call the function and wait for its result; raises what it raises."""
        coroutine = self._function(*args, **kwargs)
        return asyncio.run_coroutine_threadsafe(coroutine, self._running()).result()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="sts", daemon=True).start()
            return self._loop
