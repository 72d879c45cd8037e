"""The control plane as one thing: start it, talk to it with kubectl, break it, read its audit."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

from dev.cluster.apiserver import APIServer
from dev.cluster.etcd import Etcd

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from typing_extensions import Self

    from dev.cluster.apiserver import Options
    from dev.cluster.binaries import Binaries

_KUBECTL_SECONDS = 120


class KubectlError(Exception):
    """kubectl failed; the message holds what it wrote to stderr."""


class ControlPlane:
    """etcd and a kube-apiserver on loopback, with all of their files under `directory`.

    A context manager: entering starts both and waits until they are ready (about 3 s), leaving
    stops both. Raises process.ProcessError when one does not start.
    """

    def __init__(self, binaries: Binaries, directory: Path, options: Options) -> None:
        self._kubectl = binaries.kubectl
        self._directory = directory
        self._etcd = Etcd(binaries.etcd, directory / "etcd")
        self._apiserver = APIServer(
            binaries.kube_apiserver,
            directory / "apiserver",
            etcd_url=self._etcd.url,
            options=options,
        )
        self._home = directory / "home"
        self._home.mkdir()
        self.server = self._apiserver.url
        self.ca = self._apiserver.ca
        self.admin_kubeconfig = self.kubeconfig("admin", {"token": self._apiserver.admin_token})

    def __enter__(self) -> Self:
        try:
            self._etcd.start()
            self._apiserver.start()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        try:
            self._apiserver.close()  # first: without its etcd it lingers
        finally:
            self._etcd.close()

    def kubeconfig(self, name: str, user: Mapping[str, object]) -> Path:
        """Write a kubeconfig for this cluster and return its path.

        `user` is the kubeconfig's entry for the user: `{"token": ...}`, `{"exec": {...}}`.
        """
        path = self._directory / f"{name}.kubeconfig"
        cluster = {"server": self.server, "certificate-authority": str(self.ca)}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": name, "context": {"cluster": "test", "user": name}}],
            "current-context": name,
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(content, indent=2))
        return path

    def kubectl(
        self,
        *arguments: str,
        kubeconfig: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl, as the administrator unless another kubeconfig is given.

        Of this process's environment it sees PATH alone, with a HOME of its own: no profile, cache
        or proxy of the developer's. `env` is added. Raises KubectlError when `check` and it fails.
        """
        own = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._home),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        result = subprocess.run(
            [self._kubectl, f"--kubeconfig={kubeconfig or self.admin_kubeconfig}", *arguments],
            env=own | dict(env or {}),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_KUBECTL_SECONDS,
            check=False,
        )
        if check and result.returncode:
            raise KubectlError(f"kubectl {arguments[0]}: {result.stderr.strip()}")
        return result

    def restart_apiserver(self) -> None:
        """Restart the API server alone: same port, certificate and data, an empty watch cache."""
        self._apiserver.stop()
        self._apiserver.start()

    def renew_ca(self) -> None:
        """Restart the API server with another certificate and CA, which nobody trusts yet."""
        self._apiserver.stop()
        self._apiserver.forget_certificate()
        self._apiserver.start()

    def stop_etcd(self) -> None:
        """Take the store away from under the API server."""
        self._etcd.stop()

    def start_etcd(self) -> None:
        """Give the store back, with the data it had."""
        self._etcd.start()

    def expire_watches(self) -> None:
        """Cut every watch, and make going on from where it was answer 410 Gone.

        Compaction alone would not do: the API server goes on serving old revisions from its watch
        cache, which only a restart empties.
        """
        self._etcd.compact()
        self.restart_apiserver()

    def audit_events(self) -> list[dict[str, Any]]:
        """Return the API server's audit log so far: audit.k8s.io/v1 Events at level Metadata."""
        lines = self._apiserver.audit_log.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def wait(self) -> None:
        """Wait for as long as the API server runs. Raises process.ProcessError when it ends."""
        self._apiserver.wait()
