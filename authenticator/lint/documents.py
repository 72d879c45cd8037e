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
from authenticator.mapping.files import AwsAuthData, Identity, Part, Witness
from authenticator.mapping.guards import Guard
from authenticator.mapping.nodes import DocumentError, Fields, Items, Node, Text
from authenticator.mapping.problems import Code, Problem
from authenticator.mapping.rules import Rule
from authenticator.mapping.sections import Section


@dataclass(frozen=True, slots=True)
class Context:
    """What lint is told besides the documents.

    Attributes:
        now: Unix time, for entries that expire; None leaves these rules out.
        known_arns: ARNs of principals that exist, which near misses are compared with.
        guard: what the source may not grant, as the server's settings say.
        by_user_id: whether entries need a `userid` (`dynamicfileUserIDStrict`).
        client_regions: the Regions whose STS clients sign tokens for.
    """

    now: float | None = None
    known_arns: tuple[str, ...] = ()
    guard: Guard = field(default_factory=Guard)
    by_user_id: bool = False
    client_regions: tuple[str, ...] = ()


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


def of_part(
    part: Part, name: str, context: Context, frames: Mapping[str, Frame] = MappingProxyType({})
) -> Document:
    """One part of a file.

    Args:
        part: what `authenticator.mapping.files` found.
        name: the file or the object.
        context: see `Context`.
        frames: by section, where its text stands in the file.
    """
    reader = Witness(name, context.guard, context.by_user_id, sys.maxsize)
    sections = part.sections(reader)
    if isinstance(part, Identity):
        return _of_identity(part, sections[0], name)
    return _document(reader, sections, frames)


def of_data(data: Mapping[str, str], name: str, context: Context) -> Document:
    """The `data` of the ConfigMap aws-auth."""
    return of_part(AwsAuthData({key: Text(0, text) for key, text in data.items()}), name, context)


def unreadable(name: str, error: DocumentError) -> Document:
    """A file, or an object in it, that is not read."""
    place = Place(name, line=error.line, column=error.column)
    return Document(name, (Finding(RULES[Code.UNREADABLE.value], error.reason, place),))


def _of_identity(part: Identity, section: Section, name: str) -> Document:
    place = Place(name, part.name, line=part.spec.line, column=part.spec.column)
    rule = section.rules[0] if section.rules else None
    entry = Entry(place, _fields(part.spec), Frame(), rule)
    findings = tuple(_of_entry(problem, entry) for problem in section.problems)
    return Document(name, findings, (entry,))


def _document(
    reader: Witness, sections: Iterable[Section], frames: Mapping[str, Frame]
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
