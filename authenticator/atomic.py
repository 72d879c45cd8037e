"""Files that appear whole or not at all.

Readers (an API server loading its webhook kubeconfig, a second server starting in the same state
directory) see the old content or the new, never half of it, whatever crashes in between.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def write_atomically(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write `data` to `path`, in place of what is there.

    Args:
        path: a file, in a directory that exists.
        data: the whole content.
        mode: the file's permissions, whatever the umask.

    Raises:
        OSError: it could not be written, or `path` is a symbolic link (ELOOP): replacing the link
            would leave its target as it was, and following it would let whoever owns the directory
            choose which file is written.
    """
    if path.is_symlink():
        raise OSError(errno.ELOOP, "is a symbolic link; name the file that it points to", str(path))
    with _temporary_beside(path, data, mode) as temporary:
        temporary.replace(path)


def create_atomically(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write `data` to `path` unless something is there; of several writers exactly one succeeds.

    Args:
        path: a name that is free, in a directory that exists.
        data: the whole content.
        mode: the file's permissions, whatever the umask.

    Raises:
        FileExistsError: something is there, be it a dangling symbolic link.
        OSError: it could not be written.
    """
    with _temporary_beside(path, data, mode) as temporary:
        # link(2) refuses a taken name, as rename(2) does not.
        path.hardlink_to(temporary)


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Wait until no other process is in here with the same directory, and keep it so.

    The lock is the kernel's (flock(2)): it ends with the process, however that ends.

    Raises:
        OSError: there is no such directory.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _temporary_beside(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    """A file with `data` on disk, beside `path`, that is gone afterwards unless it was renamed."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        yield temporary
        sync_directory(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """Put a rename itself on disk: fsync of a file does not cover its name (open(2), fsync(2))."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
