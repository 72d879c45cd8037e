"""What every source of mappings must do, run against each of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from authenticator.mapping.guards import Guard
from authenticator.mapping.sections import SectionReader
from authenticator.sources.base import Context, Source
from authenticator.sources.cluster import ClusterError
from authenticator.sources.cluster_source import ClusterSource
from authenticator.sources.config_map import AwsAuth
from authenticator.sources.custom_resources import IdentityMappings
from authenticator.sources.file import FileSource
from authenticator.sources.last_good import LastGoodFiles
from tests.authenticator.sources.doubles import (
    CountedMetrics,
    FakeCluster,
    Listener,
    RememberedReports,
    usernames,
)

NOW = 1_800_000_000.0


def entry(name: str) -> dict[str, object]:
    """A sound entry that maps the role NAME to the user NAME."""
    return {"rolearn": f"arn:aws:iam::111122223333:role/{name}", "username": name}


BAD = {"rolearn": "nonsense", "username": "bad"}


class Place(Protocol):
    """Where a source reads, as its owner handles it."""

    parses: bool
    """Whether its document can fail to parse as a whole."""
    empties: bool
    """Whether removing its document means that nobody is mapped."""

    def source(self, context: Context) -> Source: ...
    def write(self, *entries: dict[str, object]) -> None: ...
    def break_it(self) -> None: ...
    def remove(self) -> None: ...
    def cut_off(self) -> None: ...
    def reconnect(self) -> None: ...


class FilePlace:
    """A file, under `server` or not."""

    parses = True

    def __init__(
        self, directory: Path, name: str, under: str = "", *, optional: bool = False
    ) -> None:
        self.path = directory / "document"
        self.name = name
        self.under = under
        self.empties = optional

    def source(self, context: Context) -> Source:
        reader = SectionReader(self.name, Guard())
        return FileSource(
            reader, self.path, context, under=self.under, optional=self.empties, interval=0.01
        )

    def write(self, *entries: dict[str, object]) -> None:
        sections = {"mapRoles": entries}
        self.path.write_text(json.dumps({self.under: sections} if self.under else sections))

    def break_it(self) -> None:
        self.path.write_text('{"mapRoles": [')

    def remove(self) -> None:
        self.path.unlink()

    def cut_off(self) -> None:
        """Put a directory in the file's place, at once: for a moment without it, it is removed."""
        self._sibling("kept").hardlink_to(self.path)
        self._sibling("directory").mkdir()
        self._sibling("link").symlink_to(self._sibling("directory"))
        self._sibling("link").replace(self.path)

    def reconnect(self) -> None:
        self._sibling("kept").replace(self.path)

    def _sibling(self, name: str) -> Path:
        return self.path.with_name(name)


class ClusterPlace:
    """What is common to objects of a cluster."""

    empties = True

    def __init__(self) -> None:
        self.cluster = FakeCluster()

    def cut_off(self) -> None:
        self.cluster.refuse = ClusterError(0, "connection refused")
        self.cluster.end_watches(self.cluster.refuse)

    def reconnect(self) -> None:
        self.cluster.refuse = None


class ConfigMapPlace(ClusterPlace):
    """aws-auth."""

    parses = True

    def source(self, context: Context) -> Source:
        documents = AwsAuth(SectionReader("EKSConfigMap", Guard()))
        return ClusterSource(self.cluster, documents, RememberedReports(), context)

    def write(self, *entries: dict[str, object]) -> None:
        self.cluster.put("aws-auth", data={"mapRoles": json.dumps(entries)})

    def break_it(self) -> None:
        self.cluster.put("aws-auth", data={"mapRoles": "- ["})

    def remove(self) -> None:
        self.cluster.remove("aws-auth")


