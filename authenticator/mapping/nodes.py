"""YAML text as a tree of texts, lists and maps, each with its line and column.

Scalars are never turned into numbers, booleans or dates: the account id `012345678901` stays what
was written, where a YAML 1.1 loader would make an octal number of it. JSON is read as the YAML
that it is, which gives its entries lines as well.

What could make a small document large is bounded: nesting, and what aliases expand to ("billion
laughs"). The tree is built from the parser's events, so that nothing recurses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import yaml

from authenticator.mapping.unrendered import unrendered

# The API server's own limit of a ConfigMap; the bound on files is of the same order.
MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 32
# A 1 MiB document of single letters has half a million; what aliases repeat counts every time.
MAX_NODES = 1_000_000

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TAGS = frozenset({None, "!"} | {f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map")})
_MERGE = "<<"
# YAML 1.1, "Line Break Characters": what the parser counts as lines.
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
# A line between and after documents that says nothing.
_NOTHING = re.compile(r"(?:---|\.\.\.)?\s*(?:#.*)?")
# JSON writes a character beyond U+FFFF as two escapes (RFC 8259, section 7), YAML as one.
_ESCAPE = re.compile(
    r"\\(?:u(?P<high>d[89ab][0-9a-f]{2})\\u(?P<low>d[c-f][0-9a-f]{2})"
    r"|u(?P<lone>d[89a-f][0-9a-f]{2})|.)",
    re.IGNORECASE | re.DOTALL,
)
# What a lone surrogate is read as: no character, which no name and no ARN may have.
_NO_CHARACTER = "\\uFFFF"


class DocumentError(ValueError):
    """The text is no document that can be used.

    Attributes:
        line: the line of the fault, counted from 1; 0 if unknown.
        column: its column, likewise.
        reason: what is wrong and what to do.
    """

    def __init__(self, reason: str, line: int = 0, column: int = 0) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.reason = reason
        self.line = line
        self.column = column


@dataclass(slots=True)
class Text:
    """A scalar as it was written; None for YAML's null.

    Attributes:
        style: how it was written: "|" for a literal block, a quote, "" for a plain one.
    """

    line: int
    value: str | None
    size: int = 1
    column: int = 0
    style: str = ""


@dataclass(slots=True)
class Items:
    """A sequence."""

    line: int
    values: list[Node] = field(default_factory=list)
    size: int = 1
    column: int = 0

    def add(self, node: Node) -> None:
        """Append the next item."""
        self.values.append(node)


@dataclass(slots=True)
class Fields:
    """A mapping.

    Attributes:
        values: by key, with the key's case kept.
        repeated: the keys that stand in it twice, with the line of the second.
    """

    line: int
    values: dict[str, Node] = field(default_factory=dict)
    repeated: dict[str, int] = field(default_factory=dict)
    size: int = 1
    column: int = 0
    _key: str | None = None
    _merged: list[Node] = field(default_factory=list)

    def add(self, node: Node) -> None:
        """Take the next key or the next value.

        Raises:
            DocumentError: the key is not a scalar.
        """
        if self._key is None:
            if not isinstance(node, Text):
                raise DocumentError("a key must be a plain word", node.line)
            self._key = node.value or ""
            if self._key in self.values:
                self.repeated[self._key] = node.line
            return
        if self._key == _MERGE:
            self._merged.append(node)
        else:
            self.values[self._key] = node
        self._key = None

    def merge(self) -> None:
        """Fill in what `<<` keys bring (YAML 1.1 merge keys); own keys win.

        Raises:
            DocumentError: `<<` is given something other than maps.
        """
        if not self._merged:
            return
        # In one pass: thousands of `<<` must not copy thousands of own keys each.
        merged: dict[str, Node] = {}
        for node in self._merged:
            for given in node.values if isinstance(node, Items) else (node,):
                if not isinstance(given, Fields):
                    raise DocumentError("<< needs a map or a list of maps", node.line)
                for key, value in given.values.items():
                    merged.setdefault(key, value)
        self.values = {**merged, **self.values}
        self._merged.clear()


Node: TypeAlias = "Text | Items | Fields"


def value_of(node: Node | None, key: str) -> Node | None:
    """The value of a key of a map, in any case; None if there is none."""
    values = node.values if isinstance(node, Fields) else {}
    return next((value for name, value in values.items() if name.lower() == key.lower()), None)


def plain(node: Node) -> Any:
    """The texts, lists and dicts of a tree; None for null."""
    if isinstance(node, Text):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.values]
    return {key: plain(value) for key, value in node.values.items()}


class First(NamedTuple):
    """The first document of a text.

    Attributes:
        node: its tree; None for one without content.
        rest: the line on which further content begins, which is not read; 0 if there is none.
        events: the parser's events of the document, if they were asked for and stand where the
            text has them.
    """

    node: Node | None
    rest: int = 0
    events: Sequence[Any] = ()


def read(text: str, first_line: int = 1) -> Node | None:
    """Parse the first YAML or JSON document of a text; see `read_first`."""
    return read_first(text, first_line).node


def read_first(text: str, first_line: int = 1, *, keep_events: bool = False) -> First:
    """Parse the first YAML or JSON document of a text, as Go's YAML libraries do.

    Args:
        text: the document.
        first_line: what to count its lines from, for a text that stands in a larger document.
        keep_events: whether to return the parser's events, which are many times as large.

    Raises:
        DocumentError: it does not parse, or exceeds a bound.
    """
    events: list[Any] | None = [] if keep_events and as_yaml(text) is text else None
    builder = _Builder(first_line, single=True, events=events)
    builder.build(text)
    return First(builder.roots[0] if builder.roots else None, builder.rest, events or ())


def read_all(text: str) -> tuple[Node, ...]:
    """Parse a stream of documents, such as manifests with `---` between them.

    Raises:
        DocumentError: it does not parse, or exceeds a bound.
    """
    builder = _Builder(1)
    builder.build(text)
    return tuple(builder.roots)


def values_of(node: Node) -> Hashable:
    """A value that is the same for trees that differ in their lines and columns alone."""
    if isinstance(node, Text):
        return node.value
    if isinstance(node, Items):
        return (Items, *map(values_of, node.values))
    values = ((key, values_of(value)) for key, value in node.values.items())
    return (Fields, *values, *node.repeated)


def from_value(value: object) -> Node:
    """The tree of a value that came as JSON; it has no lines.

    Raises:
        DocumentError: it is nested deeper than `MAX_DEPTH`.
    """
    return _node(value, MAX_DEPTH)


def _node(value: object, depth: int) -> Node:
    if depth == 0:
        raise DocumentError(f"it is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return Fields(0, {str(key): _node(item, depth - 1) for key, item in value.items()})
    if isinstance(value, list):
        return Items(0, [_node(item, depth - 1) for item in value])
    return Text(0, None if value is None else str(value))


def as_yaml(text: str) -> str:
    """JSON text with the escapes of YAML; any other text as it is."""
    if not text.lstrip().startswith(("{", "[")) or "\\ud" not in text.lower():
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return _ESCAPE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    if high := found["high"]:
        code = 0x10000 + ((int(high, 16) - 0xD800) << 10) + int(found["low"], 16) - 0xDC00
        return f"\\U{code:08X}"
    return _NO_CHARACTER if found["lone"] else found[0]


class _Builder:
    """Makes trees of the events of a text.

    Attributes:
        roots: the documents.
        rest: the line on which content begins after the document, if only one is wanted.
    """

    def __init__(
        self, first_line: int, *, single: bool = False, events: list[Any] | None = None
    ) -> None:
        self.roots: list[Node] = []
        self.rest = 0
        self._first_line = first_line
        self._single = single
        self._events = events
        self._open: list[tuple[Items | Fields, str | None]] = []
        self._anchors: dict[str, Node] = {}
        self._size = 0

    def build(self, text: str) -> None:
        """Take all events of `text`.

        Raises:
            DocumentError: it does not parse, exceeds a bound or uses what is not supported.
        """
        if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
            raise DocumentError(f"it is larger than {MAX_BYTES // 1024 // 1024} MiB")
        try:
            for event in yaml.parse(as_yaml(text), Loader=yaml.CSafeLoader):
                if self._single and self.roots:
                    self._look_behind(text, event)
                    return
                self._take(event)
                if self._events is not None:
                    self._events.append(event)
        except yaml.MarkedYAMLError as error:
            raise self._as_template(text, self._refusal(error)) from error
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + self._first_line
            raise DocumentError("it holds a character that YAML does not allow", line) from error
        except (yaml.YAMLError, UnicodeError) as error:
            raise DocumentError("it is not YAML in UTF-8") from error
        except DocumentError as error:
            raise self._as_template(text, error) from error

    def _refusal(self, error: yaml.MarkedYAMLError) -> DocumentError:
        """The parser's words in one line, without the text that it quotes."""
        mark, begin = error.problem_mark, error.context_mark
        place = f"(from line {begin.line + self._first_line})" if begin else None
        reason = " ".join(filter(None, (error.context, place, error.problem)))
        if mark is None:
            return DocumentError(reason)
        return DocumentError(reason, mark.line + self._first_line, mark.column + 1)

    @staticmethod
    def _as_template(text: str, error: DocumentError) -> DocumentError:
        """The error of a text that may not have been rendered."""
        if template := unrendered(text):
            return DocumentError(f"{template} ({error.reason})", error.line, error.column)
        return error

    def _take(self, event: Any) -> None:
        mark = event.start_mark
        line, column = mark.line + self._first_line, mark.column + 1
        if isinstance(event, yaml.ScalarEvent):
            self._check_tag(event.tag, line)
            null = event.implicit[0] and event.value in _NULLS
            value = None if null else event.value
            self._close(Text(line, value, 1, column, event.style or ""), event.anchor)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._check_tag(event.tag, line)
            if len(self._open) >= MAX_DEPTH:
                raise DocumentError(f"it is nested deeper than {MAX_DEPTH} levels", line)
            kind = Fields if isinstance(event, yaml.MappingStartEvent) else Items
            self._open.append((kind(line, column=column), event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            node, anchor = self._open.pop()
            if isinstance(node, Fields):
                node.merge()
            self._close(node, anchor)
        elif isinstance(event, yaml.AliasEvent):
            # An alias inside of what it names is not known yet, so that no loop can form.
            if event.anchor not in self._anchors:
                raise DocumentError(f"the alias *{event.anchor} names nothing before it", line)
            self._close(self._anchors[event.anchor], None)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._anchors.clear()

    def _look_behind(self, text: str, end: Any) -> None:
        """Note whether anything but comments and document marks follows the first document."""
        lines = _LINE_BREAK.split(text)
        start = end.end_mark.line if end.explicit else end.start_mark.line
        for number, line in enumerate(lines[start:], start):
            if not _NOTHING.fullmatch(line):
                self.rest = number + self._first_line
                return

    def _close(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if self._open:
            parent = self._open[-1][0]
            parent.size += node.size
            self._check_size(parent.size, node.line)
            parent.add(node)
        else:
            self.roots.append(node)
            self._size += node.size
            self._check_size(self._size, node.line)

    @staticmethod
    def _check_size(size: int, line: int) -> None:
        if size > MAX_NODES:
            raise DocumentError(f"it holds more than {MAX_NODES} values, aliases included", line)

    @staticmethod
    def _check_tag(tag: str | None, line: int) -> None:
        if tag not in _TAGS:
            raise DocumentError("tags are not supported; remove the word that begins with !", line)
