"""The keys of issuers: fetched within bounds, kept on disk, shared between workers."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from authenticator.errors import StsUnavailable
from authenticator.verdicts.issuer_keys import (
    FETCH_AGAIN_SECONDS,
    REFRESH_SECONDS,
    IssuerKeys,
    KeySource,
)
from dev.waiting import wait_until as poll
from tests.corpus import jwts

URL = jwts.ISSUER
HOST = URL.removeprefix("https://")
DAY = 86400.0


def wait_until(condition: Callable[[], bool]) -> None:
    poll(condition, "the keys did not become what they were to be")


def key_set(*kids: str) -> bytes:
    rsa = jwts.own_keys().jwks()["keys"][0]
    return json.dumps({"keys": [{**rsa, "kid": kid} for kid in kids]}).encode()


class Issuer:
    """An issuer's host: answers as told, and counts."""

    def __init__(self) -> None:
        self.status, self.body = 200, key_set("RSA_0")
        self.fault: Exception | None = None
        self.asked: list[tuple[str, str]] = []
        self.hangs = False
        self.gate: asyncio.Event | None = None

    async def __call__(
        self, host: str, target: str, headers: Mapping[str, str], /, timeout: float
    ) -> tuple[int, bytes]:
        self.asked.append((host, target))
        if self.gate is not None:
            await self.gate.wait()
        if self.hangs:
            await asyncio.Event().wait()
        if self.fault:
            raise self.fault
        return self.status, self.body


class Observer:
    def __init__(self) -> None:
        self.failed: Counter[str] = Counter()
        self.seen: dict[str, tuple[int, float]] = {}

    def key_fetch_failed(self, issuer: str) -> None:
        self.failed[issuer] += 1

    def issuer_keys(self, issuer: str, number: int, since: float) -> None:
        self.seen[issuer] = number, since


class World:
    """One host: a state directory, a clock, an issuer, and workers."""

    def __init__(self, directory: Path, running: ExitStack) -> None:
        self.directory, self._running = directory, running
        self.now = 1_790_000_000.0
        self.issuer, self.observer = Issuer(), Observer()

    def worker(self, *sources: KeySource) -> IssuerKeys:
        keys = IssuerKeys(
            sources=sources or (KeySource(URL),),
            directory=self.directory,
            fetch=lambda: self.issuer,
            max_age_seconds=DAY,
            observer=self.observer,
            clock=lambda: self.now,
        )
        keys.start()
        self._running.callback(keys.stop)
        return keys


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as running:
        yield World(tmp_path / "web-identity", running)


def holds(keys: IssuerKeys, *kids: str) -> Callable[[], bool]:
    def check() -> bool:
        found = keys.current(URL)
        return found is not None and set(found.keys) == set(kids)

    return check


def done(waiting: Future[None] | None) -> None:
    assert waiting is not None
    waiting.result(30)


def test_fetched_from_the_fixed_path_and_kept_for_the_server_alone(world: World) -> None:
    keys = world.worker(KeySource(f"{URL}/tenant"))
    wait_until(lambda: keys.current(f"{URL}/tenant") is not None)
    assert world.issuer.asked == [(HOST, "/tenant/.well-known/jwks.json")]
    wait_until(lambda: any(world.directory.glob("*.json")))
    (kept,) = world.directory.glob("*.json")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert world.directory.stat().st_mode & 0o777 == 0o700


def test_workers_share_one_fetch(world: World) -> None:
    workers = [world.worker() for _ in range(4)]
    for keys in workers:
        wait_until(holds(keys, "RSA_0"))
    assert len(world.issuer.asked) == 1


def test_a_restart_begins_with_the_last_good_keys(world: World) -> None:
    wait_until(holds(world.worker(), "RSA_0"))
    wait_until(lambda: any(world.directory.glob("*.json")))
    world.issuer.fault = StsUnavailable("away")
    world.now += DAY - 1
    again = world.worker()
    assert holds(again, "RSA_0")()


def test_an_unknown_key_has_them_fetched(world: World) -> None:
    keys = world.worker()
    wait_until(holds(keys, "RSA_0"))
    wait_until(lambda: keys.request(URL) is None)  # once the first attempt is over
    world.issuer.body = key_set("RSA_0", "RSA_1")
    world.now += FETCH_AGAIN_SECONDS + 1
    done(keys.request(URL))
    assert holds(keys, "RSA_0", "RSA_1")()


