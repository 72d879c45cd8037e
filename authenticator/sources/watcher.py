"""Follows one kind of object: list, then watch from the list's version, again and again.

The list is what counts: only it tells what was deleted while nobody watched. It is made again
whenever a watch ends, for whatever reason: its time is over (a few minutes, so that a missed event
cannot last), the connection broke, or the version is gone (410 Expired).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from authenticator.background import BackgroundThread
from authenticator.sources.cluster import Cluster, ClusterError, Object, Watch

_LOG = logging.getLogger(__name__)
_WATCH_SECONDS = 300
# An API server that restarts is away for seconds, and one small request is no load to it.
_FIRST_DELAY = 0.2
_LAST_DELAY = 5.0
# A cycle that ends sooner counts as failed, lest an API server that ends every watch be hammered.
_SHORT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Resource:
    """What to list and watch.

    Attributes:
        path: the path of the collection.
        query: what narrows it, such as a field selector.
    """

    path: str
    query: Mapping[str, str]


class Follower(Protocol):
    """Who is told, one call at a time and from one thread."""

    def listed(self, objects: list[Object]) -> None:
        """These are all that there are."""
        ...

    def changed(self, kind: str, obj: Object) -> None:
        """One was added, modified or deleted (`kind` in capitals)."""
        ...

    def failed(self, error: ClusterError, *, listing: bool) -> None:
        """It could not be listed, or a watch broke; it is tried again."""
        ...


class Watcher:
    """A thread that tells a `Follower` of one resource."""

    def __init__(
        self,
        cluster: Cluster,
        resource: Resource,
        follower: Follower,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        """Prepare to follow.

        Args:
            cluster: the API server.
            resource: what to follow.
            follower: who is told.
            clock: seconds, monotonic.
            random: gives numbers from 0 to 1, so that workers and replicas spread their requests.
        """
        self._cluster = cluster
        self._resource = resource
        self._follower = follower
        self._clock = clock
        self._random = random
        self._delay = _FIRST_DELAY
        self._stop = threading.Event()
        self._watch: Watch | None = None
        self._thread = BackgroundThread(self._run, "watch")

    def start(self) -> None:
        """Begin, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """End, waiting for the thread."""
        self._stop.set()
        watch = self._watch
        if watch is not None:
            watch.interrupt()
        self._thread.join()

    def cycle(self) -> float:
        """List and watch once; gives the seconds to wait before the next time."""
        began = self._clock()
        try:
            self._list_and_watch()
        except ClusterError:
            ended_well = False
        else:
            ended_well = True
        lasted = self._clock() - began
        if lasted >= _SHORT_SECONDS:
            self._delay = _FIRST_DELAY
        if ended_well and lasted >= _SHORT_SECONDS:
            return 0.0
        delay, self._delay = self._delay, min(self._delay * 2, _LAST_DELAY)
        return delay * (0.5 + self._random() / 2)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                delay = self.cycle()
            except Exception:  # noqa: BLE001 (whatever it is, see the next line)
                # Dead, this thread would leave every later edit unseen, without a word.
                _LOG.exception("following %s failed; it is tried again", self._resource.path)
                delay = _LAST_DELAY
            self._stop.wait(delay)

    def _list_and_watch(self) -> None:
        path, query = self._resource.path, self._resource.query
        try:
            listed = self._cluster.request("GET", path, query)
            version = str(listed["metadata"]["resourceVersion"])
            objects = list(listed.get("items") or ())
        except ClusterError as error:
            self._follower.failed(error, listing=True)
            raise
        except (KeyError, TypeError) as error:
            unreadable = ClusterError(0, "the API server's answer is not a list")
            self._follower.failed(unreadable, listing=True)
            raise unreadable from error
        self._follower.listed(objects)
        watching = {
            **query,
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(int(_WATCH_SECONDS * (1 + self._random()))),
        }
        try:
            self._follow(path, watching)
        except ClusterError as error:
            self._follower.failed(error, listing=False)
            raise

    def _follow(self, path: str, query: Mapping[str, str]) -> None:
        with self._cluster.watch(path, query) as watch:
            self._watch = watch
            try:
                # stop() may have come before there was a watch to interrupt.
                self._tell(() if self._stop.is_set() else watch)
            finally:
                self._watch = None

    def _tell(self, watch: Iterable[Object]) -> None:
        for event in watch:
            kind, obj = event.get("type"), event.get("object")
            if self._stop.is_set():
                return
            if kind == "ERROR" or not isinstance(obj, dict):
                code = obj.get("code", 0) if isinstance(obj, dict) else 0
                if code == 410:  # noqa: PLR2004 (HTTP Gone: ordinary, and cured by listing)
                    return
                raise ClusterError(code, "the watch was ended by an error")
            if kind in ("ADDED", "MODIFIED", "DELETED"):
                self._follower.changed(str(kind), obj)
