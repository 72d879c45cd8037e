"""Replaces the certificate before it ends, in the steps of `rotation`.

The next one is made, and trusted by the webhook kubeconfig, while a third of the lifetime is left
(at most a year), so that the restarts that API servers have anyway make them trust it. It is
switched to at the last moment that is safe, to leave them the time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from authenticator.atomic import alone_with
from authenticator.background import BackgroundThread
from authenticator.errors import ConfigError
from authenticator.serving.certificates import rotation
from authenticator.serving.certificates.pair import ServerCertificate, Wanted

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS = 600.0
_PREPARE_AT_MOST = timedelta(days=365)
_SWITCH_AT_MOST = timedelta(days=7)
_REMEDY = (
    "replace it (aws-iam-authenticator rotate), and see that every API server trusts the next one"
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a certificate is replaced.

    Attributes:
        prepare: from when on there is a next one.
        switch: from when on the next one is served.
    """

    prepare: datetime
    switch: datetime

    @classmethod
    def of(cls, pair: ServerCertificate) -> Schedule:
        """The schedule of a certificate, by its lifetime."""
        lifetime = pair.ends - pair.begins
        return cls(
            pair.ends - min(lifetime / 3, _PREPARE_AT_MOST),
            pair.ends - min(lifetime / 30, _SWITCH_AT_MOST),
        )


class Renewal:
    """Looks every ten minutes whether the time has come. Every worker may have one."""

    def __init__(
        self, directory: Path, wanted: Wanted, write_kubeconfig: Callable[[], None] | None
    ) -> None:
        """Prepare to look.

        Args:
            directory: the state directory.
            wanted: what the next certificate shall say; its lifetime is that of the present one.
            write_kubeconfig: writes the webhook kubeconfig; None if that is not our business, so
                that API servers could not come to trust a certificate of our making.
        """
        self._directory = directory
        self._wanted = wanted
        self._write_kubeconfig = write_kubeconfig
        self._stop = threading.Event()
        self._thread = BackgroundThread(self._run, "renewal")

    def start(self) -> None:
        """Look now, and from then on from a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking. Without effect if not started."""
        self._stop.set()
        self._thread.join()

    def look(self, now: datetime) -> None:
        """Do what is due at `now` (aware); what cannot be done is logged."""
        try:
            # One worker after the other: each decides by what the one before has left.
            with alone_with(self._directory / "renewal.lock"):
                self._look(now)
        except (ConfigError, OSError) as error:
            _LOG.error("the certificate cannot be renewed: %s", error)

    def _look(self, now: datetime) -> None:
        pair = rotation.current(self._directory, self._wanted, now)
        schedule = Schedule.of(pair)
        if now < schedule.prepare:
            return
        if not pair.self_signed or self._write_kubeconfig is None:
            _LOG.warning("the certificate ends at %s; %s", pair.ends.isoformat(), _REMEDY)
        elif not rotation.is_prepared(self._directory):
            wanted = replace(self._wanted, lifetime=pair.ends - pair.begins)
            following = rotation.prepare(self._directory, wanted, now)
            self._write_kubeconfig()
            _LOG.warning(
                "the certificate ends at %s, and the next one (until %s) is ready; restart every"
                " API server that reads the webhook kubeconfig before %s",
                pair.ends.isoformat(),
                following.ends.isoformat(),
                schedule.switch.isoformat(),
            )
        else:
            # Again, should it have failed before: what nobody trusts is not to be served.
            self._write_kubeconfig()
            if now >= schedule.switch:
                rotation.switch(self._directory, now)
                self._write_kubeconfig()

    def _run(self) -> None:
        while True:
            self.look(datetime.now(timezone.utc))
            if self._stop.wait(_LOOK_SECONDS):
                return
