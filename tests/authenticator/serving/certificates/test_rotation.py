"""Replacing the certificate: two steps, each repeatable, and nothing lost in between."""

from __future__ import annotations

import errno
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from authenticator.errors import ConfigError
from authenticator.serving.certificates import rotation
from authenticator.serving.certificates.pair import ServerCertificate, Wanted

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


def test_a_next_pair_takes_the_place_of_one_that_has_expired(tmp_path: Path) -> None:
    """The server ended, and so did the next one, although the cure lay next to it."""
    old = rotation.current(tmp_path, WANTED, NOW)
    following = rotation.prepare(tmp_path, WANTED, NOW + timedelta(days=60))
    after = old.ends + timedelta(days=1)
    assert rotation.current(tmp_path, WANTED, after).pem == following.pem
    assert names(tmp_path) == ["cert.pem", "key.pem"]


@pytest.mark.usefixtures("old")
def test_a_switch_that_cannot_be_finished_on_a_read_only_disk_is_served_from_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = rotation.prepare(tmp_path, WANTED, NOW)
    (tmp_path / "next-key.pem").replace(tmp_path / "key.pem")  # and then the machine stopped

    def refuse(_path: Path, _target: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refuse)
        found = rotation.current(tmp_path, WANTED, NOW)
    assert (found.pem, found.key) == (following.pem, tmp_path / "key.pem")
    assert rotation.current(tmp_path, WANTED, NOW).certificate == tmp_path / "cert.pem"
