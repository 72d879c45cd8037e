"""Child processes that are waited for until ready and never left behind, and ports for them."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from dev.waiting import PATIENCE_SECONDS, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# etcd takes 7 s while it has clients, and being killed costs it nothing: what it wrote is with the
# kernel already.
_TERM_SECONDS = 2
_TAIL_LINES = 25


class ProcessError(Exception):
    """A program of the control plane did not start; the message ends with the tail of its log."""


class HeldPort:
    """A TCP port of an address of ours that belongs to this object until it is closed.

    A socket holds the number without listening on it, so that a program that shares it
    (SO_REUSEPORT) can stop and start again without anybody else getting the port meanwhile.
    """

    def __init__(self, address: str) -> None:
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._holder.bind((address, 0))
        self.number: int = self._holder.getsockname()[1]

    def close(self) -> None:
        """Give the port back."""
        self._holder.close()


class Process:
    """A program that runs in the background, writing what it prints to the end of `log`.

    It is stopped with the interpreter at the latest.
    """

    def __init__(self, command: Sequence[str | Path], *, log: Path) -> None:
        self._command = [str(part) for part in command]
        self._log = log
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, is_ready: Callable[[], bool]) -> None:
        """Start the program and wait until it is ready; stop it again when that fails.

        Raises ProcessError.
        """
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C is for us, and what it starts in turn ends with it.
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        atexit.register(self.stop)
        try:
            self._wait_until(is_ready)
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """The process that was started."""
        assert self._child is not None
        return self._child.pid

    def wait(self) -> None:
        """Return when the program ends by itself, with a ProcessError that says so."""
        if self._child is not None:
            status = self._child.wait()
            raise self._failure(f"ended with status {status}")

    def stop(self) -> None:
        """End the program and everything it started; harmless when it has ended already."""
        atexit.unregister(self.stop)
        if self._child is None:
            return
        self._signal(signal.SIGTERM)
        try:
            self._child.wait(_TERM_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._child.wait()
        self._child = None

    def _wait_until(self, is_ready: Callable[[], bool]) -> None:
        assert self._child is not None
        child = self._child

        def ready() -> bool:
            if is_ready():
                return True
            if child.poll() is not None:
                raise self._failure(f"ended with status {child.returncode}")
            return False

        try:
            wait_until(ready, "")
        except AssertionError:
            raise self._failure(f"was not ready after {PATIENCE_SECONDS:.0f} s") from None

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._child is not None:
                os.killpg(self._child.pid, number)

    def _failure(self, what: str) -> ProcessError:
        tail = self._log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        name = Path(self._command[0]).name
        return ProcessError("\n".join([f"{name} {what}; the end of its log, {self._log}:", *tail]))
