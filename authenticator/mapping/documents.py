"""The documents that hold mappings: files with three sections, and the data of aws-auth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from authenticator.mapping.nodes import DocumentError, Fields, Node, Text, read
from authenticator.mapping.problems import MAX_PROBLEMS, Code, Origin, Problem, shortened
from authenticator.mapping.sections import SECTIONS, Section, SectionReader

_BY_KEY = {name.lower(): name for name in SECTIONS}


def read_file(content: bytes, reader: SectionReader, under: str = "") -> tuple[Section, ...]:
    """Read a file that holds the sections as lists.

    Args:
        content: YAML or JSON in UTF-8.
        reader: the reader of the source.
        under: the key, in any case, of the map that holds the sections; "" for the file itself.

    Returns:
        All of `SECTIONS`, each broken if the file does not parse, and a section without rules for
        each key that may be a mistyped one.
    """
    try:
        fields = _map(read(decoded(content)))
        if under:
            fields = _map(next((v for k, v in fields.values.items() if k.lower() == under), None))
    except DocumentError as error:
        return tuple(reader.broken(name, error) for name in SECTIONS)
    return tuple(_sections(fields, reader))


def read_data(
    data: Mapping[str, str], reader: SectionReader, lines: Mapping[str, int] | None = None
) -> tuple[Section, ...]:
    """Read the `data` of a ConfigMap, in which each section is a text of its own.

    Args:
        data: the texts.
        reader: the reader of the source.
        lines: by key, the line of a manifest on which the text begins.

    Returns:
        As `read_file`, but a section that does not parse is broken by itself.
    """
    begins = lines or {}
    fields = Fields(0, {key: Text(begins.get(key, 0), value) for key, value in data.items()})
    return tuple(_sections(fields, reader, texts=True))


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


def _sections(fields: Fields, reader: SectionReader, *, texts: bool = False) -> Iterator[Section]:
    found: dict[str, list[Node]] = {name: [] for name in SECTIONS}
    unknown: list[tuple[str, Node]] = []
    for key, node in fields.values.items():
        name = _BY_KEY.get(key.lower())
        if name is None:
            unknown.append((key, node))
        else:
            # A key that is repeated in the same case has the last value here, and counts as two.
            found[name] += [node] * (2 if key in fields.repeated else 1)
    for key, node in unknown[:MAX_PROBLEMS]:
        yield from _misnamed(key, node, reader)
    for name, nodes in found.items():
        if len(nodes) > 1:
            again = DocumentError("it stands here twice; merge the two", nodes[-1].line)
            yield reader.broken(name, again, Code.DUPLICATE_KEY)
        elif nodes and texts:
            yield _section_of_text(name, nodes[0], reader)
        else:
            yield reader.section(name, nodes[0] if nodes else None)


def _section_of_text(name: str, node: Node, reader: SectionReader) -> Section:
    try:
        if isinstance(node, Text):
            return reader.section(name, read(node.value or "", node.line or 1))
        return reader.section(name, node)
    except DocumentError as error:
        return reader.broken(name, error)


def _misnamed(key: str, node: Node, reader: SectionReader) -> Iterator[Section]:
    word = shortened(key)
    near = get_close_matches(key[: len(word)].lower(), _BY_KEY, n=1, cutoff=0.75)
    if near:
        reason = f"the key is unknown; did you mean {_BY_KEY[near[0]]}?"
        origin = Origin(reader.source, word, line=node.line)
        problem = Problem(origin, reason, code=Code.UNKNOWN_SECTION, column=node.column)
        yield Section(word, problems=(problem,))
