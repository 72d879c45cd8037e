"""Credentials that AWS gave before, kept until they end: one small file for each.

Finding one costs a hash and a file, so the next command is as fast as with ready credentials. A
file counts only if nobody else can have written or read it. ``cache_files`` writes them.
"""

import os
import stat

from .credentials import Credentials
from .errors import ClientError
from .profiles import expand_home
from .sigv4 import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

VARIABLE = "AWS_IAM_AUTHENTICATOR_CACHE_FILE"
HEADER = "aws-iam-authenticator credentials 1"

# What ends sooner is asked for anew: a token of less than this would end on its way.
_MARGIN_SECONDS = 60
_MAX_BYTES = 64 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# A FIFO must not hold us up; Windows has neither flag.
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class UnsafeFileError(Exception):
    """Others may have written or read the file, or it is no file; the message is the reason."""


def reference_path(environ: "Mapping[str, str]") -> str:
    """Return where the reference keeps its cache, empty without a home directory.

    Our own cache is next to it.
    """
    default = "~/.kube/cache/aws-iam-authenticator/credentials.yaml"
    return expand_home(environ.get(VARIABLE) or default)


def path(parts: "Iterable[str]", environ: "Mapping[str, str]") -> str:
    """Return the file for credentials that these parts determine, and nothing else does.

    Empty where there is no place for a cache.
    """
    if not (reference := reference_path(environ)):
        return ""
    name = sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{reference}.d{os.sep}{name}"


def identity(file: str) -> str:
    """Return what changes when a file is edited or replaced."""
    try:
        status = os.stat(file)  # noqa: PTH116 - costs 3 ms
    except OSError:
        return "absent"
    return f"{file} {status.st_ino} {status.st_mtime_ns} {status.st_size}"


def contents(directory: str) -> str:
    """Return what changes when a file in a directory is made, removed, replaced or overwritten."""
    try:
        with os.scandir(directory) as found:
            return "/".join(sorted([f"{it.name} {it.stat().st_mtime_ns}" for it in found]))
    except OSError:
        return "absent"


def read(file: str, *, now: float, warn: "Callable[[str], None]") -> Credentials | None:
    """Return the credentials in a file; None if it is missing, ends soon or cannot be trusted.

    Args:
        file: from `path`.
        now: seconds since the epoch.
        warn: is told of a file that is there and cannot be trusted.
    """
    try:
        text = read_own(file)
        found = _parse(text) if text else None
    except UnsafeFileError as error:
        warn(f"ignoring the cached credentials in {file}: {error}; remove the file")
        return None
    if found is None or (found.expiration or 0) - now < _MARGIN_SECONDS:
        return None
    return found


def read_own(file: str) -> str:
    """Return the text of a file of our cache, empty if there is none.

    Its name says whose it is, and whoever may write to the directory may give it another's name.

    Raises:
        UnsafeFileError: as `read_private`, or others can write to its directory.
    """
    text = read_private(file)
    if text and hasattr(os, "geteuid"):
        status = os.stat(os.path.dirname(file))  # noqa: PTH116, PTH120 - costs 3 ms
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise UnsafeFileError("others may write to its directory")
    return text


def read_private(file: str) -> str:
    """Return the text of a file that only we can have written and read, empty if there is none.

    Raises:
        UnsafeFileError: others can, or it is no regular file in UTF-8, or cannot be read.
    """
    try:
        descriptor = os.open(file, _FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        link = os.path.islink(file)  # noqa: PTH114 - costs 3 ms
        raise UnsafeFileError("it is a symbolic link" if link else error.strerror) from error
    try:
        if reason := _unsafe(os.fstat(descriptor)):
            raise UnsafeFileError(reason)
        return os.read(descriptor, _MAX_BYTES).decode()
    except OSError as error:
        raise UnsafeFileError(error.strerror) from error
    except UnicodeDecodeError as error:
        raise UnsafeFileError("it is damaged") from error
    finally:
        os.close(descriptor)


def _unsafe(status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return "it is not a regular file"
    if status.st_size >= _MAX_BYTES:
        return "it is too large"
    # Windows has no owners and modes of this kind; its profile directories are private.
    if hasattr(os, "geteuid"):
        if status.st_uid != os.geteuid():
            return "it belongs to another user"
        if status.st_mode & _OTHERS:
            return f"others may use it (mode {stat.S_IMODE(status.st_mode):04o})"
    return ""


def _parse(text: str) -> Credentials:
    """Read six lines: header, access key, secret key, session token, end, source."""
    try:
        header, access_key, secret_key, session_token, end, source, rest = text.split("\n")
        found = Credentials(
            access_key, secret_key, session_token, expiration=float(end), source=source
        )
    except (ValueError, ClientError) as error:
        raise UnsafeFileError("it is damaged") from error
    if header != HEADER or rest or not (end.isascii() and end.isdigit()):
        raise UnsafeFileError("it is damaged")
    return found
