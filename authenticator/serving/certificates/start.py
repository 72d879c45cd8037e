"""Opens the certificate and the kubeconfig at a start of the server, which serves if it can."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from authenticator.errors import ConfigError
from authenticator.serving.certificates import rotation, webhook_kubeconfig
from authenticator.serving.certificates.pair import CERTIFICATE_NAME, ServerCertificate, Wanted
from authenticator.serving.certificates.trust import Trust

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Started:
    """The pair that a start loaded or created.

    Attributes:
        certificate: the pair to serve.
        warning: what API servers have to do, since the pair was lost and is new; empty if it was
            not.
        fault: why the kubeconfig could not be written; empty if it is right.
    """

    certificate: ServerCertificate
    warning: str = ""
    fault: str = ""


def start(
    directory: Path, wanted: Wanted, trust: Trust | None, kubeconfig: Path, now: datetime
) -> Started:
    """Load the pair, or create it, and have the kubeconfig trust it.

    A kubeconfig that cannot be written ends the first start only. Afterwards API servers may have
    read it, so that the server serves, and the kubeconfig is tried again.

    Args:
        directory: the state directory.
        wanted: what a new certificate shall say.
        trust: the webhook kubeconfig; None if it is written by others.
        kubeconfig: its file.
        now: the time, aware.

    Raises:
        ConfigError: a pair is missing and cannot be created, or the files cannot be used.
    """
    created = not (directory / CERTIFICATE_NAME).exists()
    known = trust is None or kubeconfig.exists()
    before = webhook_kubeconfig.trusted_by(kubeconfig)
    certificate = rotation.current(directory, wanted, now)
    fault = ""
    try:
        if trust is not None:
            trust.write(now)
    except ConfigError as error:
        if created and not known:
            raise
        fault = str(error)
        _LOG.error("serving all the same, and trying again: %s", fault)
    if created and known:
        warning = f"the certificate was created new, since {directory} held none"
    elif trust is not None and before and not _is_among(certificate, before):
        warning = f"the certificate in {directory} is not the one that {kubeconfig} trusted so far"
    else:
        return Started(certificate, fault=fault)
    warning = f"{warning}: {_consequence(directory, kubeconfig, ours=trust is not None)}"
    _LOG.warning("%s", warning)
    return Started(certificate, warning, fault)


def _is_among(certificate: ServerCertificate, trusted: bytes) -> bool:
    """Return whether API servers that trust a PEM accept a certificate, or one of its chain."""
    return any(pem.strip() in trusted for pem in rotation.each(certificate.pem))


def _consequence(directory: Path, kubeconfig: Path, *, ours: bool) -> str:
    """Say what API servers make of a certificate that they do not know, and what to do."""
    cure = (
        f"restart every API server that reads {kubeconfig}"
        if ours
        else "write the webhook kubeconfig again with `init`, and restart every API server that"
        " reads it"
    )
    return (
        "API servers that run do not trust it and answer 401 to every IAM login;"
        f" {cure}, and keep {directory} on a disk that outlives the server"
    )
