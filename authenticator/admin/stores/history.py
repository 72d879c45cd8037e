"""Earlier versions of mappings: the state before each edit, its author and time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from authenticator.timestamps import rfc3339

MAX_VERSIONS = 20
# All versions together. A ConfigMap, where they may be kept, holds 1 MiB.
MAX_BYTES = 512 * 1024
_MAX_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Version:
    """The state before one edit.

    Attributes:
        number: counted from 1 and never given twice.
        time: of the edit, RFC 3339 in UTC.
        user: who made the edit.
        edit: what it was, in a few words.
        texts: what stood there before, by name.
    """

    number: int
    time: str
    user: str
    edit: str
    texts: Mapping[str, str]

    def encoded(self) -> str:
        """The version as JSON in one line."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def decoded(cls, text: str) -> Version:
        """Read what `encoded` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            value: Any = json.loads(text)
            number, texts = value["number"], dict(value["texts"])
            time, user, edit = (value[key] for key in ("time", "user", "edit"))
            # JSON can hold half of a character, which nothing can print or write.
            "".join([time, user, edit, *texts, *texts.values()]).encode()
        except (TypeError, KeyError, RecursionError) as error:
            raise ValueError("it is not a version of mappings") from error
        if type(number) is not int or number < 1:
            raise ValueError("its number is none")
        return cls(number, time, user, edit, texts)


@dataclass(frozen=True, slots=True)
class History:
    """The versions that are kept, oldest first.

    Attributes:
        versions: oldest first.
        max_bytes: how large they may be together.
    """

    versions: tuple[Version, ...] = ()
    max_bytes: int = MAX_BYTES

    @classmethod
    def decoded(cls, texts: Iterable[str]) -> History:
        """Read versions in any order; other text is skipped."""
        found: dict[int, Version] = {}
        for text in texts:
            try:
                version = Version.decoded(text)
            except ValueError:
                continue
            found[version.number] = version
        return cls(tuple(found[number] for number in sorted(found)))

    def with_edit(self, user: str, edit: str, texts: Mapping[str, str], now: float) -> History:
        """The history with one more edit; the oldest versions make room for it.

        Args:
            user: who made the edit.
            edit: what it was.
            texts: what stood there before.
            now: Unix time.

        Raises:
            ValueError: the version alone is too large.
        """
        time = rfc3339(now)
        number = self.versions[-1].number + 1 if self.versions else 1
        new = Version(number, time, user[:_MAX_CHARACTERS], edit[:_MAX_CHARACTERS], dict(texts))
        kept: list[Version] = []
        room = self.max_bytes
        for version in reversed((*self.versions, new)):
            room -= len(version.encoded().encode())
            if room < 0 or len(kept) == MAX_VERSIONS:
                break
            kept.append(version)
        if not kept:
            raise ValueError(f"what stood there before is larger than {self.max_bytes // 1024} KiB")
        return History(tuple(reversed(kept)), self.max_bytes)

    def find(self, number: int | None) -> Version | None:
        """The version with this number; for None the last. None if there is none."""
        newest_first = reversed(self.versions)
        return next((found for found in newest_first if number in (None, found.number)), None)
