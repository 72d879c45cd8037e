"""Keeps the webhook kubeconfig in step, and records since when it trusts both certificates.

An API server trusts what the kubeconfig said when it started. So the time that API servers have for
their restarts begins when the kubeconfig first trusts the next certificate, by an edit of this
server, of another one of the host, or of the verb `rotate`.
"""

from __future__ import annotations

import hashlib
import json
import logging
from datetime import datetime
from pathlib import Path

from authenticator.atomic import alone_in, write_atomically
from authenticator.errors import ConfigError
from authenticator.serving.certificates import rotation, webhook_kubeconfig
from authenticator.serving.certificates.ownership import owner_for

_LOG = logging.getLogger(__name__)


class Trust:
    """The webhook kubeconfig of one server."""

    def __init__(self, directory: Path, kubeconfig: Path, hostname: str, port: int) -> None:
        """Prepare to write it.

        Args:
            directory: the state directory, which holds the certificates and the record.
            kubeconfig: the file.
            hostname: the name or address under which API servers reach this server.
            port: the TCP port.
        """
        self.kubeconfig = kubeconfig
        self._directory = directory
        self._address = hostname, port
        self._record = directory / rotation.RECORD_NAME
        # For a disk that takes no record.
        self._since: dict[str, datetime] = {}

    def write(self, now: datetime) -> None:
        """Have the kubeconfig say exactly what it should; a file that does is not written.

        Raises:
            ConfigError: it cannot be written.
        """
        self._update(now, exactly=True)

    def keep(self, now: datetime) -> None:
        """Write the kubeconfig if it does not trust every certificate that it should.

        Raises:
            ConfigError: it cannot be written.
        """
        self._update(now, exactly=False)

    def is_current(self) -> bool:
        """Return whether the kubeconfig trusts the certificate in use."""
        try:
            pem = rotation.in_use(self._directory).pem
        except ConfigError:
            return False
        return pem in webhook_kubeconfig.trusted_by(self.kubeconfig)

    def since(self, following: bytes) -> datetime | None:
        """Return since when the kubeconfig trusts both pairs.

        Args:
            following: the PEM of the next certificate.

        Returns:
            the time of the last call of `write` or `keep` that found it without the next
            certificate; None before the first.
        """
        name = _fingerprint(following)
        return self._recorded(name) or self._since.get(name)

    def _update(self, now: datetime, *, exactly: bool) -> None:
        try:
            with alone_in(self._directory):
                certificates = rotation.trusted(self._directory)
                content = webhook_kubeconfig.render(certificates, *self._address)
                before = webhook_kubeconfig.trusted_by(self.kubeconfig)
                enough = all(pem in before for pem in rotation.each(certificates))
                if exactly:
                    enough = webhook_kubeconfig.is_written(self.kubeconfig, content)
                if not enough:
                    webhook_kubeconfig.write(self.kubeconfig, content)
                following = rotation.next_pem(self._directory)
                if following is not None:
                    self._note(following, now, again=following not in before)
        except OSError as error:
            problem = f"{error.filename or self._directory}: {error.strerror or error}"
            raise ConfigError((problem,)) from error

    def _note(self, following: bytes, now: datetime, *, again: bool) -> None:
        """Record that the kubeconfig trusts both from `now` on, unless it did before.

        A record of the future is of a clock that was wrong.
        """
        name = _fingerprint(following)
        since = self.since(following)
        if since is not None and since <= now and not again:
            if self._recorded(name) is not None:
                return
            now = since  # it could not be written then
        self._since[name] = now
        document = {"certificate": name, "trustedSince": now.isoformat()}
        try:
            write_atomically(
                self._record, json.dumps(document).encode(), owner=owner_for(self._directory)
            )
        except OSError as error:
            _LOG.warning(
                "%s: %s; after a restart the API servers' time begins again",
                self._record,
                error.strerror or error,
            )

    def _recorded(self, name: str) -> datetime | None:
        try:
            document = json.loads(self._record.read_bytes())
            since = datetime.fromisoformat(document["trustedSince"])
            if document["certificate"] == name and since.tzinfo is not None:
                return since
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            pass
        return None


def _fingerprint(pem: bytes) -> str:
    return hashlib.sha256(pem).hexdigest()
