"""What is kept over a restart, and what is not believed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from authenticator.sources.base import Kept
from authenticator.sources.last_good import LastGoodFiles

TEXTS = {"mapRoles": "- a\n", "mapUsers": ""}


@pytest.fixture
def files(tmp_path: Path) -> LastGoodFiles:
    return LastGoodFiles(tmp_path)


@pytest.fixture
def path(tmp_path: Path, files: LastGoodFiles) -> Path:
    """The file of a source that has been saved."""
    files.save("EKSConfigMap", lambda: TEXTS)
    files.flush()
    (path,) = tmp_path.iterdir()
    return path


def test_what_was_saved_is_loaded_with_its_time(files: LastGoodFiles, path: Path) -> None:
    os.utime(path, (1000, 1000))
    assert files.load("EKSConfigMap") == Kept(TEXTS, 1000.0)
    assert files.load("CRD") is None


def test_it_is_readable_by_the_server_alone(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


def test_saving_the_same_again_says_that_it_still_holds(files: LastGoodFiles, path: Path) -> None:
    os.utime(path, (1000, 1000))
    before = path.stat()
    files.save("EKSConfigMap", lambda: dict(reversed(TEXTS.items())))
    files.flush()
    assert path.stat().st_ino == before.st_ino  # not written again
    assert path.stat().st_mtime > 1000


def test_only_the_newest_of_a_burst_is_made_and_written(files: LastGoodFiles) -> None:
    def never() -> dict[str, str]:
        raise AssertionError

    files.save("EKSConfigMap", never)
    files.save("EKSConfigMap", lambda: TEXTS)
    files.flush()
    kept = files.load("EKSConfigMap")
    assert kept
    assert kept.texts == TEXTS


def test_what_waits_is_written_at_the_end(files: LastGoodFiles) -> None:
    files.start()
    files.save("EKSConfigMap", lambda: TEXTS)
    files.stop()
    assert files.load("EKSConfigMap")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}', "null", "\ud800"])
def test_a_damaged_file_is_ignored_with_a_warning(
    files: LastGoodFiles, path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(content.encode(errors="surrogatepass"))
    assert files.load("EKSConfigMap") is None
    assert "ignoring the last good mappings" in caplog.text


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_ignored(
    files: LastGoodFiles, path: Path, mode: int
) -> None:
    path.chmod(mode)
    assert files.load("EKSConfigMap") is None


def test_a_symbolic_link_is_ignored_and_not_written_through(
    files: LastGoodFiles, path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    target = path.rename(tmp_path / "elsewhere")
    path.symlink_to(target)
    assert files.load("EKSConfigMap") is None
    files.save("EKSConfigMap", lambda: {"mapRoles": "other"})
    files.flush()
    assert "cannot keep the last good mappings" in caplog.text
    assert "other" not in target.read_text()


def test_a_missing_directory_is_a_warning_and_no_more(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = LastGoodFiles(tmp_path / "missing")
    files.save("EKSConfigMap", lambda: TEXTS)
    files.flush()
    assert "cannot keep the last good mappings" in caplog.text


def test_what_could_not_be_written_is_tried_again_and_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It was dropped, and the next start had older mappings."""
    directory = tmp_path / "later"
    files = LastGoodFiles(directory)
    files.save("EKSConfigMap", lambda: TEXTS)
    for _ in range(3):
        files.flush()
    assert len(files.unwritten) == 1
    assert str(directory) in files.unwritten[0]
    assert caplog.text.count("cannot keep the last good mappings") == 1
    # What comes meanwhile takes the place of what failed.
    newer = {"mapRoles": "- b\n", "mapUsers": ""}
    files.save("EKSConfigMap", lambda: newer)
    directory.mkdir()
    files.flush()
    assert files.unwritten == []
    kept = files.load("EKSConfigMap")
    assert kept is not None
    assert kept.texts == newer
