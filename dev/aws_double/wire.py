"""HTTP/1.1 as the double speaks it: small, strict, and nothing that its clients do not use.

Source: RFC 9112. A body is announced by Content-Length; chunked requests are refused, since no AWS
SDK sends STS one.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from urllib.parse import parse_qsl

MAX_HEAD = 64 * 1024
MAX_BODY = 1024 * 1024

# Python before 3.12 sends CONNECT as HTTP/1.0.
_REQUEST_LINE = re.compile(r"([A-Z]+) ([!-~]+) HTTP/1\.[01]", re.ASCII)
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*", re.ASCII)
_LENGTH = re.compile(r"[0-9]{1,7}", re.ASCII)

Pairs = tuple[tuple[str, str], ...]


class WireError(Exception):
    """What arrived is not a request that the double reads; the connection ends with a 400."""


@dataclass(frozen=True)
class Request:
    """One request, as it was received.

    Attributes:
        method: in upper case.
        target: the request line's target, not decoded.
        headers: names in lower case, in the order received.
        body: at most `MAX_BODY` bytes.
    """

    method: str
    target: str
    headers: Pairs
    body: bytes = b""

    def header(self, name: str) -> str:
        """Give the value of a header by its lower-case name, several joined by a comma."""
        return ",".join(value for key, value in self.headers if key == name)

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @cached_property
    def query(self) -> Pairs:
        """The decoded query. Raises WireError when it is not a form."""
        return decode_form(self.target.partition("?")[2])

    @cached_property
    def form(self) -> Pairs:
        """The decoded body when it is a form, else nothing. Raises WireError as `query` does."""
        if not self.header("content-type").startswith("application/x-www-form-urlencoded"):
            return ()
        try:
            return decode_form(self.body.decode("ascii"))
        except UnicodeDecodeError as error:
            raise WireError("the form is not ASCII") from error


@dataclass(frozen=True, slots=True)
class Response:
    """One response; Content-Length and Date are added when it is written."""

    status: int
    content_type: str
    body: bytes
    headers: Pairs = ()

    def encode(self, date: str) -> bytes:
        """Give the bytes to send. `date` is the Date header's value (RFC 9110, 5.6.7)."""
        fields = (
            *self.headers,
            ("Content-Type", self.content_type),
            ("Content-Length", str(len(self.body))),
            ("Date", date),
        )
        head = f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields)
        return head.encode("latin-1") + b"\r\n" + self.body


def decode_form(text: str) -> Pairs:
    """Decode `a=1&b=2`. Raises WireError when a part has no `=` or is not UTF-8."""
    if not text:
        return ()
    try:
        return tuple(parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict"))
    except ValueError as error:
        raise WireError("the query or form is malformed") from error


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Read the next request of a connection; None when the client has ended it.

    Raises:
        WireError: what arrived is not a request.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise WireError("the connection ended within a request's head") from error
        return None
    except asyncio.LimitOverrunError as error:
        raise WireError("the head is too long") from error
    method, target, headers = _parse_head(head)
    request = Request(method, target, headers)
    try:
        body = await reader.readexactly(_body_length(request))
    except asyncio.IncompleteReadError as error:
        raise WireError("the connection ended within a request's body") from error
    return Request(method, target, headers, body)


def _parse_head(head: bytes) -> tuple[str, str, Pairs]:
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    request_line = _REQUEST_LINE.fullmatch(first)
    if request_line is None:
        raise WireError("the request line is not one of HTTP/1")
    headers = []
    for line in lines:
        field = _HEADER.fullmatch(line)
        if field is None:
            raise WireError("a header line is malformed")
        headers.append((field[1].lower(), field[2]))
    return request_line[1], request_line[2], tuple(headers)


def _body_length(request: Request) -> int:
    if request.header("transfer-encoding"):
        raise WireError("chunked requests are not read")
    length = request.header("content-length") or "0"
    if _LENGTH.fullmatch(length) is None or int(length) > MAX_BODY:
        raise WireError("Content-Length is not a length that is read")
    return int(length)
