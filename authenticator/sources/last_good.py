"""The last good mappings on disk, for a start while their source cannot be read."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from authenticator.atomic import read_own, write_atomically
from authenticator.background import BackgroundThread
from authenticator.sources.base import Kept

_LOG = logging.getLogger(__name__)
# A burst of edits is written once.
_PAUSE_SECONDS = 1.0
_RETRY_SECONDS = 5.0


class LastGoodFiles:
    """One file for each source in the state directory, readable by the server alone.

    A file's modification time says when its content was last known to hold. The workers write the
    same files with the same content; whichever comes last is right.
    """

    def __init__(self, directory: Path) -> None:
        """Keep files in `directory`, which exists."""
        self._directory = directory
        self._waiting: dict[str, Callable[[], Mapping[str, str]]] = {}
        self._failed: dict[str, str] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = BackgroundThread(self._run, "last-good")

    def start(self) -> None:
        """Begin to write what is to be saved."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end."""
        self._stop.set()
        self._thread.join()
        self.flush()

    def load(self, source: str) -> Kept | None:
        """See `LastGood.load`."""
        path = self._path(source)
        try:
            content, saved_at = read_own(path)
            texts = json.loads(content)
            if not isinstance(texts, dict) or not all(isinstance(t, str) for t in texts.values()):
                raise ValueError("it is not of our form")  # noqa: TRY301 (one place warns)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            _LOG.warning("ignoring the last good mappings in %s: %s", path, error)
            return None
        return Kept(texts, saved_at)

    def save(self, source: str, texts: Callable[[], Mapping[str, str]]) -> None:
        """See `LastGood.save`."""
        with self._lock:
            self._waiting[source] = texts

    @property
    def unwritten(self) -> list[str]:
        """The files that could not be written, each with the reason; they are tried again."""
        with self._lock:
            return list(self._failed.values())

    def flush(self) -> None:
        """Write what waits now; what fails waits again."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for source, texts in waiting.items():
            path = self._path(source)
            try:
                _write(path, json.dumps(texts(), sort_keys=True).encode())
            except (OSError, RecursionError) as error:
                self._fail(source, texts, f"cannot keep the last good mappings in {path}: {error}")
            else:
                self._succeed(source, path)

    def _fail(self, source: str, texts: Callable[[], Mapping[str, str]], problem: str) -> None:
        with self._lock:
            known = self._failed.get(source) == problem
            self._failed[source] = problem
            # Unless newer ones have come meanwhile.
            self._waiting.setdefault(source, texts)
        if not known:
            _LOG.warning("%s; retrying", problem)

    def _succeed(self, source: str, path: Path) -> None:
        with self._lock:
            failed = self._failed.pop(source, None)
        if failed:
            _LOG.info("the last good mappings are kept in %s again", path)

    def _run(self) -> None:
        while not self._stop.wait(_RETRY_SECONDS if self._failed else _PAUSE_SECONDS):
            self.flush()

    def _path(self, source: str) -> Path:
        return self._directory / f"last-good-{source}.json"


def _write(path: Path, content: bytes) -> None:
    try:
        same = read_own(path)[0] == content
    except OSError:
        same = False
    if same:
        os.utime(path)
    else:
        write_atomically(path, content)
