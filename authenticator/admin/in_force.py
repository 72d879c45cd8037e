"""The mappings that `explain`, `access` and `mappings list` look at, and those that they do not.

They are the server's own sources, a cluster's, or a file's. What an answer leaves out is part of
the answer: a caller whom no mapping names may be named in a source that was not read.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from authenticator.errors import ConfigError
from authenticator.mapping.documents import decoded
from authenticator.mapping.files import NAME, broken_in, held
from authenticator.mapping.guards import Guard
from authenticator.mapping.nodes import MAX_BYTES, DocumentError
from authenticator.mapping.problems import Origin, Problem
from authenticator.mapping.rules import Rule
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import Section, SectionReader
from authenticator.modes import CRD, DYNAMIC_FILE, EKS_CONFIG_MAP, MOUNTED_FILE
from authenticator.sources.base import SourceState
from authenticator.sources.chain import MappingStore, StoreStatus
from authenticator.sources.cluster import Cluster, ClusterError, Object
from authenticator.sources.config_map import AwsAuth
from authenticator.sources.crd_schema import API_VERSION
from authenticator.sources.custom_resources import IdentityMappings
from authenticator.sources.mappings import BREAK_GLASS, Mappings, SourceOptions
from authenticator.sources.observing import Still

# What people call the sources.
NAMES = {
    MOUNTED_FILE: "the config file's mappings",
    EKS_CONFIG_MAP: "the ConfigMap aws-auth",
    CRD: "IAMIdentityMapping objects",
    DYNAMIC_FILE: "the dynamic file",
}
SERVER_FILES = (
    "the server's config file, with its mappings, bootstrapAdministrators, break-glass file and"
    " reserved names (--config FILE reads it)"
)
OTHERS = "all other sources (--config FILE and --cluster read the server's)"
_FORBIDDEN, _NOT_FOUND = 403, 404
# An API server that has not answered by then is reported as not read.
_PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class InForce:
    """Mappings at one moment.

    Attributes:
        rules: what is in force.
        status: where it comes from, and what is wrong there.
        chain: the sections of the sources, in order.
        break_glass: those of the break-glass file.
        administrators: the rules of `bootstrapAdministrators`.
        unread: what could not be read, each with the reason: with it, the answer may be another.
        left_out: what takes no part, each with the way to have it take part.
    """

    rules: RuleSet
    status: StoreStatus
    chain: tuple[Section, ...] = ()
    break_glass: tuple[Section, ...] = ()
    administrators: tuple[Rule, ...] = ()
    unread: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """What was read, each with how many mappings it has in force."""
        read = [
            f"{state.name}: {counted(len(state.rules) + len(state.accounts))}"
            for state in self.status.sources
            if state.synced
        ]
        bootstrap = len(self.administrators)
        return (*([f"bootstrapAdministrators: {counted(bootstrap)}"] if bootstrap else ()), *read)

    @property
    def coverage(self) -> str:
        """One line on what was read and what was not."""
        return coverage(self.sources, self.unread, self.left_out)


def coverage(read: Sequence[str], unread: Sequence[str], left_out: Sequence[str]) -> str:
    """Return one line on the sources of an answer, the same for tables and pages.

    Args:
        read: what was read, each with how much it has.
        unread: what could not be read, with the reasons.
        left_out: what takes no part, each with the way to have it take part.
    """
    parts = [f"Read: {', '.join(read) or 'nothing'}"]
    if unread:
        parts.append(f"Could not be read: {'; '.join(unread)}")
    if left_out:
        parts.append(f"Left out: {'; '.join(left_out)}")
    return ". ".join(parts) + "."


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
        if mappings.status().sources:
            settled.wait()
        status, rules = mappings.status(), mappings.current()
    finally:
        mappings.stop()
    states = [state for state in status.sources if state.name != BREAK_GLASS]
    last = [state for state in status.sources if state.name == BREAK_GLASS]
    idle = [NAMES[mode] for mode in NAMES if mode not in {state.name for state in states}]
    return InForce(
        rules,
        status,
        chain=tuple(section for state in states for section in state.sections),
        break_glass=tuple(section for state in last for section in state.sections),
        administrators=mappings.administrators,
        unread=tuple(_unread(status)),
        left_out=tuple(f"{name} (not in the server's backendMode)" for name in idle),
    )


def of_cluster(options: SourceOptions, cluster: Cluster) -> InForce:
    """What stands in a cluster: aws-auth, then IAMIdentityMapping objects.

    Args:
        options: whose guards apply.
        cluster: the API server.
    """
    guards = options.guards
    aws_auth = AwsAuth(SectionReader(EKS_CONFIG_MAP, guards.get(EKS_CONFIG_MAP, Guard())))
    resources = IdentityMappings(SectionReader(CRD, guards.get(CRD, Guard())))
    states = [
        _state(aws_auth, lambda: _aws_auth(cluster)),
        _state(resources, lambda: _resources(cluster)),
    ]
    store = MappingStore([Still(state) for state in states])
    store.start()
    status = store.status()
    return InForce(
        store.current(),
        status,
        chain=tuple(section for state in states for section in state.sections),
        unread=tuple(_unread(status)),
        left_out=(SERVER_FILES,),
    )


def of_cluster_alone(cluster: Cluster) -> InForce:
    """What stands in a cluster, without any setting of its server; see `of_cluster`."""
    return of_cluster(SourceOptions(modes=(EKS_CONFIG_MAP, CRD), state_dir=Path()), cluster)


def _state(documents: AwsAuth | IdentityMappings, read: Callable[[], list[Object]]) -> SourceState:
    origin = Origin(documents.name, documents.resource.path)
    try:
        documents.listed(read(), time.time())
    except ClusterError as error:
        remedy = "; grant list on it" if error.status == _FORBIDDEN else ""
        return SourceState(documents.name, problems=(Problem(origin, f"{error}{remedy}"),))
    return SourceState(
        documents.name, documents.sections(), synced=True, revision=documents.revision()
    )


def _aws_auth(cluster: Cluster) -> list[Object]:
    """Read the ConfigMap; `get` suffices, which is what administrators of mappings have."""
    resource = AwsAuth.resource
    try:
        return cluster.request("GET", resource.path, resource.query).get("items") or []
    except ClusterError as error:
        if error.status != _FORBIDDEN:
            raise
    try:
        return [cluster.request("GET", f"{resource.path}/{NAME}")]
    except ClusterError as error:
        if error.status == _NOT_FOUND:
            return []
        raise


def _resources(cluster: Cluster) -> list[Object]:
    """Read the custom resources; a cluster without the resource has none."""
    try:
        return cluster.request("GET", IdentityMappings.resource.path).get("items") or []
    except ClusterError as error:
        if error.status == _NOT_FOUND or (error.status == _FORBIDDEN and _is_unknown(cluster)):
            return []
        raise


def _is_unknown(cluster: Cluster) -> bool:
    """Whether the cluster lacks the resource: who may not list it is told 403 all the same."""
    try:
        cluster.request("GET", f"/apis/{API_VERSION}")
    except ClusterError as error:
        return error.status == _NOT_FOUND
    return False


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
    return InForce(store.current(), store.status(), chain=sections, left_out=(OTHERS,))


def counted(number: int) -> str:
    """Return a number of mappings in words."""
    return f"{number} mapping{'' if number == 1 else 's'}"


def _unread(status: StoreStatus) -> Iterator[str]:
    """Say of each source that could not be read, why; a last good version is no reading either."""
    for state in status.sources:
        if state.unreadable or not state.synced:
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
