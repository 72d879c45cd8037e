"""Replaces the server's certificate, and refuses nobody meanwhile.

    prepare   a next pair is made beside the one in use; the webhook kubeconfig trusts both
              (now every API server must read that file: a restart, one after the other)
    switch    the next pair takes the place of the one in use, and running servers serve it

An API server trusts what the webhook kubeconfig said when it started, so that neither step can be
left out. Each can be repeated, by several processes at once, and after a crash at any point.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from authenticator.atomic import alone_in, sync_directory
from authenticator.errors import ConfigError
from authenticator.serving.certificates.pair import (
    CERTIFICATE_NAME,
    KEY_NAME,
    ServerCertificate,
    Wanted,
    load,
    load_or_create,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

_NEXT = "next-"


def current(directory: Path, wanted: Wanted, now: datetime) -> ServerCertificate:
    """Give the pair in use, made if there is none; a switch that a crash cut off is finished.

    Raises:
        ConfigError: the files cannot be read, written or used.
    """
    if _half_switched(directory, now):
        with _locked(directory):
            if _half_switched(directory, now):
                _move_certificate(directory)
    return load_or_create(directory, wanted, now)


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
        if not _half_switched(directory, now):
            key = directory / f"{_NEXT}{KEY_NAME}"
            load(directory / f"{_NEXT}{CERTIFICATE_NAME}", key, now)
            # The key first: until its certificate follows, running servers keep what they have,
            # since the two do not fit.
            key.replace(directory / KEY_NAME)
        _move_certificate(directory)
    return load(directory / CERTIFICATE_NAME, directory / KEY_NAME, now)


def _half_switched(directory: Path, now: datetime) -> bool:
    """Whether the key has been moved and its certificate has not."""
    if not is_prepared(directory) or (directory / f"{_NEXT}{KEY_NAME}").exists():
        return False
    try:
        load(directory / f"{_NEXT}{CERTIFICATE_NAME}", directory / KEY_NAME, now)
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
