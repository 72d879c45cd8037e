"""Writing the credential cache, and asking once where many ask at the same time.

Loaded only when something has to be asked for, so it may take its time.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .credentials import Credentials

_PATIENCE_SECONDS = 60
_POLL_SECONDS = 0.05
# Files that nobody came back for; role sessions last 12 hours at most.
_STALE_SECONDS = 24 * 3600
# A session, its lock, and what `replace` leaves when it is killed.
_OURS = re.compile(r"[0-9a-f]{64}(\.lock)?|\.[0-9a-f]{64}\.[0-9a-f]{16}")


@contextlib.contextmanager
def locked(file: str, warn: Callable[[str], None]) -> Iterator[bool]:
    """Hold the lock that goes with a cache file; wait for it at most a minute.

    Yields whether there is a place for the file. The process that has the lock may be waiting for a
    person's MFA code. After a minute, or where there can be no lock, the work goes on without one:
    AWS is asked twice, and no run waits for a person who left. The system frees the lock of a
    process that dies.
    """
    try:
        directory = _own_directory(Path(file).parent)
        # Beside the file, which is replaced: a lock on it would be one on its predecessor.
        descriptor = os.open(directory / f"{Path(file).name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except (OSError, cache.UnsafeFileError) as error:
        _give_up(error, warn)
        yield False
        return
    try:
        with contextlib.suppress(OSError):  # a file system without locks, or the minute is over
            lock(descriptor, _PATIENCE_SECONDS)
        yield True
    finally:
        os.close(descriptor)


def write(file: str, found: Credentials, warn: Callable[[str], None]) -> None:
    """Keep credentials that have an end; what cannot be kept is not, with a warning."""
    lines = (
        cache.HEADER,
        found.access_key,
        found.secret_key,
        found.session_token or "",
        f"{found.expiration or 0:.0f}",
        found.source,
    )
    write_lines(file, lines, warn)


def write_lines(file: str, lines: tuple[str, ...], warn: Callable[[str], None]) -> None:
    """Keep lines of text; what cannot be kept is not, with a warning."""
    if any("\n" in line for line in lines):
        return
    try:
        replace(Path(file), "".join(f"{line}\n" for line in lines))
        _remove_stale(Path(file).parent)
    except OSError as error:
        _give_up(error, warn)


def replace(file: Path, text: str) -> None:
    """Put a private file in place, whole or not at all. Raises OSError."""
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="utf-8", newline="") as new:
            new.write(text)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)


def lock(descriptor: int, seconds: float = float("inf")) -> None:
    """Wait for the lock on an open file.

    Raises:
        OSError: it cannot be locked, or `seconds` have passed.
    """
    deadline = time.monotonic() + seconds
    while not _try_lock(descriptor):
        if time.monotonic() >= deadline:
            raise TimeoutError
        time.sleep(_POLL_SECONDS)


def _try_lock(descriptor: int) -> bool:
    try:
        import fcntl  # noqa: PLC0415 - POSIX only
    except ModuleNotFoundError:
        return _try_lock_on_windows(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _try_lock_on_windows(descriptor: int) -> bool:
    import msvcrt  # noqa: PLC0415 - Windows only

    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore] # absent elsewhere
    except OSError:
        return False
    return True


def _own_directory(directory: Path) -> Path:
    """Make the directory if need be, and refuse one in which others can put files."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.stat()
    foreign = hasattr(os, "geteuid") and (status.st_uid != os.geteuid() or status.st_mode & 0o022)
    if foreign:
        raise cache.UnsafeFileError(f"others may write to {directory}; make it yours alone")
    return directory


def _remove_stale(directory: Path) -> None:
    """Remove sessions that have ended long ago. A lock that is gone is made anew."""
    for file in directory.iterdir():
        if not _OURS.fullmatch(file.name):
            continue
        with contextlib.suppress(FileNotFoundError):  # another run was quicker
            if time.time() - file.lstat().st_mtime > _STALE_SECONDS:
                file.unlink()


def _give_up(error: Exception, warn: Callable[[str], None]) -> None:
    reason = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
    warn(f"caching no credentials: {reason}; correct that, or give `token` --no-cache")
