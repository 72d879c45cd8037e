"""The kubeconfig by which an API server finds and trusts this webhook.

Source: Kubernetes, "Webhook Token Authentication"; the names are the reference's.
"""

from __future__ import annotations

import base64
import ipaddress
from pathlib import Path

import yaml

from authenticator.atomic import write_atomically
from authenticator.errors import ConfigError
from authenticator.serving.certificates.ownership import owner_for, remedy

_MODE = 0o644
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
                    "server": f"https://{in_url(hostname)}:{port}/authenticate",
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


def is_written(path: Path, content: bytes) -> bool:
    """Return whether `path` holds `content` already, and API servers can read it."""
    try:
        return path.read_bytes() == content and path.stat().st_mode & _MODE == _MODE
    except OSError:
        return False


def trusted_by(path: Path) -> bytes:
    """Return the PEM of what a webhook kubeconfig trusts; empty if it cannot be read."""
    try:
        cluster = yaml.safe_load(path.read_bytes())["clusters"][0]["cluster"]
        return base64.b64decode(cluster["certificate-authority-data"], validate=True)
    except (OSError, ValueError, LookupError, TypeError, RecursionError, yaml.YAMLError):
        return b""


def write(path: Path, content: bytes) -> None:
    """Write what `render` returned to `path`, making its directory when it is missing.

    It holds no secret, and API servers run under users of their own: it is readable by all (0644).
    As root, it belongs to the owner of its directory.

    Raises:
        ConfigError: it could not be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content, _MODE, owner=owner_for(path.parent))
    except OSError as error:
        place = Path(error.filename or path)
        cure = remedy(place, error) or (
            "name another file with --generate-kubeconfig, or write it beforehand with `init` and"
            " pass --kubeconfig-pregenerated"
        )
        reason = error.strerror or str(error)
        problem = f"{place}: the webhook kubeconfig cannot be written: {reason}; {cure}"
        raise ConfigError((problem,)) from error


def in_url(hostname: str) -> str:
    """Return a host name or address as a URL has it."""
    try:
        version = ipaddress.ip_address(hostname).version
    except ValueError:
        return hostname
    return f"[{hostname}]" if version == 6 else hostname  # noqa: PLR2004 (the version of IP)
