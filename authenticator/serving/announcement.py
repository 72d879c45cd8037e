"""The log lines of a start: what runs, for which cluster, with which files, and the next step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from authenticator import __version__
from authenticator.serving.certificates.pair import ServerCertificate
from authenticator.serving.ports import Listening, Role
from authenticator.settings import Settings

_FLAG = "--authentication-token-webhook-config-file"
_SERVED = {
    Role.REVIEWS: "https://{} for logins",
    Role.HEALTH: "http://{} for probes",
    Role.METRICS: "http://{} for metrics",
}


class Files:
    """Tells which of some files a start has written."""

    def __init__(self, *paths: Path) -> None:
        """Take note of the files as they are now."""
        self._before = {path: _identity(path) for path in paths}

    def written(self) -> list[Path]:
        """Return those that are others now."""
        return [path for path, before in self._before.items() if _identity(path) != before]


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def starting(
    settings: Settings, certificate: ServerCertificate, written: Iterable[Path]
) -> Iterator[str]:
    """Yield the lines before the server listens.

    Args:
        settings: what the server was told.
        certificate: what it serves.
        written: the files that this start has written.
    """
    sources = ", ".join(settings.backend_mode)
    yield (
        f"aws-iam-authenticator {__version__} for the cluster id {settings.cluster_id!r},"
        f" with mappings from {sources}"
    )
    files = ", ".join(map(str, written))
    if files:
        yield f"wrote {files}; the certificate is valid until {certificate.ends:%F}"
    kubeconfig = settings.generate_kubeconfig
    if settings.kubeconfig_pregenerated and not kubeconfig.exists():
        yield f"kube-apiserver needs the flag {_FLAG}, which names the kubeconfig that init wrote"
    else:
        yield f"kube-apiserver needs the flag {_FLAG}={kubeconfig}"


def listening(listeners: Iterable[Listening]) -> str:
    """Return the line that names every port with its scheme."""
    places = (_SERVED[listener.role].format(listener.place) for listener in listeners)
    return f"listening at {', '.join(places)}"
