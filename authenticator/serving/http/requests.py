"""Cuts the bytes of one connection into requests, without waiting for any of them.

gunicorn's parser reads from a socket, and so blocks for as long as a client likes. Here it is given
a head only when all of it has arrived, so that there is one parser, and it never waits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from gunicorn.http.errors import (
    LimitRequestHeaders,
    LimitRequestLine,
    NoMoreData,
    ParseException,
)
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader

from authenticator.serving.endpoints import SMALL_BODY_BYTES, Endpoint, find

if TYPE_CHECKING:
    from gunicorn.config import Config

MAX_HEAD_BYTES = 16 * 1024
_END_OF_HEAD = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Head:
    """What a request's head says, as gunicorn's parser reads it.

    Attributes:
        method: such as `POST`.
        path: the target's path, unescaped, without the query.
        endpoint: what it asks for; None if there is no such endpoint.
        body_length: bytes.
        keep_alive: whether the client wants the connection to go on.
        data: the head itself.
    """

    method: str
    path: str
    endpoint: Endpoint | None
    body_length: int
    keep_alive: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request of which everything has arrived.

    Attributes:
        head: what its head says.
        body: the whole body.
    """

    head: Head
    body: bytes


class RefusedRequestError(Exception):
    """The connection cannot go on: what comes next on it is not known or not wanted.

    Attributes:
        status: the HTTP status to answer with before closing.
    """

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class RequestReader:
    """What has arrived on one connection and has not been answered."""

    __slots__ = ("_buffer", "_config", "_head", "_searched")

    def __init__(self, config: Config) -> None:
        self._config = config
        self._buffer = bytearray()
        self._searched = 0
        self._head: Head | None = None

    @property
    def started(self) -> bool:
        """Whether a part of a request is here."""
        return bool(self._buffer) or self._head is not None

    @property
    def in_body(self) -> bool:
        """Whether a head is complete and its body is not."""
        return self._head is not None

    @property
    def unfinished(self) -> Head | None:
        """The head of a request whose body has not arrived."""
        return self._head

    @property
    def large(self) -> Endpoint | None:
        """The endpoint of an unfinished request of which more has arrived than is small.

        What was announced and has not arrived takes no memory, and no place from others.
        """
        return self._head.endpoint if self._head and len(self._buffer) > SMALL_BODY_BYTES else None

    def feed(self, data: bytes) -> None:
        """Take what was received."""
        self._buffer += data

    def next(self) -> ReceivedRequest | None:
        """Give the next complete request, or None until more is fed.

        Raises:
            RefusedRequestError: it is no HTTP/1 request, or not one that we read.
        """
        if self._head is None:
            data = self._take_head()
            if data is None:
                return None
            self._head = _read_head(self._config, data)
        head = self._head
        if len(self._buffer) < head.body_length:
            return None
        self._head = None
        body = bytes(self._buffer[: head.body_length])
        del self._buffer[: head.body_length]
        return ReceivedRequest(head, body)

    def _take_head(self) -> bytes | None:
        found = self._buffer.find(_END_OF_HEAD, self._searched)
        size = found + len(_END_OF_HEAD) if found >= 0 else len(self._buffer)
        if size > MAX_HEAD_BYTES:
            raise RefusedRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        if found < 0:
            # Fed a byte at a time, it is still searched through but once.
            self._searched = max(0, size - len(_END_OF_HEAD) + 1)
            return None
        self._searched = 0
        head = bytes(self._buffer[:size])
        del self._buffer[:size]
        return head


# An API server's heads are all alike but for the length of the body, and parsing one costs more
# than checking the token. At most 64 heads of 16 KiB are kept.
@lru_cache(maxsize=64)
def _read_head(config: Config, data: bytes) -> Head:
    request = parse_head(config, data, ("", 0))
    method, path = request.method or "", request.path or ""
    endpoint = find(method, path)
    length = _body_length(request, endpoint)
    return Head(method, path, endpoint, length, _keep_alive(request), data)


def parse_head(config: Config, head: bytes, peer: tuple[str, int]) -> Request:
    """Parse a whole head with gunicorn's parser.

    Raises:
        RefusedRequestError: it is no HTTP/1 request, or not one that we read.
    """
    try:
        return Request(config, IterUnreader([head]), peer)
    except LimitRequestLine as error:
        raise RefusedRequestError(HTTPStatus.REQUEST_URI_TOO_LONG) from error
    except LimitRequestHeaders as error:
        raise RefusedRequestError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from error
    except (ParseException, NoMoreData, StopIteration) as error:
        raise RefusedRequestError(HTTPStatus.BAD_REQUEST) from error


def _keep_alive(request: Request) -> bool:
    """Whether the connection goes on, by all options of all `Connection` fields (RFC 9112, 9.3)."""
    values = (value for name, value in request.headers if name == "CONNECTION")
    options = {option.strip().lower() for value in values for option in value.split(",")}
    if request.must_close or "close" in options:
        return False
    return _is_1_1(request) or "keep-alive" in options


def _is_1_1(request: Request) -> bool:
    return (request.version or (1, 0)) >= (1, 1)


def _body_length(request: Request, endpoint: Endpoint | None) -> int:
    """Return the length of the body; gunicorn has refused lengths that are doubled or no numbers.

    Raises:
        RefusedRequestError: it is unknown, too large, or awaits a 100 Continue (no API server's
            does); or HTTP/1.1 without exactly one Host (RFC 9112, section 3.2).
    """
    headers = dict(request.headers)
    hosts = sum(name == "HOST" for name, _ in request.headers)
    if hosts > 1 or (hosts == 0 and _is_1_1(request)):
        raise RefusedRequestError(HTTPStatus.BAD_REQUEST)
    if "TRANSFER-ENCODING" in headers or (
        request.method == "POST" and "CONTENT-LENGTH" not in headers
    ):
        raise RefusedRequestError(HTTPStatus.LENGTH_REQUIRED)
    if "EXPECT" in headers:
        raise RefusedRequestError(HTTPStatus.EXPECTATION_FAILED)
    length = int(headers.get("CONTENT-LENGTH", "0"))
    if length > (endpoint.max_body if endpoint else SMALL_BODY_BYTES):
        raise RefusedRequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return length
