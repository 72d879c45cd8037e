"""Changes of lists of entries as splices, which leave every other byte as it is.

Comments go with what they belong to: those behind a value, those that are indented deeper than it,
and for an item of a list those directly above it, unless it is the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import TypeAlias

from authenticator.editing.changes import Change
from authenticator.editing.entry import Value
from authenticator.editing.flow import Span, flow_fields, in_brackets, like
from authenticator.editing.places import Layout, Place, Unspliceable
from authenticator.editing.splice import Splice, spliced
from authenticator.editing.writing import (
    Items,
    field_lines,
    flow,
    items_lines,
    line_break,
    scalar,
)

_COMMENT = re.compile(r"( *)#[^\n]*(?:\n|\Z)")
_DEFAULT_OFFSET = 2
_BYTE_ORDER_MARK = "\ufeff"
_Pair: TypeAlias = tuple[Place, Place]


def changed(layout: Layout, changes: Iterable[Change]) -> str:
    """Make all changes of a text.

    Raises:
        Unspliceable: one cannot be made in place, or two of them meet.
    """
    return spliced(layout.text, splices(layout, changes))


def splices(layout: Layout, changes: Iterable[Change]) -> Iterator[Splice]:
    """What to splice for the changes; see `changed`."""
    missing: dict[tuple[str, ...], dict[str, Items]] = {}
    for change in changes:
        place = layout.find(change.path)
        if place is None and change.path:
            *parents, key = change.path
            missing.setdefault(tuple(parents), {})[key] = change.additions
        else:
            yield from _list(layout, place, change)
    for path, lists in missing.items():
        yield from _new_lists(layout, path, lists)


def _list(layout: Layout, place: Place | None, change: Change) -> Iterator[Splice]:
    if place is None or not place.children:
        if change.updates or change.removals:
            raise Unspliceable("there is nothing to change")
        parent = layout.find(change.path[:-1]) if change.path else None
        yield from _first_items(layout, parent, place, change.additions)
        return
    for index, fields in change.updates.items():
        yield from _fields(layout, place.children[index], fields)
    yield from _items(layout, place, change.removals, change.additions)


def _items(
    layout: Layout, place: Place, removed: AbstractSet[int], added: Items
) -> Iterator[Splice]:
    """Remove items of a list, and add some at its end."""
    if place.flow:
        spans = [(item.start, item.end) for item in place.children]
        written = [like(layout, place.children[-1], item) for item in added]
        yield from in_brackets(layout, place, spans, removed, written)
        return
    lines = {index: _item_lines(layout, place, index) for index in sorted(removed)}
    yield from (Splice(start, end, "") for start, end in lines.values())
    if added:
        last = place.children[-1]
        dash = place.dash(len(place.children) - 1)
        on_same_line = "\n" not in layout.text[dash : last.start]
        gap = last.start - dash if on_same_line and last.end > last.start else 2
        end = _before(lines, len(place.children), _end(layout, last, layout.column(dash)))
        new = items_lines(added, _offset(layout, place), gap)
        yield _insertion(layout, end, layout.column(dash), new)


def _before(removed: Mapping[int, Span], count: int, end: int) -> int:
    """Where to add at the end: in front of what is removed there."""
    for number in reversed(range(count)):
        if number not in removed:
            break
        end = removed[number][0]
    return end


def _first_items(
    layout: Layout, parent: Place | None, place: Place | None, items: Items
) -> Iterator[Splice]:
    """Add items to an empty list, which may be written as null or nothing."""
    text = layout.text
    if not items:
        return
    if place is None:
        new = items_lines(items, _DEFAULT_OFFSET, len("- "))
        yield _insertion(layout, len(text), 0, new)
        return
    start, end = place.start, place.end
    if parent and parent.flow:
        yield Splice(start, end, flow(list(items)))
        return
    # Without its brackets, or the word for null, so that the items can stand below.
    if end > start:
        start = len(text[:start].rstrip(" "))
    if not text[:start].strip(_BYTE_ORDER_MARK):
        end += len(text[end:]) - len(text[end:].lstrip("\r\n"))
    yield Splice(start, end, "")
    column = 0
    if parent:
        column = layout.column(parent.children[0].start) + _offset(layout, parent)
    at = _below(layout, place, end)
    lines = items_lines(items, _offset(layout, place), len("- "))
    yield _insertion(layout, at, column, lines, head=text[:start] + text[end:at])


def _below(layout: Layout, place: Place, end: int) -> int:
    """Where to add lines below an empty value or an empty list."""
    # An empty value is placed in front of what comes next, which may be another document.
    nothing = place.start == place.end and layout.column(place.start) == 0
    return place.start if nothing else layout.line_end(end)


def _new_lists(layout: Layout, path: Sequence[str], lists: Mapping[str, Items]) -> Iterator[Splice]:
    """Add lists that are missing to the map at `path`."""
    lists = {key: items for key, items in lists.items() if items}
    parent = layout.find(path)
    if parent and parent.kind == "map" and parent.children:
        yield from _fields(layout, parent, lists)
    elif parent and parent.flow:
        yield Splice(parent.start, parent.end, f"{{{', '.join(flow_fields(lists))}}}")
    elif path or (parent and parent.end > parent.start):
        raise Unspliceable("there is no map for the list")
    else:
        at = _below(layout, parent, parent.end) if parent else len(layout.text)
        lines = (field_lines(key, items, _DEFAULT_OFFSET) for key, items in lists.items())
        yield _insertion(layout, at, 0, list(chain.from_iterable(lines)))


def _fields(
    layout: Layout, place: Place, fields: Mapping[str, Value | Items | None]
) -> Iterator[Splice]:
    """Set fields of a map, and remove those whose new value is None."""
    pairs = list(place.fields())
    numbers = {key.value.strip().lower(): number for number, (key, _) in enumerate(pairs)}
    removed: set[int] = set()
    added: dict[str, Value | Items] = {}
    for name, value in fields.items():
        number = numbers.get(name.lower())
        if number is None:
            added.update({name: value} if value is not None else {})
        elif value is None:
            removed.add(number)
        else:
            yield from _value(layout, place, pairs[number], value)
    if not (removed or added):
        return
    if len(removed) == len(pairs) and not added:
        raise Unspliceable("no field would be left")
    if place.flow:
        spans = [(key.start, value.end) for key, value in pairs]
        written = flow_fields(added, layout, place)
        yield from in_brackets(layout, place, spans, removed, written)
        return
    column, offset = layout.column(pairs[0][0].start), _offset(layout, place)
    new = [line for key, value in added.items() for line in field_lines(key, value, offset)]
    if len(removed) == len(pairs):
        margin = f"{line_break(layout.text)}{' ' * column}"
        yield Splice(pairs[0][0].start, place.end, margin.join(new))
        return
    lines = {number: _field_lines(layout, pairs, number, removed) for number in sorted(removed)}
    yield from (Splice(start, end, "") for start, end in lines.values())
    if new:
        at = _before(lines, len(pairs), _end(layout, place, column))
        yield _insertion(layout, at, column, new)


def _value(layout: Layout, place: Place, pair: _Pair, value: Value | Items) -> Iterator[Splice]:
    """Set the value of a field that a map has."""
    key, old = pair
    if isinstance(value, str) and old.kind == "text":
        if value != old.value:
            space = "" if old.end > old.start else " "
            written = flow(value) if place.flow else scalar(value)
            yield Splice(old.start, old.end, f"{space}{written}")
    elif (kept := _kept_items(old, value)) is not None:
        names = [item.value for item in old.children]
        removed = {number for number, name in enumerate(names) if name not in value}
        yield from _items(layout, old, removed, list(value)[kept:])
    elif place.flow:
        models = (other for _, other in place.fields() if other.kind != "text")
        model = next(models, old)
        yield Splice(old.start, old.end, like(layout, model, value))
    else:
        column = layout.column(place.children[0].start)
        lines = field_lines(key.value, value, _offset(layout, place))
        new = f"{line_break(layout.text)}{' ' * column}".join(lines)
        yield Splice(key.start, old.end, new)


def _kept_items(old: Place, new: Value | Items) -> int | None:
    """How many items of a list stay, if all new ones come after them; None if it is not so."""
    if old.kind != "list" or isinstance(new, (str, Mapping)):
        return None
    if any(item.kind != "text" for item in old.children) or len(set(map(str, new))) != len(new):
        return None
    kept = [item.value for item in old.children if item.value in new]
    return len(kept) if kept and kept == list(new[: len(kept)]) else None


def _item_lines(layout: Layout, place: Place, index: int) -> Span:
    """The lines of an item of a block list, its comments included."""
    item, dash = place.children[index], place.dash(index)
    column, start = layout.column(dash), layout.line_start(dash)
    if layout.text[start:dash].strip():
        raise Unspliceable("the item does not begin its line")
    if index:  # what stands above the first item may be about the whole list
        floor = _end(layout, place.children[index - 1], column)
        start = layout.comments_above(start, floor, " " * column)
    return start, _end(layout, item, column)


def _field_lines(
    layout: Layout, pairs: Sequence[_Pair], number: int, removed: AbstractSet[int]
) -> Span:
    """The lines of a field of a block map, its comments included."""
    key, value = pairs[number]
    end = _end(layout, value, layout.column(key.start))
    if removed >= set(range(number)):  # what comes next takes its place behind the dash
        rest = layout.text[end : pairs[-1][1].end]
        return key.start, end + len(rest) - len(rest.lstrip(" \r\n"))
    return layout.line_start(key.start), end


def _end(layout: Layout, place: Place, column: int) -> int:
    """Where the lines of a value are over, with the comments below that are indented deeper."""
    end = layout.line_end(place.end)
    while (comment := _COMMENT.match(layout.text, end)) and len(comment[1]) > column:
        end = comment.end()
    return end


def _insertion(
    layout: Layout, at: int, column: int, lines: Sequence[str], *, head: str | None = None
) -> Splice:
    """Lines to insert; `head` is what stands before them, if that changes too."""
    newline = line_break(layout.text)
    block = newline.join(f"{' ' * column}{line}" for line in lines)
    before = layout.text[max(at - 2, 0) : at] if head is None else head
    if before.strip(_BYTE_ORDER_MARK) and not before.endswith("\n"):
        return Splice(at, at, f"{newline}{block}")  # a text that ends without a line break
    return Splice(at, at, f"{block}{newline}")


def _offset(layout: Layout, place: Place) -> int:
    """How far lists are indented below their keys: as in `place`, or else as anywhere."""
    found = next(place.offsets(), layout.offset)
    return _DEFAULT_OFFSET if found is None else found
