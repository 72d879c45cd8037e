"""A history in files of this user, for mappings whose own place cannot hold one.

A version holds only what its edit touched. Before an edit begins, what it is about to touch is
written to a journal: if the process is killed, the next command adds that to the history.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from authenticator.admin.stores.base import StoreError
from authenticator.admin.stores.history import History
from authenticator.atomic import alone_with, hold, read_own, write_atomically

INTERRUPTED = "an edit that was interrupted (in part)"
_MAX_BYTES = 16 * 1024 * 1024
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]", re.ASCII)


def directory() -> Path:
    """Return where histories are kept: `$XDG_STATE_HOME`, by default `~/.local/state`."""
    base = os.environ.get("XDG_STATE_HOME", "")
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "state"
    return root / "aws-iam-authenticator"


class LocalHistory:
    """The edits of one place. In a version's texts, "" is for what was absent.

    Args:
        folder: where the files are; it is created with mode 0700.
        name: of the place, unique in the folder; other characters than of file names become `_`.
    """

    def __init__(self, folder: Path, name: str) -> None:
        stem = _UNSAFE.sub("_", name)
        self._folder = folder
        self._path = folder / f"{stem}.history.jsonl"
        self._journal = folder / f"{stem}.journal.json"
        self._lock = folder / f"{stem}.lock"
        self._editing = ExitStack()

    def read(self) -> History:
        """Return the edits, those included that were killed; StoreError if they are unreadable."""
        with self._faults():
            if self._journal.exists():
                try:
                    descriptor = hold(self._lock)
                except BlockingIOError:
                    pass  # it is being written now
                else:
                    try:
                        self._recover()
                    finally:
                        os.close(descriptor)
            return self._versions()

    def begin(self, user: str, texts: Mapping[str, str]) -> None:
        """Note what an edit is about to touch, and let no other one begin.

        `finish` or `cancel` ends the edit.

        Args:
            user: who edits.
            texts: what is there now; "" for what is absent.
        """
        with self._faults():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._editing.enter_context(alone_with(self._lock))
            try:
                self._recover()
                noted = {"user": user, "time": time.time(), "texts": dict(texts)}
                write_atomically(self._journal, json.dumps(noted).encode())
            except BaseException:
                self._editing.close()
                raise

    def finish(self, words: str) -> None:
        """Add the edit that was begun to the history, as what `words` say."""
        with self._faults(), self._editing:
            self._recover(words)

    def cancel(self) -> None:
        """Forget the edit that was begun; nothing of it was made."""
        with self._faults(), self._editing:
            self._journal.unlink(missing_ok=True)

    def abandon(self) -> None:
        """Leave the journal for the next command to find."""
        self._editing.close()

    def _recover(self, words: str = INTERRUPTED) -> None:
        """Add the edit of the journal, if there is one."""
        try:
            content, _ = read_own(self._journal)
        except FileNotFoundError:
            return
        noted = json.loads(content)
        history = self._versions().with_edit(
            str(noted["user"]), words, noted["texts"], float(noted["time"])
        )
        lines = "".join(f"{version.encoded()}\n" for version in history.versions)
        write_atomically(self._path, lines.encode())
        self._journal.unlink()

    def _versions(self) -> History:
        try:
            content, _ = read_own(self._path)
        except FileNotFoundError:
            return History(max_bytes=_MAX_BYTES)
        # One version a line; str.splitlines would break them at U+2028 too.
        found = History.decoded(content.decode().split("\n"))
        return replace(found, max_bytes=_MAX_BYTES)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"the history {self._path} cannot be used: {error}; set XDG_STATE_HOME to a"
                " directory that you can write"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"the history {self._path} cannot be used: {error}") from error
