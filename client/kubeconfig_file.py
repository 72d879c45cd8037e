"""A kubeconfig on disk: read by kubectl, changed whole or not at all, private.

YAML has many spellings, and this package no parser for them: kubectl, whose file it is, turns it
into JSON. (docs/adr/0010-client.md weighs the alternatives.)
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import cache_files, profiles
from .errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator

_KUBECTL_SECONDS = 30
_LOCK_SECONDS = 5
_POLL_SECONDS = 0.05


def paths() -> list[Path]:
    """Return the files that kubectl merges, the first one first.

    Raises:
        ClientError: there is no home directory.
    """
    listed = [Path(name) for name in os.environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    if not listed:
        home = profiles.expand_home("~")
        if not home:
            raise ClientError(
                "this user has no home directory to keep a kubeconfig in; set HOME or KUBECONFIG"
            )
        return [Path(home, ".kube", "config")]
    return listed


def default_of(files: list[Path]) -> Path:
    """Return the file that `kubectl config` adds to: the first that is there, else the last."""
    return next((file for file in files if file.exists()), files[-1])


def last_line(text: str) -> str:
    """Return what a program said last."""
    return (text.strip().splitlines() or ["no reason given"])[-1]


def read(file: Path) -> dict[str, Any]:
    """Return the content; an empty one where there is no file yet.

    Raises:
        ClientError: kubectl is missing, or cannot read the file.
    """
    try:
        if not file.read_bytes().strip():
            return {}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ClientError(f"cannot read {file}: {error.strerror}; give --kubeconfig") from error
    shown = kubectl("config", "view", "--raw", "--output=json", f"--kubeconfig={file}")
    if shown.returncode:
        raise ClientError(f"kubectl cannot read {file}; correct it, or name another --kubeconfig")
    content: dict[str, Any] = json.loads(shown.stdout)
    return content


def kubectl(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run kubectl.

    Raises:
        ClientError: it is missing or hangs.
    """
    program = shutil.which("kubectl")
    if program is None:
        raise ClientError(
            "kubectl is not on PATH; install it: https://kubernetes.io/docs/tasks/tools"
        )
    try:
        return subprocess.run(  # noqa: S603 - the user's kubectl
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_KUBECTL_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ClientError(
            f"kubectl {arguments[0]} took longer than {_KUBECTL_SECONDS} s; run it by hand"
        ) from error


def write(file: Path, text: str) -> None:
    """Put the file in place with mode 0600; where a link stands, what it points to.

    Raises:
        ClientError: it cannot be written.
    """
    try:
        cache_files.replace(Path(os.path.realpath(file)), text)
    except OSError as error:
        raise ClientError(f"cannot write {file}: {error.strerror}; see --kubeconfig") from error


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold kubectl's lock, which is a file that only one can create.

    Raises:
        ClientError: somebody else holds it for long, or it cannot be made.
    """
    lock = Path(f"{os.path.realpath(file)}.lock")
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0o600))
            break
        except FileExistsError as error:
            if time.monotonic() > deadline:
                raise ClientError(
                    f"{lock} is there: some program is writing {file}, or one was killed doing so;"
                    " remove the lock if none is"
                ) from error
            time.sleep(_POLL_SECONDS)
        except OSError as error:
            raise ClientError(f"cannot lock {file}: {error.strerror}; see --kubeconfig") from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
