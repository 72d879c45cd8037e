"""The documents that hold mappings: files with three sections, and the data of aws-auth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import TypeAlias

from authenticator.mapping.nodes import (
    DocumentError,
    Fields,
    First,
    Node,
    Text,
    read_first,
    value_of,
)
from authenticator.mapping.problems import MAX_PROBLEMS, Code, Origin, Problem, shortened
from authenticator.mapping.sections import SECTIONS, Section, SectionReader, is_empty

_BY_KEY = {name: name for name in SECTIONS}
_BY_ANY_KEY = {name.lower(): name for name in SECTIONS}


# Parses the first document of a text whose first line has the number given.
Parse: TypeAlias = Callable[[str, int], First]


def read_file(
    content: bytes, reader: SectionReader, under: str = "", parse: Parse = read_first
) -> tuple[Section, ...]:
    """Read a file that holds the sections as lists; its keys may be in any case.

    Args:
        content: YAML or JSON in UTF-8, of which the first document counts.
        reader: the reader of the source.
        under: the key, in any case, of the map that holds the sections, as in a config file; "" for
            the file itself.
        parse: `read_first`, or what remembers its answers.

    Returns:
        All of `SECTIONS`, each broken if the file does not parse, and a section without rules for
        each key that may be a mistyped one, and for a part that is not read.
    """
    try:
        first = parse(decoded(content), 1)
        fields = _map(first.node)
    except DocumentError as error:
        return tuple(reader.broken(name, error) for name in SECTIONS)
    return read_lists(fields, first.rest, reader, under)


def read_lists(
    fields: Fields, rest: int, reader: SectionReader, under: str = ""
) -> tuple[Section, ...]:
    """Read a parsed file that holds the sections as lists; see `read_file`.

    Args:
        fields: the file.
        rest: the line on which text begins that is not read; 0 if there is none.
        reader: the reader of the source.
        under: the key of the map that holds the sections.
    """
    try:
        holder = _map(value_of(fields, under)) if under else fields
    except DocumentError as error:
        return tuple(reader.broken(name, error) for name in SECTIONS)
    reader = replace(reader, loose=bool(under))
    sections = tuple(_sections(holder, reader, _BY_ANY_KEY))
    unread = _unread("", rest, reader)
    return (*sections, Section("", problems=unread)) if unread else sections


def read_data(
    data: Mapping[str, str],
    reader: SectionReader,
    lines: Mapping[str, int] | None = None,
    parse: Parse = read_first,
) -> tuple[Section, ...]:
    """Read the `data` of the ConfigMap aws-auth, in which each section is a text of its own.

    The keys are read in their documented case only, as the reference and EKS do.

    Args:
        data: the texts.
        reader: the reader of the source.
        lines: by key, the line of a manifest on which the text begins.
        parse: as in `read_file`.

    Returns:
        As `read_file`, but a section that does not parse is broken by itself.
    """
    begins = lines or {}
    fields = Fields(0, {key: Text(begins.get(key, 0), value) for key, value in data.items()})
    return tuple(_sections(fields, replace(reader, literal_arns=True), _BY_KEY, parse))


def decoded(content: bytes) -> str:
    """The text of a file.

    Raises:
        DocumentError: it is not UTF-8.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DocumentError("it is not UTF-8; save it as UTF-8", line) from error


def _map(node: Node | None) -> Fields:
    if node is None or (isinstance(node, Text) and node.value is None):
        return Fields(0)
    if not isinstance(node, Fields):
        reason = f"it must be a map with the keys {', '.join(SECTIONS)}"
        raise DocumentError(reason, node.line, node.column)
    return node


def _sections(
    fields: Fields, reader: SectionReader, known: Mapping[str, str], parse: Parse | None = None
) -> Iterator[Section]:
    """Read the sections; with `parse`, each is a text."""
    found: dict[str, list[Node]] = {name: [] for name in SECTIONS}
    unknown: list[tuple[str, Node]] = []
    for key, node in fields.values.items():
        name = known.get(key) or known.get(key.lower())
        if name is None:
            unknown.append((key, node))
        else:
            found[name].append(node)
            if key in fields.repeated:  # the last value is here, and the key stands twice
                found[name].append(node)
    for key, node in unknown[:MAX_PROBLEMS]:
        yield from _misnamed(key, node, reader)
    for name, nodes in found.items():
        if len(nodes) > 1:
            again = DocumentError("it stands here twice; merge the two", nodes[-1].line)
            yield reader.broken(name, again, Code.DUPLICATE_KEY)
        elif nodes and parse:
            yield _section_of_text(name, nodes[0], reader, parse)
        else:
            yield reader.section(name, nodes[0] if nodes else None)


def _section_of_text(name: str, node: Node, reader: SectionReader, parse: Parse) -> Section:
    if not isinstance(node, Text) or is_empty(node):
        return reader.section(name, node)
    try:
        first = parse(node.value or "", node.line or 1)
    except DocumentError as error:
        return reader.broken(name, error)
    section = reader.section(name, first.node)
    unread = _unread(name, first.rest, reader)
    return replace(section, problems=(*section.problems, *unread))


def _misnamed(key: str, node: Node, reader: SectionReader) -> Iterator[Section]:
    word = shortened(key)
    near = get_close_matches(key[: len(word)].lower(), _BY_ANY_KEY, n=1, cutoff=0.75)
    if near:
        name = _BY_ANY_KEY[near[0]]
        reason = f"the key is unknown; did you mean {name}?"
        if name.lower() == key.lower():
            reason = f"the key is not read in this spelling, here or by EKS: write {name}"
        origin = Origin(reader.source, word, line=node.line)
        problem = Problem(origin, reason, code=Code.UNKNOWN_SECTION, column=node.column)
        yield Section(word, problems=(problem,))


def _unread(name: str, line: int, reader: SectionReader) -> tuple[Problem, ...]:
    if not line:
        return ()
    reason = "what follows the first YAML document (---) is not read; merge it, or remove it"
    return (Problem(Origin(reader.source, name, line=line), reason, code=Code.UNREAD),)
