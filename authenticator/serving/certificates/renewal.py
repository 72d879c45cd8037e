"""Replaces the certificate before it ends, in the steps of `rotation`.

The next one is made, and trusted by the webhook kubeconfig, while a third of the lifetime is left
(at most a year), so that the restarts that API servers have anyway make them trust it. It is served
as late as is safe, and never before API servers had time: see `Schedule`.

One worker among all workers and servers of a host decides: the one that holds a lock.
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from authenticator.atomic import hold
from authenticator.background import BackgroundThread
from authenticator.elapsed import ClockSteps
from authenticator.errors import ConfigError
from authenticator.serving.certificates import rotation
from authenticator.serving.certificates.ownership import remedy
from authenticator.serving.certificates.pair import ServerCertificate, Wanted
from authenticator.serving.certificates.trust import Trust

_LOG = logging.getLogger(__name__)
_LOCK_NAME = "renewal.lock"
_LOOK = timedelta(minutes=10)
_SOON = timedelta(seconds=1)
_RETRY = timedelta(seconds=5)
_STOP_SECONDS = 2.0
_REMIND = timedelta(days=1)
_REMEDY = (
    "replace it (aws-iam-authenticator rotate), and see that every API server trusts the next one"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long before its end a certificate is replaced, and how long API servers have.

    Attributes:
        prepare: how long before its end the next one is made, at most.
        prepare_part: the part of the lifetime that is left then, at most.
        switch: how long before its end the next one is served, at most.
        switch_part: the part of the lifetime that is left then, at most.
        grace: how long API servers have, from when the kubeconfig trusts both; or half of the time
            that is left then, if that is shorter.
    """

    prepare: timedelta = timedelta(days=365)
    prepare_part: float = 1 / 3
    switch: timedelta = timedelta(days=7)
    switch_part: float = 1 / 30
    grace: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a certificate is replaced.

    Attributes:
        prepare: from when on there is a next one.
        switch: from when on the next one may be served.
        ends: when the certificate ends.
        grace: see `Bounds`.
    """

    prepare: datetime
    switch: datetime
    ends: datetime
    grace: timedelta

    @classmethod
    def of(cls, pair: ServerCertificate, bounds: Bounds | None = None) -> Schedule:
        """The schedule of a certificate, by its lifetime."""
        bounds = bounds or Bounds()
        lifetime = pair.ends - pair.begins
        return cls(
            pair.ends - min(lifetime * bounds.prepare_part, bounds.prepare),
            pair.ends - min(lifetime * bounds.switch_part, bounds.switch),
            pair.ends,
            bounds.grace,
        )

    def switch_after(self, trusted_since: datetime) -> datetime:
        """Return when the next certificate is served.

        Args:
            trusted_since: since when the kubeconfig trusts both.
        """
        return max(self.switch, trusted_since + min(self.grace, (self.ends - trusted_since) / 2))


class Renewal:
    """Looks every ten minutes, and when something is due. Every worker has one."""

    def __init__(
        self,
        directory: Path,
        wanted: Wanted,
        trust: Trust | None,
        *,
        warning: str = "",
        fault: str = "",
        bounds: Bounds | None = None,
        steps: ClockSteps | None = None,
    ) -> None:
        """Prepare to look.

        Args:
            directory: the state directory.
            wanted: what the next certificate shall say; its lifetime is that of the present one.
            trust: the webhook kubeconfig; None if it is written by others, so that API servers
                could not come to trust a certificate that we make.
            warning: what API servers have to do about the certificate of this start.
            fault: the failure of the start to write the kubeconfig, which has been logged.
            bounds: when a certificate is replaced.
            steps: notices that the machine's time is set; None if the time is to be believed.
        """
        self._steps = steps
        self._directory = directory
        self._wanted = wanted
        self._trust = trust
        self._warning = warning
        self._bounds = bounds or Bounds()
        self._lock: int | None = None
        self._written = False
        self._untrusted = False
        self._fault = fault
        self._failures = 0
        self._announced: datetime | None = None
        self._reminded: datetime | None = None
        self._held_back = False
        self._stop = threading.Event()
        self._thread = BackgroundThread(self._run, "renewal")

    @property
    def recreated(self) -> bool:
        """Whether this start created a pair in place of one that API servers trust."""
        return bool(self._warning)

    @property
    def fault(self) -> str:
        """The last failure to renew the pair or write the kubeconfig, until it is mended."""
        return self._fault

    @property
    def untrusted(self) -> list[str]:
        """Why an API server that starts now would not accept this server, if it would not."""
        return [f"no API server can trust the certificate: {self._fault}"] * self._untrusted

    @property
    def warnings(self) -> list[str]:
        """Tell an administrator what to do about the certificate, if anything."""
        return [text for text in (self._warning, self._fault) if text]

    def start(self) -> None:
        """Look now, and from then on from a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking. Without effect if not started.

        A look that waits for a disk or a lock ends with the process.
        """
        self._stop.set()
        if self._thread.join(_STOP_SECONDS):
            self._release()

    def look(self, now: datetime) -> timedelta:
        """Do what is due at `now` (aware), and return how long to wait; failures are logged."""
        try:
            due = self._look(now)
        except (ConfigError, OSError) as error:
            return self._failed(str(error))
        if self._fault:
            _LOG.info("the certificate and the webhook kubeconfig are in order again")
        self._fault, self._failures, self._untrusted = "", 0, False
        return min(max(due - now, _SOON), _LOOK)

    def _failed(self, problem: str) -> timedelta:
        if problem != self._fault:
            self._fault = problem
            _LOG.error("the certificate or the webhook kubeconfig cannot be renewed: %s", problem)
        self._failures += 1
        self._untrusted = self._trust is not None and not self._trust.is_current()
        return min(_RETRY * self._failures, _LOOK)

    def _look(self, now: datetime) -> datetime:
        """Do what is due, and return when the next thing is."""
        if self._trust is not None:
            # The start may have failed to write it.
            (self._trust.keep if self._written else self._trust.write)(now)
            self._written = True
        pair = rotation.in_use(self._directory)
        schedule = Schedule.of(pair, self._bounds)
        if now < schedule.prepare:
            return schedule.prepare
        if self._is_held_back() or not self._is_owner():
            return now + _LOOK
        if self._trust is None or not pair.self_signed:
            self._remind(pair, now)
            return now + _LOOK
        following = self._following(pair, self._trust, now)
        if following.ends <= pair.ends:
            # An administrator made it, and may want it for another reason.
            self._remind(pair, now)
            return now + _LOOK
        due = schedule.switch_after(self._trust.since(following.pem) or now)
        if now >= due or now >= pair.ends:
            rotation.switch(self._directory, now)
            self._trust.write(now)
            return now
        self._announce(pair, following, due)
        return due

    def _is_held_back(self) -> bool:
        """Return whether the host's time may be wrong: a switch too early locks everyone out."""
        before = self._held_back
        self._held_back = self._steps is not None and not self._steps.is_settled()
        if self._held_back and not before:
            _LOG.warning(
                "the host's time was set by more than an hour; the certificate in use stays until"
                " the time has not been set for a day (check the host's clock)"
            )
        return self._held_back

    def _following(self, pair: ServerCertificate, trust: Trust, now: datetime) -> ServerCertificate:
        """Return the next pair, made and trusted by the kubeconfig if it is not yet."""
        if rotation.is_prepared(self._directory):
            self._discard_if_useless(now)
        if not rotation.is_prepared(self._directory):
            wanted = replace(self._wanted, lifetime=pair.ends - pair.begins)
            rotation.prepare(self._directory, wanted, now)
        trust.keep(now)
        return rotation.following(self._directory, now)

    def _discard_if_useless(self, now: datetime) -> None:
        """Remove a next pair that could never be served.

        Raises:
            ConfigError: it cannot be read, and the owner of its files should be told.
        """
        try:
            rotation.following(self._directory, now)
        except ConfigError as error:
            if isinstance(error.__cause__, PermissionError):
                raise
            _LOG.warning("a new next certificate is made in place of the one there: %s", error)
            rotation.discard_next(self._directory)

    def _announce(
        self, pair: ServerCertificate, following: ServerCertificate, due: datetime
    ) -> None:
        if due == self._announced or self._trust is None:
            return
        self._announced = due
        _LOG.warning(
            "the certificate ends at %s, and the next one (until %s) is ready; restart every"
            " API server that reads %s before %s, when the next one is served",
            pair.ends.isoformat(timespec="seconds"),
            following.ends.isoformat(timespec="seconds"),
            self._trust.kubeconfig,
            due.isoformat(timespec="seconds"),
        )

    def _remind(self, pair: ServerCertificate, now: datetime) -> None:
        if self._reminded is None or now - self._reminded >= _REMIND:
            self._reminded = now
            _LOG.warning("the certificate ends at %s; %s", pair.ends.isoformat(), _REMEDY)

    def _is_owner(self) -> bool:
        """Return whether this worker decides for all workers and servers of the host."""
        path = self._directory / _LOCK_NAME
        if self._lock is not None:
            try:
                if os.path.samestat(os.fstat(self._lock), path.stat()):
                    return True
            except FileNotFoundError:
                pass  # the state directory was replaced
            self._release()
        try:
            self._lock = hold(path)
        except BlockingIOError:
            return False
        except OSError as error:
            problem = f"{path}: {error.strerror or error}; {remedy(path, error)}"
            raise ConfigError((problem,)) from error
        return True

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _run(self) -> None:
        while True:
            wait = self.look(datetime.now(timezone.utc))
            if self._stop.wait(wait.total_seconds()):
                return
