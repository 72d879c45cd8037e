"""Mappings from objects of a Kubernetes cluster."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from authenticator.mapping.problems import Origin, Problem
from authenticator.mapping.sections import Section
from authenticator.sources.base import Context, Publish, SourceState, count_emptied
from authenticator.sources.cluster import Cluster, ClusterError, Object
from authenticator.sources.reports import Reports
from authenticator.sources.watcher import Resource, Watcher

_LOG = logging.getLogger(__name__)
_NOT_FOUND = 404
# An API server that has just started may not know its CRDs yet.
_NOT_FOUND_SECONDS = 60.0
_REMEDIES = {
    401: "check the credentials in the kubeconfig, or the service account",
    403: "grant list and watch on it",
    404: "apply the CustomResourceDefinition; it is waited for",
}
_ANY_REMEDY = "retrying; the last good version stays active"


class Documents(Protocol):
    """The objects of one source, and what they say. Used from one thread at a time."""

    @property
    def name(self) -> str:
        """The source's name."""
        ...

    @property
    def resource(self) -> Resource:
        """What to list and watch."""
        ...

    def listed(self, objects: list[Object], now: float) -> None:
        """Take all objects that there are, at the Unix time `now`."""
        ...

    def changed(self, kind: str, obj: Object, now: float) -> None:
        """Take one object that was added, modified or deleted."""
        ...

    def sections(self) -> tuple[Section, ...]:
        """What is in force, and what is wrong."""
        ...

    def revision(self) -> str:
        """The resource version of what was taken last."""
        ...

    def texts(self) -> Callable[[], Mapping[str, str]]:
        """What to keep over a restart: whatever is in force now, in the form of `restore`."""
        ...

    def restore(self, texts: Mapping[str, str], saved_at: float) -> None:
        """Take what was in force before the restart.

        Raises:
            ValueError: it is of another form.
        """
        ...

    def report(self, reports: Reports) -> None:
        """Write back what administrators should see on the objects."""
        ...


class ClusterSource:
    """A `Source` that follows the objects of one resource."""

    def __init__(
        self, cluster: Cluster, documents: Documents, reports: Reports, context: Context
    ) -> None:
        """Prepare to follow.

        Args:
            cluster: the API server.
            documents: what the objects are.
            reports: where Events and statuses go.
            context: what every source is given.
        """
        self._documents = documents
        self._reports = reports
        self._context = context
        self._state = SourceState(documents.name)
        self._publish: Publish = _to_nobody
        self._not_found_since: float | None = None
        self._watcher = Watcher(
            cluster,
            documents.resource,
            self,
            clock=context.monotonic,
            random=context.random,
        )

    @property
    def name(self) -> str:
        """See `Source.name`."""
        return self._documents.name

    def start(self, publish: Publish) -> None:
        """See `Source.start`; what the last run had is in force when this returns."""
        self._publish = publish
        kept = self._context.last_good.load(self.name)
        if kept is not None:
            try:
                self._documents.restore(kept.texts, kept.saved_at)
            except ValueError as error:
                _LOG.warning("ignoring the last good mappings of %s: %s", self.name, error)
        self._set(SourceState(self.name, self._documents.sections()))
        self._watcher.start()

    def stop(self) -> None:
        """See `Source.stop`."""
        self._watcher.stop()

    def listed(self, objects: list[Object]) -> None:
        """See `Follower.listed`."""
        self._not_found_since = None
        self._documents.listed(objects, self._context.clock())
        self._take(listed=True)

    def changed(self, kind: str, obj: Object) -> None:
        """See `Follower.changed`."""
        self._documents.changed(kind, obj, self._context.clock())
        self._take()

    def failed(self, error: ClusterError, *, listing: bool) -> None:
        """See `Follower.failed`."""
        self._context.metrics.failed(self.name)
        if not listing:
            # Whether anything is wrong, the list that follows will tell.
            return
        absent = error.status == _NOT_FOUND and self._is_absent()
        if absent:
            self._documents.listed([], self._context.clock())
        remedy = _REMEDIES.get(error.status, _ANY_REMEDY)
        origin = Origin(self.name, self._documents.resource.path)
        self._set(
            replace(
                self._state,
                sections=self._documents.sections(),
                problems=(Problem(origin, f"{error}; {remedy}"),),
                synced=self._state.synced or absent,
            )
        )

    def _is_absent(self) -> bool:
        now = self._context.monotonic()
        if self._not_found_since is None:
            self._not_found_since = now
        in_force = any(section.rules for section in self._documents.sections())
        return not in_force or now - self._not_found_since >= _NOT_FOUND_SECONDS

    def _take(self, *, listed: bool = False) -> None:
        """Put in force what the documents now say, and only then keep and report it."""
        documents = self._documents
        state = SourceState(
            self.name, documents.sections(), synced=True, revision=documents.revision()
        )
        count_emptied(self._context.metrics, self._state, state)
        # A list tells that what is kept still holds. Most events of custom resources are of
        # statuses that this server has written, and there may be thousands of them.
        if listed or state != self._state:
            self._set(state)
            self._context.last_good.save(self.name, documents.texts())
        documents.report(self._reports)

    def _set(self, state: SourceState) -> None:
        if state != self._state:
            self._state = state
            self._publish(state)


def _to_nobody(_: SourceState) -> None:
    """What a source publishes to before it is started."""
