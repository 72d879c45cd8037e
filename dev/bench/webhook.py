"""A webhook server under test: ours or the reference, started alike on a fresh state."""

from __future__ import annotations

import base64
import os
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from dev.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from dev.bench.double import StsDouble

CLUSTER = "benchmark"

# As many as Roles in dev/bench/sts/sts.go.
ROLES = 20
ACCOUNT = "111122223333"
_PATIENCE = 20.0

# The reference does not end on SIGTERM.
_GRACE = 3.0


class WebhookError(Exception):
    """The server did not come up; the message ends with the last line it logged."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A running server: its process, its URL and the CA file to trust."""

    pid: int
    url: str
    ca: Path


@contextmanager
def running(
    command: str, directory: Path, double: StsDouble, settings: Mapping[str, object]
) -> Iterator[Webhook]:
    """Run `command server` with its state in `directory`, and STS where the double is.

    `settings` stand under `server` in the config file; `callers` gives some.

    Raises WebhookError.
    """
    config = {"clusterID": CLUSTER, "server": dict(settings)}
    (directory / "config.yaml").write_text(yaml.safe_dump(config))
    port = free_port()
    paths = [
        *("--config", str(directory / "config.yaml")),
        *("--state-dir", str(directory)),
        *("--generate-kubeconfig", str(directory / "webhook.yaml")),
    ]
    arguments = [command, "server", *paths, "--address", "127.0.0.1", "--port", str(port)]
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            arguments,
            env=_environment(directory, double),
            stdout=output,
            stderr=output,
            # A group of its own, so that nothing of it stays behind.
            start_new_session=True,
        )
    try:
        yield _ready(process, directory, log)
    finally:
        _stop(process)


def role_name(number: int) -> str:
    """Return the name of a role of dev/bench/sts, which is the beginning of its user's name."""
    return f"bench-{number:02d}"


def callers(
    *,
    quota: bool,
    kubeconfig: Path | None,
    web_identity: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Return the settings that map the callers of dev/bench/sts.

    Where STS has no `quota`, ours may make as many calls as the reference does. With a
    `kubeconfig`, the ConfigMap of that cluster is a source of mappings too. With `web_identity`,
    the server takes JWTs, which name no session.
    """
    rest = ":{{SessionName}}" if web_identity is None else ""
    roles = [
        {
            "roleARN": f"arn:aws:iam::{ACCOUNT}:role/{role_name(number)}",
            "username": f"{role_name(number)}{rest}",
            "groups": ["bench:readers"],
        }
        for number in range(ROLES)
    ]
    settings: dict[str, object] = {"mapRoles": roles}
    if not quota:
        settings["stsCallsPerSecond"] = 100_000
    if web_identity is not None:
        settings["webIdentity"] = dict(web_identity)
    if kubeconfig is not None:
        settings |= {"backendMode": "MountedFile,EKSConfigMap", "kubeconfig": str(kubeconfig)}
    return settings


def _environment(home: Path, double: StsDouble) -> dict[str, str]:
    return {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HTTPS_PROXY": double.proxy,
        "NO_PROXY": "127.0.0.1,localhost",
        # Each program's own way to trust a CA: Go's, and that of AWS's Python libraries.
        "SSL_CERT_FILE": str(double.ca),
        "AWS_CA_BUNDLE": str(double.ca),
    }


def _ready(process: subprocess.Popen[bytes], directory: Path, log: Path) -> Webhook:
    """Wait until the server answers on its health path."""
    deadline = time.monotonic() + _PATIENCE
    reason = "it did not write its webhook kubeconfig"
    while process.poll() is None and time.monotonic() < deadline:
        if (directory / "webhook.yaml").exists():
            webhook = _from_kubeconfig(process.pid, directory)
            try:
                _healthz(webhook)
            except (urllib.error.URLError, OSError) as error:
                reason = f"its health check says: {error}"
            else:
                return webhook
        time.sleep(0.02)
    if process.returncode is not None:
        reason = f"it ended with exit code {process.returncode}"
    # The last line only: a traceback above it would name paths of this machine.
    logged = log.read_text(errors="replace").strip().splitlines()[-1:] or ["(nothing)"]
    raise WebhookError(f"the server did not come up: {reason}; it logged: {logged[0]}")


def _from_kubeconfig(pid: int, directory: Path) -> Webhook:
    document = yaml.safe_load((directory / "webhook.yaml").read_text())
    cluster = document["clusters"][0]["cluster"]
    ca = directory / "webhook-ca.pem"
    ca.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    return Webhook(pid, cluster["server"], ca)


def _healthz(webhook: Webhook) -> None:
    trust = ssl.create_default_context(cafile=str(webhook.ca))
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
    )
    opener.open(webhook.url.rpartition("/")[0] + "/healthz", timeout=2).close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
