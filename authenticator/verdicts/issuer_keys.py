"""The keys of the JWT issuers: fetched in the background, shared by the workers, kept on disk.

    disk     the last good key set of each issuer, written whole (0600); every worker reads it
    lock     one worker fetches at a time, and notes when: at most once a minute for each issuer,
             whatever the number of workers and restarts
    age      a key set is fetched again before it is old, and is no longer used when it is
    request  an unknown key has the set fetched at once, within the same bound

A fetched set that cannot be used, an empty one included, never replaces a good one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from authenticator.atomic import hold, read_own, write_atomically
from authenticator.background import BackgroundThread
from authenticator.errors import StsUnavailable
from authenticator.tokens.jwks import MAX_BYTES, KeySetRefused, SigningKey, parse

_LOG = logging.getLogger(__name__)
JWKS_PATH = "/.well-known/jwks.json"

# AWS keeps a new key published before it signs with it, for a time that it does not state.
REFRESH_SECONDS = 600.0
# So that many servers do not fetch at once.
_JITTER_SECONDS = 60.0
# However many unknown keys are asked for.
FETCH_AGAIN_SECONDS = 60.0
_FETCH_SECONDS = 10.0
# How soon a worker sees what another one has fetched.
_LOOK_SECONDS = 1.0
_LOOK_SOON_SECONDS = 0.05
_NOTE_BYTES = 500
_OK = 200


class FetchesKeys(Protocol):
    """Sends one GET request to an issuer; `authenticator.aws.https.HttpsPool` does."""

    async def __call__(
        self, host: str, target: str, headers: Mapping[str, str], /, timeout: float
    ) -> tuple[int, bytes]:
        """Send `GET https://host{target}`; never follows a redirect, and bounds size and time.

        Raises:
            StsUnavailable: there was no answer, or one that is too long or late.
        """
        ...


class ObservesKeys(Protocol):
    """Counts, for the metrics."""

    def key_fetch_failed(self, issuer: str) -> None:
        """Count a key set that could not be fetched or used."""

    def issuer_keys(self, issuer: str, number: int, since: float) -> None:
        """Note how many keys of an issuer count, and since when (Unix time; 0 without keys)."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where the keys of one issuer come from.

    Attributes:
        url: the issuer: `https://HOST[/PATH]`.
        file: a key set on this machine, which is read instead of fetched; None to fetch.
    """

    url: str
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one issuer.

    Attributes:
        keys: by `kid`.
        since: when the issuer last gave them, or their file was last changed, in Unix seconds.
    """

    keys: Mapping[str, SigningKey]
    since: float


@dataclass(frozen=True, slots=True)
class IssuerState:
    """How the keys of one issuer are, for `/readyz`.

    Attributes:
        url: the issuer.
        keys: how many of its keys count now.
        since: when they were last given; None without keys.
        fault: why the last attempt failed; "" if it did not.
    """

    url: str
    keys: int
    since: float | None
    fault: str


