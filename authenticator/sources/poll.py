"""Notices that a file has changed, on any file system.

The file is read whole at every look: mappings are small, and nothing else sees every change
(Kubernetes swaps a symbolic link above a mounted ConfigMap, an edit in place may leave size and
times as they were, and inotify does not cross bind mounts and network file systems).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from authenticator.background import BackgroundThread
from authenticator.mapping.nodes import MAX_BYTES

_LOG = logging.getLogger(__name__)
# Two looks see an edit (below), so that it is in force within half a second.
INTERVAL = 0.25
_PIECE = 64 * 1024


class FilePoll:
    """Calls back with the content of a file: when started, and whenever it changes.

    An editor that writes in place leaves a shorter document for a moment, which may well parse.
    A change therefore counts when two looks in a row have seen the same.
    """

    def __init__(
        self, path: Path, on_change: Callable[[bytes | OSError], None], interval: float = INTERVAL
    ) -> None:
        """Prepare to look at a file.

        Args:
            path: the file.
            on_change: called with the content (one byte more than `MAX_BYTES` at most), or with
                the reason why it cannot be read; never twice in a row with the same.
            interval: seconds between two looks.
        """
        self._path = path
        self._on_change = on_change
        self._interval = interval
        self._reported: object = None
        self._seen: object = None
        self._stop = threading.Event()
        self._thread = BackgroundThread(self._run, f"poll-{path.name}")

    def start(self) -> None:
        """Call back once from this thread, then go on looking in another."""
        self._report(self._read())
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; no call comes after this has returned."""
        self._stop.set()
        self._thread.join()

    def look(self) -> None:
        """Look once."""
        content = self._read()
        key = _key(content)
        settled = key == self._seen
        self._seen = key
        if settled and key != self._reported:
            self._report(content)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self._look_anyway()

    def _look_anyway(self) -> None:
        try:
            self.look()
        except Exception:  # noqa: BLE001 (dead, this thread would leave later edits unseen)
            _LOG.exception("a change of %s was not taken", self._path)

    def _report(self, content: bytes | OSError) -> None:
        self._reported = self._seen = _key(content)
        self._on_change(content)

    def _read(self) -> bytes | OSError:
        try:
            with self._path.open("rb", buffering=0) as file:
                content = bytearray()
                # In pieces: asked for all of it, Python sets aside as much as there may be.
                while piece := file.read(min(_PIECE, MAX_BYTES + 1 - len(content))):
                    content += piece
                return bytes(content)
        except OSError as error:
            return error


def _key(content: bytes | OSError) -> object:
    return content if isinstance(content, bytes) else (content.errno, content.strerror)
