"""The mappings that `explain` asks: the server's own sources, a cluster's, or a file's."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from authenticator.errors import ConfigError
from authenticator.mapping.documents import read_data, read_file
from authenticator.mapping.guards import Guard
from authenticator.mapping.nodes import MAX_BYTES, DocumentError, Fields, Text, read
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import Section, SectionReader
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
        ConfigError: an option cannot be used.
    """
    settled = _Settled()
    mappings = Mappings(options, on_change=settled, cluster=cluster, read_only=True)
    mappings.start()
    try:
        settled.wait()
        return InForce(mappings.current(), mappings.status())
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
        name: a mapping file, a server's config file, or aws-auth as a manifest; "-" for stdin.
        guard: what the file may not grant.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        with sys.stdin.buffer if name == "-" else Path(name).open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError((f"{name}: cannot be read: {error.strerror}",)) from error
    reader = SectionReader("stdin" if name == "-" else name, guard)
    store = MappingStore((Still(SourceState(reader.source, _sections(content, reader), (), True)),))
    store.start()
    return InForce(store.current(), store.status())


def _sections(content: bytes, reader: SectionReader) -> tuple[Section, ...]:
    try:
        root = read(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, DocumentError):
        return read_file(content, reader)  # which says what is wrong
    keys = {k.lower(): v for k, v in root.values.items()} if isinstance(root, Fields) else {}
    data = keys.get("data")
    if isinstance(data, Fields) and "kind" in keys:
        texts = {k: v.value for k, v in data.values.items() if isinstance(v, Text)}
        return read_data({key: text for key, text in texts.items() if text is not None}, reader)
    return read_file(content, reader, under="server" if "server" in keys else "")


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
