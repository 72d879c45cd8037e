"""Files that appear whole or not at all, and locks between processes.

Readers (an API server loading its webhook kubeconfig, a second server starting in the same state
directory) see the old content or the new, never half of it, whatever crashes in between.

The locks are the kernel's: they end with the process, however that ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def write_atomically(
    path: Path, data: bytes, mode: int = 0o600, *, owner: tuple[int, int] | None = None
) -> None:
    """Write `data` to `path`, in place of what is there.

    Args:
        path: a file, in a directory that exists.
        data: the whole content.
        mode: the file's permissions, whatever the umask.
        owner: the user and group that the file shall belong to; None for our own.

    Raises:
        OSError: it could not be written, or `path` is a symbolic link (ELOOP): replacing the link
            would leave its target as it was, and following it would let whoever owns the directory
            choose which file is written.
    """
    if path.is_symlink():
        raise OSError(errno.ELOOP, "is a symbolic link; name the file that it points to", str(path))
    with _temporary_beside(path, data, mode, owner) as temporary:
        temporary.replace(path)


def create_atomically(
    path: Path, data: bytes, mode: int = 0o600, *, owner: tuple[int, int] | None = None
) -> None:
    """Write `data` to `path` unless something is there; of several writers exactly one succeeds.

    Args:
        path: a name that is free, in a directory that exists.
        data: the whole content.
        mode: the file's permissions, whatever the umask.
        owner: the user and group that the file shall belong to; None for our own.

    Raises:
        FileExistsError: something is there, be it a dangling symbolic link.
        OSError: it could not be written.
    """
    with _temporary_beside(path, data, mode, owner) as temporary:
        # link(2) refuses a taken name, as rename(2) does not.
        path.hardlink_to(temporary)


@contextmanager
def _temporary_beside(
    path: Path, data: bytes, mode: int, owner: tuple[int, int] | None
) -> Iterator[Path]:
    """A file with `data` on disk, beside `path`, that is gone afterwards unless it was renamed.

    Errors name `path`: the caller has never heard of the temporary file, which has another name
    each time.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(temporary, flags, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if owner is not None:
                    os.fchown(descriptor, *owner)
                os.fchmod(descriptor, mode)
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            yield temporary
            sync_directory(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        if error.filename not in (None, str(temporary), temporary):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def read_own(path: Path) -> tuple[bytes, float]:
    """Return the content of a file that only this user can have written, and its mtime.

    Raises:
        OSError: it cannot be read, is a symbolic link, or can be written by others.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o022:
            raise OSError("it belongs to another user, or others can write it")
        return file.read(), status.st_mtime


def sync_directory(directory: Path) -> None:
    """Put a rename itself on disk: fsync of a file does not cover its name (open(2), fsync(2))."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Wait for the lock on a directory, and hold it.

    Raises:
        OSError: the directory does not exist.
    """
    with _waiting_for(_open_directory(directory)):
        yield


@contextmanager
def alone_with(file: Path) -> Iterator[None]:
    """Wait for the lock on a file, which is created if need be, and hold it.

    The file is for the lock only: a file that is replaced would be locked under two names.

    Raises:
        OSError: the file cannot be opened or created, or is a symbolic link.
    """
    with _waiting_for(_open_lock(file)):
        yield


def hold(path: Path) -> int:
    """Take the lock on a directory, or on a file that is created if need be, without waiting.

    Returns:
        a descriptor. The lock is held until it is closed, in this process and in all that were
        forked from it.

    Raises:
        BlockingIOError: another process holds the lock.
        OSError: the path cannot be opened, or is a symbolic link.
    """
    descriptor = _open_directory(path) if path.is_dir() else _open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def alone_among_forks(descriptor: int) -> Iterator[None]:
    """Wait for the lock on a file that was open before the processes were forked, and hold it.

    It is a record lock (fcntl(2)), which belongs to a process. flock(2) belongs to the open file,
    which the processes share. Threads of one process need a lock in addition.
    """
    fcntl.lockf(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.lockf(descriptor, fcntl.LOCK_UN)


def _open_directory(directory: Path) -> int:
    return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _open_lock(file: Path) -> int:
    return os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


@contextmanager
def _waiting_for(descriptor: int) -> Iterator[None]:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
