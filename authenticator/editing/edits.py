"""Edits of the lists of entries in a text: checked to make what was asked for, and nothing else.

An edit is made in place where that can be done (`splicing`), and by writing the whole text again
otherwise (`roundtrip`). Either way the result is read again as the server would read it, and is
thrown away if anything but the entries differs. However many changes an edit has, the text before
is parsed once, and the text after once for the check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import yaml

from authenticator.editing import splicing
from authenticator.editing.changes import Change
from authenticator.editing.entry import Value
from authenticator.editing.parsed import parse
from authenticator.editing.places import Layout, Unspliceable
from authenticator.mapping.nodes import DocumentError, First, Items, Node, Text

# A value without places: what two texts are compared by.
_Plain: TypeAlias = Any
_BY_HAND = "edit it by hand (kubectl edit, or an editor)"
# The key under which a map keeps which of its keys are repeated. Keys of a document are texts.
_REPEATED = ("repeated",)


class EditError(ValueError):
    """The edit cannot be made, and nothing has been changed. The message says what to do."""


def edited(text: str, changes: Sequence[Change]) -> str:
    """Make all changes of a text, or none.

    Args:
        text: YAML or JSON.
        changes: at most one for each list.

    Returns:
        The new text.

    Raises:
        EditError: the text does not parse, or cannot be edited.
    """
    before = _read(text)
    wanted = _plain(before.node)
    for change in changes:
        wanted = _with(wanted, change.path, change)
    wanted = _emptied_at(wanted, changes)
    for way in (_spliced, _rewritten):
        with suppress(Unspliceable, DocumentError, yaml.YAMLError, LookupError):
            result = way(text, changes)
            after = parse(result)
            same_rest = bool(after.rest) == bool(before.rest)
            if same_rest and _emptied_at(_plain(after.node), changes) == wanted:
                return result
    raise EditError(f"it is written in a way that cannot be edited safely; {_BY_HAND}")


def _spliced(text: str, changes: Sequence[Change]) -> str:
    return splicing.changed(Layout(text, parse(text).events), changes)


def _rewritten(text: str, changes: Sequence[Change]) -> str:
    from authenticator.editing import roundtrip  # noqa: PLC0415 (ruamel.yaml is rarely needed)

    return roundtrip.changed(text, changes)


def _read(text: str) -> First:
    try:
        first = parse(text)
    except DocumentError as error:
        raise EditError(f"it does not parse ({error}); put that right first: {_BY_HAND}") from error
    if first.rest and not _begins_another(text):
        reason = f"what follows the first document on line {first.rest} does not parse"
        raise EditError(f"{reason}; put that right first: {_BY_HAND}")
    return first


def _begins_another(text: str) -> bool:
    """Whether a document begins behind the first one, if anything does.

    The server stops reading there, but other tools refuse a text that goes on without a mark.
    """
    events = iter(yaml.parse(text, Loader=yaml.CSafeLoader))
    try:
        any(isinstance(event, yaml.DocumentEndEvent) for event in events)
        next(events, None)
    except yaml.YAMLError:
        return False
    return True


def _plain(node: Node | None) -> _Plain:
    if node is None or isinstance(node, Text):
        return node.value if node else None
    if isinstance(node, Items):
        return [_plain(item) for item in node.values]
    values = {key: _plain(value) for key, value in node.values.items()}
    return {**values, _REPEATED: sorted(node.repeated)} if node.repeated else values


def _changed(items: list[_Plain], change: Change) -> list[_Plain]:
    """The entries after a change, in whatever way it is written."""
    kept = [
        _updated(item, change.updates[index]) if index in change.updates else item
        for index, item in enumerate(items)
        if index not in change.removals
    ]
    new = [item if isinstance(item, str) else dict(item) for item in change.additions]
    return [*kept, *new]


def _updated(entry: _Plain, fields: Mapping[str, Value | None]) -> _Plain:
    if not isinstance(entry, dict) or _REPEATED in entry:
        raise EditError(
            "the entry has no fields (an account has none), or has a key twice; remove it and add"
            " it anew"
        )
    changed = dict(entry)
    spelled = {key.strip().lower(): key for key in entry}
    for key, value in fields.items():
        name = spelled.get(key.lower(), key)
        if value is None:
            changed.pop(name, None)
        else:
            changed[name] = value
    return changed


def _with(value: _Plain, path: Sequence[str], change: Change) -> _Plain:
    if not path:
        if value and not isinstance(value, list):
            raise EditError("there is something other than a list of entries; put that right first")
        return _changed(value or [], change)
    fields = value or {}
    key = _spelled(fields, path[0])
    return {**fields, key: _with(fields.get(key), path[1:], change)}


def _spelled(fields: Mapping[Any, _Plain], name: str) -> str:
    """A key as it is written in a map."""
    same = (key for key in fields if key != _REPEATED and key.lower() == name.lower())
    return next(same, name)


def _emptied_at(value: _Plain, changes: Sequence[Change]) -> _Plain:
    for change in changes:
        value = _emptied(value, change.path)
    return value


def _emptied(value: _Plain, path: Sequence[str]) -> _Plain:
    """The value with an empty list at `path` made null, which is the same to every reader."""
    if not path:
        return value or None
    fields = value or {}
    key = _spelled(fields, path[0])
    return {**fields, key: _emptied(fields[key], path[1:])} if key in fields else value
