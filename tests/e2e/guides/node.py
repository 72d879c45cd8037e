"""A control-plane node that fits into a directory, for the install guides to be followed on.

The API server, etcd, kubeadm and our command are real. A node's directories are the same ones below
a directory of the test's own, its ports are free ones, and everything belongs to whoever runs the
tests instead of user 10000.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from dev.cluster import ControlPlane, Options, binaries
from dev.cluster.process import Process
from dev.ports import free_port
from dev.server import COMMAND
from dev.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from typing_extensions import Self

_DIRECTORIES = (
    "/etc/aws-iam-authenticator",
    "/etc/aws-iam-authenticator-admission",
    "/etc/kubernetes",
    "/etc/systemd/system",
    "/opt/kube-iam-authenticator",
    "/var/aws-iam-authenticator",
)
_WORKERS = 2  # by default
_PATH = re.compile(rf"(?<![\w./-])({'|'.join(_DIRECTORIES)})(?![\w-])")
_PORT = re.compile(r"\b(21362|21363|6443)\b")
_OWNER = re.compile(r" -o 10000 -g 10000\b")
# Given to kubeadm, so that it does not look for the machine's own address, which may have none.
INIT_CONFIGURATION = {
    "apiVersion": "kubeadm.k8s.io/v1beta4",
    "kind": "InitConfiguration",
    "localAPIEndpoint": {"advertiseAddress": "192.0.2.1"},
}
# What the server's settings are by default, where that is different here.
_DEFAULTS = {
    "KUBERNETES_AWS_AUTHENTICATOR_PORT": "21362",
    "KUBERNETES_AWS_AUTHENTICATOR_HEALTH_PORT": "21363",
    "KUBERNETES_AWS_AUTHENTICATOR_STATE_DIR": "/var/aws-iam-authenticator",
    "KUBERNETES_AWS_AUTHENTICATOR_GENERATE_KUBECONFIG": (
        "/etc/kubernetes/aws-iam-authenticator/kubeconfig.yaml"
    ),
}


@dataclass(frozen=True)
class Run:
    """The server's process as something on the node starts it.

    Attributes:
        arguments: of our command.
        variables: of its environment.
        version: the image, and the config file's text; what is another version is started anew.
    """

    arguments: tuple[str, ...]
    variables: tuple[tuple[str, str], ...] = ()
    version: str = ""


class Node:
    """The node, its API server, and the server beside it.

    Args:
        directory: for all of it.
        environment: how AWS is reached from here.

    Attributes:
        root: the node's file system.
        home: where its root user works.
        plane: its control plane.
        log: what the server writes.
        run_otherwise: the server as something runs it that is not here, such as kops.
    """

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.root = directory / "node"
        self.home = self.root / "root"
        for path in ("etc/kubernetes/pki", "etc/kubernetes/manifests", "etc/systemd/system"):
            (self.root / path).mkdir(parents=True)
        self.home.mkdir()
        self._environment = environment
        self._flags = directory / "kube-apiserver.flags"
        self._flags.touch()
        self.plane = ControlPlane(
            self._programs(), directory, Options(extra_flags=self._api_server_flags())
        )
        api_port = self.plane.server.rpartition(":")[2]
        self._ports = {"21362": str(free_port()), "21363": str(free_port()), "6443": api_port}
        self._make_cluster(directory / "apiserver")
        self._running: tuple[Run, Process] | None = None
        self.log = directory / "server.log"
        self.run_otherwise: Run | None = None

    def __enter__(self) -> Self:
        self.plane.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.plane.__exit__()
        self.run(None)

    def here(self, text: str) -> str:
        """Put this node's paths and ports into a text of a guide or manifest, and no owner."""
        text = _PATH.sub(rf"{self.root}\1", text)
        text = _PORT.sub(lambda found: self._ports[found[0]], text)
        text = text.replace("--address=::", "--address=127.0.0.1")
        return _OWNER.sub("", text)

    @property
    def settings(self) -> dict[str, str]:
        """The server's defaults as they have to be here, as variables."""
        return {name: self.here(value) for name, value in _DEFAULTS.items()}

    def tell_api_server(self, flags: list[str]) -> None:
        """Have the API server run with these flags besides its own."""
        if flags != self._flags.read_text().split():
            self._flags.write_text(" ".join(flags))
            self.plane.restart_apiserver()

    def run(self, wanted: Run | None) -> None:
        """Have the server run so, or not at all, and wait until it serves."""
        if self._running is not None and self._running[0] != wanted:
            self._running[1].stop()
            self._running = None
        if wanted is not None and self._running is None:
            environment = {**self._environment, **self.settings, **dict(wanted.variables)}
            pairs = [f"{name}={value}" for name, value in environment.items()]
            server = [str(COMMAND), *wanted.arguments]
            process = Process(["env", "-i", f"HOME={self.home}", *pairs, *server], log=self.log)
            process.start(self._is_ready)
            self._running = (wanted, process)

    def wait_for_edit(self, source: str) -> None:
        """Wait until each worker of the server has mappings of a source that had none.

        One that comes to read the source only now finds them there at once.
        """
        taken = re.compile(f"{source} has (?:changed: now|been read:) [1-9]")
        wait_until(lambda: len(taken.findall(self.log.read_text())) >= _WORKERS, self.log.read_text)

    def kubeadm(self) -> str:
        """A program that is kubeadm on this node: it writes its manifests here, as any user."""
        kubeadm, etc = binaries.kubeadm(), f"{self.root}/etc/kubernetes"
        return (
            "#!/bin/sh\n"
            f"export KUBEADM_INIT_DRYRUN_DIR={etc}/manifests\n"
            'case "$*" in\n'
            f'"init phase control-plane"*) exec {kubeadm} "$@" --dry-run ;;\n'
            f'"init phase upload-config"*) exec {kubeadm} "$@" --kubeconfig={etc}/admin.conf ;;\n'
            f'"kubeconfig user"*) exec {kubeadm} "$@" --config={etc}/kubeadm.yaml ;;\n'
            "esac\n"
            "exit 2\n"
        )

    def _programs(self) -> binaries.Binaries:
        """Those of a control plane, with flags of the API server that can change."""
        programs = binaries.find()
        program = self.root / "kube-apiserver"
        real = programs.kube_apiserver
        program.write_text(f'#!/bin/sh\nexec {real} "$@" $(cat {self._flags})\n')
        program.chmod(0o755)
        return binaries.Binaries(programs.etcd, program, programs.kubectl)

    def _api_server_flags(self) -> tuple[str, ...]:
        return (
            f"--client-ca-file={self.root}/etc/kubernetes/pki/ca.crt",
            # There is no kube-proxy. What is sent to a Service shall not leave this machine.
            "--service-cluster-ip-range=127.96.0.0/24",
        )

    def _make_cluster(self, served: Path) -> None:
        """Have kubeadm make the cluster's CA, and the certificate that the API server serves."""
        etc = self.root / "etc/kubernetes"
        configuration = {
            "apiVersion": "kubeadm.k8s.io/v1beta4",
            "kind": "ClusterConfiguration",
            "kubernetesVersion": "v1.36.0",
            "certificatesDir": f"{etc}/pki",
            "controlPlaneEndpoint": f"127.0.0.1:{self._ports['6443']}",
        }
        (etc / "kubeadm.yaml").write_text(yaml.safe_dump_all([configuration, INIT_CONFIGURATION]))
        for name in ("ca", "apiserver"):
            command = ["init", "phase", "certs", name, f"--config={etc}/kubeadm.yaml"]
            subprocess.run([binaries.kubeadm(), *command], check=True, capture_output=True)
        # The API server takes a certificate that is there already.
        chain = [(etc / f"pki/{name}.crt").read_text() for name in ("apiserver", "ca")]
        (served / "apiserver.crt").write_text("".join(chain))
        (served / "apiserver.key").write_text((etc / "pki/apiserver.key").read_text())
        (etc / "admin.conf").write_text(self.plane.admin_kubeconfig.read_text())

    def _is_ready(self) -> bool:
        probe = http.client.HTTPConnection("127.0.0.1", int(self._ports["21363"]), timeout=5)
        with contextlib.closing(probe), contextlib.suppress(OSError):
            probe.request("GET", "/readyz")
            return probe.getresponse().status == http.HTTPStatus.OK
        return False
