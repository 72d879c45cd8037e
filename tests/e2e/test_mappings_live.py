"""Mappings edited on a real API server while two workers follow them, and nobody is locked out."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import Self

from authenticator.sources.chain import StoreStatus
from authenticator.sources.kubernetes_api import KubernetesApi, configuration
from authenticator.sources.mappings import Mappings, SourceOptions
from dev.cluster import ControlPlane, Options
from dev.waiting import PATIENCE_SECONDS
from tests.authenticator.mapping.callers import role
from tests.e2e.administrator import Administrator

if TYPE_CHECKING:
    from tests.e2e.conftest import StartControlPlane

pytestmark = pytest.mark.cluster


def entry(name: str, username: str = "") -> dict[str, str]:
    return {"rolearn": f"arn:aws:iam::111122223333:role/{name}", "username": username or name}


class Worker:
    """One worker process's mappings, and what they say."""

    def __init__(self, options: SourceOptions) -> None:
        self._changed = threading.Condition()
        self.mappings = Mappings(options, on_change=self._notify)

    def _notify(self, _: StoreStatus) -> None:
        with self._changed:
            self._changed.notify_all()

    def username(self, name: str) -> str | None:
        match = self.mappings.current().find(role(name), time.time())
        return match.render(role(name), "")[0] if match else None

    def wait(self, wanted: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(wanted, PATIENCE_SECONDS), self.mappings.status()

    def wait_for(self, name: str, username: str | None) -> None:
        self.wait(lambda: self.username(name) == username)

    def faults(self) -> list[str]:
        return [str(f) for state in self.mappings.status().sources for f in state.faults]


class LoggingIn:
    """A caller with a sound mapping who logs in at every worker all the while."""

    def __init__(self, workers: list[Worker], name: str) -> None:
        self._workers = workers
        self._name = name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.admitted = 0
        self.refused = 0

    def _run(self) -> None:
        while not self._stop.wait(0.002):
            for worker in self._workers:
                if worker.username(self._name) == self._name:
                    self.admitted += 1
                else:
                    self.refused += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture(scope="module")
def plane(start_control_plane: StartControlPlane) -> ControlPlane:
    return start_control_plane(Options())


@pytest.fixture(scope="module")
def administrator(plane: ControlPlane) -> Administrator:
    return Administrator(plane)


@pytest.fixture
def workers(plane: ControlPlane, tmp_path: Path) -> Iterator[list[Worker]]:
    """Two workers of one host."""
    options = SourceOptions(
        modes=("EKSConfigMap", "CRD"), state_dir=tmp_path, kubeconfig=plane.admin_kubeconfig
    )
    made = [Worker(options), Worker(options)]
    for worker in made:
        worker.mappings.start()
    yield made
    for worker in made:
        worker.mappings.stop()


def everywhere(workers: list[Worker], name: str, username: str | None) -> None:
    for worker in workers:
        worker.wait_for(name, username)


# The first test: it begins without the CRD and without the ConfigMap.
def test_what_is_not_there_yet_is_waited_for(
    administrator: Administrator, workers: list[Worker]
) -> None:
    for worker in workers:
        worker.wait(lambda worker=worker: worker.mappings.status().ready)
        assert any("404" in fault for fault in worker.faults())
    administrator.install_crd()
    administrator.map("dev", arn="arn:aws:iam::111122223333:role/Dev", username="Dev")
    everywhere(workers, "Dev", "Dev")
    administrator.plane.kubectl("delete", "iamidentitymapping", "dev")
    everywhere(workers, "Dev", None)


def test_the_config_map_is_edited_broken_repaired_deleted_and_made_again(
    administrator: Administrator, workers: list[Worker]
) -> None:
    administrator.write([entry("Sound")])
    everywhere(workers, "Sound", "Sound")
    with LoggingIn(workers, "Sound") as sound:
        administrator.write([entry("Sound"), entry("Dev", "one")])
        everywhere(workers, "Dev", "one")
        administrator.write('- rolearn: "')
        for worker in workers:
            worker.wait(lambda worker=worker: bool(worker.faults()))
        assert workers[0].username("Dev") == "one"
        administrator.write([entry("Sound"), {"rolearn": "nonsense"}, entry("Dev", "two")])
        everywhere(workers, "Dev", "two")
        assert ["mapRoles[1]" in fault for fault in workers[0].faults()] == [True]
        administrator.write([entry("Sound"), entry("Dev", "three")])
        everywhere(workers, "Dev", "three")
        assert workers[0].faults() == []
    assert sound.admitted > 0
    assert sound.refused == 0
    administrator.delete_config_map()
    everywhere(workers, "Sound", None)
    administrator.write([entry("Sound")])
    everywhere(workers, "Sound", "Sound")


def test_custom_resources_are_edited_broken_repaired_deleted_and_made_again(
    administrator: Administrator, workers: list[Worker]
) -> None:
    arn = "arn:aws:iam::111122223333:role/"
    administrator.map("sound", arn=arn + "SoundToo", username="SoundToo")
    everywhere(workers, "SoundToo", "SoundToo")
    with LoggingIn(workers, "SoundToo") as sound:
        administrator.map("dev", arn=arn + "Dev2", username="one")
        everywhere(workers, "Dev2", "one")
        administrator.map("dev", arn="nonsense", username="one")
        everywhere(workers, "Dev2", None)
        administrator.map("dev", arn=arn + "Dev2", username="two")
        everywhere(workers, "Dev2", "two")
    assert sound.refused == 0
    administrator.plane.kubectl("delete", "iamidentitymapping", "sound")
    everywhere(workers, "SoundToo", None)


def test_a_fault_is_told_on_the_object(administrator: Administrator, workers: list[Worker]) -> None:
    administrator.write([entry("Sound"), entry("A"), entry("B"), {"rolearn": "nonsense"}])
    administrator.map("bad", arn="arn:aws:iam::1111:role/x", username="x")
    events = administrator.events

    administrator.wait_for(lambda: any("mapRoles[3]" in text for text in events("ConfigMap")))
    administrator.wait_for(lambda: any("12 digits" in t for t in events("IAMIdentityMapping")))

    def conditions() -> list[dict[str, Any]]:
        status = administrator.get("iamidentitymapping", "bad").get("status", {})
        found: list[dict[str, Any]] = status.get("conditions", [])
        return found

    administrator.wait_for(lambda: bool(conditions()))
    (condition,) = conditions()
    assert (condition["type"], condition["status"]) == ("Valid", "False")
    administrator.map("bad", arn="arn:aws:iam::111122223333:role/Path/Fine", username="x")
    administrator.wait_for(lambda: conditions()[0]["status"] == "True")
    status = administrator.get("iamidentitymapping", "bad")["status"]
    # With the path, as the reference writes it: its servers match callers by this field.
    assert status["canonicalARN"] == "arn:aws:iam::111122223333:role/path/fine"
    # Two workers followed; one of them wrote.
    assert len([text for text in events("ConfigMap") if "mapRoles[3]" in text]) == 1


@pytest.mark.parametrize("interruption", ["restart_apiserver", "expire_watches"])
def test_edits_are_seen_after_the_watches_were_lost(
    administrator: Administrator, workers: list[Worker], interruption: str
) -> None:
    administrator.write([entry("Sound"), entry("Dev", "before")])
    everywhere(workers, "Dev", "before")
    with LoggingIn(workers, "Sound") as sound:
        getattr(administrator.plane, interruption)()
        administrator.write([entry("Sound"), entry("Dev", f"after {interruption}")])
        everywhere(workers, "Dev", f"after {interruption}")
    assert sound.admitted > 0
    assert sound.refused == 0


def test_after_a_thousand_edits_in_a_row_the_last_one_is_in_force(
    plane: ControlPlane, administrator: Administrator, workers: list[Worker]
) -> None:
    administrator.write([entry("Sound")])
    everywhere(workers, "Sound", "Sound")
    path = "/api/v1/namespaces/kube-system/configmaps/aws-auth"
    api = KubernetesApi(partial(configuration, plane.admin_kubeconfig, ""))
    with LoggingIn(workers, "Sound") as sound:
        for number in range(1000):
            text = json.dumps([entry("Sound"), entry("Dev", f"edit {number}")])
            api.request("PATCH", path, body={"data": {"mapRoles": text}})
        everywhere(workers, "Dev", "edit 999")
    assert sound.admitted > 0
    assert sound.refused == 0


def test_the_server_starts_without_the_api_server_and_catches_up(
    plane: ControlPlane, administrator: Administrator, tmp_path: Path
) -> None:
    administrator.write([entry("Sound")])
    kubeconfig = tmp_path / "late.kubeconfig"
    worker = Worker(
        SourceOptions(modes=("EKSConfigMap",), state_dir=tmp_path, kubeconfig=kubeconfig)
    )
    worker.mappings.start()
    try:
        worker.wait(lambda: bool(worker.faults()))
        assert not worker.mappings.status().ready
        kubeconfig.write_bytes(plane.admin_kubeconfig.read_bytes())
        worker.wait_for("Sound", "Sound")
        assert worker.mappings.status().ready
    finally:
        worker.mappings.stop()