@dataclass(slots=True)
class _Kept:
    """What a worker knows of one issuer; written by the background thread alone.

    Attributes:
        source: where the keys come from.
        set: the last good key set, however old.
        version: the time of the file that it was read from.
        not_before: the Unix time from which the issuer may be asked again.
        fault: why the last attempt failed.
        wanted: whether a key was asked for that the set does not hold.
        waiting: what is resolved after the next attempt.
        fetching: whether an attempt is under way in this worker.
        jitter: how much earlier this worker fetches.
    """

    source: KeySource
    set: KeySet | None = None
    version: float = 0.0
    not_before: float = 0.0
    fault: str = ""
    wanted: bool = False
    waiting: Future[None] | None = None
    fetching: bool = False
    jitter: float = 0.0
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class IssuerKeys:
    """The keys of all issuers, as one worker holds them.

    Make it before the workers are forked, and start it in each. `current` and `request` belong to
    the worker's event loop; everything that blocks is done by one background thread.

    Args:
        sources: the issuers.
        directory: where the last good key sets are kept, which exists or can be created; None to
            keep none, as for a command of an administrator.
        fetch: makes what asks issuers; called in the thread that uses it.
        max_age_seconds: how long keys count that cannot be fetched again; not for files.
        observer: counts.
        clock: Unix seconds.
    """

    def __init__(
        self,
        *,
        sources: Sequence[KeySource],
        directory: Path | None,
        fetch: Callable[[], FetchesKeys],
        max_age_seconds: float,
        observer: ObservesKeys,
        clock: Callable[[], float],
    ) -> None:
        self._directory = directory
        self._fetch = fetch
        self._max_age = max_age_seconds
        self._observer = observer
        self._clock = clock
        self._kept = {source.url: _Kept(source) for source in sources}
        self._thread = BackgroundThread(lambda: asyncio.run(self._keep_all()), "issuer-keys")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._stopping = False

    @property
    def issuers(self) -> int:
        """How many issuers there are."""
        return len(self._kept)

    def start(self) -> None:
        """Read what is on disk, and begin to keep it up to date; nothing without issuers."""
        if not self._kept:
            return
        for kept in self._kept.values():
            kept.jitter = random.uniform(0, _JITTER_SECONDS)  # noqa: S311 (spreads load only)
            self._look(kept)
        self._thread.start()

    def stop(self) -> None:
        """End, without waiting for a fetch."""
        self._stopping = True
        loop, ended = self._loop, self._ended
        if loop is not None and ended is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(ended.set)
        self._thread.join(timeout=2.0)

    def current(self, url: str) -> KeySet | None:
        """Return the keys of an issuer that count now; None without any."""
        kept = self._kept[url]
        found = kept.set
        if found is None or (kept.source.file is None and self._age(found) > self._max_age):
            return None
        return found

    def request(self, url: str) -> Future[None] | None:
        """Have the keys of an issuer fetched for a key that is not among them.

        Returns:
            what is done once they have been fetched, or could not be; None if the issuer was asked
            within the last minute, so that nothing is to be waited for.
        """
        kept, loop = self._kept[url], self._loop
        kept.wanted = True
        may_ask = kept.fetching or self._clock() >= kept.not_before
        if self._stopping or kept.source.file is not None or not may_ask:
            return None
        if kept.waiting is None:
            kept.waiting = Future()
            if loop is not None:  # before it runs, the first fetch is to come
                with suppress(RuntimeError):  # the thread is ending
                    loop.call_soon_threadsafe(kept.wake.set)
        return kept.waiting

    def states(self) -> list[IssuerState]:
        """How the keys are, for `/readyz`."""
        found = []
        for url, kept in self._kept.items():
            current = self.current(url)
            number = len(current.keys) if current else 0
            since = kept.set.since if kept.set else None
            found.append(IssuerState(url, number, since, kept.fault))
        return found

    def observe(self) -> None:
        """Tell the metrics how the keys are."""
        for state in self.states():
            fetched = self._kept[state.url].source.file is None
            since = state.since if fetched and state.since else 0.0
            self._observer.issuer_keys(state.url, state.keys, since)

    def _age(self, found: KeySet) -> float:
        # A clock that has gone back makes no key younger than new.
        return max(0.0, self._clock() - found.since)

    async def _keep_all(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        try:
            with suppress(OSError):
                if self._directory is not None:
                    self._directory.mkdir(mode=0o700, exist_ok=True)
            fetch = self._fetch()
            if self._stopping:  # before it could be told
                return
            tasks = [asyncio.create_task(self._keep(kept, fetch)) for kept in self._kept.values()]
            await self._ended.wait()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._loop = None

    async def _keep(self, kept: _Kept, fetch: FetchesKeys) -> None:
        while True:
            pause = _LOOK_SECONDS
            try:
                self._look(kept)
                if kept.source.file is None and self._is_due(kept):
                    pause = await self._refresh(kept, fetch)
            except Exception:  # noqa: BLE001 (a fault of ours must not end what keeps logins going)
                _LOG.exception("keeping the keys of %s failed", kept.source.url)
                self._settle(kept)
            with suppress(TimeoutError, asyncio.TimeoutError):
                await asyncio.wait_for(kept.wake.wait(), pause)
            kept.wake.clear()

    def _is_due(self, kept: _Kept) -> bool:
        if self._clock() < kept.not_before:
            self._settle(kept)
            return False
        old = kept.set is None or self._age(kept.set) > REFRESH_SECONDS - kept.jitter
        return old or kept.wanted

    async def _refresh(self, kept: _Kept, fetch: FetchesKeys) -> float:
        """Fetch the keys unless another worker does, and return how soon to look again."""
        try:
            lock = self._path(kept.source, "lock")
            descriptor = -1 if lock is None else hold(lock)
        except BlockingIOError:
            return _LOOK_SOON_SECONDS
        except OSError:
            # No state directory that can be written: each worker fetches for itself.
            descriptor = -1
        # A request from here on waits for the next attempt.
        kept.wanted, waiting, kept.waiting = False, kept.waiting, None
        kept.fetching = True
        try:
            last, fault = _noted(descriptor)
            now = self._clock()
            if last <= now < last + FETCH_AGAIN_SECONDS:
                kept.not_before = last + FETCH_AGAIN_SECONDS
                self._look(kept)
                if fault or kept.set is not None:
                    kept.fault = fault
            else:
                _note(descriptor, now)
                kept.not_before = now + FETCH_AGAIN_SECONDS
                await self._fetch_one(kept, fetch)
                _note(descriptor, now, kept.fault)
        finally:
            kept.fetching = False
            if descriptor >= 0:
                os.close(descriptor)
            if waiting is not None:
                waiting.set_result(None)
        return _LOOK_SECONDS

    async def _fetch_one(self, kept: _Kept, fetch: FetchesKeys) -> None:
        url = kept.source.url
        try:
            data = await _get(fetch, url)
            kept.set = KeySet(parse(data), self._clock())
        except (StsUnavailable, KeySetRefused) as error:
            kept.fault = str(error) if isinstance(error, StsUnavailable) else f"it {error}"
            self._observer.key_fetch_failed(url)
            _LOG.warning("the keys of %s could not be fetched: %s", url, kept.fault)
            return
        kept.fault = ""
        document = {"issuer": url, "since": kept.set.since, "jwks": data.decode()}
        path = self._path(kept.source, "json")
        if path is None:
            return
        try:
            write_atomically(path, json.dumps(document).encode())
            kept.version = path.stat().st_mtime
        except OSError as error:
            _LOG.warning("cannot keep the keys of %s in %s: %s", url, path, error)

    def _look(self, kept: _Kept) -> None:
        """Read the file of an issuer's keys if it has changed."""
        path = kept.source.file or self._path(kept.source, "json")
        if path is None:
            return
        try:
            version = path.stat().st_mtime
            if version != kept.version:
                kept.version = version
                kept.set = self._read(kept.source, path, version)
                kept.fault = ""
        except FileNotFoundError:
            if kept.source.file is not None:
                kept.fault = f"{path} does not exist"
        except (OSError, ValueError, LookupError, TypeError) as error:
            kept.fault = f"{path} cannot be used: {error}"
            self._observer.key_fetch_failed(kept.source.url)
            _LOG.warning("the keys of %s: %s", kept.source.url, kept.fault)

    def _read(self, source: KeySource, path: Path, version: float) -> KeySet:
        if source.file is not None:
            with path.open("rb") as file:
                return KeySet(parse(file.read(MAX_BYTES + 1)), version)
        document = json.loads(read_own(path)[0])
        if document["issuer"] != source.url:
            raise ValueError("it is of another issuer")
        return KeySet(parse(document["jwks"].encode()), float(document["since"]))

    def _path(self, source: KeySource, suffix: str) -> Path | None:
        if self._directory is None:
            return None
        # Never a part of the URL, which has characters that paths give a meaning.
        name = sha256(source.url.encode()).hexdigest()[:32]
        return self._directory / f"{name}.{suffix}"

    @staticmethod
    def _settle(kept: _Kept) -> None:
        """Let those go on who wait for an attempt."""
        waiting, kept.waiting = kept.waiting, None
        if waiting is not None:
            waiting.set_result(None)


async def _get(fetch: FetchesKeys, url: str) -> bytes:
    host, slash, path = url.removeprefix("https://").partition("/")
    target = f"{slash}{path}{JWKS_PATH}"
    status, data = await fetch(host, target, {"Accept": "application/json"}, timeout=_FETCH_SECONDS)
    if status != _OK:
        raise StsUnavailable(f"{host} answered {status}")
    return data


def _noted(descriptor: int) -> tuple[float, str]:
    """Return the Unix time of the last attempt, and its fault, as a lock file holds them."""
    text = (
        os.pread(descriptor, _NOTE_BYTES, 0).decode("utf-8", "replace") if descriptor >= 0 else ""
    )
    time, _, fault = text.partition("\n")
    try:
        return float(time or 0), fault
    except ValueError:
        return 0.0, ""


def _note(descriptor: int, now: float, fault: str = "") -> None:
    if descriptor >= 0:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{now:.3f}\n{fault}".encode()[:_NOTE_BYTES], 0)


async def wait_for(done: Future[None], seconds: float) -> None:
    """Wait on an event loop for what a thread resolves, for at most so many seconds."""
    waiting: Awaitable[None] = asyncio.wrap_future(done)
    with suppress(TimeoutError, asyncio.TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting), seconds)
