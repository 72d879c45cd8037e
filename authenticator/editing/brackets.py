"""Changes of lists in brackets and maps in braces, as YAML and JSON both have them.

See `authenticator.editing.splicing`, which uses them. What is new is laid out as what is beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

from authenticator.editing.entry import Value
from authenticator.editing.places import Layout, Place
from authenticator.editing.writing import Item, flow, line_break


def append(found: Layout, place: Place, items: Sequence[Item]) -> str:
    """Add items at the end of a list that has some."""
    last = place.children[-1]
    return _insert(found, place, [_like(found, last, item) for item in items])


def remove(text: str, place: Place, index: int) -> str:
    """Take an item out of a list."""
    items = place.children
    if len(items) == 1:
        return f"{text[: place.start]}[]{text[place.end :]}"
    if index + 1 < len(items):
        return text[: items[index].start] + text[items[index + 1].start :]
    return text[: items[index - 1].end] + text[items[index].end :]


def set_field(
    found: Layout, place: Place, old: tuple[Place, Place] | None, key: str, value: Value
) -> str:
    """Set a field of a map; `old` are the key and the value that it has."""
    text = found.text
    models = (other for _, other in place.fields() if other.kind != "text")
    written = _like(found, next(models, place.children[1]), value)
    if old:
        return text[: old[1].start] + written + text[old[1].end :]
    name = flow(key) if text[place.children[0].start] in "\"'" else key
    return _insert(found, place, [f"{name}: {written}"])


def remove_field(text: str, place: Place, index: int) -> str:
    """Take a field out of a map, where others are left."""
    fields = list(place.fields())
    if index == 0:
        return text[: fields[0][0].start] + text[fields[1][0].start :]
    return text[: fields[index - 1][1].end] + text[fields[index][1].end :]


def _insert(found: Layout, place: Place, written: Sequence[str]) -> str:
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


def _like(found: Layout, model: Place, value: Value | Item) -> str:
    """A value for brackets or braces, over several lines if `model` is."""
    written = found.text[model.start : model.end]
    if not model.children or "\n" not in written or isinstance(value, str):
        return flow(value)
    line = found.text[found.line_start(model.start) :]
    margin = line[: len(line) - len(line.lstrip())]
    indent = max(found.column(model.children[0].start) - len(margin), 1)
    return flow(value, indent=indent, newline=f"{line_break(found.text)}{margin}")
