"""Which mappings a command means: `--source`, and how to reach the cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from authenticator.admin.connection import connect, connection_options
from authenticator.admin.stores.base import Store
from authenticator.admin.stores.config_map import AwsAuthStore
from authenticator.admin.stores.file import FileStore
from authenticator.admin.stores.objects import ObjectsStore
from authenticator.sources.cluster import Cluster

F = TypeVar("F", bound=Callable[..., Any])

CONFIG_MAP = "configmap"
OBJECTS = "crd"
ALL = "all"
_FILE = "file="


@dataclass(frozen=True, slots=True)
class Where:
    """The values of the flags of `where_options`."""

    source: str
    kubeconfig: str | None
    context: str | None
    master_url: str | None

    def store(self, source: str = "") -> Store:
        """The mappings meant, or those of another `source` of the same cluster.

        Raises:
            ConfigError: the kubeconfig file is missing.
        """
        source = source or self.source
        if source == ALL:
            raise click.UsageError("--source all is for 'mappings list'; name one of the sources")
        if source.startswith(_FILE):
            return FileStore(Path(source.removeprefix(_FILE)))
        told: list[str] = []
        cluster = self.cluster(told)
        return (ObjectsStore if source == OBJECTS else AwsAuthStore)(cluster, told)

    def cluster(self, told: list[str] | None = None) -> Cluster:
        """The cluster meant; `told` as in `connect`.

        Raises:
            ConfigError: the kubeconfig file is missing.
        """
        return connect(self.kubeconfig, self.context, self.master_url, told)


class _Source(click.ParamType[str]):
    name = "source"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        known = value in (CONFIG_MAP, OBJECTS, ALL) or (value.startswith(_FILE) and value != _FILE)
        if not known:
            self.fail(f"{value!r} is none of {CONFIG_MAP}, {OBJECTS}, {_FILE}PATH", param, ctx)
        return str(value)


def where_options(function: F) -> Callable[..., Any]:
    """Give a command the options that say which mappings it is about, and `where` made of them."""

    @wraps(function)
    def run(
        source: str,
        kubeconfig: str | None,
        context: str | None,
        master_url: str | None,
        **rest: Any,
    ) -> Any:
        return function(where=Where(source, kubeconfig, context, master_url), **rest)

    return click.option(
        "--source",
        type=_Source(),
        default=CONFIG_MAP,
        show_default=True,
        metavar=f"{CONFIG_MAP}|{OBJECTS}|{_FILE}PATH",
        help="Which mappings: the ConfigMap aws-auth, the IAMIdentityMapping objects, or a file.",
    )(connection_options(run))
