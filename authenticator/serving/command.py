"""The verbs `server`, `init` and `rotate`."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import click

from authenticator.aws.proxy import Proxies
from authenticator.config import Loaded
from authenticator.display import printable, printable_lines
from authenticator.options import command
from authenticator.serving import announcement, logs
from authenticator.serving.certificates import rotation, webhook_kubeconfig
from authenticator.serving.certificates.pair import (
    CERTIFICATE_NAME,
    KEY_NAME,
    LIFETIME,
    Wanted,
)
from authenticator.serving.certificates.renewal import Renewal
from authenticator.serving.http.worker import Service
from authenticator.serving.server import ServeOptions, serve
from authenticator.settings import Settings, places

_LOG = logging.getLogger(__name__)
_EVERY_FLAG = frozenset(name for name, _, place in places() if place.flag)
_INIT_FLAGS = frozenset({"address", "hostname", "port", "state_dir", "generate_kubeconfig"})
_days_option = click.option(
    "--days",
    type=click.IntRange(1, LIFETIME.days),
    default=LIFETIME.days,
    show_default=True,
    help="How long a certificate that is made is valid.",
)


@command("server", "Answer the TokenReviews of a Kubernetes API server.", _EVERY_FLAG)
def server(loaded: Loaded) -> int:
    """Serve until told to stop."""
    settings = loaded.settings
    log = logs.configure(settings.log_format, settings.log_verbosity)
    directory = settings.state_dir
    files = announcement.Files(
        directory / CERTIFICATE_NAME, directory / KEY_NAME, settings.generate_kubeconfig
    )
    certificate = rotation.current(directory, _wanted(settings), _now())
    if not settings.kubeconfig_pregenerated:
        _write_kubeconfig(settings, settings.generate_kubeconfig, directory)
    for line in announcement.starting(settings, certificate, files.written()):
        _LOG.info(line)
    serve(
        ServeOptions(
            address=settings.address,
            port=settings.port,
            health_port=settings.health_port,
            certificate=certificate.certificate,
            key=certificate.key,
            workers=settings.workers,
            metrics=settings.metrics_endpoint,
        ),
        partial(_build, settings, loaded.file, log),
    )


def _build(settings: Settings, config: Path | None, log: logs.LogHandler) -> Service:
    # botocore reads the environment for itself, and every process of ours inherits it.
    Proxies.from_environment().export()
    # `init` and `rotate` start sooner without it.
    from authenticator.serving.service import ReviewService  # noqa: PLC0415

    write = partial(_write_kubeconfig, settings, settings.generate_kubeconfig, settings.state_dir)
    renewal = Renewal(
        settings.state_dir,
        _wanted(settings),
        None if settings.kubeconfig_pregenerated else write,
    )
    return ReviewService(settings, config, log, renewal)


@command(
    "init",
    "Write the certificate, its key and the webhook kubeconfig before the first start.",
    _INIT_FLAGS,
)
@_days_option
def init(loaded: Loaded, *, days: int) -> int:
    """Write the files into the working directory, or where the settings say."""
    settings = loaded.settings
    directory, kubeconfig = _places(settings)
    certificate = rotation.current(directory, _wanted(settings, days), _now())
    _write_kubeconfig(settings, kubeconfig, directory)
    for path, use in (
        (certificate.certificate, f"the server's certificate, valid until {certificate.ends:%F}"),
        (certificate.key, "its private key; keep it secret"),
        (kubeconfig, "for the API server's --authentication-token-webhook-config-file"),
    ):
        click.echo(printable(f"{path}: {use}"))
    return 0


@command(
    "rotate",
    "Replace the certificate without refusing a login, in two steps. First: rotate, which makes"
    " the next certificate and has the webhook kubeconfig trust both. Then restart the API servers"
    " that read it, one after the other. Last: rotate --switch, which running servers follow.",
    _INIT_FLAGS,
)
@click.option("--switch", is_flag=True, help="Serve the next certificate from now on.")
@_days_option
def rotate(loaded: Loaded, *, switch: bool, days: int) -> int:
    """Do one of the two steps, where `init` has written its files."""
    settings = loaded.settings
    directory, kubeconfig = _places(settings)
    if switch:
        certificate = rotation.switch(directory, _now())
        _write_kubeconfig(settings, kubeconfig, directory)
        in_use = f"{certificate.certificate}: in use now, valid until {certificate.ends:%F}."
        click.echo(printable(f"{in_use} Running servers serve it within seconds."))
        return 0
    rotation.current(directory, _wanted(settings), _now())
    certificate = rotation.prepare(directory, _wanted(settings, days), _now())
    _write_kubeconfig(settings, kubeconfig, directory)
    click.echo(
        printable_lines(
            f"{certificate.certificate}: the next certificate, valid until {certificate.ends:%F}\n"
            f"{kubeconfig}: trusts both\n"
            "Now restart every API server that reads it, then run: rotate --switch"
        )
    )
    return 0


def _places(settings: Settings) -> tuple[Path, Path]:
    """The state directory and the webhook kubeconfig: as set, or in the working directory."""
    given = settings.model_fields_set
    directory = settings.state_dir if "state_dir" in given else Path.cwd()
    if "generate_kubeconfig" in given:
        return directory, settings.generate_kubeconfig
    return directory, directory / webhook_kubeconfig.KUBECONFIG_NAME


def _wanted(settings: Settings, days: int = LIFETIME.days) -> Wanted:
    return Wanted(
        hostname=settings.hostname, address=settings.address, lifetime=timedelta(days=days)
    )


def _write_kubeconfig(settings: Settings, kubeconfig: Path, directory: Path) -> None:
    trusted = rotation.trusted(directory)
    webhook_kubeconfig.write(kubeconfig, trusted, settings.hostname, settings.port)


def _now() -> datetime:
    return datetime.now(timezone.utc)
