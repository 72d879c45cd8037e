"""Changes of one value of a text that leave every byte beside it as it is.

Each takes the path to a list or map (keys, and numbers of items) and gives the new text. Comments
go with what they belong to: those behind a value, those that are indented deeper than it, and for
an item of a list those directly above it, unless it is the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from authenticator.editing import brackets
from authenticator.editing.entry import Value
from authenticator.editing.places import Layout, Place, Unspliceable, layout
from authenticator.editing.writing import Item, field_lines, flow, items_lines, line_break

_COMMENT = re.compile(r"( *)#[^\n]*(?:\n|\Z)")
_DEFAULT_OFFSET = 2


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
        return brackets.append(found, place, items)
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
        text = brackets.remove(text, _existing(layout(text), path), index)
    return text


def set_field(text: str, path: Sequence[str | int], key: str, value: Value) -> str:
    """Set a field of a map, in place of an old value or after the last field."""
    found = layout(text)
    place = _existing(found, path)
    old = next((pair for pair in place.fields() if _same(pair[0], key)), None)
    if place.flow:
        return brackets.set_field(found, place, old, key, value)
    column = found.column(place.children[0].start)
    lines = field_lines(old[0].value if old else key, value, _offset(found, place))
    if old is None:
        return _insert_lines(found, _end(found, place, column), column, lines)
    start, end = old[0].start, old[1].end
    return text[:start] + f"{line_break(text)}{' ' * column}".join(lines) + text[end:]


def remove_field(text: str, path: Sequence[str | int], key: str) -> str:
    """Take a field out of a map, where others are left."""
    found = layout(text)
    place = _existing(found, path)
    fields = list(place.fields())
    index = next((number for number, pair in enumerate(fields) if _same(pair[0], key)), None)
    if index is None or len(fields) == 1:
        raise Unspliceable("there is no such field, or no other")
    if place.flow:
        return brackets.remove_field(text, place, index)
    name, value = fields[index]
    end = _end(found, value, found.column(name.start))
    if index == 0:  # what comes next takes its place behind the dash
        return text[: name.start] + text[end:].lstrip(" \r\n")
    return text[: found.line_start(name.start)] + text[end:]


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
    text, newline = found.text, line_break(found.text)
    block = newline.join(f"{' ' * column}{line}" for line in lines)
    head = text[:at]
    if head.strip("\ufeff") and not head.endswith("\n"):  # a text that ends without a line break
        return f"{head}{newline}{block}{text[at:]}"
    return f"{head}{block}{newline}{text[at:]}"


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
