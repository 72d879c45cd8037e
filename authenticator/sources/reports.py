"""What the server writes to the cluster about mappings: Events and statuses.

Every worker process follows every source, and one of them writes: whoever holds a lock on a file
in the state directory. It is held as long as the process lives, so that no clock is involved.
Several hosts may write the same; both the Events and the statuses are made so that this does not
show.

What is wrong is written first, and the statuses of thousands of valid objects after it, all at a
rate that an API server does not notice.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from authenticator.atomic import hold
from authenticator.background import BackgroundThread
from authenticator.mapping.problems import Problem
from authenticator.sources.cluster import Cluster, ClusterError, Object
from authenticator.sources.crd_schema import REMEDY, foreign
from authenticator.timestamps import rfc3339

_LOG = logging.getLogger(__name__)
# The API server refuses longer messages (core/v1 validation).
_MESSAGE_LENGTH = 1024
# Enough for the Events and statuses of all objects that one cluster can reasonably have.
_WAITING = 20_000
_PAUSE_SECONDS = 1 / 50
_EVENTS = "/api/v1/namespaces/{namespace}/events"
_CONFLICT = 409


@dataclass(frozen=True, slots=True)
class Target:
    """The object that a report is about.

    Attributes:
        api_version: such as "v1".
        kind: such as "ConfigMap".
        name: its name.
        namespace: its namespace; "" if it has none.
        uid: its uid, by which `kubectl describe` finds its Events.
    """

    api_version: str
    kind: str
    name: str
    namespace: str
    uid: str


class Reports(Protocol):
    """Takes reports, and delivers them when and if it can. Never raises, never waits."""

    def problems(self, target: Target, problems: Sequence[Problem]) -> None:
        """Say on `target` what is wrong with it; nothing if nothing is."""
        ...

    def status(self, path: str, status: Object, *, urgent: bool) -> None:
        """Merge `status` into that of the object at `path`.

        Of several statuses of one object that wait, the last one is written.

        Args:
            path: the path of the object.
            status: what to merge.
            urgent: whether it is written before statuses that are not, since it says what is wrong.
        """
        ...


class ClusterReports:
    """`Reports` to an API server, from a thread that the first report starts."""

    def __init__(
        self,
        cluster: Cluster,
        lock: Path,
        clock: Callable[[], float],
        pause_seconds: float = _PAUSE_SECONDS,
    ) -> None:
        """Prepare to report.

        Args:
            cluster: the API server.
            lock: the file that one process of this host locks.
            clock: Unix time.
            pause_seconds: the least time between the beginnings of two writes.
        """
        self._cluster = cluster
        self._lock = lock
        self._clock = clock
        self._pause_seconds = pause_seconds
        self._locked: int | None = None
        self._foreign = False
        self._urgent: dict[Hashable, Callable[[], None]] = {}
        self._others: dict[Hashable, Callable[[], None]] = {}
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = BackgroundThread(self._run, "reports")

    def stop(self) -> None:
        """Drop what waits, finish what is under way, and let another process write."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()
        if self._locked is not None:
            os.close(self._locked)

    def problems(self, target: Target, problems: Sequence[Problem]) -> None:
        """See `Reports.problems`."""
        if problems:
            self._put(object(), lambda: self._post(target, tuple(problems)), urgent=True)

    def status(self, path: str, status: Object, *, urgent: bool) -> None:
        """See `Reports.status`."""
        self._put(path, lambda: self._patch(path, status), urgent=urgent)

    def _put(self, key: Hashable, job: Callable[[], None], *, urgent: bool) -> None:
        with self._changed:
            if not self._thread.started:
                self._thread.start()
            self._urgent.pop(key, None)
            self._others.pop(key, None)
            waiting = self._urgent if urgent else self._others
            if len(waiting) < _WAITING:
                waiting[key] = job
                self._changed.notify()
                return
        _LOG.warning(
            "too many reports are waiting; one is dropped, and made again at the next list"
        )

    def _run(self) -> None:
        while (job := self._next()) is not None:
            began = time.monotonic()
            if self._do(job):
                rest = self._pause_seconds - (time.monotonic() - began)
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, max(rest, 0.0))

    def _next(self) -> Callable[[], None] | None:
        """The next job, once there is one; None to stop."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._urgent or self._others)
            if self._stopping:
                return None
            waiting = self._urgent or self._others
            return waiting.pop(next(iter(waiting)))

    def _do(self, job: Callable[[], None]) -> bool:
        """Do a job if this process is the one that writes, and say whether it was."""
        try:
            if self._is_writer():
                job()
                return True
        except OSError as error:
            _LOG.warning("a report is dropped: %s: %s", self._lock, error.strerror)
        return False

    def _is_writer(self) -> bool:
        if self._locked is not None:
            return True
        try:
            self._locked = hold(self._lock)
        except BlockingIOError:
            return False
        return True

    def _post(self, target: Target, problems: tuple[Problem, ...]) -> None:
        # Events of objects without a namespace belong in "default" (core/v1 validation).
        namespace = target.namespace or "default"
        try:
            self._cluster.request(
                "POST", _EVENTS.format(namespace=namespace), body=self._event(target, problems)
            )
        except ClusterError as error:
            # The name says it all: this very report was made within the last hour.
            if error.status != _CONFLICT:
                _LOG.warning("cannot write an Event on %s %s: %s", target.kind, target.name, error)

    def _patch(self, path: str, status: Object) -> None:
        try:
            stored = self._cluster.request("PATCH", f"{path}/status", body={"status": status})
        except ClusterError as error:
            _LOG.warning("cannot write the status of %s: %s", path, error)
            return
        # Conditions are what the resource of the reference does not know, `expires` is another.
        if not self._foreign and "metadata" in stored and "conditions" in status:
            self._foreign = "conditions" not in (stored.get("status") or {})
            if self._foreign:
                fields = ("userid", "expires", "status.conditions")
                _LOG.warning("%s; %s", foreign(fields), REMEDY)

    def _event(self, target: Target, problems: tuple[Problem, ...]) -> Object:
        message = "\n".join(str(problem) for problem in problems)
        digest = hashlib.sha256(f"{target.uid}\n{message}".encode()).hexdigest()[:16]
        now = rfc3339(self._clock())
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{target.name}.{digest}",
                "namespace": target.namespace or "default",
            },
            "involvedObject": {
                "apiVersion": target.api_version,
                "kind": target.kind,
                "name": target.name,
                "namespace": target.namespace,
                "uid": target.uid,
            },
            "type": "Warning",
            "reason": "MappingProblem",
            "message": _shortened(message),
            "source": {"component": "aws-iam-authenticator"},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }


def _shortened(message: str) -> str:
    if len(message.encode()) <= _MESSAGE_LENGTH:
        return message
    return message.encode()[: _MESSAGE_LENGTH - 3].decode(errors="ignore") + "..."
