"""One answer, whatever pieces it comes in, and whatever is no answer."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.aws.http1 import MAX_BODY_BYTES, MAX_HEAD_BYTES, BadAnswerError, Reader

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: Chunked\r\n\r\n"
    b"2\r\nhe\r\n003;name=value\r\nllo\r\n0\r\n\r\n"
)
UNTIL_THE_END = b"HTTP/1.1 500 \r\nServer: x\r\n\r\nhello"


def pieces(data: Iterable[bytes]) -> Callable[[], Awaitable[bytes]]:
    """What a connection gives that ends after `data`."""
    remaining = iter(data)

    async def receive() -> bytes:
        return next(remaining, b"")

    return receive


def read(*data: bytes) -> tuple[int, bytes, bool]:
    return asyncio.run(answer(Reader(pieces(data))))


async def answer(reader: Reader) -> tuple[int, bytes, bool]:
    head = await reader.head()
    body = await reader.body(head)
    return head.status, body, head.keep and reader.drained


ANSWERS = {
    "a length": (LENGTH, (200, b"hello", True)),
    "chunks": (CHUNKED, (403, b"hello", True)),
    "until the end": (UNTIL_THE_END, (500, b"hello", False)),
    "nothing": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", (200, b"", True)),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"", True)),
    "no reason": (LENGTH.replace(b" OK", b""), (200, b"hello", True)),
    "one length twice": (
        LENGTH.replace(b"\r\n\r\n", b"\r\ncontent-length: 5\r\n\r\n"),
        (200, b"hello", True),
    ),
    "the last one": (
        LENGTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
        (200, b"hello", False),
    ),
    "HTTP/1.0": (LENGTH.replace(b"1.1", b"1.0"), (200, b"hello", False)),
    "something behind it": (LENGTH + b"HTTP/1.1 200 OK", (200, b"hello", False)),
}


@pytest.mark.parametrize(("data", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer(data: bytes, expected: tuple[int, bytes, bool]) -> None:
    assert read(data) == expected


@given(
    data=st.sampled_from([LENGTH, CHUNKED, UNTIL_THE_END]),
    cuts=st.lists(st.integers(min_value=1, max_value=40)),
)
def test_the_pieces_it_comes_in_do_not_matter(data: bytes, cuts: list[int]) -> None:
    parts = []
    rest = data
    for cut in cuts:
        if rest[cut:]:
            parts.append(rest[:cut])
            rest = rest[cut:]
    assert read(*parts, rest) == read(data)


HEAD = b"HTTP/1.1 200 OK\r\n"
REFUSED = {
    "another protocol": (b"SSH-2.0-OpenSSH\r\n\r\n", "status line"),
    "HTTP/2": (b"HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n", "status line"),
    "an interim answer": (b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH, "status line"),
    "a status with a sign": (b"HTTP/1.1 +20 OK\r\n\r\n", "status line"),
    "no colon": (HEAD + b"rubbish\r\n\r\n", "not a header"),
    "a space before the colon": (HEAD + b"Content-Length : 5\r\n\r\nhello", "not a header"),
    "a folded line": (HEAD + b"Server: x\r\n y\r\n\r\n", "not a header"),
    "a bare line feed": (HEAD + b"Server: x\nContent-Length: 5\r\n\r\nhello", "not a header"),
    "two lengths": (HEAD + b"Content-Length: 5\r\nContent-Length: 4\r\n\r\nhello", "Length"),
    "a list of lengths": (HEAD + b"Content-Length: 5, 5\r\n\r\nhello", "Length"),
    "a length with a sign": (HEAD + b"Content-Length: +5\r\n\r\nhello", "Length"),
    "a length with an underscore": (HEAD + b"Content-Length: 0_5\r\n\r\nhello", "Length"),
    "no length": (HEAD + b"Content-Length:\r\n\r\nhello", "Length"),
    "a length and chunks": (
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "no one way",
    ),
    "another coding": (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "no one way"),
    "too long": (HEAD + b"Content-Length: 65537\r\n\r\n", f"more than {MAX_BODY_BYTES}"),
    "too long in chunks": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n8000\r\n" + b"x" * 0x8000 + b"\r\n8001\r\n",
        f"more than {MAX_BODY_BYTES}",
    ),
    "too long without an end": (HEAD + b"\r\n" + b"x" * 65537, f"more than {MAX_BODY_BYTES}"),
    "a head without an end": (HEAD + b"x" * MAX_HEAD_BYTES, f"more than {MAX_HEAD_BYTES}"),
    "a chunk with a sign": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n", "a size"),
    "a chunk longer than it says": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
        "another size",
    ),
}


@pytest.mark.parametrize(("data", "why"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_in_one_way_is_no_answer(data: bytes, why: str) -> None:
    with pytest.raises(BadAnswerError, match=why):
        read(data)


@pytest.mark.parametrize("data", [LENGTH, CHUNKED], ids=["a length", "chunks"])
def test_an_answer_that_is_cut_short_is_none(data: bytes) -> None:
    for size in range(len(data)):
        with pytest.raises(ConnectionResetError, match="cut short" if size else "ended unanswered"):
            read(data[:size])


@given(st.binary(max_size=200))
def test_rubbish_raises_nothing_else(data: bytes) -> None:
    for rubbish in (data, HEAD + data, CHUNKED[:60] + data):
        with suppress(BadAnswerError, ConnectionResetError):
            read(rubbish)
