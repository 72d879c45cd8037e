"""Where mappings are kept, and how they are read and written without losing an edit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from authenticator.admin.stores.history import History
from authenticator.editing.documents import Document
from authenticator.editing.editor import Editor
from authenticator.editing.principals import identity


class StoreError(Exception):
    """The mappings cannot be read or written. The message says what to do.

    Attributes:
        partly: whether some of what was to be written has been, before this happened.
    """

    partly = False


class Conflict(Exception):
    """Another edit has been made since; the write was not made, or in part.

    Attributes:
        partly: as in `StoreError`.
    """

    partly = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A document as it was read.

    Attributes:
        document: the mappings.
        version: what the store compares to detect another edit.
    """

    document: Document
    version: Any


@dataclass(frozen=True, slots=True)
class Cautions:
    """A store's refusals and warnings about a write, before it is made.

    Attributes:
        refusals: reasons against it; only `--force` overrules them.
        warnings: what to know.
    """

    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Store(Protocol):
    """One place of mappings, and their history. Every call may raise StoreError."""

    @property
    def title(self) -> str:
        """The name for people: `ConfigMap kube-system/aws-auth`."""
        ...

    @property
    def flags(self) -> str:
        """The flags of a command that means this place: " --source crd"; "" for the default."""
        ...

    @property
    def has_server(self) -> bool:
        """Whether there is a server that can check a write without making it."""
        ...

    @property
    def server_warnings(self) -> Sequence[str]:
        """What the server's answers have warned of so far, each once."""
        ...

    def editor(self) -> Editor:
        """Who is editing."""
        ...

    def read(self) -> Snapshot:
        """Read all of it. A ConfigMap that is absent is empty."""
        ...

    def cautions(self, snapshot: Snapshot, document: Document, *, moving: bool) -> Cautions:
        """Say what is to be known before `document` is written in place of `snapshot`.

        Args:
            snapshot: what was read.
            document: what is to be there.
            moving: whether its entries were in force before, in another place or version.

        Raises:
            StoreError: the store cannot hold the document; nothing overrules that.
        """
        ...

    def write(self, snapshot: Snapshot, document: Document, *, dry_run: bool = False) -> None:
        """Write `document` in place of what `snapshot` was.

        The caller has had the server check it before (`dry_run`), so that a write in several parts
        does not end half-way.

        Args:
            snapshot: what was read.
            document: what is to be there.
            dry_run: have the server check the write without making it.

        Raises:
            Conflict: another edit has been made since.
            StoreError: it was not written, or not all of it was stored.
        """
        ...

    def restored(self, texts: Mapping[str, str]) -> Document:
        """The document of an earlier version; StoreError if it is none of this store."""
        ...

    def history(self) -> History:
        """The earlier versions."""
        ...

    def remember(self, change: Callable[[History], History]) -> None:
        """Replace the history by what `change` makes of it; retry after conflicts."""
        ...


def new_expiries(before: Document, after: Document) -> bool:
    """Return whether an entry of `after` ends at a time that it did not have in `before`."""
    return not _expiries(after) <= _expiries(before)


def _expiries(document: Document) -> set[tuple[str, str]]:
    return {
        (identity(located.entry), str(located.entry.fields["expires"]))
        for located in document.entries()
        if located.entry.fields.get("expires")
    }
