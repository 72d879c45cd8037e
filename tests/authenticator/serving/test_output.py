"""Writes that never wait, whatever standard error is."""

from __future__ import annotations

import io
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from authenticator.serving.output import ErrorStream, Output


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def fill(output: Output) -> int:
    """Write until the room is used up; return how many lines were written."""
    written = 0
    while output.write(b"x" * 99 + b"\n"):
        written += 1
    return written


def drain(descriptor: int) -> bytes:
    os.set_blocking(descriptor, False)
    data = b""
    with suppress(BlockingIOError):
        while piece := os.read(descriptor, 65536):
            data += piece
    return data


def test_a_full_pipe_takes_no_more_and_is_not_waited_for(pipe: tuple[int, int]) -> None:
    output = Output(pipe[1])
    written = fill(output)
    assert written > 100
    assert not output.write(b"lost" * 25 + b"\n")
    assert drain(pipe[0]).count(b"\n") == written
    assert output.write(b"again\n")
    # Those of `fill` and of this test.
    assert output.take_lost() == 2
    assert output.take_lost() == 0
    # Who shares the pipe goes on as before.
    assert os.get_blocking(pipe[1])


def test_a_pipe_that_cannot_be_opened_again_is_asked_for_room(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It belongs to another user, as with some container engines."""

    def refuse(*_arguments: object) -> int:
        raise PermissionError

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        output = Output(pipe[1])
    written = fill(output)
    assert written > 100
    assert drain(pipe[0]).count(b"\n") == written


def test_a_socket_whose_reader_stalls_is_not_waited_for() -> None:
    """journald gives services a socket."""
    near, far = socket.socketpair()
    with near, far:
        output = Output(near.fileno())
        written = fill(output)
        assert written > 100
        # A socket may take a part of the last line.
        assert drain(far.fileno()).count(b"\n") >= written - 1


def test_a_line_that_was_cut_does_not_swallow_the_next_one(pipe: tuple[int, int]) -> None:
    output = Output(pipe[1])
    assert output.write(b"y" * 200_000 + b"\n")  # more than a pipe holds
    drain(pipe[0])
    output.write(b"next\n")
    assert drain(pipe[0]) == b"\nnext\n"


def test_a_reader_that_has_gone_costs_its_lines_only() -> None:
    reader, writer = os.pipe()
    output = Output(writer)
    os.close(reader)
    assert not output.write(b"line\n")
    os.close(writer)


def test_a_file_on_a_full_disk_costs_its_lines_only() -> None:
    with Path("/dev/full").open("wb") as full:
        assert not Output(full.fileno()).write(b"line\n")


def test_a_library_that_prints_is_not_held_up(pipe: tuple[int, int]) -> None:
    output = Output(pipe[1])
    stream = io.TextIOWrapper(io.BufferedWriter(ErrorStream(output)), line_buffering=True)
    print("before", file=stream)
    fill(output)
    print("lost", file=stream)
    assert stream.fileno() == pipe[1]
    assert drain(pipe[0]).startswith(b"before\n")
