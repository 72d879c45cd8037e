"""The log of everything that is not a review: one line each on standard error, text or JSON."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator

from authenticator.serving.lines import LineWriter
from authenticator.serving.output import ErrorStream, Output
from authenticator.timestamps import rfc3339

# The reference's names for what Python calls otherwise.
_LEVELS = {
    "panic": logging.CRITICAL,
    "fatal": logging.CRITICAL,
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "warn": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
    "trace": logging.DEBUG,
}


class _Formatter(logging.Formatter):
    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": rfc3339(record.created, milliseconds=True),
            "level": record.levelname.lower(),
            "msg": record.getMessage(),
        }
        if record.exc_info and record.exc_info[1]:
            fields["trace"] = "".join(_trace(record.exc_info[1]))
        if self._as_json:
            return json.dumps(fields)
        # Values are quoted, so that none can end a line or begin another field.
        more = "".join(f" {name}={json.dumps(fields[name])}" for name in list(fields)[2:])
        return f"time={fields['time']} level={fields['level']}{more}"


def _trace(error: BaseException | None) -> Iterator[str]:
    """Where an error and those behind it were raised; not their words, which may hold a token."""
    while error is not None:
        yield f"{type(error).__name__}\n"
        yield from traceback.format_tb(error.__traceback__)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


class LogHandler(logging.Handler):
    """Writes lines directly, and from `start` to `stop` through a thread. It never blocks.

    Lines that the reader of the log has no room for are dropped. The number of those that were
    written directly, by the main process or by a worker that starts, is logged afterwards.
    """

    def __init__(self, output: Output) -> None:
        """Write to `output`."""
        super().__init__()
        self._output = output
        self._writer: LineWriter[str] | None = None

    def start(self, dropped: Callable[[], None]) -> None:
        """Write from a thread; call it after the last fork. `dropped` is told of each lost line."""
        writer: LineWriter[str] = LineWriter(self._output.descriptor, str, dropped=dropped)
        writer.start()
        self._writer = writer

    def stop(self) -> None:
        """Write what waits. A reader that stalls is not waited for, then or later."""
        if self._writer is not None and self._writer.stop():
            self._writer = None

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 (what `logging.Handler.emit` demands)
            self.handleError(record)
            return
        if self._writer is not None:
            self._writer.add(line)
        elif self._output.write(f"{line}\n".encode()) and (lost := self._output.take_lost()):
            logging.getLogger(__name__).warning(
                "%d log lines were lost: the reader of standard error did not keep up", lost
            )


def configure(log_format: str, verbosity: str) -> LogHandler:
    """Set the log up for this process and those that it forks, and `sys.stderr` with it.

    Args:
        log_format: `text` or `json`.
        verbosity: the least severe level that is written, by the reference's names.

    Returns:
        what writes it.
    """
    # Closed, it would be the number of the next file that is opened, a socket say.
    descriptor = os.open(os.devnull, os.O_WRONLY) if sys.stderr is None else sys.stderr.fileno()
    output = Output(descriptor)
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(ErrorStream(output)), line_buffering=True, errors="backslashreplace"
    )
    handler = LogHandler(output)
    handler.setFormatter(_Formatter(as_json=log_format == "json"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[verbosity])
    return handler
