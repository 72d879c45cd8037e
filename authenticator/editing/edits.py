"""Edits of one list of entries in a text: checked to have changed what was asked for, and no more.

An edit is made in place where that can be done (`splicing`), and by writing the text anew otherwise
(`roundtrip`). Whatever made it, the result is read again as the server would read it, and is thrown
away if anything beside the entry differs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

import yaml

from authenticator.editing import roundtrip, splicing
from authenticator.editing.entry import Value
from authenticator.editing.located import value_at
from authenticator.editing.places import Unspliceable, layout
from authenticator.editing.roundtrip import Unwritable
from authenticator.editing.writing import Item, quoted
from authenticator.mapping.nodes import DocumentError, Items, Node, Text, read

# A value without places: what two texts are compared by.
_Plain: TypeAlias = Any
_BY_HAND = "edit it by hand (kubectl edit, or an editor)"


class EditError(ValueError):
    """The edit cannot be made, and nothing has been changed. The message says what to do."""


def append(text: str, path: Sequence[str], items: Sequence[Item]) -> str:
    """Add items at the end of the list at `path`, which is made if there is none.

    Args:
        text: YAML or JSON.
        path: the keys, in any case, that lead to the list; none if the text is the list itself.
        items: entries, by key, or accounts.

    Returns:
        The new text.

    Raises:
        EditError: the text does not parse, or cannot be edited.
    """
    ways = (
        lambda: splicing.append(_with_list(text, path), path, items),
        lambda: roundtrip.append(_with_list(text, path), path, items),
    )
    new = [item if isinstance(item, str) else dict(item) for item in items]
    return _checked(text, path, ways, lambda old: [*old, *new])


def remove(text: str, path: Sequence[str], indexes: Collection[int]) -> str:
    """Take the items at `indexes` out of the list at `path`; see `append`."""
    ways = (
        lambda: splicing.remove(text, path, indexes),
        lambda: roundtrip.remove(text, path, indexes),
    )

    def rest(items: list[_Plain]) -> list[_Plain]:
        return [item for index, item in enumerate(items) if index not in indexes]

    return _checked(text, path, ways, rest)


def update(text: str, path: Sequence[str], index: int, fields: Mapping[str, Value | None]) -> str:
    """Set fields of the entry `index` of the list at `path`; see `append`.

    Args:
        text: YAML or JSON.
        path: as in `append`.
        index: of the entry, which is a map.
        fields: the new value by key, in any case; None to take the field out.
    """
    ways = (
        lambda: _spliced_update(text, path, index, fields),
        lambda: roundtrip.update(text, path, index, fields),
    )

    def changed(items: list[_Plain]) -> list[_Plain]:
        return [*items[:index], _updated(items[index], fields), *items[index + 1 :]]

    return _checked(text, path, ways, changed)


def _spliced_update(
    text: str, path: Sequence[str], index: int, fields: Mapping[str, Value | None]
) -> str:
    entry: tuple[str | int, ...] = (*path, index)
    now = _plain(_at(read(text), path))[index]
    before = {key.strip().lower(): value for key, value in now.items()}
    for key, value in fields.items():
        old = before.get(key.lower())
        if value is None:
            text = splicing.remove_field(text, entry, key) if old is not None else text
        elif isinstance(value, list) and isinstance(old, list) and old and value:
            text = _spliced_list(text, (*entry, key), old, value)
        elif value != old:
            text = splicing.set_field(text, entry, key, value)
    return text


def _spliced_list(text: str, path: Sequence[str | int], old: list[_Plain], new: list[str]) -> str:
    """Take items out and add some, if that is all; the others keep their lines and comments."""
    kept = [item for item in old if item in new]
    if not kept or kept != new[: len(kept)] or len(set(new)) != len(new):
        return splicing.set_field(text, path[:-1], str(path[-1]), new)
    gone = [number for number, item in enumerate(old) if item not in new]
    text = splicing.remove(text, path, gone) if gone else text
    added = new[len(kept) :]
    return splicing.append(text, path, added) if added else text


def _checked(
    text: str,
    path: Sequence[str],
    ways: Sequence[Callable[[], str]],
    change: Callable[[list[_Plain]], list[_Plain]],
) -> str:
    wanted = _emptied(_with(_plain(_read(text)), path, change), path)
    for way in ways:
        with suppress(Unspliceable, Unwritable, DocumentError, yaml.YAMLError, LookupError):
            result = way()
            if _emptied(_plain(read(result)), path) == wanted:
                return result
    raise EditError(f"it is written in a way that cannot be edited safely; {_BY_HAND}")


def _read(text: str) -> Node | None:
    try:
        return read(text)
    except DocumentError as error:
        raise EditError(f"it does not parse ({error}); put that right first: {_BY_HAND}") from error


def _with_list(text: str, path: Sequence[str]) -> str:
    """The text with an empty list at `path`, if there was nothing."""
    found = layout(text)
    if found.find(path) or not path:
        return text
    *parents, key = path
    parent = found.find(parents)
    if parent and parent.children:
        return splicing.set_field(text, parents, key, [])
    if parent and parent.flow:
        return f"{text[: parent.start]}{{{quoted(key)}: []}}{text[parent.end :]}"
    if parents:
        raise Unspliceable("there is no map to put the list into")
    head = text if not text or text.endswith("\n") else f"{text}\n"
    return f"{head}{key}: []\n"


def _at(node: Node | None, path: Sequence[str]) -> Node | None:
    for name in path:
        node = value_at(node, name)
    return node


def _plain(node: Node | None) -> _Plain:
    if node is None or isinstance(node, Text):
        return node.value if node else None
    if isinstance(node, Items):
        return [_plain(item) for item in node.values]
    values = {key: _plain(value) for key, value in node.values.items()}
    return {**values, None: sorted(node.repeated)} if node.repeated else values


def _updated(entry: _Plain, fields: Mapping[str, Value | None]) -> _Plain:
    if not isinstance(entry, dict) or None in entry:
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


def _with(
    value: _Plain, path: Sequence[str], change: Callable[[list[_Plain]], list[_Plain]]
) -> _Plain:
    if not path:
        if value and not isinstance(value, list):
            raise EditError("there is something other than a list of entries; put that right first")
        return change(value or [])
    fields = value or {}
    name = path[0].lower()
    key = next((key for key in fields if key and key.lower() == name), path[0])
    return {**fields, key: _with(fields.get(key), path[1:], change)}


def _emptied(value: _Plain, path: Sequence[str]) -> _Plain:
    """The value with an empty list at `path` made null, which is the same to every reader."""
    if not path:
        return value or None
    return {
        key: _emptied(part, path[1:]) if key and key.lower() == path[0].lower() else part
        for key, part in value.items()
    }
