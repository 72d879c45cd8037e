"""Mappings from a file: the server's own config file, a dynamic file, or a break-glass file."""

from __future__ import annotations

import hashlib
import re
from codecs import BOM_UTF8
from dataclasses import replace
from pathlib import Path

from authenticator.mapping.documents import read_file
from authenticator.mapping.problems import Origin, Problem
from authenticator.mapping.sections import SectionReader
from authenticator.sources.base import Context, Publish, SourceState, count_emptied, settled, stale
from authenticator.sources.poll import INTERVAL, FilePoll

_DOCUMENT = "document"
# The reference's dynamic file says when it was written, in Unix seconds.
_WRITTEN_AT = re.compile(rb'"LastUpdatedDateTime"\s*:\s*"?([0-9]{1,12})\b', re.IGNORECASE)


class FileSource:
    """A `Source` that follows one file.

    A file that vanishes or is empty (0 bytes, or only white space) keeps what it said: that is how
    a mount, an editor or a full disk fails. An `optional` file may be absent, and removing it
    empties it.
    """

    def __init__(
        self,
        reader: SectionReader,
        path: Path,
        context: Context,
        *,
        under: str = "",
        optional: bool = False,
        interval: float = INTERVAL,
    ) -> None:
        """Prepare to follow a file.

        Args:
            reader: reads the sections and names the source.
            path: the file.
            context: what every source is given.
            under: the key of the map that holds the sections; "" for the file itself.
            optional: whether the file may be absent.
            interval: seconds between two looks at the file.
        """
        self._reader = reader
        self._path = path
        self._context = context
        self._under = under
        self._optional = optional
        self._state = SourceState(reader.source)
        self._publish: Publish = _to_nobody
        self._poll = FilePoll(path, self._changed, interval)

    @property
    def name(self) -> str:
        """See `Source.name`."""
        return self._reader.source

    def start(self, publish: Publish) -> None:
        """See `Source.start`; the file has been read once when this returns."""
        self._publish = publish
        kept = self._context.last_good.load(self.name)
        if kept is not None:
            text = kept.texts.get(_DOCUMENT, "")
            sections = read_file(text.encode(), self._reader, self._under)
            self._state = SourceState(self.name, stale(sections, kept.saved_at))
        self._poll.start()

    def stop(self) -> None:
        """See `Source.stop`."""
        self._poll.stop()

    def _changed(self, content: bytes | OSError) -> None:
        before, self._state = self._state, self._read(content)
        count_emptied(self._context.metrics, before, self._state)
        self._publish(self._state)
        if self._state.problems or any(section.broken for section in self._state.sections):
            self._context.metrics.failed(self.name)
            return
        # An optional file that is gone says nothing, and shall not come back with a restart.
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else ""
        self._context.last_good.save(self.name, lambda: {_DOCUMENT: text})
        if isinstance(content, bytes) and (written_at := _WRITTEN_AT.search(content)):
            seconds = self._context.clock() - int(written_at[1])
            self._context.metrics.applied(self.name, max(seconds, 0.0))

    def _read(self, content: bytes | OSError) -> SourceState:
        if isinstance(content, FileNotFoundError) and self._optional:
            return SourceState(self.name, synced=True, revision="absent")
        if isinstance(content, OSError):
            return self._unread(f"it cannot be read ({content.strerror})")
        if not content.removeprefix(BOM_UTF8).strip():
            return self._unread("it is empty; to map nobody, write mapRoles: []")
        last = {section.name: section for section in self._state.sections}
        fresh = read_file(content, self._reader, self._under)
        sections = settled(fresh, last, self._context.clock())
        revision = hashlib.sha256(content).hexdigest()[:12]
        return SourceState(self.name, sections, synced=True, revision=revision)

    def _unread(self, reason: str) -> SourceState:
        """The state as it was, and what keeps the file from being read."""
        kept = "; the last good version stays active" if self._state.sections else ""
        problem = Problem(Origin(self.name, str(self._path)), f"{reason}{kept}")
        return replace(self._state, problems=(problem,), revision="")


def _to_nobody(_: SourceState) -> None:
    """What a source publishes to before it is started."""
