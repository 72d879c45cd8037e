"""The reference's own credential cache, so that both programs ask once between them.

A YAML file: ``clusters``, then cluster id, profile and role, each with the credentials that the
profile yields *before* that role is assumed. Its writer has one style, which is what is read here;
what is written is JSON, which is YAML too. Others' entries stay as they are.

Source: the files that v0.7.18 writes; ``tests/contract/test_client_shared_cache.py`` has both read
each other's.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import cache, cache_files, exec_credential
from .credentials import Credentials, seconds
from .errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MARGIN_SECONDS = 60
_DAMAGED = (cache.UnsafeFileError, ClientError, ValueError, TypeError, AttributeError)


class SharedCache:
    """One entry of the reference's cache."""

    def __init__(self, cluster_id: str, profile: str, role_arn: str) -> None:
        self._keys = ("clusters", cluster_id, profile, role_arn)
        self._file = Path(cache.reference_path(os.environ))

    def read(self, warn: Callable[[str], None]) -> Credentials | None:
        """Return the credentials in the entry, unless they end soon or are none."""
        try:
            entry: Any = _load(self._file)
            for key in self._keys:
                entry = entry[key]
            end = seconds(entry["expires"])
            if not entry["canexpire"] or end is None or end - time.time() < _MARGIN_SECONDS:
                return None
            return Credentials(
                entry["accesskeyid"],
                entry["secretaccesskey"],
                entry["sessiontoken"],
                expiration=end,
                source=f"the cache {self._file}",
                # The entry does not tell where they came from: a process or a machine, maybe.
                keep=False,
            )
        except KeyError:
            return None
        except _DAMAGED as error:
            warn(f"ignoring {self._file}: {_reason(error)}")
            return None

    def write(self, found: Credentials, warn: Callable[[str], None]) -> None:
        """Keep credentials in the entry; what cannot be kept is not, with a warning."""
        if found.expiration is None:
            return
        entry = {
            "accesskeyid": found.access_key,
            "secretaccesskey": found.secret_key,
            "sessiontoken": found.session_token or "",
            "source": found.source,
            "canexpire": True,
            "expires": exec_credential.rfc3339(found.expiration),
            "accountid": "",
        }
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(self._file):
                document = _load(self._file)
                node = document
                for key in self._keys[:-1]:
                    node = node.setdefault(key, {})
                node[self._keys[-1]] = entry
                cache_files.replace(self._file, json.dumps(document, indent=2) + "\n")
        except (OSError, cache.UnsafeFileError, ValueError, TypeError, AttributeError) as error:
            warn(f"leaving {self._file} as it is: {_reason(error)}")


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold the reference's lock, which is on the file itself."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        cache_files.lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _load(file: Path) -> dict[str, Any]:
    """Return the document, empty if there is none. Raises UnsafeFileError and ValueError."""
    text = cache.read_private(os.fspath(file)).strip()
    if not text:
        return {}
    document = json.loads(text) if text[0] == "{" else _mapping(text.splitlines())
    if not isinstance(document, dict):
        raise TypeError("not a mapping")
    return document


def _mapping(lines: list[str]) -> dict[str, Any]:
    """Read nested block mappings of scalars. Raises ValueError for any other YAML."""
    root: dict[str, Any] = {}
    levels = [(-1, root)]
    for line in lines:
        text = line.strip()
        if not text or text[0] == "#":
            continue
        indent = len(line) - len(line.lstrip(" "))
        while indent <= levels[-1][0]:
            levels.pop()
        key, value = _entry(text)
        if value is None:
            child: dict[str, Any] = {}
            levels[-1][1][key] = child
            levels.append((indent, child))
        else:
            levels[-1][1][key] = {"true": True, "false": False}.get(value, value)
    return root


def _entry(text: str) -> tuple[str, str | None]:
    """Split ``key: value``; the value is None where a mapping follows."""
    if text[0] == '"':
        key, end = json.JSONDecoder().raw_decode(text)
        text = text[end:]
        if text[:1] != ":":
            raise ValueError("a key without a colon")
        value = text[1:].strip()
    elif text.endswith(":"):
        key, value = text[:-1], ""
    else:
        key, colon, value = text.partition(": ")
        if not colon:
            raise ValueError("a line without a colon")
    if value[:1] in set("[{&*!|>%@`'"):
        raise ValueError("a style that is not the reference's")
    if not value:
        return key, None
    return key, json.loads(value) if value[0] == '"' else value


def _reason(error: Exception) -> str:
    """Say what is wrong without quoting the file, which holds secrets."""
    if isinstance(error, cache.UnsafeFileError):
        return str(error)
    if isinstance(error, OSError):
        return error.strerror or "it cannot be written"
    return "it is not as aws-iam-authenticator writes it; remove it"
