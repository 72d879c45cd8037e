"""Puts the sources together from options, and runs all that they need."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from authenticator.errors import ConfigError
from authenticator.mapping.guards import Guard
from authenticator.mapping.problems import Origin
from authenticator.mapping.rules import Rule, administrator
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import SectionReader
from authenticator.modes import CRD, DYNAMIC_FILE, EKS_CONFIG_MAP
from authenticator.sources.base import Context, Source, SourceMetrics, SourceState, Uncounted
from authenticator.sources.chain import MappingStore, StoreStatus
from authenticator.sources.cluster import Cluster
from authenticator.sources.cluster_source import ClusterSource
from authenticator.sources.config_map import AwsAuth
from authenticator.sources.custom_resources import IdentityMappings
from authenticator.sources.file import FileSource
from authenticator.sources.last_good import LastGoodFiles
from authenticator.sources.modes import ModesFile
from authenticator.sources.observing import Still, Unreported, Unsaved
from authenticator.sources.reports import ClusterReports

BREAK_GLASS = "BreakGlass"
_ADMINISTRATORS = "bootstrapAdministrators"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """Where mappings come from.

    Attributes:
        modes: the chain, in canonical names.
        state_dir: an existing directory for the last good mappings.
        config: the server's config file, which MountedFile follows; None if it has none.
        modes_file: `dynamicBackendModePath`; None for a chain that stays.
        dynamic_file: the file of DynamicFile.
        user_id_strict: whether DynamicFile's entries apply to their `userid` only.
        kubeconfig: how to reach the API server; None as a pod of the cluster.
        master: the API server's URL instead of that; "" to keep it.
        break_glass: a file that applies last and may be absent.
        administrators: ARNs that have system:masters, whatever the sources say.
        guards: by mode, what it may not grant; nothing is reserved for a mode that is missing.
    """

    modes: tuple[str, ...]
    state_dir: Path
    config: Path | None = None
    modes_file: Path | None = None
    dynamic_file: Path | None = None
    user_id_strict: bool = False
    kubeconfig: Path | None = None
    master: str = ""
    break_glass: Path | None = None
    administrators: tuple[str, ...] = ()
    guards: Mapping[str, Guard] = field(default_factory=dict)


class Mappings:
    """The mappings of a server. Made before workers are forked, started in each.

    Attributes:
        administrators: the rules of `bootstrapAdministrators`.
    """

    def __init__(
        self,
        options: SourceOptions,
        *,
        metrics: SourceMetrics | None = None,
        on_change: Callable[[StoreStatus], None] | None = None,
        cluster: Cluster | None = None,
        read_only: bool = False,
    ) -> None:
        """Make the sources and start nothing.

        Args:
            options: where mappings come from.
            metrics: what is counted.
            on_change: told of each change, one call at a time.
            cluster: the API server, instead of the one that the options name.
            read_only: whether to write nothing, neither to the state directory nor to the cluster.

        Raises:
            ConfigError: an option is missing or cannot be used.
        """
        self._options = options
        self._given_cluster = cluster
        self._last_good = None if read_only else LastGoodFiles(options.state_dir)
        last_good = self._last_good or Unsaved(options.state_dir)
        self._context = Context(last_good, metrics or Uncounted())
        self._sources = {mode: self._source(mode) for mode in options.modes}
        self.administrators = tuple(_administrator(arn) for arn in options.administrators)
        self._store = MappingStore(
            tuple(self._sources.values()),
            administrators=self.administrators,
            break_glass=self._break_glass(),
            on_change=on_change,
        )
        path = options.modes_file
        self._modes_file = ModesFile(path, self._switch) if path else None

    def start(self) -> None:
        """Start following; see `MappingStore.start`."""
        if self._last_good is not None:
            self._last_good.start()
        self._store.start()
        if self._modes_file is not None:
            self._modes_file.start()

    def stop(self) -> None:
        """Stop, and write what waits to be written."""
        if self._modes_file is not None:
            self._modes_file.stop()
        self._store.stop()
        # Not asked for before: it would be made only to be stopped.
        if "_cluster_reports" in vars(self):
            self._cluster_reports.stop()
        if self._last_good is not None:
            self._last_good.stop()

    @property
    def unwritten(self) -> list[str]:
        """The files of last good mappings that could not be written, with the reasons."""
        return [] if self._last_good is None else self._last_good.unwritten

    def current(self) -> RuleSet:
        """The rules in force now."""
        return self._store.current()

    def status(self) -> StoreStatus:
        """What is in force now, source by source."""
        return self._store.status()

    def _switch(self, modes: tuple[str, ...]) -> None:
        """Switch the chain; a source that both chains have runs on."""
        try:
            self._sources = {mode: self._sources.get(mode) or self._source(mode) for mode in modes}
        except ConfigError as error:
            _LOG.warning("the sources stay as they are: %s", error)
            return
        self._store.switch(tuple(self._sources.values()))

    def _source(self, mode: str) -> Source:
        guard = self._options.guards.get(mode, Guard())
        if mode in (EKS_CONFIG_MAP, CRD):
            reader = SectionReader(mode, guard)
            documents = AwsAuth(reader) if mode == EKS_CONFIG_MAP else IdentityMappings(reader)
            reports = Unreported() if self._last_good is None else self._cluster_reports
            return ClusterSource(self._cluster, documents, reports, self._context)
        if mode == DYNAMIC_FILE:
            reader = SectionReader(mode, guard, self._options.user_id_strict)
            if self._options.dynamic_file is None:
                raise ConfigError((f"server.dynamicfilepath: the source {mode} needs it",))
            return FileSource(reader, self._options.dynamic_file, self._context)
        if self._options.config is None:
            return Still(SourceState(mode, synced=True))
        reader = SectionReader(mode, guard)
        return FileSource(reader, self._options.config, self._context, under="server")

    def _break_glass(self) -> Source | None:
        path = self._options.break_glass
        reader = SectionReader(BREAK_GLASS, Guard())
        return FileSource(reader, path, self._context, optional=True) if path else None

    @cached_property
    def _cluster(self) -> Cluster:
        if self._given_cluster is not None:
            return self._given_cluster
        # The client costs 15 MiB, which a server without such a source need not pay.
        from authenticator.sources.kubernetes_api import (  # noqa: PLC0415 (see above)
            KubernetesApi,
            configuration,
            version_of,
        )

        kubeconfig = self._options.kubeconfig
        return KubernetesApi(
            partial(configuration, kubeconfig, self._options.master),
            version=partial(version_of, None if kubeconfig is None else (kubeconfig,)),
        )

    @cached_property
    def _cluster_reports(self) -> ClusterReports:
        return ClusterReports(self._cluster, self._options.state_dir / "reports.lock", time.time)


def _administrator(arn: str) -> Rule:
    try:
        return administrator(arn, Origin("config", _ADMINISTRATORS))
    except ValueError as error:
        raise ConfigError(
            (f"server.{_ADMINISTRATORS}: {arn!r} cannot be used: {error}",)
        ) from error