def test_a_thousand_unknown_keys_a_second_fetch_once_a_minute(world: World) -> None:
    workers = [world.worker() for _ in range(2)]
    for keys in workers:
        wait_until(holds(keys, "RSA_0"))
    for _ in range(10):
        world.now += FETCH_AGAIN_SECONDS + 1
        for _ in range(1000):
            waiting = [found for keys in workers if (found := keys.request(URL)) is not None]
            for found in waiting:
                done(found)
    assert len(world.issuer.asked) <= 11
    wait_until(lambda: all(keys.request(URL) is None for keys in workers))


def test_a_request_within_the_minute_is_made_when_it_has_passed(world: World) -> None:
    keys = world.worker()
    wait_until(holds(keys, "RSA_0"))
    world.issuer.body = key_set("RSA_1")
    wait_until(lambda: keys.request(URL) is None)  # once the first attempt is over
    world.now += FETCH_AGAIN_SECONDS + 1
    wait_until(holds(keys, "RSA_1"))


def test_fetched_again_by_age(world: World) -> None:
    keys = world.worker()
    wait_until(holds(keys, "RSA_0"))
    wait_until(lambda: keys.request(URL) is None)  # once the first attempt is over
    world.issuer.body = key_set("RSA_1")
    world.now += REFRESH_SECONDS + 1
    wait_until(holds(keys, "RSA_1"))
    assert len(world.issuer.asked) == 2


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, b'{"keys":[]}', "no key for"),
        (200, b"<html>", "JSON"),
        (200, key_set("RSA_0", "RSA_0"), "one kid"),
        (200, key_set(*(f"k{n}" for n in range(17))), "16 keys"),
        (302, key_set("RSA_1"), "302"),
        (404, b"", "404"),
        (500, key_set("RSA_1"), "500"),
    ],
)
def test_what_cannot_be_used_never_replaces_a_good_set(
    world: World, status: int, body: bytes, reason: str
) -> None:
    keys = world.worker()
    wait_until(holds(keys, "RSA_0"))
    wait_until(lambda: keys.request(URL) is None)  # once the first attempt is over
    world.issuer.status, world.issuer.body = status, body
    world.now += FETCH_AGAIN_SECONDS + 1
    done(keys.request(URL))
    assert holds(keys, "RSA_0")()
    (state,) = keys.states()
    assert reason in state.fault
    assert world.observer.failed[URL] == 1


def test_keys_that_cannot_be_fetched_count_until_their_age(world: World) -> None:
    keys = world.worker()
    wait_until(holds(keys, "RSA_0"))
    world.issuer.fault = StsUnavailable("away")
    world.now += DAY
    assert holds(keys, "RSA_0")()
    world.now += 1
    assert keys.current(URL) is None
    keys.observe()
    assert world.observer.seen[URL] == (0, world.now - DAY - 1)
    world.issuer.fault = None
    world.now += FETCH_AGAIN_SECONDS
    wait_until(holds(keys, "RSA_0"))


def test_a_withdrawn_key_no_longer_counts(world: World) -> None:
    keys = world.worker()
    world.issuer.body = key_set("RSA_0", "RSA_1")
    wait_until(lambda: keys.current(URL) is not None)
    world.issuer.body = key_set("RSA_1")
    world.now += REFRESH_SECONDS + 1
    wait_until(holds(keys, "RSA_1"))


def test_a_slow_issuer_delays_no_other(world: World, tmp_path: Path) -> None:
    other = "https://other.example"

    async def slow(host: str, *rest: Any, timeout: float) -> tuple[int, bytes]:
        if host == HOST:
            raise StsUnavailable("slow")
        return 200, key_set("RSA_9")

    world.issuer = slow  # type: ignore[assignment]
    keys = world.worker(KeySource(URL), KeySource(other))
    wait_until(lambda: keys.current(other) is not None)
    assert keys.current(URL) is None


