"""Replacing the certificate: two steps, each repeatable, and nothing lost in between."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from authenticator.errors import ConfigError
from authenticator.serving.certificates import rotation
from authenticator.serving.certificates.pair import ServerCertificate, Wanted
from authenticator.serving.certificates.renewal import Renewal, Schedule

NOW = datetime.now(timezone.utc)
WANTED = Wanted(hostname="localhost", address="127.0.0.1", lifetime=timedelta(days=90))


@pytest.fixture
def old(tmp_path: Path) -> ServerCertificate:
    return rotation.current(tmp_path, WANTED, NOW)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_prepare_changes_nothing_that_is_served(tmp_path: Path, old: ServerCertificate) -> None:
    following = rotation.prepare(tmp_path, WANTED, NOW)
    assert rotation.current(tmp_path, WANTED, NOW) == old
    assert rotation.trusted(tmp_path) == old.pem + following.pem
    assert following.key.stat().st_mode & 0o777 == 0o600


def test_prepare_again_keeps_the_next_pair(tmp_path: Path, old: ServerCertificate) -> None:
    following = rotation.prepare(tmp_path, WANTED, NOW)
    assert rotation.prepare(tmp_path, WANTED, NOW) == following
    assert rotation.current(tmp_path, WANTED, NOW) == old


def test_switch_puts_the_next_pair_in_place(tmp_path: Path, old: ServerCertificate) -> None:
    following = rotation.prepare(tmp_path, WANTED, NOW)
    assert rotation.switch(tmp_path, NOW).pem == following.pem != old.pem
    assert rotation.trusted(tmp_path) == following.pem
    assert names(tmp_path) == ["cert.pem", "key.pem"]


@pytest.mark.usefixtures("old")
def test_switch_without_a_next_pair_is_refused(tmp_path: Path) -> None:
    before = (tmp_path / "cert.pem").read_bytes()
    with pytest.raises(ConfigError, match=r"next-cert\.pem: .*run `rotate` first"):
        rotation.switch(tmp_path, NOW)
    assert (tmp_path / "cert.pem").read_bytes() == before


@pytest.mark.usefixtures("old")
def test_a_next_pair_that_does_not_fit_together_is_not_switched_to(tmp_path: Path) -> None:
    rotation.prepare(tmp_path, WANTED, NOW)
    (tmp_path / "next-key.pem").write_bytes((tmp_path / "key.pem").read_bytes())
    with pytest.raises(ConfigError, match="another certificate"):
        rotation.switch(tmp_path, NOW)
    assert "next-key.pem" in names(tmp_path)


@pytest.mark.parametrize("finish", [rotation.current, rotation.switch])
@pytest.mark.usefixtures("old")
def test_a_switch_that_was_cut_off_is_finished(tmp_path: Path, finish: object) -> None:
    following = rotation.prepare(tmp_path, WANTED, NOW)
    (tmp_path / "next-key.pem").replace(tmp_path / "key.pem")  # and then the machine stopped
    if finish is rotation.switch:
        found = rotation.switch(tmp_path, NOW)
    else:
        found = rotation.current(tmp_path, WANTED, NOW)
    assert found.pem == following.pem
    assert names(tmp_path) == ["cert.pem", "key.pem"]


def test_a_next_certificate_without_its_key_does_not_replace_the_one_in_use(
    tmp_path: Path, old: ServerCertificate
) -> None:
    rotation.prepare(tmp_path, WANTED, NOW)
    (tmp_path / "next-key.pem").unlink()
    assert rotation.current(tmp_path, WANTED, NOW) == old
    with pytest.raises(ConfigError, match=r"next-key\.pem"):
        rotation.switch(tmp_path, NOW)
    assert rotation.current(tmp_path, WANTED, NOW) == old


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing: .*init"):
        rotation.switch(tmp_path / "missing", NOW)


class Kubeconfig:
    """What the API servers would read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.written: list[bytes] = []

    def write(self) -> None:
        self.written.append(rotation.trusted(self._directory))


