"""Renewal gives API servers time, and one worker decides."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from authenticator.errors import ConfigError
from authenticator.serving.certificates import rotation, webhook_kubeconfig
from authenticator.serving.certificates.pair import ServerCertificate, Wanted
from authenticator.serving.certificates.renewal import Bounds, Renewal, Schedule
from authenticator.serving.certificates.trust import Trust

NOW = datetime.now(timezone.utc)
WANTED = Wanted(hostname="localhost", address="127.0.0.1", lifetime=timedelta(days=90))
DAY = timedelta(days=1)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    return tmp_path / "kubeconfig"


@pytest.fixture
def old(state: Path, kubeconfig: Path) -> ServerCertificate:
    pair = rotation.current(state, WANTED, NOW)
    trust(state, kubeconfig).write(NOW)
    return pair


def trust(state: Path, kubeconfig: Path) -> Trust:
    return Trust(state, kubeconfig, "localhost", 21362)


def renewal(state: Path, kubeconfig: Path, bounds: Bounds | None = None) -> Renewal:
    return Renewal(state, WANTED, trust(state, kubeconfig), bounds=bounds)


def look(state: Path, kubeconfig: Path, now: datetime) -> timedelta:
    """Look once, in a server that then ends."""
    keeper = renewal(state, kubeconfig)
    try:
        return keeper.look(now)
    finally:
        keeper.stop()


def served(state: Path) -> bytes:
    return (state / "cert.pem").read_bytes()


def trusted(kubeconfig: Path) -> list[bytes]:
    return rotation.each(webhook_kubeconfig.trusted_by(kubeconfig))


def test_a_certificate_with_time_left_is_left_alone(
    state: Path, kubeconfig: Path, old: ServerCertificate
) -> None:
    wait = look(state, kubeconfig, Schedule.of(old).prepare - timedelta(hours=1))
    assert not rotation.is_prepared(state)
    assert wait == timedelta(minutes=10)


def test_a_third_before_its_end_both_are_trusted(
    state: Path, kubeconfig: Path, old: ServerCertificate
) -> None:
    due = Schedule.of(old).prepare
    assert timedelta(days=29) < old.ends - due < timedelta(days=31)
    for when in (due, due + timedelta(hours=1)):
        look(state, kubeconfig, when)
    assert trusted(kubeconfig)[0] == old.pem == served(state)
    assert len(trusted(kubeconfig)) == 2


def test_the_next_one_is_served_shortly_before_the_end(
    state: Path, kubeconfig: Path, old: ServerCertificate
) -> None:
    schedule = Schedule.of(old)
    look(state, kubeconfig, schedule.prepare)
    look(state, kubeconfig, schedule.switch - timedelta(minutes=1))
    assert served(state) == old.pem
    look(state, kubeconfig, schedule.switch)
    assert trusted(kubeconfig) == [served(state)] != [old.pem]


@pytest.mark.parametrize("left", [6 * DAY, DAY, timedelta(minutes=2)], ids=str)
def test_a_start_near_the_end_does_not_switch_before_api_servers_had_time(
    state: Path, kubeconfig: Path, old: ServerCertificate, left: timedelta
) -> None:
    """It prepared the next pair and switched to it within a second: 401 for every login."""
    start = old.ends - left
    keeper = renewal(state, kubeconfig)
    for seconds in (0, 1, 2):
        keeper.look(start + timedelta(seconds=seconds))
    keeper.look(start + left / 2 - timedelta(seconds=5))
    assert served(state) == old.pem
    assert len(trusted(kubeconfig)) == 2
    keeper.look(max(start + left / 2, Schedule.of(old).switch))
    assert served(state) != old.pem


def test_a_week_is_enough_for_api_servers(
    state: Path, kubeconfig: Path, old: ServerCertificate
) -> None:
    bounds = Bounds(switch=timedelta(days=29), switch_part=1.0)
    start = Schedule.of(old).prepare + DAY
    keeper = renewal(state, kubeconfig, bounds)
    keeper.look(start)
    keeper.look(start + 7 * DAY - timedelta(seconds=1))
    assert served(state) == old.pem
    keeper.look(start + 7 * DAY)
    assert served(state) != old.pem


def test_the_log_asks_for_restarts_before_a_time_to_come(
    state: Path, kubeconfig: Path, old: ServerCertificate, caplog: pytest.LogCaptureFixture
) -> None:
    start = old.ends - DAY
    keeper = renewal(state, kubeconfig)
    for minutes in (0, 10):
        keeper.look(start + timedelta(minutes=minutes))
    due = (start + DAY / 2).isoformat(timespec="seconds")
    assert caplog.text.count(f"that reads {kubeconfig} before {due}") == 1


def test_the_time_begins_again_when_the_kubeconfig_was_without_the_next_one(
    state: Path, kubeconfig: Path, old: ServerCertificate
) -> None:
    """An API server that started meanwhile does not trust it."""
    start = old.ends - 2 * DAY
    keeper = renewal(state, kubeconfig)
    keeper.look(start)
    before = webhook_kubeconfig.render(old.pem, "localhost", 21362)
    kubeconfig.write_bytes(before)
    keeper.look(start + DAY)
    assert served(state) == old.pem
    keeper.look(start + DAY + timedelta(hours=11))
    assert served(state) == old.pem
    keeper.look(start + DAY + timedelta(hours=12))
    assert served(state) != old.pem


def test_the_time_that_rotate_gave_counts(
    state: Path, kubeconfig: Path, old: ServerCertificate
) -> None:
    rotation.prepare(state, WANTED, NOW + DAY)
    trust(state, kubeconfig).write(NOW + DAY)
    look(state, kubeconfig, Schedule.of(old).switch)
    assert served(state) != old.pem


@pytest.mark.parametrize(
    "record",
    ["", "{}", "[]", "rubbish", json.dumps({"certificate": "x", "trustedSince": 7}), None],
    ids=["empty", "nothing", "list", "rubbish", "number", "missing"],
)
def test_without_a_record_the_time_begins_now(
    state: Path, kubeconfig: Path, old: ServerCertificate, record: str | None
) -> None:
    start = old.ends - 2 * DAY
    look(state, kubeconfig, start)
    path = state / rotation.RECORD_NAME
    if record is None:
        path.unlink()
    else:
        path.write_text(record)
    look(state, kubeconfig, start + DAY)
    assert served(state) == old.pem
    look(state, kubeconfig, start + DAY + DAY / 2)
    assert served(state) != old.pem


def test_a_record_of_the_future_is_not_believed(
    state: Path, kubeconfig: Path, old: ServerCertificate
) -> None:
    start = old.ends - 4 * DAY
    look(state, kubeconfig, start + 2 * DAY)  # the clock was ahead
    look(state, kubeconfig, start)
    look(state, kubeconfig, start + 2 * DAY)
    assert served(state) != old.pem


def test_a_kubeconfig_that_cannot_be_written_keeps_the_pair_in_use(
    state: Path, kubeconfig: Path, old: ServerCertificate, caplog: pytest.LogCaptureFixture
) -> None:
    kubeconfig.unlink()
    kubeconfig.mkdir()  # so that nothing can take its name
    keeper = renewal(state, kubeconfig)
    for when in (
        Schedule.of(old).prepare,
        Schedule.of(old).switch,
        old.ends - timedelta(seconds=1),
    ):
        assert keeper.look(when) <= timedelta(seconds=15)  # it is tried again
    assert served(state) == old.pem
    assert caplog.text.count("cannot be renewed") == 1
    assert str(kubeconfig) in keeper.fault
    assert str(kubeconfig) in keeper.untrusted[0]
    kubeconfig.rmdir()
    keeper.look(old.ends - timedelta(seconds=1))
    assert keeper.warnings == keeper.untrusted == []
    assert len(trusted(kubeconfig)) == 2


def test_of_several_workers_one_decides(
    state: Path, kubeconfig: Path, old: ServerCertificate, caplog: pytest.LogCaptureFixture
) -> None:
    """Each decided after the one before, so that the second switched to what the first made."""
    schedule, begin = Schedule.of(old), threading.Barrier(8)
    workers = [renewal(state, kubeconfig) for _ in range(8)]

    def race(worker: Renewal) -> None:
        begin.wait()
        worker.look(schedule.prepare)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(race, workers))
    assert caplog.text.count("the next one (until") == 1
    assert sum(worker._lock is not None for worker in workers) == 1
    assert served(state) == old.pem
    # The owner ends, and another one goes on.
    owner = next(worker for worker in workers if worker._lock is not None)
    workers.remove(owner)
    owner.stop()
    for worker in workers:
        worker.look(schedule.switch)
    assert served(state) != old.pem
    assert caplog.text.count("cannot be renewed") == 0


def test_the_lock_of_a_state_directory_that_was_replaced_is_taken_again(
    state: Path, kubeconfig: Path, old: ServerCertificate
) -> None:
    keeper, other = renewal(state, kubeconfig), renewal(state, kubeconfig)
    keeper.look(Schedule.of(old).prepare)
    (state / "renewal.lock").unlink()
    other.look(Schedule.of(old).prepare)
    keeper.look(Schedule.of(old).prepare)
    assert (keeper._lock is None, other._lock is None) == (True, False)


@pytest.mark.parametrize("name", ["next-cert.pem", "next-key.pem"])
def test_a_next_pair_that_cannot_be_used_is_made_again(
    state: Path, kubeconfig: Path, old: ServerCertificate, name: str
) -> None:
    due = Schedule.of(old).prepare
    look(state, kubeconfig, due)
    before = (state / "next-cert.pem").read_bytes()
    (state / name).write_bytes(b"rubbish")
    look(state, kubeconfig, due + timedelta(hours=1))
    assert rotation.following(state, due + timedelta(hours=2)).pem != before
    assert trusted(kubeconfig)[1] == rotation.next_pem(state)
    assert served(state) == old.pem


def test_a_next_pair_that_ends_sooner_is_neither_served_nor_removed(
    state: Path, kubeconfig: Path, old: ServerCertificate
) -> None:
    wanted = Wanted(hostname="localhost", address="127.0.0.1", lifetime=DAY * 89)
    following = rotation.prepare(state, wanted, NOW)
    look(state, kubeconfig, Schedule.of(old).switch + DAY)
    assert served(state) == old.pem
    assert rotation.following(state, None) == following


def test_a_pair_that_has_ended_is_replaced_by_the_next_one(
    state: Path, kubeconfig: Path, old: ServerCertificate
) -> None:
    rotation.prepare(state, WANTED, NOW + 60 * DAY)
    look(state, kubeconfig, old.ends + timedelta(seconds=1))
    assert served(state) != old.pem


def test_the_next_one_lives_as_long(state: Path, kubeconfig: Path, old: ServerCertificate) -> None:
    keeper = renewal(state, kubeconfig)
    keeper.look(Schedule.of(old).prepare)
    following = rotation.following(state, None)
    assert following.ends - following.begins == old.ends - old.begins


def test_where_the_kubeconfig_is_written_by_others_it_only_warns(
    state: Path, kubeconfig: Path, old: ServerCertificate, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = Renewal(state, WANTED, None)
    for minutes in (0, 10, 20):
        keeper.look(Schedule.of(old).switch + timedelta(minutes=minutes))
    assert not rotation.is_prepared(state)
    assert caplog.text.count("aws-iam-authenticator rotate") == 1


def test_a_kubeconfig_that_is_right_is_not_written(
    state: Path, kubeconfig: Path, old: ServerCertificate
) -> None:
    before = kubeconfig.stat().st_ino
    trust(state, kubeconfig).write(NOW)
    trust(state, kubeconfig).keep(NOW)
    assert kubeconfig.stat().st_ino == before
    kubeconfig.chmod(0o600)  # an API server of another user could not read it
    trust(state, kubeconfig).write(NOW)
    assert kubeconfig.stat().st_mode & 0o777 == 0o644


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_of_root_belong_to_the_owner_of_the_state_directory(
    state: Path, kubeconfig: Path, old: ServerCertificate
) -> None:
    os.chown(state, 10_000, 10_001)
    rotation.prepare(state, WANTED, NOW)
    trust(state, kubeconfig).write(NOW)
    for name in ("next-cert.pem", "next-key.pem", rotation.RECORD_NAME):
        status = (state / name).stat()
        assert (status.st_uid, status.st_gid) == (10_000, 10_001), name


def test_a_state_directory_that_vanished_is_reported(
    state: Path, kubeconfig: Path, old: ServerCertificate
) -> None:
    for path in state.iterdir():
        path.unlink()
    state.rmdir()
    keeper = renewal(state, kubeconfig)
    keeper.look(NOW)
    assert str(state) in keeper.fault
    with pytest.raises(ConfigError):
        trust(state, kubeconfig).write(NOW)


_JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=3)
_RECORDS = st.binary(max_size=50) | st.fixed_dictionaries(
    {},
    optional={"certificate": st.just(hashlib.sha256(b"next").hexdigest()) | _JSON}
    | {"trustedSince": st.datetimes().map(datetime.isoformat) | _JSON},
).map(lambda document: json.dumps(document).encode())


@given(content=_RECORDS)
@example(content=b"[" * 100_000)
def test_whatever_the_record_holds_it_is_a_time_with_a_zone_or_none(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        state = Path(name)
        (state / rotation.RECORD_NAME).write_bytes(content)
        since = Trust(state, state / "kubeconfig", "localhost", 1).since(b"next")
        assert since is None or since.tzinfo is not None


@given(content=st.binary(max_size=200))
@example(content=b"[" * 100_000)
@example(content=b"clusters: [{cluster: {certificate-authority-data: '%'}}]")
@example(content=b"clusters: [{cluster: {certificate-authority-data: [1]}}]")
def test_whatever_the_kubeconfig_holds_it_trusts_some_bytes(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "kubeconfig"
        path.write_bytes(content)
        assert isinstance(webhook_kubeconfig.trusted_by(path), bytes)
