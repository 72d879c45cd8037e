"""The kubeconfig by which an API server finds and trusts this webhook, and the verb `init`.

Source: Kubernetes, "Webhook Token Authentication"; the names are the reference's.
"""

from __future__ import annotations

import base64
import ipaddress
from typing import TYPE_CHECKING

import yaml

from authenticator.atomic import write_atomically
from authenticator.errors import ConfigError
from authenticator.serving.certificates import ServerCertificate, load_or_create

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

KUBECONFIG_NAME = "aws-iam-authenticator.kubeconfig"


def render(certificate: bytes, hostname: str, port: int) -> bytes:
    """Give the webhook kubeconfig.

    Args:
        certificate: the PEM that the API server is to trust.
        hostname: the name or address under which the API server reaches this server.
        port: the TCP port.
    """
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "aws-iam-authenticator",
                "cluster": {
                    "certificate-authority-data": base64.b64encode(certificate).decode("ascii"),
                    "server": f"https://{_in_url(hostname)}:{port}/authenticate",
                },
            }
        ],
        # client-go demands a user, even for a server that asks for none.
        "users": [{"name": "apiserver", "user": {}}],
        "contexts": [
            {
                "name": "webhook",
                "context": {"cluster": "aws-iam-authenticator", "user": "apiserver"},
            }
        ],
        "current-context": "webhook",
    }
    return yaml.safe_dump(document, sort_keys=False, width=2**20).encode("utf-8")


def write(path: Path, certificate: bytes, hostname: str, port: int) -> None:
    """Write the webhook kubeconfig to `path`, making its directory when it is missing.

    It holds no secret, and API servers run under users of their own: it is readable by all (0644).

    Raises:
        ConfigError: it could not be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, render(certificate, hostname, port), 0o644)
    except OSError as error:
        problem = (
            f"{error.filename or path}: the webhook kubeconfig cannot be written:"
            f" {error.strerror or error}; name another file with --generate-kubeconfig, or"
            " write it beforehand with `init` and pass --kubeconfig-pregenerated"
        )
        raise ConfigError((problem,)) from error


def init(
    directory: Path, *, kubeconfig: Path, hostname: str, address: str, port: int, now: datetime
) -> ServerCertificate:
    """Write everything that an API server needs before this server has ever run.

    Args:
        directory: where `cert.pem` and `key.pem` go; a pair that is there is kept.
        kubeconfig: where the webhook kubeconfig goes; replaced when it is there.
        hostname: the name or address under which API servers reach the server.
        address: the address that the server listens on.
        port: the TCP port that the server listens on.
        now: the time, aware.

    Raises:
        ConfigError: a file could not be read, written or used.
    """
    certificate = load_or_create(directory, hostname=hostname, address=address, now=now)
    write(kubeconfig, certificate.pem, hostname, port)
    return certificate


def _in_url(hostname: str) -> str:
    try:
        version = ipaddress.ip_address(hostname).version
    except ValueError:
        return hostname
    return f"[{hostname}]" if version == 6 else hostname  # noqa: PLR2004 (the version of IP)
