"""Files appear whole or not at all, and links are not followed."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from authenticator.atomic import create_atomically, write_atomically

Writer = Callable[[Path, bytes, int], None]
WRITERS = pytest.mark.parametrize("write", [write_atomically, create_atomically])


@WRITERS
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_the_file_has_the_content_and_mode_asked_for(
    tmp_path: Path, write: Writer, mode: int
) -> None:
    target = tmp_path / "file"
    write(target, b"content", mode)
    assert target.read_bytes() == b"content"
    assert stat.S_IMODE(target.stat().st_mode) == mode


@WRITERS
def test_nothing_else_is_left_in_the_directory(tmp_path: Path, write: Writer) -> None:
    write(tmp_path / "file", b"content", 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_writing_replaces_what_is_there_and_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    target.chmod(0o644)
    write_atomically(target, b"new")
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_reader_that_has_the_old_file_open_keeps_all_of_it(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_atomically(target, b"old")
    with target.open("rb") as reader:
        write_atomically(target, b"new")
        assert reader.read() == b"old"


@WRITERS
def test_a_symbolic_link_is_refused_and_its_target_untouched(tmp_path: Path, write: Writer) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"theirs")
    link = tmp_path / "link"
    link.symlink_to(victim)
    with pytest.raises(OSError, match="link"):
        write(link, b"ours", 0o600)
    assert link.is_symlink()
    assert victim.read_bytes() == b"theirs"


@WRITERS
def test_a_dangling_link_is_refused(tmp_path: Path, write: Writer) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OSError, match="link"):
        write(link, b"ours", 0o600)
    assert not (tmp_path / "nowhere").exists()


def test_creating_leaves_what_is_there(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        create_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_of_many_creators_exactly_one_succeeds(tmp_path: Path) -> None:
    target = tmp_path / "file"
    start = threading.Barrier(8)
    winners: list[bytes] = []

    def create(content: bytes) -> None:
        start.wait()
        try:
            create_atomically(target, content)
        except FileExistsError:
            return
        winners.append(content)

    threads = [threading.Thread(target=create, args=(b"%d" % n * 4096,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert winners == [target.read_bytes()]
