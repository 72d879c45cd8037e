"""How an administrator's command reaches a cluster: as kubectl does, unless told otherwise."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from authenticator.errors import ConfigError
from authenticator.sources.cluster import Cluster

F = TypeVar("F", bound=Callable[..., Any])


def connection_options(function: F) -> F:
    """Give a click command `--kubeconfig`, `--context` and `--master-url`."""
    for option in (
        click.option(
            "--kubeconfig",
            metavar="FILE",
            help="The kubeconfig file. Default: $KUBECONFIG, or ~/.kube/config.",
        ),
        click.option(
            "--context",
            "--kubeconfig-context",
            metavar="NAME",
            help="The context in it. Default: its current one.",
        ),
        click.option(
            "--master-url", metavar="URL", help="The API server, instead of the context's."
        ),
    ):
        function = option(function)
    return function


def connect(kubeconfig: str | None, context: str | None, master_url: str | None) -> Cluster:
    """Prepare to talk to the API server; it is asked at the first request.

    Raises:
        ConfigError: there is no kubeconfig file.
    """
    # The client costs 0.2 s, which --help need not wait for.
    from authenticator.sources.kubernetes_api import KubernetesApi, configuration  # noqa: PLC0415

    path = _kubeconfig(kubeconfig)
    return KubernetesApi(partial(configuration, path, master_url or "", context or ""))


def _kubeconfig(given: str | None) -> Path:
    """The kubeconfig file, as kubectl finds it; of a list in $KUBECONFIG, the first that exists."""
    if given:
        return Path(given)
    listed = [Path(name) for name in os.environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    candidates = listed or [Path.home() / ".kube" / "config"]
    for path in candidates:
        if path.exists():
            return path
    raise ConfigError((f"{candidates[0]}: no such kubeconfig file; name one with --kubeconfig",))
