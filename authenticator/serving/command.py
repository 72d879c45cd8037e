"""The verbs `server`, `init` and `rotate`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import click

from authenticator.aws.proxy import Proxies
from authenticator.config import Loaded
from authenticator.display import printable, printable_lines
from authenticator.elapsed import ClockSteps
from authenticator.options import command
from authenticator.serving import announcement, logs
from authenticator.serving.admission_peers import AdmissionPeers
from authenticator.serving.certificates import (
    admission_client,
    ownership,
    rotation,
    webhook_kubeconfig,
)
from authenticator.serving.certificates.admission_client import AdmissionClient
from authenticator.serving.certificates.ownership import KEY_NAME
from authenticator.serving.certificates.pair import (
    CERTIFICATE_NAME,
    LIFETIME,
    Wanted,
)
from authenticator.serving.certificates.renewal import Renewal
from authenticator.serving.certificates.start import start
from authenticator.serving.certificates.trust import Trust
from authenticator.serving.http.worker import Service
from authenticator.serving.server import ServeOptions, serve
from authenticator.settings import Settings, places

_LOG = logging.getLogger(__name__)
_FILES = (*rotation.FILES, *admission_client.FILES)
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
    kubeconfig = settings.generate_kubeconfig
    trust = None if settings.kubeconfig_pregenerated else _trust(settings, kubeconfig, directory)
    started = start(directory, _wanted(settings), trust, kubeconfig, _now())
    certificate = started.certificate
    renewal = Renewal(
        directory,
        _wanted(settings),
        trust,
        warning=started.warning,
        fault=started.fault,
        steps=ClockSteps(),
    )
    client = _admission_client(settings, kubeconfig, directory)
    peers = AdmissionPeers(
        directory,
        settings.admission_secret_file,
        settings.admission_client_file,
        client=None if settings.kubeconfig_pregenerated else client,
        anonymous=settings.anonymous_admission,
    )
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
            peers=peers,
            metrics=settings.metrics_endpoint,
        ),
        partial(_build, settings, loaded.file, log, renewal, peers),
    )


def _build(
    settings: Settings,
    config: Path | None,
    log: logs.LogHandler,
    renewal: Renewal,
    peers: AdmissionPeers,
) -> Service:
    # botocore reads the environment for itself, and every process of ours inherits it.
    Proxies.from_environment().export()
    # `init` and `rotate` start sooner without it.
    from authenticator.serving.service import ReviewService  # noqa: PLC0415

    return ReviewService(settings, config, log, renewal, peers)


@command(
    "init",
    "Write the certificates, their keys and the kubeconfigs before the first start.",
    _INIT_FLAGS,
)
@_days_option
def init(loaded: Loaded, *, days: int) -> int:
    """Write the files into the working directory, or where the settings say."""
    settings = loaded.settings
    directory, kubeconfig = _places(settings)
    trust = _trust(settings, kubeconfig, directory)
    with _for_the_server(directory):
        started = start(directory, _wanted(settings, days), trust, kubeconfig, _now())
        trust.write(_now())
        client = _admission_client(settings, kubeconfig, directory)
        shown = client.follow(_now())
    certificate = started.certificate
    if started.warning:
        click.echo(printable(f"warning: {started.warning}"), err=True)
    for path, use in (
        (certificate.certificate, f"the server's certificate, valid until {certificate.ends:%F}"),
        (certificate.key, "its private key; keep it secret"),
        (kubeconfig, "for the API server's --authentication-token-webhook-config-file"),
        (shown.certificate, "the client certificate that /validate accepts"),
        (shown.key, "its private key; keep it secret"),
        (client.kubeconfig, "for the API server's AdmissionConfiguration; keep it secret"),
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
    trust = _trust(settings, kubeconfig, directory)
    client = _admission_client(settings, kubeconfig, directory)
    if switch:
        with _for_the_server(directory):
            certificate = rotation.switch(directory, _now())
            trust.write(_now())
            client.follow(_now())
        in_use = f"{certificate.certificate}: in use now, valid until {certificate.ends:%F}."
        click.echo(printable(f"{in_use} Running servers serve it within seconds."))
        return 0
    with _for_the_server(directory):
        rotation.finish_switch(directory)
        # One that has expired can be replaced, too.
        if not (directory / CERTIFICATE_NAME).exists():
            rotation.current(directory, _wanted(settings), _now())
        certificate = rotation.prepare(directory, _wanted(settings, days), _now())
        trust.write(_now())
        client.follow(_now())
    click.echo(
        printable_lines(
            f"{certificate.certificate}: the next certificate, valid until {certificate.ends:%F}\n"
            f"{kubeconfig}: trusts both\n"
            f"{client.kubeconfig}: shows the next client certificate\n"
            "Now restart every API server that reads them, then run: rotate --switch"
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


def _admission_client(settings: Settings, kubeconfig: Path, directory: Path) -> AdmissionClient:
    return AdmissionClient.next_to(kubeconfig, directory, settings.hostname, settings.port)


def _trust(settings: Settings, kubeconfig: Path, directory: Path) -> Trust:
    return Trust(directory, kubeconfig, settings.hostname, settings.port)


@contextmanager
def _for_the_server(directory: Path) -> Iterator[None]:
    """Write files that the server can read, whoever runs the verb.

    Raises:
        ConfigError: they would be of no use to the server.
    """
    ownership.refuse_others(directory / KEY_NAME)
    # `init` makes it.
    if directory.exists():
        ownership.hand_over(directory, _FILES)
    yield
    ownership.hand_over(directory, _FILES)


def _now() -> datetime:
    return datetime.now(timezone.utc)
