"""What a process writes, as it comes."""

from __future__ import annotations

import threading
from typing import IO, TYPE_CHECKING, TypeVar

from dev.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

_TAIL_LINES = 40

_Found = TypeVar("_Found")


class LogError(AssertionError):
    """What was waited for did not come; the message holds the end of the log.

    An AssertionError, since to a test it is one.
    """


class Log:
    """The lines that processes have written, one after the other; a thread reads them."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._grown = threading.Condition()

    def follow(self, stream: IO[str]) -> threading.Thread:
        """Read a stream to its end, in a thread."""
        thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        thread.start()
        return thread

    @property
    def end(self) -> int:
        """The number of the next line."""
        return len(self._lines)

    @property
    def lines(self) -> list[str]:
        """All lines so far."""
        return list(self._lines)

    @property
    def tail(self) -> str:
        """The last lines, for messages."""
        return "\n".join(["the end of the server's log:", *self._lines[-_TAIL_LINES:]])

    def wait_for(
        self, wanted: Callable[[str], _Found | None], *, since: int, count: int = 1
    ) -> list[_Found]:
        """Give what `wanted` makes of the first `count` lines that it wants, waiting for them.

        Args:
            wanted: gives None for a line that does not count.
            since: the number of the first line to look at.
            count: how many.

        Raises:
            LogError: they did not come.
        """

        def found() -> list[_Found]:
            every = (wanted(line) for line in self._lines[since:])
            return [one for one in every if one is not None]

        with self._grown:
            if not self._grown.wait_for(lambda: len(found()) >= count, PATIENCE_SECONDS):
                raise LogError(f"waited for {count} lines and got {found()}; {self.tail}")
            return found()[:count]

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                with self._grown:
                    self._lines.append(line.rstrip("\n"))
                    self._grown.notify_all()
