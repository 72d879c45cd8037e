"""Replaces the server's certificate, and refuses nobody meanwhile.

    prepare   a next pair is made beside the one in use; the webhook kubeconfig trusts both
              (now every API server must read that file: a restart, one after the other)
    switch    the next pair takes the place of the one in use, and running servers serve it

An API server trusts what the webhook kubeconfig said when it started, so that neither step can be
left out. Each can be repeated, by several processes at once, and after a crash at any point.
"""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from authenticator.atomic import alone_in, sync_directory
from authenticator.errors import ConfigError
from authenticator.serving.certificates.ownership import KEY_NAME
from authenticator.serving.certificates.pair import (
    CERTIFICATE_NAME,
    ServerCertificate,
    Wanted,
    load,
    load_or_create,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

_LOG = logging.getLogger(__name__)
_NEXT = "next-"
# Since when the kubeconfig trusts both pairs (`authenticator.serving.certificates.trust`).
RECORD_NAME = "next-trusted.json"
# The files of a state directory that `init` and `rotate` write.
FILES = (
    CERTIFICATE_NAME,
    KEY_NAME,
    f"{_NEXT}{CERTIFICATE_NAME}",
    f"{_NEXT}{KEY_NAME}",
    RECORD_NAME,
)
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\s*", re.DOTALL)


def current(directory: Path, wanted: Wanted, now: datetime) -> ServerCertificate:
    """Give the pair in use, made if there is none.

    A switch that a crash cut off is finished. If the pair has expired, which no API server accepts,
    the next one takes its place.

    Raises:
        ConfigError: the files cannot be read, written or used.
    """
    try:
        finish_switch(directory)
    except ConfigError as error:
        _LOG.error("serving the pair where it is: %s", error)
        return load(directory / f"{_NEXT}{CERTIFICATE_NAME}", directory / KEY_NAME, now)
    if is_prepared(directory) and _has_expired(directory, now):
        with suppress(ConfigError):
            pair = switch(directory, now)
            _LOG.warning(
                "the certificate has expired; serving the next one, until %s", pair.ends.isoformat()
            )
    return load_or_create(directory, wanted, now)


def finish_switch(directory: Path) -> None:
    """Finish a switch that a crash cut off, if there was one.

    Raises:
        ConfigError: the files cannot be changed.
    """
    if _half_switched(directory):
        with _locked(directory):
            if _half_switched(directory):
                _move_certificate(directory)


def in_use(directory: Path) -> ServerCertificate:
    """Return the pair in use, expired or not.

    Raises:
        ConfigError: the files cannot be read or used.
    """
    return load(directory / CERTIFICATE_NAME, directory / KEY_NAME, None)


def following(directory: Path, now: datetime | None) -> ServerCertificate:
    """Return the next pair.

    Args:
        directory: the state directory.
        now: the time, aware; None for a pair of any time.

    Raises:
        ConfigError: there is none, or it cannot be read or used, or is not valid at `now`.
    """
    return load(directory / f"{_NEXT}{CERTIFICATE_NAME}", directory / f"{_NEXT}{KEY_NAME}", now)


def discard_next(directory: Path) -> None:
    """Remove the next pair, which nothing serves.

    Raises:
        ConfigError: it cannot be removed.
    """
    with _locked(directory):
        # The certificate first: without it, the key is that of no pair.
        for name in (f"{_NEXT}{CERTIFICATE_NAME}", f"{_NEXT}{KEY_NAME}", RECORD_NAME):
            (directory / name).unlink(missing_ok=True)


def next_pem(directory: Path) -> bytes | None:
    """Return the PEM of the next certificate; None if there is none.

    Raises:
        OSError: it cannot be read.
    """
    path = directory / f"{_NEXT}{CERTIFICATE_NAME}"
    return path.read_bytes() if path.exists() else None


def each(certificates: bytes) -> list[bytes]:
    """Split a PEM of several certificates."""
    return _PEM.findall(certificates)


def prepare(directory: Path, wanted: Wanted, now: datetime) -> ServerCertificate:
    """Give the next pair, made if there is none.

    Raises:
        ConfigError: the files cannot be read, written or used.
    """
    with _locked(directory):
        return load_or_create(directory, wanted, now, prefix=_NEXT)


def is_prepared(directory: Path) -> bool:
    """Whether there is a next pair."""
    return (directory / f"{_NEXT}{CERTIFICATE_NAME}").exists()


def trusted(directory: Path) -> bytes:
    """The PEM of the certificates that API servers are to trust: the one in use, and the next.

    Raises:
        ConfigError: they cannot be read.
    """
    names = [CERTIFICATE_NAME, *([f"{_NEXT}{CERTIFICATE_NAME}"] if is_prepared(directory) else [])]
    try:
        return b"".join((directory / name).read_bytes() for name in names)
    except OSError as error:
        raise ConfigError((f"{error.filename}: {error.strerror}",)) from error


def switch(directory: Path, now: datetime) -> ServerCertificate:
    """Put the next pair in the place of the one in use, which is then gone.

    Raises:
        ConfigError: there is no next pair, or it cannot be used.
    """
    with _locked(directory):
        if not is_prepared(directory):
            missing = directory / f"{_NEXT}{CERTIFICATE_NAME}"
            raise ConfigError((f"{missing}: there is no next certificate; run `rotate` first",))
        if not _half_switched(directory):
            key = directory / f"{_NEXT}{KEY_NAME}"
            following(directory, now)
            # The key first: until its certificate follows, running servers keep what they have,
            # since the two do not fit.
            key.replace(directory / KEY_NAME)
        _move_certificate(directory)
        (directory / RECORD_NAME).unlink(missing_ok=True)
    return load(directory / CERTIFICATE_NAME, directory / KEY_NAME, now)


def _has_expired(directory: Path, now: datetime) -> bool:
    try:
        return in_use(directory).ends < now
    except ConfigError:
        return False


def _half_switched(directory: Path) -> bool:
    """Whether the key has been moved and its certificate has not."""
    if not is_prepared(directory) or (directory / f"{_NEXT}{KEY_NAME}").exists():
        return False
    try:
        load(directory / f"{_NEXT}{CERTIFICATE_NAME}", directory / KEY_NAME, None)
    except ConfigError:
        return False  # somebody has deleted the next key
    return True


def _move_certificate(directory: Path) -> None:
    (directory / f"{_NEXT}{CERTIFICATE_NAME}").replace(directory / CERTIFICATE_NAME)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Be the only one to change the files of `directory`.

    Raises:
        ConfigError: it is not there, or its files cannot be changed.
    """
    try:
        directory.stat()
    except OSError as error:
        raise ConfigError((f"{directory}: {error.strerror}; run `init` first",)) from error
    try:
        with alone_in(directory):
            yield
            sync_directory(directory)
    except OSError as error:
        problem = f"{error.filename or directory}: the certificate cannot be replaced: {error}"
        raise ConfigError((problem,)) from error
