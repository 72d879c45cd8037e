"""Which mappings a command means: `--source`, and how to reach the cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from authenticator.admin.connection import connect, connection_options
from authenticator.admin.stores.access_entries import AccessEntriesStore
from authenticator.admin.stores.base import Store
from authenticator.admin.stores.config_map import AwsAuthStore
from authenticator.admin.stores.file import FileStore
from authenticator.admin.stores.objects import ObjectsStore
from authenticator.sources.cluster import Cluster

F = TypeVar("F", bound=Callable[..., Any])

CONFIG_MAP = "configmap"
OBJECTS = "crd"
EKS = "eks"
ALL = "all"
_FILE = "file="


@dataclass(frozen=True, slots=True)
class Where:
    """The values of the flags of `where_options`; those for EKS are "" if they are not given."""

    source: str
    kubeconfig: str | None
    context: str | None
    master_url: str | None
    eks_cluster: str = ""
    region: str = ""
    profile: str = ""

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
        if source == EKS:
            if not self.eks_cluster:
                raise click.UsageError("--source eks needs the name of the cluster: --cluster NAME")
            return AccessEntriesStore(self.eks_cluster, self.region, self.profile)
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
        known = value in (CONFIG_MAP, OBJECTS, EKS, ALL) or (
            value.startswith(_FILE) and value != _FILE
        )
        if not known:
            self.fail(
                f"{value!r} is none of {CONFIG_MAP}, {OBJECTS}, {EKS}, {_FILE}PATH", param, ctx
            )
        return str(value)


def where_options(function: F) -> Callable[..., Any]:
    """Give a command the options that say which mappings it is about, and `where` made of them."""

    @wraps(function)
    def run(
        *,
        source: str,
        kubeconfig: str | None,
        context: str | None,
        master_url: str | None,
        cluster: str,
        region: str,
        profile: str,
        **rest: Any,
    ) -> Any:
        where = Where(source, kubeconfig, context, master_url, cluster, region, profile)
        _refuse_unused(where, click.get_current_context().info_name or "")
        return function(where=where, **rest)

    decorated = connection_options(run)
    for option in (
        click.option(
            "--profile", default="", metavar="NAME", help="With --source eks: the AWS profile."
        ),
        click.option(
            "--region",
            default="",
            metavar="NAME",
            help="With --source eks: the cluster's Region. Default: that of the profile.",
        ),
        click.option(
            "--cluster", default="", metavar="NAME", help="With --source eks: the cluster's name."
        ),
        click.option(
            "--source",
            type=_Source(),
            default=CONFIG_MAP,
            show_default=True,
            metavar=f"{CONFIG_MAP}|{OBJECTS}|{EKS}|{_FILE}PATH",
            help="Which mappings: the ConfigMap aws-auth, the IAMIdentityMapping objects, the"
            " access entries of an EKS cluster, or a file.",
        ),
    ):
        decorated = option(decorated)
    return decorated


def _refuse_unused(where: Where, verb: str) -> None:
    """Refuse flags that would do nothing: they mean another place than the one that is edited."""
    of_eks = {"cluster": where.eks_cluster, "region": where.region, "profile": where.profile}
    of_kubernetes = {
        "kubeconfig": where.kubeconfig,
        "context": where.context,
        "master-url": where.master_url,
    }
    if where.source == EKS:
        if unused := [name for name, value in of_kubernetes.items() if value]:
            raise click.UsageError(f"--{unused[0]} does not go with --source eks: pass --cluster")
        return
    # The formats of EKS and eksctl name the cluster too.
    exported = ("cluster", "region") if verb == "export" else ()
    if unused := [name for name, value in of_eks.items() if value and name not in exported]:
        raise click.UsageError(f"--{unused[0]} goes with --source eks")
