"""Wrong answers with which a service, or what stands in front of it, can surprise a client."""

from __future__ import annotations

import json
from collections.abc import Callable

from dev.aws_double.wire import Response

_ACCOUNT = "111122223333"
_ALICE = {
    "Account": _ACCOUNT,
    "Arn": f"arn:aws:iam::{_ACCOUNT}:user/alice",
    "UserId": "AIDAEXAMPLE",
}
_ROLE_ARN = f"arn:aws:sts::{_ACCOUNT}:assumed-role/admin/session"
_HUGE = 8 * 1024 * 1024
_DEEP = 100_000


def _document(result: object) -> bytes:
    return json.dumps(
        {
            "GetCallerIdentityResponse": {
                "GetCallerIdentityResult": result,
                "ResponseMetadata": {"RequestId": "rubbish"},
            }
        }
    ).encode()


def _identity(**changes: object) -> bytes:
    return _document({**_ALICE, **changes})


def _without(name: str) -> bytes:
    return _document({key: value for key, value in _ALICE.items() if key != name})


_JSON: dict[str, Callable[[], bytes]] = {
    "array": lambda: b"[]",
    "deep": lambda: b"[" * _DEEP,
    "empty": lambda: b"",
    "empty-object": lambda: b"{}",
    "foreign-account": lambda: _identity(Arn="arn:aws:iam::444455556666:user/alice"),
    "foreign-partition": lambda: _identity(Arn=f"arn:aws-cn:iam::{_ACCOUNT}:user/alice"),
    "huge": lambda: _identity(Padding="x" * _HUGE),
    "no-account": lambda: _without("Account"),
    "no-arn": lambda: _without("Arn"),
    "no-user-id": lambda: _without("UserId"),
    "not-an-arn": lambda: _identity(Arn="alice"),
    "not-utf-8": lambda: b'{"GetCallerIdentityResponse": "\xff"}',
    "null": lambda: b"null",
    "null-arn": lambda: _identity(Arn=None),
    "null-result": lambda: _document(None),
    "number-account": lambda: _identity(Account=int(_ACCOUNT)),
    "truncated": lambda: _identity()[:-2],
    "two-colons": lambda: _identity(Arn=_ROLE_ARN, UserId="AROAEXAMPLE:session:more"),
}
_MARKUP = {
    "html": ("text/html", b"<!DOCTYPE html><title>Welcome</title><p>Please accept the terms."),
    "xml": ("text/xml", b"<GetCallerIdentityResponse><Account>1</Account>"),
}

RUBBISH = frozenset(_JSON) | frozenset(_MARKUP)


def rubbish_response(kind: str) -> Response:
    """Give the wrong answer of a kind in `RUBBISH`, with status 200."""
    if kind in _MARKUP:
        content_type, body = _MARKUP[kind]
        return Response(200, content_type, body)
    return Response(200, "application/json", _JSON[kind]())
