"""Changes of files, however they are written."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from authenticator.sources.poll import FilePoll
from dev.waiting import PATIENCE_SECONDS


class Followed:
    """A poll that is looked through by hand, and what it said."""

    def __init__(self, path: Path) -> None:
        self.said: list[object] = []
        self.poll = FilePoll(path, self._said, interval=3600)
        self.poll.start()

    def _said(self, content: bytes | OSError) -> None:
        self.said.append(content if isinstance(content, bytes) else type(content))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.write_bytes(b"one")
    return file


def test_a_change_counts_when_two_looks_have_seen_it(path: Path) -> None:
    followed = Followed(path)
    path.write_bytes(b"tw")  # an editor in the midst of writing "two"
    followed.poll.look()
    path.write_bytes(b"two")
    followed.poll.look()
    followed.poll.look()
    followed.poll.look()
    assert followed.said == [b"one", b"two"]


def test_a_change_that_keeps_size_and_time_is_seen(path: Path) -> None:
    followed = Followed(path)
    before = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    followed.poll.look()
    followed.poll.look()
    assert followed.said == [b"one", b"two"]


def test_a_swapped_symbolic_link_is_seen(tmp_path: Path) -> None:
    # As the kubelet updates a mounted ConfigMap: file -> ..data/file, ..data -> ..<time>.
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "file").write_text(version)
    (tmp_path / "..data").symlink_to("1")
    (tmp_path / "file").symlink_to("..data/file")
    followed = Followed(tmp_path / "file")
    (tmp_path / "..new").symlink_to("2")
    (tmp_path / "..new").replace(tmp_path / "..data")
    followed.poll.look()
    followed.poll.look()
    assert followed.said == [b"1", b"2"]


def test_a_file_that_comes_and_goes(tmp_path: Path) -> None:
    followed = Followed(tmp_path / "file")
    (tmp_path / "file").write_bytes(b"one")
    followed.poll.look()
    followed.poll.look()
    (tmp_path / "file").unlink()
    followed.poll.look()
    followed.poll.look()
    followed.poll.look()
    assert followed.said == [FileNotFoundError, b"one", FileNotFoundError]


def test_a_change_and_back_between_looks_is_no_change(path: Path) -> None:
    followed = Followed(path)
    path.write_bytes(b"two")
    followed.poll.look()
    path.write_bytes(b"one")
    followed.poll.look()
    followed.poll.look()
    assert followed.said == [b"one"]


def test_a_change_that_could_not_be_taken_leaves_the_next_one_seen(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"1")
    seen = threading.Event()

    def take(content: bytes | OSError) -> None:
        if content == b"2":
            file.write_bytes(b"3")
            raise ValueError
        if content == b"3":
            seen.set()

    poll = FilePoll(file, take, interval=0.001)
    poll.start()
    file.write_bytes(b"2")
    assert seen.wait(PATIENCE_SECONDS)
    poll.stop()
