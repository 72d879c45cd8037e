"""The verbs `server` and `init`."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import click

from authenticator.config import Loaded
from authenticator.options import command
from authenticator.serving import certificates, logs, webhook_kubeconfig
from authenticator.serving.server import ServeOptions, Service, serve
from authenticator.settings import Settings, places

_EVERY_FLAG = frozenset(name for name, _, place in places() if place.flag)


@command("server", "Answer the TokenReviews of a Kubernetes API server.", _EVERY_FLAG)
def server(loaded: Loaded) -> int:
    """Serve until told to stop."""
    settings = loaded.settings
    log = logs.configure(settings.log_format, settings.log_verbosity)
    certificate = certificates.load_or_create(
        settings.state_dir, hostname=settings.hostname, address=settings.address, now=_now()
    )
    if not settings.kubeconfig_pregenerated:
        webhook_kubeconfig.write(
            settings.generate_kubeconfig, certificate.pem, settings.hostname, settings.port
        )
    serve(
        ServeOptions(
            address=settings.address,
            port=settings.port,
            health_port=settings.health_port,
            certificate=certificate.certificate,
            key=certificate.key,
            workers=settings.workers,
        ),
        partial(_build, settings, loaded.file, log),
    )


def _build(settings: Settings, config: Path | None, log: logs.LogHandler) -> Service:
    # Imported when counting in several processes has been set up.
    from authenticator.serving.service import ReviewService  # noqa: PLC0415

    return ReviewService(settings, config, log)


@command(
    "init",
    "Write the certificate, its key and the webhook kubeconfig before the first start.",
    frozenset({"address", "hostname", "port", "state_dir", "generate_kubeconfig"}),
)
def init(loaded: Loaded) -> int:
    """Write the files into the working directory, or where the settings say."""
    settings = loaded.settings
    given = settings.model_fields_set
    directory = settings.state_dir if "state_dir" in given else Path.cwd()
    kubeconfig = (
        settings.generate_kubeconfig
        if "generate_kubeconfig" in given
        else directory / webhook_kubeconfig.KUBECONFIG_NAME
    )
    certificate = webhook_kubeconfig.init(
        directory,
        kubeconfig=kubeconfig,
        hostname=settings.hostname,
        address=settings.address,
        port=settings.port,
        now=_now(),
    )
    for path, use in (
        (certificate.certificate, "the server's certificate"),
        (certificate.key, "its private key; keep it secret"),
        (kubeconfig, "for the API server's --authentication-token-webhook-config-file"),
    ):
        click.echo(f"{path}: {use}")
    return 0


def _now() -> datetime:
    return datetime.now(timezone.utc)
