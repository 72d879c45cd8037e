"""Writes to standard error that never wait for its reader.

A pipe holds 64 KiB. When its reader stalls (a log driver, a full disk behind it), write(2) waits,
and a main process that waits replaces no worker and hears no signal.
"""

from __future__ import annotations

import io
import os
import select
import socket
import stat
import threading
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

_REOPENED = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Output:
    """Writes whole lines to a descriptor, or drops and counts them while its reader stalls."""

    def __init__(self, descriptor: int) -> None:
        """Write to the open file `descriptor`, without a change of its flags.

        Other processes share the open file, so that O_NONBLOCK on it would fail their writes.
        """
        self.descriptor = descriptor
        self._send = _sender(descriptor)
        self._lock = threading.Lock()
        self._cut = False
        self._lost = 0

    def write(self, lines: bytes) -> bool:
        """Write `lines` at once, or return False."""
        with self._lock:
            written = self._put(b"\n" + lines if self._cut else lines)
            if not written:
                self._lost += 1
            return written

    def take_lost(self) -> int:
        """Return how many writes were dropped since the last call."""
        with self._lock:
            lost, self._lost = self._lost, 0
            return lost

    def _put(self, data: bytes) -> bool:
        try:
            sent = self._send(data)
        except OSError:
            return False
        # A line above PIPE_BUF can be cut (pipe(7)). The next one then begins a new line.
        self._cut = 0 < sent < len(data)
        return sent > 0


class ErrorStream(io.RawIOBase):
    """`sys.stderr` for libraries that print there, such as gunicorn about a worker that fails."""

    def __init__(self, output: Output) -> None:
        """Write through `output`."""
        self._output = output

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor of the output."""
        return self._output.descriptor

    def write(self, data: Buffer) -> int:
        """Write what there is room for, and claim to have written all of it."""
        content = bytes(data)
        self._output.write(content)
        return len(content)


def _sender(descriptor: int) -> Callable[[bytes], int]:
    """Return a function that writes to the open file `descriptor` or raises BlockingIOError."""
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISSOCK(mode):  # of journald
        flags = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
        return lambda data: socket.socket(fileno=os.dup(descriptor)).send(data, flags)
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        try:
            # Another open file, with other flags (proc(5), /proc/pid/fd).
            own = os.open(f"/proc/self/fd/{descriptor}", _REOPENED)
        except OSError:  # it belongs to another user, or /proc is not mounted
            return partial(_write_if_writable, descriptor)
        return partial(os.write, own)
    return partial(os.write, descriptor)


def _write_if_writable(descriptor: int, data: bytes) -> int:
    """Write if poll(2) promises room for PIPE_BUF bytes, and no more than these."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    if not any(events & select.POLLOUT for _, events in poll.poll(0)):
        raise BlockingIOError
    return os.write(descriptor, data[: select.PIPE_BUF])
