"""Requests are cut out of a connection's bytes however these arrive, and never waited for."""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus

import pytest
from gunicorn.config import Config
from hypothesis import given
from hypothesis import strategies as st

from authenticator.admission.review import MAX_BYTES
from authenticator.serving.endpoints import AUTHENTICATE, SMALL_BODY_BYTES, VALIDATE
from authenticator.serving.http.requests import (
    MAX_HEAD_BYTES,
    ReceivedRequest,
    RefusedRequestError,
    RequestReader,
)

CONFIG = Config()
POST = b"POST /authenticate?timeout=30s HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"


def reader() -> RequestReader:
    return RequestReader(CONFIG)


def feed(data: bytes, step: int = 1) -> list[ReceivedRequest]:
    found = []
    reading = reader()
    for start in range(0, len(data), step):
        reading.feed(data[start : start + step])
        while request := reading.next():
            found.append(request)
    return found


@given(step=st.integers(1, 200), bodies=st.lists(st.binary(max_size=100), max_size=4))
def test_requests_come_out_whole_however_they_arrive(step: int, bodies: list[bytes]) -> None:
    data = b"".join(
        b"POST /authenticate HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
        % (len(body), body)
        for body in bodies
    )
    found = feed(data, step)
    assert [request.body for request in found] == bodies
    assert all(request.head.path == "/authenticate" for request in found)


@pytest.mark.parametrize("prefix", [b"", POST, POST[:-7], b"POST / HTTP/1.1\r\n"])
@given(data=st.binary(max_size=300), step=st.integers(1, 50))
def test_no_bytes_raise_anything_but_a_refusal(prefix: bytes, data: bytes, step: int) -> None:
    with suppress(RefusedRequestError):
        feed(prefix + data, step)


def test_a_request_is_not_handed_over_before_its_last_byte() -> None:
    reading = reader()
    reading.feed(POST[:-1])
    assert reading.next() is None
    assert reading.in_body
    reading.feed(POST[-1:])
    assert reading.next() is not None
    assert not reading.started


def head(*lines: str) -> bytes:
    return "\r\n".join(("POST /authenticate HTTP/1.1", "Host: x", *lines, "", "")).encode()


def validate(*lines: str) -> bytes:
    return head(*lines).replace(b"/authenticate", b"/validate")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (head("Transfer-Encoding: chunked"), 411),
        (head("Transfer-Encoding: gzip, chunked"), 411),
        (head("Transfer-Encoding: chunked", "Content-Length: 5"), 400),
        (head("Transfer-Encoding: nonsense"), 400),
        (head("Content-Length: 5", "Content-Length: 5"), 400),
        (head("Content-Length: -1"), 400),
        (head("Content-Length: +5"), 400),
        (head("Content-Length: 5_0"), 400),
        (head("Content-Length: \xb2"), 400),
        (head("Content-Length: " + "9" * 5000), 400),
        (head(f"Content-Length: {AUTHENTICATE.max_body + 1}"), 413),
        (validate(f"Content-Length: {MAX_BYTES + 1}"), 413),
        (validate("Transfer-Encoding: chunked"), 411),
        (head("Expect: 100-continue", "Content-Length: 5"), 417),
        (head("Content-Length : 5"), 400),
        (head("X: a", " folded"), 400),
        (head("X: \x00"), 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"POST / HTTP/3.0\r\n\r\n", 400),
        (b"\x16\x03\x01 TLS\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", 414),
        (head(*(f"X-{number}: a" for number in range(200))), 431),
        (head("X: " + "a" * 9000), 431),
        (head(*(f"X-{number}: {'a' * 5000}" for number in range(4))), 431),
        (b"a" * (MAX_HEAD_BYTES + 1), 431),
    ],
    ids=lambda value: repr(value)[-40:] if isinstance(value, bytes) else None,
)
def test_what_is_not_read_is_refused(data: bytes, status: int) -> None:
    reading = reader()
    reading.feed(data)
    with pytest.raises(RefusedRequestError) as raised:
        reading.next()
    assert raised.value.status == HTTPStatus(status)


def test_a_request_takes_a_large_place_when_it_is_large_and_not_when_it_says_so() -> None:
    """Twelve connections that announced a megabyte and sent a byte kept edits from being judged."""
    reading = reader()
    reading.feed(validate(f"Content-Length: {MAX_BYTES}") + b"x" * SMALL_BODY_BYTES)
    assert reading.next() is None
    assert reading.large is None
    reading.feed(b"x")
    assert reading.large is VALIDATE
    reading.feed(b"x" * (MAX_BYTES - SMALL_BODY_BYTES - 1))
    request = reading.next()
    assert request is not None
    assert len(request.body) == MAX_BYTES
    assert reading.large is None


@pytest.mark.parametrize(
    ("lines", "keep"),
    [
        (["Connection: keep-alive, close"], False),
        (["Connection: close, keep-alive"], False),
        (["Connection: keep-alive", "Connection: close"], False),
        (["Connection: Close"], False),
        (["Connection: keep-alive"], True),
        (["Connection: x"], True),
        ([], True),
    ],
    ids=str,
)
def test_any_close_among_the_connection_options_closes(lines: list[str], keep: bool) -> None:
    """RFC 9112, section 9.3."""
    [request] = feed(head("Content-Length: 0", *lines))
    assert request.head.keep_alive is keep


@pytest.mark.parametrize(("option", "keep"), [("keep-alive, x", True), ("x", False)])
def test_a_client_of_http_1_0_has_to_ask_for_keep_alive(option: str, keep: bool) -> None:
    [request] = feed(f"GET /healthz HTTP/1.0\r\nConnection: {option}\r\n\r\n".encode())
    assert request.head.keep_alive is keep


@pytest.mark.parametrize(
    "data",
    [
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    ],
    ids=["no Host", "two Hosts"],
)
def test_http_1_1_has_one_host(data: bytes) -> None:
    """RFC 9112, section 3.2."""
    with pytest.raises(RefusedRequestError) as raised:
        feed(data)
    assert raised.value.status == HTTPStatus.BAD_REQUEST
