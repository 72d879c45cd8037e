"""Files appear whole or not at all, links are not followed, and locks exclude processes."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from authenticator.atomic import (
    alone_among_forks,
    alone_with,
    create_atomically,
    hold,
    write_atomically,
)

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


# Locks between processes.

HOLDER = """
import os, sys
from pathlib import Path
from authenticator import atomic
path = Path(sys.argv[2])
if sys.argv[1] == "hold":
    descriptor = atomic.hold(path)
    print("held", flush=True)
    sys.stdin.read()
else:
    with getattr(atomic, sys.argv[1])(path):
        print("held", flush=True)
        sys.stdin.read()
"""


@contextmanager
def holder(how: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a lock until its standard input ends."""
    command = [sys.executable, "-c", HOLDER, how, str(path)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def lockable(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / kind
    if kind == "directory":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("hold", "file"),
        ("hold", "directory"),
        ("alone_with", "file"),
        ("alone_in", "directory"),
    ],
)
def test_a_lock_of_another_process_is_seen_and_ends_with_it(
    tmp_path: Path, how: str, kind: str
) -> None:
    path = lockable(tmp_path, kind)
    with holder(how, path) as process:
        with pytest.raises(BlockingIOError):
            hold(path)
        process.kill()
        process.wait()
        os.close(hold(path))


def test_a_lock_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "file"
    entered = threading.Event()

    def wait() -> None:
        with alone_with(path):
            entered.set()

    waiter = threading.Thread(target=wait)
    with holder("hold", path) as process:
        waiter.start()
        assert not entered.wait(0.2)
        process.kill()
        assert entered.wait(30)
    waiter.join()


def test_the_lock_file_is_private_and_no_link_is_followed(tmp_path: Path) -> None:
    os.close(hold(tmp_path / "file"))
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600
    (tmp_path / "link").symlink_to("elsewhere")
    for use in (hold, lambda path: alone_with(path).__enter__()):
        with pytest.raises(OSError, match="symbolic links"):
            use(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()


def test_forks_exclude_each_other_with_a_file_that_they_share() -> None:
    """flock(2) would not: the lock would be that of the open file."""
    file = os.memfd_create("test")
    ready, say = os.pipe()
    with alone_among_forks(file):
        child = os.fork()
        if child == 0:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.write(say, b"waits")
            finally:
                os._exit(0)
        os.waitpid(child, 0)
    os.close(say)
    assert os.read(ready, 10) == b"waits"
    os.close(ready)
    os.close(file)