def renewal(directory: Path, kubeconfig: Kubeconfig | None) -> Renewal:
    return Renewal(directory, WANTED, kubeconfig.write if kubeconfig else None)


def test_a_certificate_with_time_left_is_left_alone(tmp_path: Path, old: ServerCertificate) -> None:
    kubeconfig = Kubeconfig(tmp_path)
    renewal(tmp_path, kubeconfig).look(Schedule.of(old).prepare - timedelta(hours=1))
    assert not rotation.is_prepared(tmp_path)
    assert kubeconfig.written == []


def test_a_third_before_its_end_both_are_trusted(tmp_path: Path, old: ServerCertificate) -> None:
    kubeconfig = Kubeconfig(tmp_path)
    keeper = renewal(tmp_path, kubeconfig)
    due = Schedule.of(old).prepare
    assert timedelta(days=29) < old.ends - due < timedelta(days=31)
    keeper.look(due)
    keeper.look(due + timedelta(hours=1))
    (trusted,) = set(kubeconfig.written)
    assert trusted.startswith(old.pem)
    assert trusted.count(b"BEGIN CERTIFICATE") == 2
    assert rotation.current(tmp_path, WANTED, due) == old


def test_shortly_before_its_end_the_next_is_served(tmp_path: Path, old: ServerCertificate) -> None:
    kubeconfig = Kubeconfig(tmp_path)
    keeper = renewal(tmp_path, kubeconfig)
    schedule = Schedule.of(old)
    keeper.look(schedule.prepare)
    keeper.look(schedule.switch)
    assert kubeconfig.written[-1] == rotation.current(tmp_path, WANTED, schedule.switch).pem
    assert kubeconfig.written[-1] != old.pem


def test_a_kubeconfig_that_could_not_be_written_is_written_before_the_switch(
    tmp_path: Path, old: ServerCertificate
) -> None:
    kubeconfig, full = Kubeconfig(tmp_path), [True]

    def write() -> None:
        if full:
            raise ConfigError(("the disk is full",))
        kubeconfig.write()

    keeper = Renewal(tmp_path, WANTED, write)
    schedule = Schedule.of(old)
    for when in (schedule.prepare, schedule.switch):
        keeper.look(when)
    assert rotation.current(tmp_path, WANTED, schedule.switch) == old
    full.clear()
    keeper.look(schedule.switch)
    before, after = kubeconfig.written
    assert before.endswith(after)
    assert before != after


def test_of_several_workers_each_may_look(
    tmp_path: Path, old: ServerCertificate, caplog: pytest.LogCaptureFixture
) -> None:
    schedule, start = Schedule.of(old), threading.Barrier(8)

    def race(when: datetime) -> None:
        start.wait()
        renewal(tmp_path, Kubeconfig(tmp_path)).look(when)

    for when in (schedule.prepare, schedule.switch):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(race, [when] * 8))
    assert names(tmp_path) == ["cert.pem", "key.pem", "renewal.lock"]
    assert rotation.current(tmp_path, WANTED, schedule.switch).pem != old.pem
    assert "cannot be renewed" not in caplog.text


def test_where_the_kubeconfig_is_not_ours_it_only_warns(
    tmp_path: Path, old: ServerCertificate, caplog: pytest.LogCaptureFixture
) -> None:
    renewal(tmp_path, None).look(Schedule.of(old).switch)
    assert not rotation.is_prepared(tmp_path)
    assert "aws-iam-authenticator rotate" in caplog.text


def test_what_cannot_be_done_is_logged(
    tmp_path: Path, old: ServerCertificate, caplog: pytest.LogCaptureFixture
) -> None:
    renewal(tmp_path, Kubeconfig(tmp_path)).look(old.ends + timedelta(days=1))
    assert "expired" in caplog.text
