"""A server on a host that misbehaves: full disks, a stalled log, few processes. Needs root."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from dev.waiting import wait_until
from tests.e2e import callers
from tests.e2e.callers import ALICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from dev.server import WebhookServer

_PIPE_BYTES = 65536
_CONNECTIONS = 4
_WORKERS = 2


def on_small_disk(place: Path | str, size: str = "64k") -> list[str]:
    """Return a program that starts a command with a small tmpfs at `place`."""
    script = 'mount -t tmpfs -o size="$0",mode=1777 tmpfs "$1" && shift && exec "$@"'
    return ["unshare", "--mount", "sh", "-ec", script, size, str(place)]


def as_user(uid: int, most_tasks: int | None = None) -> list[str]:
    """Return a program that starts a command whose processes and threads are counted as a user's.

    It may read what root may. The kernel exempts the user root from limits (getrlimit(2)).
    """
    limited = [] if most_tasks is None else ["prlimit", f"--nproc={most_tasks}"]
    return [*limited, "setpriv", f"--ruid={uid}", "--bounding-set=-sys_resource,-sys_admin"]


def inside(server: WebhookServer, place: Path | str) -> Path:
    """Return a path as the server sees it, in its own mounts (proc(5), /proc/pid/root)."""
    return Path(f"/proc/{server.pid}/root") / str(place).lstrip("/")


def fill(directory: Path) -> Path:
    """Fill a disk, and return the file to remove for room."""
    filler = directory / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return filler


class StalledLog:
    """A pipe for a server's standard error, which is read only when asked to."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    @property
    def wrapper(self) -> list[str]:
        """A program that starts a command whose standard error is this pipe."""
        return ["sh", "-c", 'exec "$@" 2>"$0"', str(self._path)]

    def stall(self) -> None:
        """Leave no room in the pipe."""
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self._descriptor, b"x\n" * 2048)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self._descriptor, b"\n")

    def read(self) -> str:
        """Return what the server has written, without what filled the pipe."""
        data = b""
        with contextlib.suppress(BlockingIOError):
            while True:
                data += os.read(self._descriptor, _PIPE_BYTES)
        return "\n".join(line for line in data.decode().splitlines() if line not in ("", "x"))


def outcomes(server: WebhookServer, token: str = "") -> set[str]:
    """Log in on several new connections at once; return each username, or the status instead.

    Args:
        server: answers.
        token: of Alice; by default, each login has a new one.
    """

    def log_in(_number: int) -> str:
        with server.poster() as poster:
            answer = poster.review(token or callers.fresh_token(ALICE.principal))
            if answer.status != 200:
                return str(answer.status)
            return str((answer.user or {"username": "denied"})["username"])

    with ThreadPoolExecutor(_CONNECTIONS) as threads:
        return set(threads.map(log_in, range(_CONNECTIONS)))


def assert_serves(server: WebhookServer, token: str = "") -> None:
    """Logins succeed, whichever worker gets them."""
    assert outcomes(server, token) == {ALICE.username}, server.log.tail


def workers(server: WebhookServer) -> list[int]:
    """Return the workers once both have started; a server serves as soon as one has."""
    server.poll_until(lambda: len(server.workers) == _WORKERS, "there are not two workers")
    return server.workers


def replace(server: WebhookServer, how: signal.Signals = signal.SIGKILL) -> None:
    """End or stop one worker, and wait until another has taken its place and serves."""
    before = set(workers(server))
    os.kill(min(before), how)
    server.poll_until(lambda: replaced(server, before), f"no worker replaces {min(before)}")


def replaced(server: WebhookServer, before: set[int]) -> bool:
    """Whether there are as many workers as before, and one of them is new."""
    now = set(server.workers)
    return len(now) == len(before) and min(before) not in now


def tasks(server: WebhookServer) -> int:
    """How many processes and threads the server has."""
    return sum(count(f"/proc/{pid}/task") for pid in [server.pid, *server.workers])


def count(directory: str) -> int:
    """How many entries a directory has."""
    return len(list(Path(directory).iterdir()))


@contextlib.contextmanager
def other_tasks(uid: int, number: int) -> Iterator[None]:
    """Have other threads of the user, which count as well (getrlimit(2), RLIMIT_NPROC)."""
    command = [*as_user(uid), sys.executable, "-c", _THREADS, str(number)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        # Leaving closes its input, which ends it.
        yield


_THREADS = """
import sys, threading
for _ in range(int(sys.argv[1]) - 1):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


def limit_memory(pid: int, most: int | None) -> None:
    """Limit the address space of a process, and of those that it starts from now on."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_AS)
    resource.prlimit(pid, resource.RLIMIT_AS, (hard if most is None else most, hard))


def metric(server: WebhookServer, name: str) -> float:
    """Return one number of `/metrics`."""
    with server.poster() as poster:
        for line in poster.get("/metrics").body.decode().splitlines():
            if line.startswith(f"aws_iam_authenticator_{name} "):
                return float(line.split()[-1])
    raise AssertionError(f"no metric {name}")


def wait_for_metric(server: WebhookServer, name: str, at_least: float) -> None:
    """Wait until a metric has a value."""
    wait_until(lambda: metric(server, name) >= at_least, lambda: f"{name} stays low")
