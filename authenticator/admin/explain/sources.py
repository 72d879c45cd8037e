"""The mappings that `explain` asks: the server's own sources, a cluster's, or a file's."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from authenticator.errors import ConfigError
from authenticator.mapping.documents import decoded
from authenticator.mapping.files import broken_in, held
from authenticator.mapping.guards import Guard
from authenticator.mapping.nodes import MAX_BYTES, DocumentError
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import SectionReader
from authenticator.modes import CRD, EKS_CONFIG_MAP
from authenticator.sources.base import SourceState
from authenticator.sources.chain import MappingStore, StoreStatus
from authenticator.sources.cluster import Cluster
from authenticator.sources.mappings import Mappings, SourceOptions
from authenticator.sources.observing import Still

# An API server that has not answered by then is reported as not read.
_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class InForce:
    """Mappings at one moment.

    Attributes:
        rules: what is in force.
        status: where it comes from, and what is wrong there.
    """

    rules: RuleSet
    status: StoreStatus


def of_server(options: SourceOptions, cluster: Cluster | None) -> InForce:
    """What a server with these options has in force, were it started now. Writes nothing.

    Args:
        options: the server's.
        cluster: the API server, instead of the one that the options name.

    Raises:
        ConfigError: an option cannot be used, or a source cannot be read.
    """
    settled = _Settled()
    mappings = Mappings(options, on_change=settled, cluster=cluster, read_only=True)
    mappings.start()
    try:
        settled.wait()
        status = mappings.status()
        if not status.ready:
            raise ConfigError(tuple(_unread(status)))
        return InForce(mappings.current(), status)
    finally:
        mappings.stop()


def of_cluster(options: SourceOptions, cluster: Cluster) -> InForce:
    """What stands in a cluster: aws-auth, then IAMIdentityMapping objects.

    Args:
        options: whose guards and administrators apply.
        cluster: the API server.
    """
    chosen = replace(options, modes=(EKS_CONFIG_MAP, CRD), modes_file=None, break_glass=None)
    return of_server(chosen, cluster)


def of_file(name: str, guard: Guard) -> InForce:
    """What stands in a file.

    Args:
        name: a mapping file, a server's config file, or a manifest; "-" for standard input.
        guard: what the file may not grant.

    Raises:
        ConfigError: it cannot be read, or not all of it.
    """
    try:
        with sys.stdin.buffer if name == "-" else Path(name).open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError((f"{name}: cannot be read: {error.strerror}",)) from error
    reader = SectionReader("stdin" if name == "-" else name, guard)
    try:
        if len(content) > MAX_BYTES:
            raise DocumentError(f"it is larger than {MAX_BYTES // 1024 // 1024} MiB")  # noqa: TRY301 (one place wraps)
        parts = held(decoded(content)).understood()
        sections = tuple(section for part in parts for section in part.sections(reader))
        for broken in broken_in(sections):
            raise broken
    except DocumentError as error:
        raise ConfigError((f"{reader.source}: {error}",)) from error
    store = MappingStore((Still(SourceState(reader.source, sections, (), True)),))
    store.start()
    return InForce(store.current(), store.status())


def _unread(status: StoreStatus) -> Iterator[str]:
    """Why the answer would not be that of a server that can read its sources."""
    for state in status.sources:
        if state.unreadable or not (state.synced or state.stale_since is not None):
            faults = (str(fault) for fault in state.faults if not fault.in_force)
            yield next(faults, f"{state.name} has not been read in time")


class _Settled:
    """Waits until each source has been read, or has said why it cannot be."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_settled = False

    def __call__(self, status: StoreStatus) -> None:
        with self._changed:
            self._is_settled = not status.switching_to and all(
                state.synced or state.problems for state in status.sources
            )
            self._changed.notify_all()

    def wait(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_settled, _PATIENCE_SECONDS)
