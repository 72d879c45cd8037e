"""Who owns the files of a state directory: always the user that the server runs as.

Administrators run `init` and `rotate` as root. A key that belongs to root (0600) cannot be read by
a server that runs as another user, and the server then neither serves it nor starts again.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from authenticator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_ROOT = 0
KEY_NAME = "key.pem"
_READ_ONLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

# User and group.
Owner = tuple[int, int]


def owner_for(directory: Path) -> Owner | None:
    """Return who a new file in `directory` shall belong to; None for the user that we are.

    As root, this is the owner of the directory; or, in a directory of root, of the key that is
    there: a volume can belong to root and a group.

    Raises:
        OSError: the directory cannot be found.
    """
    if os.geteuid() != _ROOT:
        return None
    statuses = [directory.stat()]
    with suppress(FileNotFoundError):
        statuses.append((directory / KEY_NAME).lstat())
    owners = [(status.st_uid, status.st_gid) for status in statuses if status.st_uid != _ROOT]
    return owners[0] if owners else None


def hand_over(directory: Path, names: Iterable[str]) -> None:
    """As root, give the files of root in `directory` to `owner_for` it.

    A file with several links is left alone: the directory's owner may have linked another's file.

    Raises:
        ConfigError: a file cannot be given away.
    """
    try:
        owner = owner_for(directory)
        if owner is None:
            return
        for name in names:
            _give(directory / name, owner)
    except OSError as error:
        problem = (
            f"{error.filename or directory}: the server cannot read what root writes there:"
            f" {error.strerror}; run this as the owner of {directory} instead"
        )
        raise ConfigError((problem,)) from error


def refuse_others(key: Path) -> None:
    """Refuse to work next to a key of another user, who could not read the next one.

    Raises:
        ConfigError: `key` exists and belongs to another user, and we are not root and cannot read
            it.
    """
    try:
        owner = key.stat().st_uid
    except OSError:
        return
    if os.geteuid() not in (_ROOT, owner) and not os.access(key, os.R_OK):
        problem = (
            f"{key}: belongs to user {owner}, and a file of user {os.geteuid()} would be of no use"
            f" to the server; run this as user {owner} (sudo -u '#{owner}' ...) or as root"
        )
        raise ConfigError((problem,))


def remedy(path: Path, error: OSError) -> str:
    """Return what to do about a file that cannot be read or written; empty if it is not known."""
    if error.errno in (errno.EACCES, errno.EPERM):
        return access_problem(path)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "make room on this disk"
    if error.errno == errno.EROFS:
        return "mount its disk so that it can be written"
    return ""


def access_problem(path: Path) -> str:
    """Return who owns a file that cannot be read, for messages: users, mode and the remedy."""
    try:
        status = path.stat()
    except OSError:
        path = path.parent
        status = path.stat()
    what = f"{path} belongs to user {status.st_uid} with mode {stat.S_IMODE(status.st_mode):04o}"
    if os.geteuid() == _ROOT:
        return f"{what}, and root may not give files away here; run this as user {status.st_uid}"
    return (
        f"{what}, and this is user {os.geteuid()};"
        f" as root: chown {os.geteuid()}:{os.getegid()} {path}"
    )


def _give(path: Path, owner: Owner) -> None:
    try:
        descriptor = os.open(path, _READ_ONLY)
    except FileNotFoundError:
        return
    except OSError:
        if path.is_symlink():
            return  # its target is not ours to give
        raise
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_uid == _ROOT:
            os.fchown(descriptor, *owner)
    finally:
        os.close(descriptor)
