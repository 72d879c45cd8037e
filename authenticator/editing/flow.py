"""Splices in lists in brackets and maps in braces, as YAML and JSON both have them.

New values are laid out like those next to them. ruamel.yaml would lay out the whole document again,
and loses the comments in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import TypeAlias

from authenticator.editing.entry import Value
from authenticator.editing.places import Layout, Place, Unspliceable
from authenticator.editing.splice import Splice
from authenticator.editing.writing import Item, Items, flow, line_break

_REST_OF_LINE = re.compile(r"[ \t]*,?[ \t]*(?:#[^\n]*)?\r?\n")
# What an item of a list or a field of a map takes up: from its start to its end.
Span: TypeAlias = tuple[int, int]


def in_brackets(
    layout: Layout,
    place: Place,
    spans: Sequence[Span],
    removed: AbstractSet[int],
    written: Sequence[str],
) -> Iterator[Splice]:
    """Remove and add in a list in brackets or a map in braces, as YAML and JSON both have them.

    Args:
        layout: the text.
        place: the list or map.
        spans: what it holds, in order.
        removed: the numbers of those spans that go.
        written: what is added at the end, laid out like what is there.
    """
    kept = [number for number in range(len(spans)) if number not in removed]
    comma = f",{_space(layout, place, spans)}"
    if written and not kept:
        yield Splice(spans[0][0], spans[-1][1], comma.join(written))
        return
    if written:
        end = spans[kept[-1]][1]
        yield Splice(end, end, "".join(f"{comma}{new}" for new in written))
    for first, last in _runs(removed):
        yield from _cut(layout, place, spans, first, last)


def _runs(numbers: AbstractSet[int]) -> Iterator[Span]:
    """The first and the last of numbers that follow one another."""
    for first in sorted(numbers):
        if first - 1 not in numbers:
            last = first
            while last + 1 in numbers:
                last += 1
            yield first, last


def _cut(
    layout: Layout, place: Place, spans: Sequence[Span], first: int, last: int
) -> Iterator[Splice]:
    """Take out neighbouring spans, with a comma."""
    text = layout.text
    start, end = spans[first][0], spans[last][1]
    before = spans[first - 1][1] if first else place.start + 1
    after = spans[last + 1][0] if last + 1 < len(spans) else place.end - 1
    edges = [before, *chain.from_iterable(spans[first : last + 1]), after]
    gaps = [text[edges[at] : edges[at + 1]] for at in range(0, len(edges), 2)]
    same_line = gaps[-1].strip(" \t") in {"", ","}
    if any("#" in gap for gap in gaps[1:-1]) or ("#" in gaps[0] + gaps[-1] and not same_line):
        yield from (_whole_lines(layout, spans, number) for number in range(first, last + 1))
    elif last + 1 < len(spans) or "#" in gaps[0]:
        yield Splice(start, after, "")
    else:
        yield Splice(before, end if first else after, "")


def _whole_lines(layout: Layout, spans: Sequence[Span], number: int) -> Splice:
    """Take out lines: comments stand around the span, and only some of them belong to it."""
    start, end = spans[number]
    rest = _REST_OF_LINE.match(layout.text, end)
    if rest is None:
        raise Unspliceable("something else stands in its line")
    begin = layout.line_start(start)
    margin = layout.text[begin:start]
    if margin.strip():  # behind the bracket, or behind what comes before it
        return Splice(start, rest.end(), "")
    if number:
        begin = layout.comments_above(begin, spans[number - 1][1], margin)
    return Splice(begin, rest.end(), "")


def _space(layout: Layout, place: Place, spans: Sequence[Span]) -> str:
    """What stands between a comma and what follows it."""
    start = spans[-1][0]
    opening = max(layout.text.rfind(mark, place.start, start) for mark in "[{,")
    space = layout.text[opening + 1 : start]
    return " " if space.strip() or (not space and len(spans) == 1) else space


def flow_fields(
    fields: Mapping[str, Value | Items], layout: Layout | None = None, place: Place | None = None
) -> list[str]:
    """Fields for braces, like those of `place` if that has some."""
    if layout is None or place is None:
        return [f"{flow(key)}: {flow(value)}" for key, value in fields.items()]
    values = [value for _, value in place.fields()]
    model = next((value for value in values if value.kind != "text"), values[0])
    quoted = layout.text[place.children[0].start] in "\"'"
    return [
        f"{flow(key) if quoted else key}: {like(layout, model, value)}"
        for key, value in fields.items()
    ]


def like(layout: Layout, model: Place, value: Value | Item | Items) -> str:
    """A value for brackets or braces, over several lines if `model` is."""
    written = layout.text[model.start : model.end]
    if not model.children or "\n" not in written or isinstance(value, str):
        return flow(value)
    line = layout.text[layout.line_start(model.start) : model.end]
    margin = line[: len(line) - len(line.lstrip())]
    indent = max(layout.column(model.children[0].start) - len(margin), 1)
    return flow(value, indent=indent, newline=f"{line_break(layout.text)}{margin}")
