"""What the sources need of a Kubernetes API server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

Object = dict[str, Any]


class ClusterError(Exception):
    """The API server did not do what was asked.

    Attributes:
        status: the HTTP status; 0 if it could not be reached, or its answer could not be read.
        reason: what happened, without credentials.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status}: {reason}" if status else reason)
        self.status = status
        self.reason = reason


class Watch(Protocol):
    """A running watch."""

    def __iter__(self) -> Iterator[Object]:
        """The events, as `{"type": ..., "object": ...}`, until the server ends the watch.

        Raises:
            ClusterError: it broke, or nothing came for longer than bookmarks do.
        """
        ...

    def interrupt(self) -> None:
        """End the iteration soon. May be called from another thread, and more than once."""
        ...


class Cluster(Protocol):
    """An API server. Safe to use from several threads."""

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
    ) -> Object:
        """Send one request (a PATCH is a merge patch) and read the whole answer.

        Raises:
            ClusterError: the answer is not 2xx, or there is none in time.
        """
        ...

    def watch(self, path: str, query: Mapping[str, str]) -> AbstractContextManager[Watch]:
        """Begin a watch; leaving the context ends it.

        Raises:
            ClusterError: it was refused.
        """
        ...
