"""Changes of a text that is read and written again as a whole, for what cannot be spliced.

This is mainly for aliases: an entry that others repeat cannot be cut out, but it can be written
where it is repeated first. Comments, order and quotes are kept (ruamel.yaml); spaces may change.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from authenticator.editing.changes import Change
from authenticator.editing.places import Unspliceable

# No line is broken that was not broken before.
_WIDTH = 1 << 24
_UNINDENTED = re.compile(r"^- ", re.MULTILINE)
_COMMENT = re.compile(r"(?:^|\s)(#[^\r\n]*)", re.MULTILINE)


def changed(text: str, changes: Iterable[Change]) -> str:
    """Make all changes of a text.

    Raises:
        Unspliceable: it cannot be read and written so, or a change cannot be made.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    offset = 0 if _UNINDENTED.search(text) else 2
    yaml.indent(mapping=2, sequence=2 + offset, offset=offset)
    yaml.explicit_start = text.startswith("---")
    written = io.StringIO()
    try:
        root = yaml.load(text)
        for change in changes:
            root = _with_list(root, change.path)
            _change(_find(root, change.path), change)
        yaml.dump(root, written)
    # In addition to its own errors, the package raises what its data structures raise.
    except (YAMLError, LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise Unspliceable(str(error)) from error
    result = written.getvalue()
    if Counter(_COMMENT.findall(text)) - Counter(_COMMENT.findall(result)):
        raise Unspliceable("a comment would be lost")
    # Comments keep the line breaks that they had.
    result = result.replace("\r\n", "\n")
    return result.replace("\n", "\r\n") if "\r\n" in text else result


def _change(items: CommentedSeq, change: Change) -> None:
    for index, fields in change.updates.items():
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
    for index in sorted(change.removals, reverse=True):
        del items[index]
    items.extend(map(_new, change.additions))


def _with_list(root: Any, path: Sequence[str]) -> Any:
    """The document with a list at `path`, if there was nothing."""
    if not path:
        return CommentedSeq() if root is None else root
    root = CommentedMap() if root is None else root
    key = _spelled(root, path[0])
    root[key] = _with_list(root.get(key), path[1:])
    return root


def _spelled(fields: CommentedMap, name: str) -> Any:
    """A key as it is written in a map."""
    return next((key for key in fields if str(key).lower() == name.lower()), name)


def _find(root: Any, path: Sequence[str]) -> CommentedSeq:
    for name in path:
        root = root[_spelled(root, name)]
    if not isinstance(root, CommentedSeq):
        raise Unspliceable("there is no list")
    return root


def _new(value: Any) -> Any:
    if isinstance(value, str):
        return DoubleQuotedScalarString(value)
    if isinstance(value, Mapping):
        return {key: _new(part) for key, part in value.items()}
    return [_new(part) for part in value]
