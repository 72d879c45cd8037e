"""Changes of a text that is read and written anew as a whole, for what cannot be changed in place.

Aliases, above all: an entry that others repeat cannot be cut out, but it can be written where it
is repeated first. Comments, order and quotes are kept (ruamel.yaml); spaces may not be.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from authenticator.editing.entry import Value
from authenticator.editing.writing import Item

# No line is broken that was not broken before.
_WIDTH = 1 << 24
_UNINDENTED = re.compile(r"^- ", re.MULTILINE)
_COMMENT = re.compile(r"(?:^|\s)(#[^\r\n]*)", re.MULTILINE)


class Unwritable(Exception):
    """The text cannot be read and written so, or the change cannot be made."""


def append(text: str, path: Sequence[str], items: Sequence[Item]) -> str:
    """See `authenticator.editing.splicing.append`."""
    return _changed(text, path, lambda old: old.extend(map(_new, items)))


def remove(text: str, path: Sequence[str], indexes: Iterable[int]) -> str:
    """See `authenticator.editing.splicing.remove`."""

    def change(items: CommentedSeq) -> None:
        for index in sorted(indexes, reverse=True):
            del items[index]

    return _changed(text, path, change)


def update(text: str, path: Sequence[str], index: int, fields: Mapping[str, Value | None]) -> str:
    """Set fields of one entry of a list, or take them out where the new value is None."""

    def change(items: CommentedSeq) -> None:
        # A copy, since the entry may be repeated elsewhere.
        entry: CommentedMap = items[index].copy()
        spelled = {str(key).strip().lower(): key for key in entry}
        for key, value in fields.items():
            name = spelled.get(key.lower(), key)
            if value is None:
                entry.pop(name, None)
            else:
                entry[name] = _new(value)
        items[index] = entry

    return _changed(text, path, change)


def _changed(text: str, path: Sequence[str], change: Callable[[CommentedSeq], object]) -> str:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    offset = 0 if _UNINDENTED.search(text) else 2
    yaml.indent(mapping=2, sequence=2 + offset, offset=offset)
    yaml.explicit_start = text.startswith("---")
    written = io.StringIO()
    try:
        root = yaml.load(text)
        change(_find(root, path))
        yaml.dump(root, written)
    # Beside its own errors, the package lets slip what its data structures raise.
    except (YAMLError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise Unwritable(str(error)) from error
    result = written.getvalue()
    if Counter(_COMMENT.findall(text)) - Counter(_COMMENT.findall(result)):
        raise Unwritable("a comment would be lost")
    return result.replace("\n", "\r\n") if "\r\n" in text else result


def _find(root: Any, path: Sequence[str]) -> CommentedSeq:
    for name in path:
        key = next(key for key in root if str(key).lower() == name.lower())
        root = root[key]
    if not isinstance(root, CommentedSeq):
        raise Unwritable("there is no list")
    return root


def _new(value: Any) -> Any:
    if isinstance(value, str):
        return DoubleQuotedScalarString(value)
    if isinstance(value, Mapping):
        return {key: _new(part) for key, part in value.items()}
    return [_new(part) for part in value]
