"""Where the values of a YAML or JSON text stand, so that one can be changed and no byte beside it.

The same parser as `authenticator.mapping.nodes`, which has to have accepted the text before.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

_BYTE_ORDER_MARK = "\ufeff"
_BLOCK_STYLES = frozenset({"|", ">"})


class Unspliceable(Exception):
    """The text is written in a way that cannot be changed in place."""


@dataclass(slots=True)
class Place:
    """Where one value stands: `text[start:end]`.

    Attributes:
        kind: what the value is; an alias is not followed.
        start: of the value itself; after the dash or the key that it belongs to.
        end: behind its last character, without the line break and comments that follow.
        flow: whether it is a list in brackets or a map in braces.
        value: a scalar's text; null is the empty text or one of YAML's words for it.
        children: the items of a list; the keys and values of a map, in turn.
    """

    kind: Literal["text", "list", "map", "alias"]
    start: int
    end: int
    flow: bool = False
    value: str = ""
    children: list[Place] = field(default_factory=list)

    def fields(self) -> Iterator[tuple[Place, Place]]:
        """The keys of a map with their values."""
        return zip(self.children[::2], self.children[1::2], strict=True)

    def field(self, name: str) -> Place | None:
        """The value of a key, in whatever case it is written; None if there is none."""
        for key, value in self.fields() if self.kind == "map" else ():
            if key.value.lower() == name.lower():
                return value
        return None


@dataclass(frozen=True, slots=True)
class Layout:
    """A text with the places in it.

    Attributes:
        text: the text.
        root: the whole value; None if the text has none.
        dashes: where each `-` of a block list stands, in order.
    """

    text: str
    root: Place | None
    dashes: tuple[int, ...]

    def dash(self, item: Place) -> int:
        """Where the dash of an item of a block list stands."""
        return self.dashes[bisect.bisect_left(self.dashes, item.start) - 1]

    def column(self, position: int) -> int:
        """How many characters stand before `position` in its line."""
        return position - self.line_start(position)

    def line_start(self, position: int) -> int:
        """Where the line of `position` begins, behind a byte order mark."""
        start = self.text.rfind("\n", 0, position) + 1
        return start if start or not self.text.startswith(_BYTE_ORDER_MARK) else 1

    def line_end(self, position: int) -> int:
        """Where the line of `position` is over, its line break included."""
        found = self.text.find("\n", position)
        return len(self.text) if found < 0 else found + 1

    def find(self, path: Sequence[str | int]) -> Place | None:
        """The value at a path of keys and numbers of items; None if there is none."""
        place = self.root
        for step in path:
            if place is None:
                return None
            place = place.children[step] if isinstance(step, int) else place.field(step)
        return place


def layout(text: str) -> Layout:
    """Find the places in a text that `authenticator.mapping.nodes.read` accepts."""
    # The parser does not count a byte order mark, which stays at the text's beginning.
    shift = 1 if text.startswith(_BYTE_ORDER_MARK) else 0
    builder = _Builder(text, shift)
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        builder.take(event)
    dashes = tuple(
        token.start_mark.index + shift
        for token in yaml.scan(text, Loader=yaml.CSafeLoader)
        if isinstance(token, yaml.BlockEntryToken)
    )
    return Layout(text, builder.root, dashes)


class _Builder:
    """Makes places of the events of one document."""

    def __init__(self, text: str, shift: int) -> None:
        self.root: Place | None = None
        self._text = text
        self._shift = shift
        self._open: list[Place] = []

    def take(self, event: Any) -> None:
        start, end = event.start_mark.index + self._shift, event.end_mark.index + self._shift
        if isinstance(event, yaml.ScalarEvent):
            if event.style in _BLOCK_STYLES:  # they end where the next thing begins
                end = start + len(self._text[start:end].rstrip())
            self._close(Place("text", start, end, value=event.value))
        elif isinstance(event, yaml.AliasEvent):
            self._close(Place("alias", start, end))
        elif isinstance(event, yaml.SequenceStartEvent):
            self._open.append(Place("list", start, end, flow=bool(event.flow_style)))
        elif isinstance(event, yaml.MappingStartEvent):
            self._open.append(Place("map", start, end, flow=bool(event.flow_style)))
        elif isinstance(event, yaml.CollectionEndEvent):
            place = self._open.pop()
            # The end of a block is where the next thing begins, beyond the comments between.
            place.end = end if place.flow else place.children[-1].end
            self._close(place)

    def _close(self, place: Place) -> None:
        if self._open:
            self._open[-1].children.append(place)
        else:
            self.root = place
