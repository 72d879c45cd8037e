"""Doubles for sources: an API server in memory, and who listens to a source."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from authenticator.sources.base import SourceState
from authenticator.sources.cluster import ClusterError, Object
from dev.waiting import PATIENCE_SECONDS


class Listener:
    """Takes what a source publishes, and lets tests wait for it."""

    def __init__(self) -> None:
        self.states: list[SourceState] = []
        self._changed = threading.Condition()

    def __call__(self, state: SourceState) -> None:
        with self._changed:
            self.states.append(state)
            self._changed.notify_all()

    @property
    def last(self) -> SourceState:
        return self.states[-1]

    def wait(self, wanted: Callable[[SourceState], bool]) -> SourceState:
        """The newest state as soon as it is as wanted."""
        with self._changed:
            seen = self._changed.wait_for(
                lambda: self.states and wanted(self.last), PATIENCE_SECONDS
            )
            assert seen, f"the source got no further than {self.states[-1:]}"
            return self.last

    def usernames(self) -> list[str]:
        return usernames(self.last)


def usernames(state: SourceState) -> list[str]:
    """The literal usernames of the rules in force, in order."""
    return [rule.match.username.head for rule in state.rules]


class FakeCluster:
    """`Cluster` with one collection: list, watch, and a record of what was written."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}
        self.written: list[tuple[str, str, Object]] = []
        self.requests: list[tuple[str, Mapping[str, str]]] = []
        self.refuse: ClusterError | None = None
        self.refuse_watch: ClusterError | None = None
        self.changed = threading.Condition()
        self._version = 0
        self._events: list[Object] = []
        self._watches: list[_FakeWatch] = []

    def put(self, name: str, **content: Any) -> None:
        """Create or replace an object."""
        with self.changed:
            self._version += 1
            old = self.objects.get(name)
            generation = old["metadata"]["generation"] + 1 if old else 1
            metadata = {
                "name": name,
                "uid": f"uid-{name}",
                "generation": generation,
                "resourceVersion": str(self._version),
            }
            self.objects[name] = {"metadata": metadata, **copy.deepcopy(content)}
            self._emit("MODIFIED" if old else "ADDED", self.objects[name])

    def remove(self, name: str, *, silently: bool = False) -> None:
        """Delete an object; silently, no watch tells of it."""
        with self.changed:
            gone = self.objects.pop(name)
            if not silently:
                self._emit("DELETED", gone)

    def send(self, event: Object) -> None:
        """Send any event to all watches."""
        with self.changed:
            self._events.append(event)
            self.changed.notify_all()

    def end_watches(self, error: ClusterError | None = None) -> None:
        """End all watches, in order or with an error."""
        with self.changed:
            for watch in self._watches:
                watch.end(error)
            self.changed.notify_all()

    def wait(self, wanted: Callable[[], bool]) -> None:
        """Wait until something about the cluster is as wanted."""
        with self.changed:
            assert self.changed.wait_for(wanted, PATIENCE_SECONDS)

    def _emit(self, kind: str, obj: Object) -> None:
        self._events.append({"type": kind, "object": copy.deepcopy(obj)})
        self.changed.notify_all()

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
    ) -> Object:
        with self.changed:
            if self.refuse is not None:
                self.requests.append((path, query or {}))
                self.changed.notify_all()
                raise self.refuse
            if method != "GET":
                self.written.append((method, path, body or {}))
                self.changed.notify_all()
                return {}
            self.requests.append((path, query or {}))
            self.changed.notify_all()
            objects = copy.deepcopy(list(self.objects.values()))
            return {"metadata": {"resourceVersion": str(len(self._events))}, "items": objects}

    @contextmanager
    def watch(self, path: str, query: Mapping[str, str]) -> Iterator[_FakeWatch]:
        with self.changed:
            self.requests.append((path, query))
            self.changed.notify_all()
            if self.refuse_watch is not None:
                raise self.refuse_watch
            watch = _FakeWatch(self, int(query["resourceVersion"]))
            self._watches.append(watch)
        try:
            yield watch
        finally:
            with self.changed:
                self._watches.remove(watch)


class _FakeWatch:
    def __init__(self, cluster: FakeCluster, position: int) -> None:
        self._cluster = cluster
        self._position = position
        self._ended = False
        self._error: ClusterError | None = None

    def end(self, error: ClusterError | None = None) -> None:
        self._ended = True
        self._error = error

    def interrupt(self) -> None:
        with self._cluster.changed:
            self.end()
            self._cluster.changed.notify_all()

    def __iter__(self) -> Iterator[Object]:
        while True:
            with self._cluster.changed:
                self._cluster.changed.wait_for(
                    lambda: self._ended or self._position < len(self._cluster._events)
                )
                if self._ended:
                    if self._error is not None:
                        raise self._error
                    return
                event = self._cluster._events[self._position]
                self._position += 1
            yield event


class CountedMetrics:
    """`SourceMetrics` that remembers."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.latencies: list[tuple[str, float]] = []
        self.empties: list[tuple[str, str]] = []

    def failed(self, source: str) -> None:
        self.failures.append(source)

    def applied(self, source: str, seconds: float) -> None:
        self.latencies.append((source, seconds))

    def emptied(self, source: str, section: str) -> None:
        self.empties.append((source, section))


class RememberedReports:
    """`Reports` that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[str, list[str]]] = []
        self.statuses: list[tuple[str, Object]] = []
        self.urgent: list[str] = []

    def problems(self, target: Any, problems: Any) -> None:
        if problems:
            self.events.append((target.name, [problem.reason for problem in problems]))

    def status(self, path: str, status: Object, *, urgent: bool) -> None:
        self.statuses.append((path, status))
        self.urgent += [path] if urgent else []
