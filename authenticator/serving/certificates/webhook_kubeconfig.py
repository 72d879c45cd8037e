"""The kubeconfig by which an API server finds and trusts this webhook.

Source: Kubernetes, "Webhook Token Authentication"; the names are the reference's.
"""

from __future__ import annotations

import base64
import ipaddress
from typing import TYPE_CHECKING

import yaml

from authenticator.atomic import write_atomically
from authenticator.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

KUBECONFIG_NAME = "aws-iam-authenticator.kubeconfig"


def render(certificates: bytes, hostname: str, port: int) -> bytes:
    """Give the webhook kubeconfig.

    Args:
        certificates: the PEM of what the API server is to trust.
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
                    "certificate-authority-data": base64.b64encode(certificates).decode("ascii"),
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


def write(path: Path, certificates: bytes, hostname: str, port: int) -> None:
    """Write the webhook kubeconfig to `path`, making its directory when it is missing.

    It holds no secret, and API servers run under users of their own: it is readable by all (0644).

    Raises:
        ConfigError: it could not be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, render(certificates, hostname, port), 0o644)
    except OSError as error:
        problem = (
            f"{error.filename or path}: the webhook kubeconfig cannot be written:"
            f" {error.strerror or error}; name another file with --generate-kubeconfig, or"
            " write it beforehand with `init` and pass --kubeconfig-pregenerated"
        )
        raise ConfigError((problem,)) from error


def _in_url(hostname: str) -> str:
    try:
        version = ipaddress.ip_address(hostname).version
    except ValueError:
        return hostname
    return f"[{hostname}]" if version == 6 else hostname  # noqa: PLR2004 (the version of IP)
