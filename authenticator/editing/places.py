"""Where the values of a YAML or JSON text stand, so that one can be changed and no byte around it.

The places come from the events of `authenticator.mapping.nodes`, which must have accepted the text
before. Only the first document counts, as for the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Literal

import yaml

_BYTE_ORDER_MARK = "\ufeff"
_BLOCK_STYLES = frozenset({"|", ">"})
_STARTS = frozenset({yaml.SequenceStartEvent, yaml.MappingStartEvent})
_ENDS = frozenset({yaml.SequenceEndEvent, yaml.MappingEndEvent})
_OUTSIDE = frozenset(
    {
        *(yaml.StreamStartEvent, yaml.StreamEndEvent),
        *(yaml.DocumentStartEvent, yaml.DocumentEndEvent),
    }
)
_KINDS: dict[type, Literal["text", "list", "map", "alias"]] = {
    yaml.ScalarEvent: "text",
    yaml.AliasEvent: "alias",
    yaml.SequenceStartEvent: "list",
    yaml.MappingStartEvent: "map",
}
# The dash of an item, behind white space, comments, and for the first item an anchor or a tag.
_DASH = re.compile(r"(?:\s|#[^\n]*\n|[&!]\S*\s)*(-)")


class Unspliceable(Exception):
    """The text is written in a way that cannot be changed in place."""


class Layout:
    """A text with the places in it.

    Attributes:
        text: the text.
        root: the whole value of the first document; None if the text has none.
    """

    def __init__(self, text: str, events: Iterable[Any] = ()) -> None:
        """Find the places in a text that `authenticator.mapping.nodes.read` accepts.

        Args:
            text: the text.
            events: the parser's events of its first document, if they are known.

        Raises:
            yaml.YAMLError: the text does not parse.
        """
        self.text = text
        # The parser does not count a byte order mark, which stays at the text's beginning.
        self._shift = 1 if text.startswith(_BYTE_ORDER_MARK) else 0
        self._events, self._partners = _first_document(
            events or yaml.parse(text, Loader=yaml.CSafeLoader)
        )
        self.root = Place(self, 0) if self._events else None

    def event(self, index: int) -> Any:
        """The parser's event number `index`."""
        return self._events[index]

    def partner(self, index: int) -> int:
        """Where the list or map that starts at an event ends, and the reverse; else `index`."""
        return self._partners[index]

    def start_of(self, index: int) -> int:
        """Where in the text an event starts."""
        return int(self._events[index].start_mark.index) + self._shift

    def end_of(self, index: int) -> int:
        """Where in the text an event ends."""
        return int(self._events[index].end_mark.index) + self._shift

    def column(self, position: int) -> int:
        """How many characters stand before `position` in its line."""
        return position - self.line_start(position)

    def line_start(self, position: int) -> int:
        """Where the line of `position` begins, behind a byte order mark."""
        start = self.text.rfind("\n", 0, position) + 1
        return start if start or not self._shift else 1

    def line_end(self, position: int) -> int:
        """Where the line of `position` is over, its line break included."""
        found = self.text.find("\n", position)
        return len(self.text) if found < 0 else found + 1

    def comments_above(self, start: int, floor: int, margin: str) -> int:
        """Where the comments that stand directly above a line, with the same margin, begin."""
        while start > floor:
            above = self.line_start(start - 1)
            if above < floor or not self.text.startswith(f"{margin}#", above):
                break
            start = above
        return start

    @cached_property
    def offset(self) -> int | None:
        """How far the first block list is indented below its key; None if there is none."""
        return next(self.root.offsets(), None) if self.root else None

    def find(self, path: Sequence[str]) -> Place | None:
        """The value at a path of keys, in any case; None if there is none."""
        place = self.root
        for name in path:
            place = place.field(name) if place else None
        return place


class Place:
    """Where one value of a `Layout` stands; its parts are found when they are asked for.

    Attributes:
        kind: what the value is; an alias is not followed.
    """

    __slots__ = ("__dict__", "_index", "_layout", "kind")

    def __init__(self, layout: Layout, index: int) -> None:
        """The value that starts at the event `index`."""
        self._layout = layout
        self._index = index
        self.kind = _KINDS[type(layout.event(index))]

    @property
    def flow(self) -> bool:
        """Whether it is a list in brackets or a map in braces."""
        return self.kind in ("list", "map") and bool(self._layout.event(self._index).flow_style)

    @property
    def value(self) -> str:
        """A scalar's text; null is the empty text or one of YAML's words for it."""
        return str(self._layout.event(self._index).value) if self.kind == "text" else ""

    @property
    def start(self) -> int:
        """Where the value itself starts, after the dash or the key that it belongs to."""
        return self._layout.start_of(self._index)

    @cached_property
    def end(self) -> int:
        """Behind its last character, without the line break and comments that follow."""
        layout, last = self._layout, self._layout.partner(self._index)
        # The end of a block is where the next thing begins, beyond the comments between.
        while isinstance(layout.event(last), yaml.CollectionEndEvent):
            if layout.event(layout.partner(last)).flow_style:
                break
            last -= 1
        start, end = layout.start_of(last), layout.end_of(last)
        if getattr(layout.event(last), "style", None) in _BLOCK_STYLES:
            end = start + len(layout.text[start:end].rstrip())
        return end

    @cached_property
    def children(self) -> list[Place]:
        """The items of a list; the keys and values of a map, in turn."""
        layout, last = self._layout, self._layout.partner(self._index)
        found: list[Place] = []
        index = self._index + 1
        while index < last:
            found.append(Place(layout, index))
            index = layout.partner(index) + 1
        return found

    def fields(self) -> Iterator[tuple[Place, Place]]:
        """The keys of a map with their values."""
        children = self.children if self.kind == "map" else []
        return zip(children[::2], children[1::2], strict=True)

    def field(self, name: str) -> Place | None:
        """The value of a key, in whatever case it is written; None if there is none."""
        name = name.lower()
        return next((value for key, value in self.fields() if key.value.lower() == name), None)

    def offsets(self) -> Iterator[int]:
        """How far each block list in it is indented below its key."""
        layout = self._layout
        if self.flow:
            return
        for key, value in self.fields():
            if value.kind == "list" and not value.flow and value.children:
                yield layout.column(value.dash(0)) - layout.column(key.start)
        for child in self.children:
            yield from child.offsets()

    def dash(self, number: int) -> int:
        """Where the dash of an item of a block list stands.

        Raises:
            Unspliceable: it cannot be found.
        """
        after = self.children[number - 1].end if number else self.start
        found = _DASH.match(self._layout.text, after, self.children[number].start)
        if found is None:
            raise Unspliceable("the item has no dash")
        return found.start(1)


def _first_document(stream: Iterable[Any]) -> tuple[list[Any], list[int]]:
    """The events of the values in the first document, and where each list or map starts or ends."""
    events: list[Any] = []
    partners: list[int] = []
    opened: list[int] = []
    for event in stream:
        kind = type(event)
        if kind in _OUTSIDE:
            if kind is yaml.DocumentEndEvent:
                break
            continue
        index = len(events)
        events.append(event)
        partners.append(index)
        if kind in _STARTS:
            opened.append(index)
        elif kind in _ENDS:
            start = opened.pop()
            partners[start], partners[index] = index, start
    return events, partners
