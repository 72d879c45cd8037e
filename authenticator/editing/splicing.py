"""Changes of one value of a text that leave every byte beside it as it is.

Each takes the path to a list or map (keys, and numbers of items) and gives the new text. Comments
go with what they belong to: those behind a value, those that are indented deeper than it, and for
an item of a list those directly above it, unless it is the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from authenticator.editing.entry import Value
from authenticator.editing.places import Layout, Place, layout
from authenticator.editing.writing import Item, field_lines, flow, items_lines

_COMMENT = re.compile(r"( *)#[^\n]*(?:\n|\Z)")
_DEFAULT_OFFSET = 2


class Unspliceable(Exception):
    """The text is written in a way that cannot be changed in place."""


def append(text: str, path: Sequence[str | int], items: Sequence[Item]) -> str:
    """Add items at the end of a list; null and a text without a value are an empty list."""
    found = layout(text)
    place = found.find(path)
    if place is None and path:
        raise Unspliceable("there is no such list")
    if place is None or not place.children:
        return _first_items(found, place, path, items)
    last = place.children[-1]
    if place.flow:
        return _insert_flow(found, place, [_like(found, last, item) for item in items])
    dash = found.dash(last)
    on_same_line = "\n" not in text[dash : last.start]
    gap = last.start - dash if on_same_line and last.end > last.start else 2
    lines = items_lines(items, _offset(found, place), gap)
    return _insert_lines(found, _end(found, last, found.column(dash)), found.column(dash), lines)


def remove(text: str, path: Sequence[str | int], indexes: Iterable[int]) -> str:
    """Take items out of a list."""
    found = layout(text)
    place = _existing(found, path)
    last_first = sorted(indexes, reverse=True)
    if not place.flow:
        for start, end in [_item_lines(found, place, index) for index in last_first]:
            text = text[:start] + text[end:]
        return text
    for index in last_first:
        text = _remove_flow(text, _existing(layout(text), path), index)
    return text


def set_field(text: str, path: Sequence[str | int], key: str, value: Value) -> str:
    """Set a field of a map, in place of an old value or after the last field."""
    found = layout(text)
    place = _existing(found, path)
    old = next((pair for pair in place.fields() if _same(pair[0], key)), None)
    if place.flow:
        return _set_flow(found, place, old, key, value)
    column = found.column(place.children[0].start)
    lines = field_lines(old[0].value if old else key, value, _offset(found, place))
    if old is None:
        return _insert_lines(found, _end(found, place, column), column, lines)
    start, end = old[0].start, old[1].end
    return text[:start] + f"{_break(text)}{' ' * column}".join(lines) + text[end:]


def remove_field(text: str, path: Sequence[str | int], key: str) -> str:
    """Take a field out of a map, where others are left."""
    found = layout(text)
    place = _existing(found, path)
    keys = [pair[0] for pair in place.fields()]
    index = next((number for number, name in enumerate(keys) if _same(name, key)), None)
    if index is None or len(keys) == 1:
        raise Unspliceable("there is no such field, or no other")
    if place.flow:
        ends = [pair[1].end for pair in place.fields()]
        start, end = (
            (keys[0].start, keys[1].start) if index == 0 else (ends[index - 1], ends[index])
        )
    elif index == 0:  # the next field takes its place behind the dash
        start, end = keys[0].start, keys[1].start
    else:
        column = found.column(keys[0].start)
        start = found.line_start(keys[index].start)
        end = _end(found, list(place.fields())[index][1], column)
    return text[:start] + text[end:]


def _first_items(
    found: Layout, place: Place | None, path: Sequence[str | int], items: Sequence[Item]
) -> str:
    text = found.text
    if place is None:
        return _insert_lines(found, len(text), 0, items_lines(items, _DEFAULT_OFFSET, 2))
    parent = found.find(path[:-1]) if path else None
    if parent and parent.flow:
        return f"{text[: place.start]}{flow(list(items))}{text[place.end :]}"
    column = 0
    if parent:
        column = found.column(parent.children[0].start) + _offset(found, parent)
    # Without its brackets, or the word for null, so that the items can stand below.
    head, tail = text[: place.start], text[place.end :]
    if place.end > place.start:
        head = head.rstrip(" ")
    if not head.strip("\ufeff"):
        tail = tail.lstrip("\r\n")
    emptied = Layout(head + tail, None, ())
    lines = items_lines(items, _offset(found, place), 2)
    return _insert_lines(emptied, emptied.line_end(len(head)), column, lines)


def _existing(found: Layout, path: Sequence[str | int]) -> Place:
    place = found.find(path)
    if place is None or not place.children:
        raise Unspliceable("there is nothing to change")
    return place


def _same(key: Place, name: str) -> bool:
    return key.value.strip().lower() == name.lower()


def _item_lines(found: Layout, place: Place, index: int) -> tuple[int, int]:
    """Where the lines of an item of a block list begin and are over, its comments included."""
    item = place.children[index]
    dash = found.dash(item)
    column, start = found.column(dash), found.line_start(dash)
    if found.text[start:dash].strip():
        raise Unspliceable("the item does not begin its line")
    if index:  # what stands above the first item may be about the whole list
        floor = _end(found, place.children[index - 1], column)
        start = _comments_above(found, start, floor, column)
    return start, _end(found, item, column)


def _end(found: Layout, place: Place, column: int) -> int:
    """Where the lines of a value are over, with the comments below that are indented deeper."""
    end = found.line_end(place.end)
    while (comment := _COMMENT.match(found.text, end)) and len(comment[1]) > column:
        end = comment.end()
    return end


def _comments_above(found: Layout, start: int, floor: int, column: int) -> int:
    """Where the comments that stand directly above a line, in its column, begin."""
    while start > floor:
        above = found.line_start(start - 1)
        comment = _COMMENT.match(found.text, above)
        if above < floor or comment is None or len(comment[1]) != column:
            break
        start = above
    return start


def _insert_lines(found: Layout, at: int, column: int, lines: Sequence[str]) -> str:
    text, newline = found.text, _break(found.text)
    block = newline.join(f"{' ' * column}{line}" for line in lines)
    head = text[:at]
    if head.strip("\ufeff") and not head.endswith("\n"):  # a text that ends without a line break
        return f"{head}{newline}{block}{text[at:]}"
    return f"{head}{block}{newline}{text[at:]}"


def _insert_flow(found: Layout, place: Place, written: Sequence[str]) -> str:
    """Add to a list in brackets or a map in braces, after its last child, spaced as that is."""
    text = found.text
    first = place.children[-2] if place.kind == "map" else place.children[-1]
    opening = max(text.rfind(mark, place.start, first.start) for mark in "[{,")
    space = text[opening + 1 : first.start]
    several = len(place.children) > (2 if place.kind == "map" else 1)
    if space.strip() or (not space and not several):
        space = " "
    end = place.children[-1].end
    return text[:end] + "".join(f",{space}{new}" for new in written) + text[end:]


def _remove_flow(text: str, place: Place, index: int) -> str:
    items = place.children
    if len(items) == 1:
        return f"{text[: place.start]}[]{text[place.end :]}"
    if index + 1 < len(items):
        return text[: items[index].start] + text[items[index + 1].start :]
    return text[: items[index - 1].end] + text[items[index].end :]


def _set_flow(
    found: Layout, place: Place, old: tuple[Place, Place] | None, key: str, value: Value
) -> str:
    text = found.text
    models = (other for _, other in place.fields() if other.kind != "text")
    written = _like(found, next(models, place.children[1]), value)
    if old:
        return text[: old[1].start] + written + text[old[1].end :]
    name = flow(key) if text[place.children[0].start] in "\"'" else key
    return _insert_flow(found, place, [f"{name}: {written}"])


def _like(found: Layout, model: Place, value: Value | Item) -> str:
    """A value for brackets or braces, over several lines if `model` is."""
    written = found.text[model.start : model.end]
    if not model.children or "\n" not in written or isinstance(value, str):
        return flow(value)
    line = found.text[found.line_start(model.start) :]
    margin = line[: len(line) - len(line.lstrip())]
    indent = max(found.column(model.children[0].start) - len(margin), 1)
    return flow(value, indent=indent, line_break=f"{_break(found.text)}{margin}")


def _break(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _offset(found: Layout, place: Place) -> int:
    """How far lists are indented below their keys: as in `place`, or else as anywhere."""
    root = found.root or place
    return next(chain(_offsets(found, place), _offsets(found, root)), _DEFAULT_OFFSET)


def _offsets(found: Layout, place: Place) -> Iterator[int]:
    if place.kind == "map" and not place.flow:
        for key, value in place.fields():
            if value.kind == "list" and not value.flow and value.children:
                yield found.column(found.dash(value.children[0])) - found.column(key.start)
    for child in place.children:
        yield from _offsets(found, child)
