"""A document as lint sees it: what the server makes of each entry, beside what is written there.

The server's own reader does the reading, so that lint cannot disagree with it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from authenticator.lint.findings import Finding, Place
from authenticator.lint.hints import hint
from authenticator.lint.rules import RULES
from authenticator.mapping.documents import read_data, read_file
from authenticator.mapping.guards import Guard
from authenticator.mapping.nodes import Fields, Items, Node, Text
from authenticator.mapping.problems import Code, Problem
from authenticator.mapping.rules import Rule
from authenticator.mapping.sections import Section, SectionReader


@dataclass(frozen=True, slots=True)
class Context:
    """What lint is told besides the documents.

    Attributes:
        now: Unix time, for entries that expire; None leaves these rules out.
        known_arns: ARNs of principals that exist, which near misses are compared with.
        guard: what the source may not grant, as the server's settings say.
        by_user_id: whether entries need a `userid` (`dynamicfileUserIDStrict`).
    """

    now: float | None = None
    known_arns: tuple[str, ...] = ()
    guard: Guard = field(default_factory=Guard)
    by_user_id: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the text of a section stands in its file.

    Attributes:
        indent: how many columns a block of YAML in YAML is indented by.
        fixed: the place of a text whose lines are not those of the file, such as a quoted one.
    """

    indent: int = 0
    fixed: tuple[int, int] | None = None

    def place(self, line: int, column: int) -> tuple[int, int]:
        """Line and column in the file."""
        return self.fixed or (line, column + self.indent if column else 0)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    Attributes:
        place: where it stands.
        fields: what is written there, by key in lower case; empty if it is no map.
        frame: see `Frame`.
        rule: what the server makes of it; None if it leaves it out, and for an account.
        account: the account id, for an entry of `mapAccounts` in force.
    """

    place: Place
    fields: Mapping[str, Node]
    frame: Frame
    rule: Rule | None = None
    account: str = ""

    def text(self, *keys: str) -> str:
        """The first of `keys` that has a text, as it is written; "" if none has."""
        nodes = map(self.fields.get, keys)
        return next((node.value for node in nodes if isinstance(node, Text) and node.value), "")

    def finding(self, rule: str, message: str, key: str = "") -> Finding:
        """A finding at the value of `key`, or at the entry itself."""
        node = self.fields.get(key)
        if node is None:
            return Finding(RULES[rule], message, self.place)
        line, column = self.frame.place(node.line, node.column)
        place = self.place
        return Finding(
            RULES[rule], message, Place(place.document, place.section, place.index, line, column)
        )


@dataclass(frozen=True, slots=True)
class Document:
    """One file, one ConfigMap or one custom resource.

    Attributes:
        name: the file, or the object.
        findings: what the server refuses and notes, or keeps it from reading the document.
        entries: the entries, those that the server leaves out included.
    """

    name: str
    findings: tuple[Finding, ...] = ()
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class _Witness(SectionReader):
    """The server's reader, which also keeps what it was given to read."""

    most_problems: int = sys.maxsize
    nodes: dict[str, Node] = field(default_factory=dict)

    def section(self, name: str, node: Node | None) -> Section:
        if node is not None:
            self.nodes[name] = node
        return SectionReader.section(self, name, node)


def of_file(content: bytes, name: str, context: Context, under: str = "") -> Document:
    """A file with the sections, under the key `under` (in lower case) if it is given."""
    reader = _Witness(name, context.guard, context.by_user_id)
    sections = read_file(content, reader, under)
    if not reader.nodes and all(_is_unreadable(section) for section in sections):
        # The file as a whole, which the server reports for each of its sections.
        problem = sections[0].problems[0]
        place = Place(name, line=problem.origin.line, column=problem.column)
        return Document(name, (_finding(problem, place),))
    return _document(reader, sections, MappingProxyType({}))


def _is_unreadable(section: Section) -> bool:
    return section.broken and section.problems[0].code is Code.UNREADABLE


def of_data(
    data: Mapping[str, str],
    name: str,
    context: Context,
    lines: Mapping[str, int] | None = None,
    frames: Mapping[str, Frame] = MappingProxyType({}),
) -> Document:
    """The `data` of a ConfigMap.

    Args:
        data: the texts.
        name: the ConfigMap, or the file that holds it.
        context: see `Context`.
        lines: by key, the line of the file on which a text begins.
        frames: by lower-case key, where it stands in the file.
    """
    reader = _Witness(name, context.guard, context.by_user_id)
    return _document(reader, read_data(data, reader, lines), frames)


def of_identity(node: Node, name: str, resource: str, context: Context) -> Document:
    """The `spec` of the IAMIdentityMapping called `resource`; `name` is the file or the object."""
    reader = SectionReader(name, context.guard, context.by_user_id, sys.maxsize)
    section = reader.identity_node(resource, node)
    place = Place(name, resource, line=node.line, column=node.column)
    rule = section.rules[0] if section.rules else None
    entry = Entry(place, _fields(node), Frame(), rule)
    return Document(
        name, tuple(_of_entry(problem, entry) for problem in section.problems), (entry,)
    )


def _document(
    reader: _Witness, sections: Iterable[Section], frames: Mapping[str, Frame]
) -> Document:
    findings: list[Finding] = []
    entries: list[Entry] = []
    for section in sections:
        frame = frames.get(section.name.lower(), Frame())
        node = reader.nodes.get(section.name)
        found = tuple(_entries(reader.source, section, node, frame))
        entries += found
        for problem in section.problems:
            if problem.origin.index >= 0:
                findings.append(_of_entry(problem, found[problem.origin.index]))
            else:
                line, column = frame.place(problem.origin.line, problem.column)
                place = Place(reader.source, section.name, line=line, column=column)
                findings.append(_finding(problem, place))
    return Document(reader.source, tuple(findings), tuple(entries))


def _entries(name: str, section: Section, node: Node | None, frame: Frame) -> Iterator[Entry]:
    if not isinstance(node, Items):
        return
    rules = {rule.match.origin.index: rule for rule in section.rules}
    accounts = {match.origin.index: account for account, match in section.accounts}
    for index, item in enumerate(node.values):
        place = Place(name, section.name, index, *frame.place(item.line, item.column))
        rule, account = rules.get(index), accounts.get(index, "")
        yield Entry(place, _fields(item), frame, rule, account)


def _fields(node: Node) -> dict[str, Node]:
    if not isinstance(node, Fields):
        return {}
    return {key.strip().lower(): value for key, value in node.values.items()}


def _of_entry(problem: Problem, entry: Entry) -> Finding:
    found = _finding(problem, entry.place)
    return entry.finding(found.rule.id, found.message + hint(problem.code, entry.text), problem.key)


def _finding(problem: Problem, place: Place) -> Finding:
    # Without a code are problems of a source itself, which keep it from being read.
    code = problem.code or Code.UNREADABLE
    return Finding(RULES[code.value], problem.reason, place)
