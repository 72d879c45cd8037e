"""Mappings from a file: the server's own config file, a dynamic file, or a break-glass file."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from authenticator.mapping.documents import read_file
from authenticator.mapping.problems import Origin, Problem
from authenticator.mapping.sections import Section, SectionReader
from authenticator.sources.base import Publish, SourceState, keep_last_good
from authenticator.sources.poll import INTERVAL, FilePoll


def _to_nobody(_: SourceState) -> None:
    """What a source publishes to before it is started."""


class FileSource:
    """A `Source` that follows one file.

    A file that vanishes keeps what it said: that is how a mount or an editor fails, and nobody's
    way to say "nobody". An `optional` file may be absent, and its removal empties it.
    """

    def __init__(
        self,
        reader: SectionReader,
        path: Path,
        *,
        under: str = "",
        optional: bool = False,
        clock: Callable[[], float] = time.time,
        interval: float = INTERVAL,
    ) -> None:
        """Prepare to follow a file.

        Args:
            reader: reads the sections and names the source.
            path: the file.
            under: the key of the map that holds the sections; "" for the file itself.
            optional: whether the file may be absent.
            clock: Unix time.
            interval: seconds between two looks at the file.
        """
        self._reader = reader
        self._under = under
        self._optional = optional
        self._clock = clock
        self._poll = FilePoll(path, self._changed, interval)
        self._path = path
        self._state = SourceState(reader.source)
        self._publish: Publish = _to_nobody

    @property
    def name(self) -> str:
        """See `Source.name`."""
        return self._reader.source

    def start(self, publish: Publish) -> None:
        """See `Source.start`; the file has been read once when this returns."""
        self._publish = publish
        self._poll.start()

    def stop(self) -> None:
        """See `Source.stop`."""
        self._poll.stop()

    def look(self) -> None:
        """Look at the file now rather than at the next interval."""
        self._poll.look()

    def _changed(self, content: bytes | OSError) -> None:
        self._state = self._read(content)
        self._publish(self._state)

    def _read(self, content: bytes | OSError) -> SourceState:
        if isinstance(content, FileNotFoundError) and self._optional:
            return SourceState(self.name, synced=True, revision="absent")
        if isinstance(content, OSError):
            problem = Problem(Origin(self.name, str(self._path)), f"{content.strerror}")
            sections = self._state.sections
            return SourceState(self.name, sections, (problem,), synced=True, revision="unreadable")
        last: dict[str, Section] = {section.name: section for section in self._state.sections}
        fresh = read_file(content, self._reader, self._under)
        sections = keep_last_good(fresh, last, self._clock())
        revision = hashlib.sha256(content).hexdigest()[:12]
        return SourceState(self.name, sections, synced=True, revision=revision)