@pytest.mark.parametrize("spoil", ["text", "mode", "issuer", "link"])
def test_a_kept_set_that_is_not_ours_is_not_believed(world: World, spoil: str) -> None:
    first = world.worker()
    wait_until(holds(first, "RSA_0"))
    wait_until(lambda: any(world.directory.glob("*.json")))
    first.stop()
    (kept,) = world.directory.glob("*.json")
    document = json.loads(kept.read_text())
    if spoil == "text":
        kept.write_text("{")
    elif spoil == "mode":
        kept.chmod(0o666)
    elif spoil == "issuer":
        kept.write_text(json.dumps({**document, "issuer": "https://other.example"}))
    else:
        kept.rename(kept.with_suffix(".moved"))
        kept.symlink_to(kept.with_suffix(".moved"))
    world.issuer.fault = StsUnavailable("away")
    again = world.worker()
    assert again.current(URL) is None
    (state,) = again.states()
    assert "cannot be used" in state.fault or state.fault == "away"


def test_a_worker_tells_why_another_could_not_fetch(world: World) -> None:
    world.issuer.fault = StsUnavailable("the issuer is away")
    first = world.worker()
    wait_until(lambda: bool(first.states()[0].fault))
    second = world.worker()
    wait_until(lambda: second.states()[0].fault == "the issuer is away")
    assert len(world.issuer.asked) == 1


def test_a_request_during_a_fetch_waits_for_it(world: World) -> None:
    world.issuer.gate = asyncio.Event()
    keys = world.worker()
    wait_until(lambda: bool(world.issuer.asked))
    waiting = keys.request(URL)
    assert waiting is not None
    assert keys._loop is not None
    keys._loop.call_soon_threadsafe(world.issuer.gate.set)
    done(waiting)
    assert holds(keys, "RSA_0")()


@pytest.mark.parametrize("note", ["", "x", "inf", "nan", "-1", "1e999", "9" * 600, "\x00"])
def test_a_note_that_cannot_be_read_hinders_no_fetch(world: World, note: str) -> None:
    first = world.worker()
    wait_until(holds(first, "RSA_0"))
    wait_until(lambda: any(world.directory.glob("*.json")))
    first.stop()
    (lock,) = world.directory.glob("*.lock")
    (kept,) = world.directory.glob("*.json")
    kept.unlink()
    lock.write_text(note)
    wait_until(holds(world.worker(), "RSA_0"))


def test_without_a_state_directory_each_worker_fetches_for_itself(world: World) -> None:
    world.directory = Path("/proc/no-such-directory")
    keys = world.worker()
    wait_until(holds(keys, "RSA_0"))
    wait_until(lambda: keys.request(URL) is None)


class TestFile:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        return tmp_path / "keys.json"

    def test_read_and_never_fetched(self, world: World, file: Path) -> None:
        file.write_bytes(key_set("RSA_0"))
        keys = world.worker(KeySource(URL, file))
        assert holds(keys, "RSA_0")()
        world.now += 400 * DAY
        assert holds(keys, "RSA_0")()
        assert keys.request(URL) is None
        keys.observe()
        assert world.observer.seen[URL] == (1, 0.0)
        assert not world.issuer.asked

    def test_followed(self, world: World, file: Path) -> None:
        keys = world.worker(KeySource(URL, file))
        assert keys.states()[0].fault == f"{file} does not exist"
        file.write_bytes(key_set("RSA_1"))
        wait_until(holds(keys, "RSA_1"))
        assert keys.states()[0].fault == ""

    def test_a_broken_edit_keeps_the_last_one(self, world: World, file: Path) -> None:
        file.write_bytes(key_set("RSA_0"))
        keys = world.worker(KeySource(URL, file))
        file.write_bytes(b'{"keys":[]}')
        wait_until(lambda: "no key for" in keys.states()[0].fault)
        assert holds(keys, "RSA_0")()


def test_it_stops_while_an_issuer_hangs(world: World) -> None:
    world.issuer.hangs = True
    keys = world.worker()
    wait_until(lambda: bool(world.issuer.asked))
    keys.stop()
    assert keys._loop is None


def test_without_issuers_nothing_is_started(tmp_path: Path) -> None:
    keys = IssuerKeys(
        sources=(),
        directory=tmp_path / "none",
        fetch=lambda: pytest.fail("fetched"),
        max_age_seconds=DAY,
        observer=Observer(),
        clock=lambda: 0.0,
    )
    keys.start()
    keys.observe()
    keys.stop()
    assert not (tmp_path / "none").exists()
