"""How an administrator's command reaches a cluster: as kubectl does, unless told otherwise."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from authenticator.display import printable
from authenticator.errors import ConfigError
from authenticator.options import COMMAND
from authenticator.sources.cluster import Cluster

F = TypeVar("F", bound=Callable[..., Any])

_SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


def connection_options(function: F) -> F:
    """Give a click command `--kubeconfig`, `--context` and `--master-url`."""
    for option in (  # the help shows the last one first
        click.option(
            "--master-url", metavar="URL", help="The API server, instead of the context's."
        ),
        click.option(
            "--context",
            "--kubeconfig-context",
            metavar="NAME",
            help="The context in it. Default: its current one.",
        ),
        click.option(
            "--kubeconfig",
            metavar="FILE",
            help="The kubeconfig file. Default: $KUBECONFIG, ~/.kube/config, or the pod's service"
            " account.",
        ),
    ):
        function = option(function)
    return function


def connect(
    kubeconfig: str | None,
    context: str | None,
    master_url: str | None,
    told: list[str] | None = None,
) -> Cluster:
    """Prepare to talk to the API server; it is asked at the first request.

    Args:
        kubeconfig: the file, as the flag says.
        context: the context in it.
        master_url: the API server, in place of the context's.
        told: each warning of the API server is shown once, and added here.

    Raises:
        ConfigError: there is neither a kubeconfig file nor a service account, or `master_url` is
            not a URL.
    """
    if master_url and not _is_url(master_url):
        problem = f"--master-url {printable(master_url)} is not a URL"
        raise ConfigError((f"{problem}; give one such as https://api.example:6443",))
    # The client costs 0.2 s, which --help need not wait for.
    from authenticator.sources.kubernetes_api import KubernetesApi, configuration  # noqa: PLC0415

    # Sources tell what they read in the log, which is the server's; verbs say it in their answer.
    logging.getLogger("authenticator").addHandler(logging.NullHandler())
    paths = _kubeconfigs(kubeconfig, context)
    configure = partial(configuration, paths, master_url or "", context or "")
    return KubernetesApi(configure, warned=_once([] if told is None else told))


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("https", "http") and bool(parts.hostname)


def _once(told: list[str]) -> Callable[[str], None]:
    """Return what shows each warning of the API server once, as kubectl does."""

    def show(text: str) -> None:
        if text not in told:
            told.append(text)
            click.echo(f"{COMMAND}: warning of the API server: {printable(text)}", err=True)

    return show


def _kubeconfigs(given: str | None, context: str | None) -> tuple[Path, ...] | None:
    """The kubeconfig files as kubectl finds them; None for the service account of this pod."""
    if given:
        return (Path(given),)
    listed = [Path(name) for name in os.environ.get("KUBECONFIG", "").split(os.pathsep) if name]
    candidates = listed or [Path.home() / ".kube" / "config"]
    if paths := tuple(path for path in candidates if path.exists()):
        return paths
    if _in_pod() and not context:
        return None
    names = os.pathsep.join(map(str, candidates))
    raise ConfigError((f"{names}: no such kubeconfig file; name one with --kubeconfig",))


def _in_pod() -> bool:
    """Whether there is a service account to use, by the variable and the file that pods have."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and _SERVICE_ACCOUNT_TOKEN.exists()
