"""Runs an image as Kubernetes would with the Pod of manifests/, without a container engine.

As the image's user without a single capability or a way to one, with the image's files as a
read-only root, and what the Pod mounts over them.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    Process = subprocess.Popen[str]

CONFIG = "/etc/aws-iam-authenticator"
STATE = "/var/aws-iam-authenticator"
WEBHOOK = "/etc/kubernetes/aws-iam-authenticator"
# What an engine makes, and what the Pod mounts.
WRITABLE = {"/dev/shm", "/tmp", STATE, WEBHOOK}

# In a mount namespace of its own, which ends with the process.
_START = f"""
root=$1 user=$2 config=$3 state=$4 webhook=$5; shift 5
mkdir -p "$root/dev" "$root/proc" "$root/tmp" "$root{CONFIG}"
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777,size=1m tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
mkdir "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
for device in null urandom; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mount -o remount,bind,ro "$root"
mount -o remount,ro "$root/dev"
mount --bind "$config" "$root{CONFIG}"
mount -o remount,bind,ro "$root{CONFIG}"
mount --bind "$state" "$root{STATE}"
mount --bind "$webhook" "$root{WEBHOOK}"
exec setpriv --no-new-privs chroot --userspec="$user" --groups= "$root" "$@"
"""


@dataclass(frozen=True)
class Container:
    """An image, and the directories of a host that are mounted over it.

    Attributes:
        image: the image's configuration.
        root: its files.
        volumes: where `config`, `state` and `webhook` are.
        environment: what is set besides the image's own.
    """

    image: Mapping[str, Any]
    root: Path
    volumes: Path
    environment: Mapping[str, str]

    @property
    def user(self) -> tuple[int, int]:
        """The image's user and group, which must be given as numbers."""
        user, group = self.image["User"].split(":")
        return int(user), int(group)

    def make_volumes(self) -> None:
        """Make the host's directories as docs/install.md says."""
        for name, mode in (("config", 0o755), ("state", 0o700), ("webhook", 0o755)):
            directory = self.volumes / name
            directory.mkdir(mode)
            if name != "config":
                os.chown(directory, *self.user)

    def start(self, *arguments: str) -> Process:
        """Start what the image starts, with other arguments."""
        return self._start([*self.image["Entrypoint"], *arguments])

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run another program of the image's to its end."""
        process = self._start(command)
        said, _ = process.communicate(timeout=60)
        return subprocess.CompletedProcess(list(command), process.returncode, said)

    def healthy(self) -> bool:
        """Run the image's health check."""
        kind, *command = self.image["Healthcheck"]["Test"]
        assert kind == "CMD", "a shell would be needed"
        return self.run(command).returncode == 0

    def _start(self, command: Sequence[str]) -> Process:
        mounted = (str(self.volumes / name) for name in ("config", "state", "webhook"))
        unshared = ["unshare", "--mount", "--propagation=private", "sh", "-euc", _START, "sh"]
        inside = dict(variable.split("=", 1) for variable in self.image["Env"])
        return subprocess.Popen(
            [*unshared, str(self.root), self.image["User"], *mounted, *command],
            # Of a user without an entry in /etc/passwd, HOME is the root directory.
            env={
                **inside,
                "PATH": f"{inside['PATH']}:/usr/sbin:/sbin",
                "HOME": "/",
                **self.environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
