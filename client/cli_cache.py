"""The AWS CLI's cache of sessions, for botocore to share: one MFA code then serves both.

Its keys and its documents are botocore's own; what is added here is distrust of files that others
could have written, and that no fault of a cache is one of the login.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from botocore.utils import JSONFileCache, parse_timestamp

from . import cache
from .profiles import expand


class CliCache:
    """``~/.aws/cli/cache``, as both the AWS CLI and botocore's credential providers use it."""

    def __init__(self) -> None:
        # Empty without a home directory; nothing is read or written then.
        place = expand("~/.aws/cli/cache")
        self._directory = Path(place) if place else None
        self._files = JSONFileCache(place)

    def __contains__(self, key: str) -> bool:
        return self._load(key) is not None

    def __getitem__(self, key: str) -> Any:
        document = self._load(key)
        if document is None:
            raise KeyError(key)
        return document

    def __setitem__(self, key: str, value: object) -> None:
        if self._directory is None:
            return
        # Without a place for it the session serves this run alone.
        with contextlib.suppress(OSError):
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._files[key] = value

    def _load(self, key: str) -> Any:
        if self._directory is None:
            return None
        try:
            document = json.loads(cache.read_private(os.fspath(self._directory / f"{key}.json")))
            found = document["Credentials"]
            texts = [found[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
            zone = parse_timestamp(found["Expiration"]).tzinfo
            return document if zone and all(isinstance(text, str) for text in texts) else None
        except (cache.UnsafeFileError, ValueError, KeyError, TypeError, AttributeError):
            return None
