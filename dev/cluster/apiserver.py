"""kube-apiserver: its options, its files and its life."""

from __future__ import annotations

import http.client
import secrets
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dev.cluster.process import HeldPort, Process

if TYPE_CHECKING:
    from pathlib import Path

# Metadata is the level that names the user, groups and extra of each request and never its body.
_AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
"""


@dataclass(frozen=True, slots=True)
class Webhook:
    """The token webhook, as the API server is told of it.

    `cache_ttl` is a Go duration. Whatever it is, the API server remembers any token that it
    accepted for 10 s (kube-apiserver's TokenSuccessCacheTTL, which no flag sets).
    """

    kubeconfig: Path
    version: Literal["v1", "v1beta1"] = "v1"
    cache_ttl: str = "0s"

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags of kube-apiserver."""
        return (
            f"--authentication-token-webhook-config-file={self.kubeconfig}",
            f"--authentication-token-webhook-version={self.version}",
            f"--authentication-token-webhook-cache-ttl={self.cache_ttl}",
        )


@dataclass(frozen=True, slots=True)
class Options:
    """What differs from one control plane to another.

    `nodes` authorizes by `Node,RBAC` with the NodeRestriction admission, as a cluster with nodes
    does; `extra_flags` are further flags of kube-apiserver, which win over those set here.
    """

    webhook: Webhook | None = None
    nodes: bool = False
    extra_flags: tuple[str, ...] = ()

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags of kube-apiserver."""
        nodes = ("--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction")
        return (
            *(nodes if self.nodes else ("--authorization-mode=RBAC",)),
            *(self.webhook.flags if self.webhook else ()),
            *self.extra_flags,
        )


class APIServer:
    """One kube-apiserver, whose certificate, keys and audit log are in `directory`."""

    def __init__(
        self,
        binary: Path,
        directory: Path,
        *,
        etcd_url: str,
        options: Options,
        address: str = "127.0.0.1",
    ) -> None:
        directory.mkdir(parents=True)
        self._directory = directory
        self._address = address
        self._port = HeldPort(address)
        self.url = f"https://{address}:{self._port.number}"
        self.ca = directory / "apiserver.crt"
        self.audit_log = directory / "audit.log"
        self.admin_token = secrets.token_hex(16)
        self._write_files()
        self._process = Process(
            [binary, *self._flags(etcd_url), *options.flags], log=directory / "kube-apiserver.log"
        )

    def start(self) -> None:
        """Start it and wait until it is ready. Raises ProcessError."""
        self._process.start(self._is_ready)

    def forget_certificate(self) -> None:
        """Remove its certificate and key: at its next start it makes others."""
        for name in ("apiserver.crt", "apiserver.key"):
            (self._directory / name).unlink()

    def wait(self) -> None:
        """Wait for as long as it runs. Raises ProcessError when it ends by itself."""
        self._process.wait()

    def stop(self) -> None:
        """Stop it."""
        self._process.stop()

    def close(self) -> None:
        """Stop it for good."""
        self.stop()
        self._port.close()

    def _flags(self, etcd_url: str) -> tuple[str, ...]:
        key = self._directory / "service-account.key"
        return (
            f"--etcd-servers={etcd_url}",
            f"--bind-address={self._address}",
            # Without this it looks for another address of the host, which may have none.
            f"--advertise-address={self._address}",
            "--endpoint-reconciler-type=none",
            f"--secure-port={self._port.number}",
            "--permit-port-sharing",
            # It makes apiserver.crt and .key there, which stay the same when it is restarted.
            f"--cert-dir={self._directory}",
            f"--token-auth-file={self._directory / 'tokens.csv'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.0.0.0/24",
            f"--audit-policy-file={self._directory / 'audit-policy.yaml'}",
            f"--audit-log-path={self.audit_log}",
        )

    def _write_files(self) -> None:
        (self._directory / "audit-policy.yaml").write_text(_AUDIT_POLICY)
        tokens = self._directory / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text(f"{self.admin_token},admin,admin,system:masters\n")
        key = self._directory / "service-account.key"
        key.touch(mode=0o600)
        key.write_bytes(
            ec.generate_private_key(ec.SECP256R1()).private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )

    def _is_ready(self) -> bool:
        try:
            context = ssl.create_default_context(cafile=self.ca)
            connection = http.client.HTTPSConnection(
                self._address, self._port.number, timeout=10, context=context
            )
            try:
                headers = {"Authorization": f"Bearer {self.admin_token}"}
                connection.request("GET", "/readyz", headers=headers)
                return connection.getresponse().status == http.HTTPStatus.OK
            finally:
                connection.close()
        except OSError:  # not listening yet, or its certificate not written yet
            return False
