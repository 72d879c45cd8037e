"""Mappings in a file, with their history in another file next to it."""

from __future__ import annotations

import os
import pwd
import shlex
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from authenticator.admin.stores.base import Cautions, Conflict, Snapshot, StoreError, new_expiries
from authenticator.admin.stores.history import History
from authenticator.atomic import alone_in, write_atomically
from authenticator.editing.documents import Document, MappingFile
from authenticator.editing.editor import Editor
from authenticator.editing.manifests import document_of_file


class FileStore:
    """`Store` of a config file, a dynamic file, a break-glass file, or any with the sections."""

    has_server = False
    server_warnings = ()

    def __init__(self, path: Path) -> None:
        """Prepare to edit the file at `path`, which has to exist."""
        self._path = path
        self._history = path.with_name(f"{path.name}.history.jsonl")
        self.title = str(path)
        self.flags = f" --source {shlex.quote(f'file={path}')}"

    def editor(self) -> Editor:
        """See `Store.editor`: the user of the operating system."""
        number = os.geteuid()
        try:
            return Editor(pwd.getpwuid(number).pw_name)
        except KeyError:
            return Editor(f"uid {number}")

    def read(self) -> Snapshot:
        """See `Store.read`."""
        try:
            content = self._path.read_bytes()
            text = content.decode()
        except FileNotFoundError as error:
            raise StoreError(f"{self.title}: no such file; create it first, empty") from error
        except (OSError, UnicodeError) as error:
            raise StoreError(f"{self.title} cannot be read: {error}") from error
        if self._path.suffix == ".json" and not text.strip():
            text = "{}\n"
        return Snapshot(document_of_file(self._path.name, text), content)

    def cautions(self, snapshot: Snapshot, document: Document, *, moving: bool) -> Cautions:
        """See `Store.cautions`: which server reads a file cannot be seen."""
        if moving or not new_expiries(snapshot.document, document):
            return Cautions()
        warning = "with the Go program the access would last: it ignores `expires`"
        return Cautions(warnings=(f"{self.title}: {warning}",))

    def write(self, snapshot: Snapshot, document: Document, *, dry_run: bool = False) -> None:
        """See `Store.write`. The file's mode and owner stay."""
        (text,) = document.texts.values()
        if dry_run:
            raise StoreError(f"{self.title} is a file, which no server checks")
        try:
            with alone_in(self._path.parent):
                if self._path.read_bytes() != snapshot.version:
                    raise Conflict
                _replace(self._path, text.encode(), self._path.stat())
        except OSError as error:
            raise StoreError(f"{self.title} cannot be written: {error}") from error

    def restored(self, texts: Mapping[str, str]) -> Document:
        """See `Store.restored`."""
        if len(texts) != 1:
            raise StoreError(f"{self._history}: this version is not of one file; choose another")
        (text,) = texts.values()
        return MappingFile(self._path.name, text)

    def history(self) -> History:
        """See `Store.history`."""
        try:
            # One version a line; str.splitlines would break them at U+2028 too.
            lines = self._history.read_bytes().decode().split("\n")
        except FileNotFoundError:
            return History()
        except (OSError, UnicodeError) as error:
            raise StoreError(f"{self._history} cannot be read: {error}") from error
        return History.decoded(lines)

    def remember(self, change: Callable[[History], History]) -> None:
        """See `Store.remember`."""
        try:
            with alone_in(self._path.parent):
                versions = change(self.history()).versions
                lines = "".join(f"{version.encoded()}\n" for version in versions)
                _replace(self._history, lines.encode(), self._path.stat())
        except OSError as error:
            raise StoreError(f"{self._history} cannot be written: {error}") from error


def _replace(path: Path, content: bytes, like: os.stat_result) -> None:
    """Write a file with the mode of another and, as root, with its owner."""
    write_atomically(path, content, stat.S_IMODE(like.st_mode))
    if os.geteuid() == 0:
        # The directory's owner may have put a link there in the meantime.
        os.chown(path, like.st_uid, like.st_gid, follow_symlinks=False)
