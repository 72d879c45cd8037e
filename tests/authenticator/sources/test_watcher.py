"""List and watch, when all goes well and when it does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from authenticator.sources.cluster import ClusterError, Object
from authenticator.sources.watcher import Resource, Watcher
from dev.waiting import PATIENCE_SECONDS
from tests.authenticator.sources.doubles import FakeCluster

RESOURCE = Resource("/things", {"fieldSelector": "metadata.name=a"})


class Follower:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, object]] = []
        self.heard = threading.Condition()

    def _tell(self, kind: str, value: object) -> None:
        with self.heard:
            self.told.append((kind, value))
            self.heard.notify_all()

    def listed(self, objects: list[Object]) -> None:
        self._tell("listed", [obj["metadata"]["name"] for obj in objects])

    def changed(self, kind: str, obj: Object) -> None:
        if obj.get("explode"):
            raise RuntimeError("boom")
        self._tell(kind, obj["metadata"]["name"])

    def failed(self, error: ClusterError, *, listing: bool) -> None:
        self._tell("list failed" if listing else "watch failed", error.status)

    def wait(self, kind: str, value: object, times: int = 1) -> None:
        with self.heard:
            enough = self.heard.wait_for(
                lambda: self.told.count((kind, value)) >= times, PATIENCE_SECONDS
            )
            assert enough, self.told


class Clock:
    """A clock that tests move."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def follower() -> Follower:
    return Follower()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watcher(cluster: FakeCluster, follower: Follower, clock: Clock) -> Iterator[Watcher]:
    made = Watcher(cluster, RESOURCE, follower, clock=clock, random=lambda: 1.0)
    yield made
    made.stop()


def test_it_watches_from_where_the_list_ended(
    cluster: FakeCluster, follower: Follower, watcher: Watcher
) -> None:
    cluster.put("a")
    watcher.start()
    follower.wait("listed", ["a"])
    cluster.put("b")
    cluster.remove("a")
    follower.wait("DELETED", "a")
    assert follower.told == [("listed", ["a"]), ("ADDED", "b"), ("DELETED", "a")]
    (list_path, list_query), (_, watch_query) = cluster.requests
    assert list_path == "/things"
    assert list_query == {"fieldSelector": "metadata.name=a"}
    assert watch_query == {
        "fieldSelector": "metadata.name=a",
        "watch": "true",
        "resourceVersion": "1",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "600",
    }


def test_a_deletion_that_no_watch_told_of_is_noticed_by_the_next_list(
    cluster: FakeCluster, follower: Follower, watcher: Watcher
) -> None:
    cluster.put("a")
    watcher.start()
    follower.wait("listed", ["a"])
    cluster.remove("a", silently=True)
    cluster.end_watches()
    follower.wait("listed", [])


def test_an_expired_version_is_listed_again_and_is_no_failure(
    cluster: FakeCluster, follower: Follower, watcher: Watcher
) -> None:
    watcher.start()
    follower.wait("listed", [])
    cluster.send({"type": "ERROR", "object": {"kind": "Status", "code": 410}})
    follower.wait("listed", [], times=2)
    assert all(kind == "listed" for kind, _ in follower.told)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "ERROR", "object": {"kind": "Status", "code": 500}},
        {"type": "ADDED", "object": None},
        {"type": "ERROR"},
    ],
)
def test_an_error_in_the_watch_is_told_and_listed_again(
    cluster: FakeCluster, follower: Follower, watcher: Watcher, event: Object
) -> None:
    watcher.start()
    follower.wait("listed", [])
    cluster.send(event)
    follower.wait("listed", [], times=2)
    assert ("watch failed", (event.get("object") or {}).get("code", 0)) in follower.told


def test_bookmarks_and_unknown_events_are_passed_over(
    cluster: FakeCluster, follower: Follower, watcher: Watcher
) -> None:
    watcher.start()
    follower.wait("listed", [])
    cluster.send({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}})
    cluster.send({"type": "NOVELTY", "object": {}})
    cluster.put("a")
    follower.wait("ADDED", "a")
    assert follower.told == [("listed", []), ("ADDED", "a")]


def test_a_fault_of_the_follower_does_not_end_the_following(
    cluster: FakeCluster,
    follower: Follower,
    watcher: Watcher,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("authenticator.sources.watcher._LAST_DELAY", 0.0)
    watcher.start()
    follower.wait("listed", [])
    cluster.send({"type": "ADDED", "object": {"metadata": {}, "explode": True}})
    follower.wait("listed", [], times=2)
    assert "boom" in caplog.text


def test_delays_grow_to_a_bound_and_are_spread(cluster: FakeCluster, follower: Follower) -> None:
    cluster.refuse = ClusterError(0, "connection refused")
    low = Watcher(cluster, RESOURCE, follower, clock=Clock(), random=lambda: 0.0)
    high = Watcher(cluster, RESOURCE, follower, clock=Clock(), random=lambda: 1.0)
    assert [high.cycle() for _ in range(7)] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert [low.cycle() for _ in range(3)] == [0.1, 0.2, 0.4]


def test_a_watch_that_ends_at_once_is_not_hammered(cluster: FakeCluster, watcher: Watcher) -> None:
    cluster.refuse_watch = ClusterError(429, "too many")
    assert [watcher.cycle() for _ in range(3)] == [0.2, 0.4, 0.8]


def test_delays_begin_anew_after_a_watch_that_lasted(
    cluster: FakeCluster, follower: Follower, clock: Clock
) -> None:
    class Lasting(Follower):
        def listed(self, objects: list[Object]) -> None:
            clock.now += 60

    cluster.refuse_watch = ClusterError(0, "reset")
    watcher = Watcher(cluster, RESOURCE, Lasting(), clock=clock, random=lambda: 1.0)
    assert [watcher.cycle() for _ in range(3)] == [0.2, 0.2, 0.2]


@pytest.mark.parametrize("answer", [{}, {"metadata": None}, {"metadata": {}}])
def test_an_answer_that_is_no_list_is_a_failure(follower: Follower, answer: Object) -> None:
    class Odd(FakeCluster):
        def request(self, *_: object, **__: object) -> Object:
            return answer

    Watcher(Odd(), RESOURCE, follower, clock=Clock(), random=lambda: 1.0).cycle()
    assert follower.told == [("list failed", 0)]
