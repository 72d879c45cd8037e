"""Files of a state directory belong to the user that the server runs as."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from authenticator.errors import ConfigError
from authenticator.serving.certificates.ownership import (
    access_problem,
    hand_over,
    owner_for,
    refuse_others,
)

USER, GROUP = 10_000, 10_001
# Tests of CI run as root; what only root can do cannot be tested as another user.
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory of the server's user, with a key of root's."""
    directory = tmp_path / "state"
    directory.mkdir()
    os.chown(directory, USER, GROUP)
    key = directory / "key.pem"
    key.touch(0o600)
    return directory


def owner(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_uid, status.st_gid


def test_root_gives_its_files_to_the_owner_of_the_directory(state: Path) -> None:
    assert owner_for(state) == (USER, GROUP)
    hand_over(state, ["key.pem", "missing.pem"])
    assert owner(state / "key.pem") == (USER, GROUP)


def test_in_a_directory_of_root_files_stay_with_root(state: Path) -> None:
    os.chown(state, 0, 0)
    assert owner_for(state) is None
    hand_over(state, ["key.pem"])
    assert owner(state / "key.pem") == (0, 0)


def test_in_a_volume_of_root_files_belong_to_the_owner_of_the_key(state: Path) -> None:
    """Kubernetes gives volumes to root and a group (fsGroup)."""
    os.chown(state, 0, GROUP)
    os.chown(state / "key.pem", USER, GROUP)
    (state / "next-key.pem").touch(0o600)
    hand_over(state, ["key.pem", "next-key.pem"])
    assert owner(state / "next-key.pem") == (USER, GROUP)


def test_a_file_of_a_third_user_is_left_alone(state: Path) -> None:
    os.chown(state / "key.pem", 7, 7)
    hand_over(state, ["key.pem"])
    assert owner(state / "key.pem") == (7, 7)


@pytest.mark.parametrize("link", [os.link, os.symlink], ids=["hard", "symbolic"])
def test_nothing_that_the_owner_has_linked_is_given_away(
    state: Path, tmp_path: Path, link: object
) -> None:
    """The directory's owner could make root give them any file."""
    secret = tmp_path / "shadow"
    secret.touch(0o600)
    (state / "key.pem").unlink()
    assert callable(link)
    link(secret, state / "key.pem")
    hand_over(state, ["key.pem"])
    assert owner(secret) == (0, 0)


def test_a_user_whose_files_the_server_could_not_read_is_refused(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_others(state / "key.pem")
    refuse_others(state / "missing.pem")
    os.chown(state / "key.pem", USER, GROUP)
    refuse_others(state / "key.pem")
    monkeypatch.setattr(os, "geteuid", lambda: USER + 7)
    refuse_others(state / "key.pem")  # of a group that may read it
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ConfigError, match=f"sudo -u '#{USER}'"):
        refuse_others(state / "key.pem")


def test_a_file_that_cannot_be_read_is_described_with_the_remedy(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = access_problem(state / "missing.pem")
    assert f"{state} belongs to user {USER}" in described
    assert f"run this as user {USER}" in described
    monkeypatch.setattr(os, "geteuid", lambda: USER)
    described = access_problem(state / "key.pem")
    assert "belongs to user 0 with mode 0600" in described
    assert f"chown {USER}:{os.getegid()} {state / 'key.pem'}" in described
