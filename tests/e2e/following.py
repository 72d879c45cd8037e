"""A server that follows the mappings of the very cluster that asks it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dev.cluster import ControlPlane, Options, Webhook
from dev.server import WebhookServer, write_config
from tests.e2e import callers, manifests
from tests.e2e.administrator import Administrator
from tests.e2e.logins import log_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from dev.aws_double import Principal
    from tests.e2e.conftest import StartControlPlane


ADMISSION_CONFIGURATION = manifests.ROOT / "admission" / "admission-configuration.yaml"


@dataclass(frozen=True)
class Cluster:
    """A control plane, the server that it asks, and who edits the mappings in it."""

    plane: ControlPlane
    server: WebhookServer
    administrator: Administrator

    def log_in(self, principal: Principal) -> int:
        """Log in to the API server with a new token; gives the HTTP status."""
        return log_in(self.plane, callers.fresh_token(principal))

    def groups(self, principal: Principal) -> list[str] | None:
        """The groups that the server gives for a new token; None if it denies."""
        with self.server.poster() as poster:
            user = poster.review(callers.fresh_token(principal)).user
        return None if user is None else user["groups"]


def admission_flags(
    server: WebhookServer, directory: Path, manifest: Path = ADMISSION_CONFIGURATION
) -> tuple[str, ...]:
    """Have an API server show who it is at /validate, as docs/admission.md says."""
    document = manifest.read_text()
    kubeconfig = "/etc/kubernetes/aws-iam-authenticator/admission-kubeconfig.yaml"
    assert kubeconfig in document
    path = directory / "admission.yaml"
    path.write_text(document.replace(kubeconfig, str(server.admission_kubeconfig)))
    return (f"--admission-control-config-file={path}",)


@contextlib.contextmanager
def following(
    start: StartControlPlane,
    directory: Path,
    environment: Mapping[str, str],
    settings: Mapping[str, Any],
) -> Iterator[Cluster]:
    """Start both, the server first: it knows no API server until it is given a kubeconfig."""
    kubeconfig = directory / "cluster.kubeconfig"
    document = {"kubeconfig": str(kubeconfig), "backendMode": ["EKSConfigMap"], **settings}
    config = write_config(directory, {"clusterID": callers.CLUSTER_ID, "server": document})
    with WebhookServer(config, environment, arguments=("--log-format", "json")) as server:
        flags = admission_flags(server, directory)
        plane = start(Options(Webhook(server.kubeconfig), nodes=True, extra_flags=flags))
        since = server.log.end
        kubeconfig.write_bytes(plane.admin_kubeconfig.read_bytes())
        server.wait_for_each_worker("EKSConfigMap has been read", since)
        yield Cluster(plane, server, Administrator(plane))
