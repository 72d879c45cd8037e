"""Changes of lists in brackets and maps in braces, as YAML and JSON both have them.

See `authenticator.editing.splicing`, which uses them. What is new is laid out as what is beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from authenticator.editing.entry import Value
from authenticator.editing.places import Layout, Place, Unspliceable
from authenticator.editing.writing import Item, flow, line_break

_REST_OF_LINE = re.compile(r"[ \t]*,?[ \t]*(?:#[^\n]*)?\r?\n")
_COMMENT_ABOVE = re.compile(r"^([ \t]*)#[^\n]*\n\Z", re.MULTILINE)


def append(found: Layout, place: Place, items: Sequence[Item]) -> str:
    """Add items at the end of a list that has some."""
    last = place.children[-1]
    return _insert(found, place, [_like(found, last, item) for item in items])


def remove(text: str, place: Place, index: int) -> str:
    """Take an item out of a list."""
    return _cut(text, place, [(item.start, item.end) for item in place.children], index)


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
    return _cut(text, place, [(key.start, value.end) for key, value in place.fields()], index)


def _cut(text: str, place: Place, spans: Sequence[tuple[int, int]], index: int) -> str:
    """Take out what is at one of `spans`, with a comma."""
    start, end = spans[index]
    before = spans[index - 1][1] if index else place.start + 1
    after = spans[index + 1][0] if index + 1 < len(spans) else place.end - 1
    same_line = text[end:after].strip(" \t") in {"", ","}
    if "#" in text[before:start] + text[end:after] and not same_line:
        return _cut_lines(text, start, end, first=index == 0)
    if index + 1 < len(spans) or "#" in text[before:start]:
        return text[:start] + text[after:]
    return text[:before] + text[end if index else after :]


def _cut_lines(text: str, start: int, end: int, *, first: bool) -> str:
    """Take out whole lines: comments stand around, and only some of them belong to what goes."""
    rest = _REST_OF_LINE.match(text, end)
    if rest is None:
        raise Unspliceable("something else stands in its line")
    begin = text.rfind("\n", 0, start) + 1
    margin = text[begin:start]
    if margin.strip():  # behind the bracket, or behind what comes before it
        return text[:start] + text[rest.end() :]
    while not first and (above := _COMMENT_ABOVE.search(text, 0, begin)) and above[1] == margin:
        begin = above.start()
    return text[:begin] + text[rest.end() :]


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
