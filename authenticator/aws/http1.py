"""HTTP/1.1: a request encoded, and its answer read strictly.

There must be one way to say where an answer ends.

An answer that can be read in two ways is refused rather than guessed at: one that ended
elsewhere than we think would leave its rest for the next request on the connection, and name its
caller. The bytes come from the argument `receive`, which is the only thing that waits.

Source: RFC 9112, sections 4 to 7.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from errno import ECONNRESET

MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 64 * 1024

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([2-5][0-9]{2})(?: [^\r\n]*)?")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*")
# 8 digits are more than we take, and `int` would take more than digits.
_LENGTH = re.compile(rb"[0-9]{1,8}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")
_NO_BODY = frozenset({204, 304})


def encode_request(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Return the head of a request, which has no body.

    Raises:
        ValueError: a line is not printable ASCII.
    """
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {headers[name]}" for name in headers)]
    text = "".join(lines)
    if not (text.isascii() and text.isprintable()):
        raise ValueError("a request's lines are printable ASCII")
    return "\r\n".join((*lines, "", "")).encode("ascii")


class BadAnswerError(Exception):
    """The answer cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of an answer.

    Attributes:
        status: from 200 to 599.
        length: of the body in bytes; None if its end is told otherwise.
        chunked: the body comes in chunks.
        keep: the connection may go on.
        request_id: AWS's name for the request that was answered; empty without one.
    """

    status: int
    length: int | None
    chunked: bool
    keep: bool
    request_id: bytes = b""


class Reader:
    """Reads one answer.

    Args:
        receive: waits for the next bytes; empty at the end of the connection.

    Attributes:
        begun: a byte of the answer has arrived.
    """

    def __init__(self, receive: Callable[[], Awaitable[bytes]]) -> None:
        self._receive = receive
        self._buffer = b""
        self.begun = False

    @property
    def drained(self) -> bool:
        """Whether nothing has arrived behind what was read."""
        return not self._buffer

    async def head(self) -> Head:
        """Read the status line and the headers.

        Raises:
            BadAnswerError: they cannot be read.
            ConnectionResetError: the connection ended before them.
        """
        return _parse(await self._until(b"\r\n\r\n", MAX_HEAD_BYTES))

    async def body(self, head: Head) -> bytes:
        """Read the body that belongs to `head`.

        Raises:
            BadAnswerError: it cannot be read, or is too long.
            ConnectionResetError: the connection ended within it.
        """
        if head.chunked:
            return await self._chunks()
        if head.length is None:
            return await self._rest()
        if head.length > MAX_BODY_BYTES:
            raise _too_long()
        return await self._take(head.length)

    async def _chunks(self) -> bytes:
        body = b""
        while size := await self._chunk_size():
            if len(body) + size > MAX_BODY_BYTES:
                raise _too_long()
            body += await self._take(size)
            await self._expect_line_end()
        # Trailers have no use here.
        await self._expect_line_end()
        return body

    async def _chunk_size(self) -> int:
        found = _CHUNK_SIZE.fullmatch(await self._until(b"\r\n", MAX_HEAD_BYTES))
        if found is None:
            raise BadAnswerError("a chunk without a size")
        return int(found[1], 16)

    async def _expect_line_end(self) -> None:
        if await self._take(2) != b"\r\n":
            raise BadAnswerError("a chunk of another size than it says")

    async def _rest(self) -> bytes:
        while len(self._buffer) <= MAX_BODY_BYTES:
            data = await self._receive()
            if not data:
                body, self._buffer = self._buffer, b""
                return body
            self._buffer += data
        raise _too_long()

    async def _until(self, mark: bytes, limit: int) -> bytes:
        while (end := self._buffer.find(mark)) < 0:
            if len(self._buffer) > limit:
                raise BadAnswerError(f"a head or line of more than {limit} bytes")
            self._buffer += await self._more()
        taken, self._buffer = self._buffer[:end], self._buffer[end + len(mark) :]
        return taken

    async def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._buffer += await self._more()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    async def _more(self) -> bytes:
        data = await self._receive()
        if not data:
            reason = "the answer was cut short" if self.begun else "the connection ended unanswered"
            raise ConnectionResetError(ECONNRESET, reason)
        self.begun = True
        return data


def _parse(data: bytes) -> Head:
    status_line, *lines = data.split(b"\r\n")
    found = _STATUS_LINE.fullmatch(status_line)
    if found is None:
        raise BadAnswerError("no status line of HTTP/1")
    status = int(found[2])
    headers: dict[bytes, set[bytes]] = {}
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None:
            raise BadAnswerError("a line that is not a header")
        headers.setdefault(header[1].lower(), set()).add(header[2].lower())
    connection = headers.get(b"connection", set())
    codings = headers.get(b"transfer-encoding")
    length = _length(headers.get(b"content-length"))
    if codings is not None and (codings != {b"chunked"} or length is not None):
        raise BadAnswerError("a body with no one way to find its end")
    if status in _NO_BODY:
        codings, length = None, 0
    ends = codings is not None or length is not None
    keep = ends and found[1] == b"1" and connection <= {b"keep-alive"}
    request_id = min(headers.get(b"x-amzn-requestid", {b""}))
    return Head(status, length, codings is not None, keep, request_id)


def _length(values: set[bytes] | None) -> int | None:
    if values is None:
        return None
    if len(values) > 1 or not _LENGTH.fullmatch(min(values)):
        raise BadAnswerError("a Content-Length that is none")
    return int(min(values))


def _too_long() -> BadAnswerError:
    return BadAnswerError(f"more than {MAX_BODY_BYTES} bytes")