class CustomResourcePlace(ClusterPlace):
    """IAMIdentityMappings, one for each entry."""

    parses = False

    def source(self, context: Context) -> Source:
        documents = IdentityMappings(SectionReader("CRD", Guard()))
        return ClusterSource(self.cluster, documents, RememberedReports(), context)

    def write(self, *entries: dict[str, object]) -> None:
        for number, given in enumerate(entries):
            spec = {"arn": given["rolearn"], "username": given["username"]}
            if self.cluster.objects.get(f"m{number}", {}).get("spec") != spec:
                self.cluster.put(f"m{number}", spec=spec)

    def break_it(self) -> None:
        raise NotImplementedError

    def remove(self) -> None:
        for name in list(self.cluster.objects):
            self.cluster.remove(name)


PLACES: dict[str, Callable[[Path], Place]] = {
    "MountedFile": lambda directory: FilePlace(directory, "MountedFile", "server"),
    "DynamicFile": lambda directory: FilePlace(directory, "DynamicFile"),
    "BreakGlass": lambda directory: FilePlace(directory, "BreakGlass", optional=True),
    "EKSConfigMap": lambda _: ConfigMapPlace(),
    "CRD": lambda _: CustomResourcePlace(),
}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each place in turn."""
    return PLACES[request.param](tmp_path)


class Runner:
    """Starts sources of one place, each as after a restart of the server."""

    def __init__(self, place: Place, state_dir: Path) -> None:
        self.place = place
        self.metrics = CountedMetrics()
        self.last_good = LastGoodFiles(state_dir)
        self.running: list[Source] = []

    def start(self) -> Listener:
        context = Context(self.last_good, self.metrics, clock=lambda: NOW, random=lambda: 0.0)
        source = self.place.source(context)
        listener = Listener()
        self.running.append(source)
        source.start(listener)
        return listener

    def stop(self) -> None:
        for source in self.running:
            source.stop()
        self.running.clear()
        self.last_good.flush()


@pytest.fixture
def runner(place: Place, tmp_path: Path) -> Iterator[Runner]:
    """A runner that stops what a test leaves running."""
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    made = Runner(place, state_dir)
    yield made
    made.stop()


def test_it_reads_what_is_there(place: Place, runner: Runner) -> None:
    place.write(entry("a"), entry("b"))
    state = runner.start().wait(lambda state: state.synced)
    assert usernames(state) == ["a", "b"]
    assert state.faults == ()
    assert state.stale_since is None


def test_it_sees_edits(place: Place, runner: Runner) -> None:
    place.write(entry("a"))
    listener = runner.start()
    listener.wait(lambda state: usernames(state) == ["a"])
    for number in range(20):
        place.write(entry(f"edit{number}"))
    listener.wait(lambda state: usernames(state) == ["edit19"])


def test_a_bad_entry_is_left_out_and_reported_while_the_rest_applies(
    place: Place, runner: Runner
) -> None:
    place.write(entry("a"), BAD, entry("c"))
    state = runner.start().wait(lambda state: state.synced)
    assert usernames(state) == ["a", "c"]
    (fault,) = state.faults
    assert "it is not of the form arn:" in fault.reason
    assert not fault.in_force


def test_a_fault_is_gone_when_it_is_put_right(place: Place, runner: Runner) -> None:
    place.write(entry("a"), BAD)
    listener = runner.start()
    listener.wait(lambda state: bool(state.faults))
    place.write(entry("a"), entry("b"))
    listener.wait(lambda state: usernames(state) == ["a", "b"] and not state.faults)


def test_a_document_that_does_not_parse_keeps_the_last_good_one(
    place: Place, runner: Runner
) -> None:
    if not place.parses:
        pytest.skip("the API server checks the form of these objects")
    place.write(entry("a"))
    listener = runner.start()
    listener.wait(lambda state: usernames(state) == ["a"])
    place.break_it()
    state = listener.wait(lambda state: bool(state.faults))
    assert usernames(state) == ["a"]
    assert state.stale_since == NOW
    assert all("last good version stays active" in fault.reason for fault in state.faults)
    place.write(entry("b"))
    state = listener.wait(lambda state: not state.faults)
    assert usernames(state) == ["b"]
    assert state.stale_since is None


def test_a_document_that_never_parsed_maps_nobody_and_is_reported(
    place: Place, runner: Runner
) -> None:
    if not place.parses:
        pytest.skip("the API server checks the form of these objects")
    place.break_it()
    state = runner.start().wait(lambda state: bool(state.faults))
    assert usernames(state) == []


def test_removal_empties_it_where_that_is_what_removal_means(place: Place, runner: Runner) -> None:
    place.write(entry("a"))
    listener = runner.start()
    listener.wait(lambda state: usernames(state) == ["a"])
    place.remove()
    if place.empties:
        listener.wait(
            lambda state: usernames(state) == [] and all(fault.in_force for fault in state.faults)
        )
    else:
        state = listener.wait(lambda state: bool(state.faults))
        assert usernames(state) == ["a"]
    place.write(entry("b"))
    listener.wait(lambda state: usernames(state) == ["b"] and not state.faults)


def test_it_starts_while_its_place_is_cut_off_and_catches_up(place: Place, runner: Runner) -> None:
    place.write(entry("a"))
    place.cut_off()
    listener = runner.start()
    listener.wait(lambda state: bool(state.faults))
    assert listener.usernames() == []
    place.reconnect()
    listener.wait(lambda state: usernames(state) == ["a"] and state.synced and not state.faults)


def test_what_was_in_force_stays_while_its_place_is_cut_off(place: Place, runner: Runner) -> None:
    place.write(entry("a"))
    listener = runner.start()
    listener.wait(lambda state: usernames(state) == ["a"])
    place.cut_off()
    listener.wait(lambda state: bool(state.faults))
    assert all(usernames(state) == ["a"] for state in listener.states if state.synced)
    assert runner.metrics.failures
    place.reconnect()
    place.write(entry("b"))
    listener.wait(lambda state: usernames(state) == ["b"] and not state.faults)


def test_the_last_good_state_survives_a_restart_while_its_place_is_cut_off(
    place: Place, runner: Runner
) -> None:
    place.write(entry("a"), entry("b"))
    runner.start().wait(lambda state: usernames(state) == ["a", "b"])
    runner.stop()
    place.cut_off()
    listener = runner.start()
    state = listener.wait(lambda state: bool(state.faults))
    assert usernames(state) == ["a", "b"]
    assert state.stale_since is not None
    place.reconnect()
    state = listener.wait(lambda state: state.synced and not state.faults)
    assert usernames(state) == ["a", "b"]
    assert state.stale_since is None


def test_what_broke_before_a_restart_has_its_last_good_version_after_it(
    place: Place, runner: Runner
) -> None:
    if not place.parses:
        pytest.skip("the API server checks the form of these objects")
    place.write(entry("a"))
    listener = runner.start()
    listener.wait(lambda state: usernames(state) == ["a"])
    place.break_it()
    listener.wait(lambda state: bool(state.faults))
    runner.stop()
    state = runner.start().wait(lambda state: state.synced)
    assert usernames(state) == ["a"]
    assert state.stale_since is not None


def test_nothing_is_published_after_stop(place: Place, runner: Runner) -> None:
    place.write(entry("a"))
    listener = runner.start()
    listener.wait(lambda state: usernames(state) == ["a"])
    runner.stop()
    published = len(listener.states)
    place.write(entry("b"))
    assert len(listener.states) == published


def test_stop_without_start_does_nothing(place: Place, runner: Runner) -> None:
    context = Context(runner.last_good, runner.metrics)
    place.source(context).stop()


def test_states_are_whole_and_named(place: Place, runner: Runner) -> None:
    place.write(entry("a"), entry("b"))
    listener = runner.start()
    listener.wait(lambda state: state.synced)
    place.write(entry("c"), entry("d"))
    listener.wait(lambda state: usernames(state) == ["c", "d"])
    assert {state.name for state in listener.states} == {listener.last.name}
