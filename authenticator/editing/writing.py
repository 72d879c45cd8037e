"""New values as YAML or JSON text, in the manner of the text around them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from authenticator.display import is_printable
from authenticator.editing.entry import Value

# An item of a list: a group or an account, or a whole entry.
Item: TypeAlias = str | Mapping[str, Value]
Items: TypeAlias = Sequence[Item]

# Everything else is quoted, since readers differ over it: 012345678901 may be an octal number, `no`
# false and `{{SessionName}}` a map.
_PLAIN = re.compile(r"[A-Za-z](?:[\w:/.@+=*?{}-]*[\w/.@+=*?{}-])?", re.ASCII)
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def line_break(text: str) -> str:
    """How the lines of a text end."""
    return "\r\n" if "\r\n" in text else "\n"


def scalar(text: str) -> str:
    """One value of a block: plain where no reader could take it for anything but a text."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return quoted(text)


def quoted(text: str) -> str:
    """One value in double quotes, as JSON and YAML both read it."""
    return as_json(text)


def as_json(value: object, indent: int | None = None) -> str:
    """JSON as people write it, but for characters that a reader does not see: these are escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    if all(map(is_printable, text.split("\n"))):
        return text
    return "".join(c if c == "\n" or is_printable(c) else _escape(c) for c in text)


def _escape(character: str) -> str:
    """One character of a JSON string as JSON's own escape; DEL has none in `json`."""
    return "\\u007f" if character == "\x7f" else json.dumps(character)[1:-1]


def field_lines(key: str, value: Value | Items, offset: int) -> list[str]:
    """The lines of one field of a block; `offset` is how far the items of a list are indented."""
    if isinstance(value, str):
        return [f"{key}: {scalar(value)}"]
    if isinstance(value, Mapping):
        return [f"{key}:", *(f"  {name}: {scalar(part)}" for name, part in value.items())]
    if not value:
        return [f"{key}: []"]
    lines = items_lines(value, offset, len("- "))
    return [f"{key}:", *(f"{' ' * offset}{line}" for line in lines)]


def items_lines(items: Items, offset: int, gap: int) -> list[str]:
    """The lines of items of a block list; `gap` is how far each dash stands before its item."""
    return [line for item in items for line in _item_lines(item, offset, gap)]


def _item_lines(item: Item, offset: int, gap: int) -> list[str]:
    if isinstance(item, str):
        lines = [scalar(item)]
    else:
        fields = (field_lines(key, value, offset) for key, value in item.items())
        lines = [line for field in fields for line in field]
    return [f"{'' if number else '-':<{gap}}{line}" for number, line in enumerate(lines)]


def flow(value: Value | Item | Items, *, indent: int = 0, newline: str = "\n") -> str:
    """A value in brackets, braces or quotes.

    Args:
        value: what to write.
        indent: how far each level is indented; 0 for all in one line.
        newline: what stands between two lines, with what the second begins with.
    """
    return as_json(value, indent or None).replace("\n", newline)
