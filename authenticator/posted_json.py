"""The JSON that API servers post and are answered with: read strictly, written compactly."""

from __future__ import annotations

import json
from typing import Any

from authenticator.errors import MalformedRequest


def decode(body: bytes) -> Any:
    """Read what was posted. Its size is the caller's to limit.

    Raises:
        MalformedRequest: it is not JSON (RFC 8259) in UTF-8, repeats a key, or is nested too
            deeply.
    """
    try:
        return _DECODER.decode(body.decode("utf-8"))
    except RecursionError:
        raise MalformedRequest("the JSON is nested too deeply") from None
    except ValueError:
        raise MalformedRequest("the body is not JSON in UTF-8 with unique keys") from None


def encode(value: object) -> bytes:
    """Write an answer."""
    return _ENCODER.encode(value).encode()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # A document with two tokens could be read in two ways; none is right.
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError
    return result


def _no_number(_text: str) -> Any:
    # NaN and Infinity, which Python's decoder takes, are not JSON (RFC 8259, section 6).
    raise ValueError


# json.loads() and json.dumps() would make these anew for each review.
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_number)
_ENCODER = json.JSONEncoder(separators=(",", ":"))
