"""Text as trees of values: JSON, several JSON values in a row, YAML, several YAML documents.

`for arn in ...; do aws eks describe-access-entry ...; done` prints JSON values in a row; manifests
are YAML documents divided by `---`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from authenticator.mapping.nodes import (
    MAX_BYTES,
    DocumentError,
    Fields,
    Items,
    Node,
    Text,
    from_value,
    read_all,
)

_SPACE = re.compile(r"[ \t\r\n]*")
# At the start of a line it divides documents even inside of a block of text (YAML 1.2, 9.1.2).
_DIVIDER = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)


def trees(text: str) -> tuple[Node, ...]:
    """All values that a text holds, at least one.

    Raises:
        DocumentError: it does not parse, is empty or larger than `MAX_BYTES`.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise DocumentError(f"it is larger than {MAX_BYTES // 1024 // 1024} MiB")
    text = text.removeprefix("\ufeff")
    is_json = text.lstrip().startswith(("{", "["))
    found = tuple(_json_values(text)) if is_json else _not_null(read_all(text))
    if not found:
        raise DocumentError("it is empty")
    return found


def _not_null(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    return tuple(n for n in nodes if not (isinstance(n, Text) and n.value is None))


def _json_values(text: str) -> Iterator[Node]:
    # Numbers stay text: an account id is no number.
    decoder = json.JSONDecoder(
        object_pairs_hook=_object, parse_int=str, parse_float=str, parse_constant=str
    )
    place = _after_space(text, 0)
    while place < len(text):
        try:
            value, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            raise DocumentError(f"it is not JSON: {error.msg}", error.lineno) from error
        except RecursionError as error:
            raise DocumentError("it is nested too deeply") from error
        yield from_value(value)
        place = _after_space(text, place)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise DocumentError(f"the key {twice!r} stands twice in one object; keep one")
    return found


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def as_fields(node: Node, what: str) -> Fields:
    """`node` as a map.

    Raises:
        DocumentError: it is none, or a key stands twice.
    """
    if not isinstance(node, Fields):
        raise DocumentError(f"{what} must be a map with keys", node.line)
    for key, line in node.repeated.items():
        raise DocumentError(f"the key {key!r} stands twice in {what}; keep one", line)
    return node


def as_items(node: Node | None, what: str) -> list[Node]:
    """`node` as a list; empty for null and for what is missing.

    Raises:
        DocumentError: it is something else.
    """
    if node is None or (isinstance(node, Text) and node.value is None):
        return []
    if not isinstance(node, Items):
        raise DocumentError(f"{what} must be a list", node.line)
    return node.values


def as_text(node: Node | None, what: str) -> str:
    """`node` as a text; "" for null and for what is missing.

    Raises:
        DocumentError: it is something else.
    """
    if node is None:
        return ""
    if not isinstance(node, Text):
        raise DocumentError(f"{what} must be a single value", node.line)
    return node.value or ""


def as_texts(node: Node | None, what: str) -> list[str]:
    """`node` as a list of texts; see `as_items` and `as_text`."""
    return [as_text(item, f"an item of {what}") for item in as_items(node, what)]
