"""A list of entries becomes rules: every entry is in force, or reported, or both.

A bad entry is left out and the rest applies. A section that is no list at all is broken as a
whole, and whoever holds an older one keeps it (`authenticator.sources`).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from authenticator.mapping.entries import IDENTITY, ROLE, USER, Shape
from authenticator.mapping.guards import Guard
from authenticator.mapping.nodes import (
    DocumentError,
    Fields,
    Items,
    Node,
    Text,
    from_value,
    values_of,
)
from authenticator.mapping.problems import MAX_PROBLEMS, Code, Origin, Problem, Problems
from authenticator.mapping.reading import EntryReader, EntryRefused, Note
from authenticator.mapping.rules import CANONICAL_ARN, Match, Rule
from authenticator.mapping.selectors import account

MAP_ROLES = "mapRoles"
MAP_USERS = "mapUsers"
MAP_ACCOUNTS = "mapAccounts"
SECTIONS = (MAP_ROLES, MAP_USERS, MAP_ACCOUNTS)
# The texts that the reference takes for an empty section (`isSkippable`).
_EMPTY = frozenset({"", '""', "''", "``"})

_SHAPES = MappingProxyType({MAP_ROLES: ROLE, MAP_USERS: USER})


@dataclass(frozen=True, slots=True)
class Section:
    """One section of a source, as far as it could be read.

    Attributes:
        name: one of `SECTIONS`, or the name of a custom resource.
        rules: the entries in force, in the order of the document.
        accounts: the account ids in force, with what they grant.
        problems: what is to be put right, as `Problems` lists it.
        denials: rules that refuse the callers of entries that cannot be used.
        broken: whether nothing could be read, so that an older version should stay in force.
        stale_since: the Unix time since which an older version has stood in for a broken one.
    """

    name: str
    rules: tuple[Rule, ...] = ()
    accounts: tuple[tuple[str, Match], ...] = ()
    problems: tuple[Problem, ...] = ()
    broken: bool = False
    stale_since: float | None = None
    denials: tuple[Rule, ...] = ()

    @property
    def size(self) -> int:
        """How many entries are in force."""
        return len(self.rules) + len(self.accounts)


def is_empty(node: Node) -> bool:
    """Whether a node says "no entries": null, blank, or a pair of quotes, as templates write it."""
    return isinstance(node, Text) and (node.value or "").strip() in _EMPTY


@dataclass(frozen=True, slots=True)
class SectionReader:
    """Reads the sections of one source.

    Attributes:
        source: the source's name, for reports.
        guard: what the source may not grant.
        by_user_id: whether every entry must have a `userid` and may do without an ARN (the
            reference's `dynamicfileUserIDStrict`).
        most_problems: how many problems of one section are listed.
        literal_arns: whether the ARN of a session does not count as its role's to the letter, as in
            aws-auth, where the reference compares ARNs as they are written.
        loose: whether single values may stand for lists, as the library that reads the reference's
            config file has it.
        known: what entries said that were read before, by their values: an edit of a large document
            reads it before and after, and all entries but some are equal. None to keep nothing.
    """

    source: str
    guard: Guard
    by_user_id: bool = False
    most_problems: int = MAX_PROBLEMS
    literal_arns: bool = False
    loose: bool = False
    known: dict[Hashable, tuple[Rule, tuple[Note, ...]]] | None = field(default=None, compare=False)

    def section(self, name: str, node: Node | None) -> Section:
        """Read one of `SECTIONS`; None and what `is_empty` are a section without entries."""
        if node is None or is_empty(node):
            return Section(name)
        node = self.as_list(name, node)
        if not isinstance(node, Items):
            reason = "it must be a list, with '- ' before each entry"
            return self.broken(name, DocumentError(reason, node.line, node.column))
        rules: list[Rule] = []
        denials: list[Rule] = []
        accounts: list[tuple[str, Match]] = []
        problems = Problems(Origin(self.source, name, line=node.line), self.most_problems)
        for index, entry in enumerate(node.values):
            origin = Origin(self.source, name, index, entry.line)
            try:
                if name == MAP_ACCOUNTS:
                    accounts.append(self._account(entry, origin))
                else:
                    rule = self._rule(_SHAPES[name], entry, origin, problems)
                    (denials if rule.denied else rules).append(rule)
            except EntryRefused as error:
                problems.add(Problem(origin, str(error), code=error.code, key=error.key))
        listed = problems.listed()
        return Section(name, tuple(rules), tuple(accounts), listed, denials=tuple(denials))

    def as_list(self, name: str, node: Node) -> Node:
        """The node of a section, with a single value as a list if `loose`."""
        if self.loose and isinstance(node, Fields):
            return Items(node.line, [node] if node.values else [], column=node.column)
        if self.loose and isinstance(node, Text) and node.value and name == MAP_ACCOUNTS:
            parts: list[Node] = [Text(node.line, part) for part in node.value.split(",")]
            return Items(node.line, parts, column=node.column)
        return node

    def identity(self, name: str, spec: object) -> Section:
        """Read the `spec` of the IAMIdentityMapping called `name`, as it came in JSON."""
        try:
            return self.identity_node(name, from_value(spec))
        except DocumentError as error:
            problem = Problem(Origin(self.source, name), error.reason, code=Code.UNREADABLE)
            return Section(name, problems=(problem,))

    def identity_node(self, name: str, spec: Node) -> Section:
        """Read the `spec` of the IAMIdentityMapping called `name`."""
        origin = Origin(self.source, name, line=spec.line)
        problems = Problems(origin, self.most_problems)
        try:
            rule = self._rule(IDENTITY, spec, origin, problems)
        except EntryRefused as error:
            refusal = Problem(origin, str(error), code=error.code, key=error.key)
            return Section(name, problems=(refusal,))
        if rule.denied:
            return Section(name, problems=problems.listed(), denials=(rule,))
        return Section(name, (rule,), problems=problems.listed())

    def broken(self, name: str, error: DocumentError, code: Code = Code.UNREADABLE) -> Section:
        """A section of which nothing can be read."""
        origin = Origin(self.source, name, line=error.line)
        problem = Problem(origin, error.reason, code=code, column=error.column)
        return Section(name, problems=(problem,), broken=True)

    def _rule(self, shape: Shape, entry: Node, origin: Origin, problems: Problems) -> Rule:
        """The rule of an entry; one that refuses its callers if the rest cannot be used.

        Raises:
            EntryRefused: the entry cannot be used, and does not say whom it names.
        """
        reader = EntryReader(
            shape, origin, self.guard, self.by_user_id, self.literal_arns, self.loose
        )
        try:
            rule, notes = self._read(reader, entry)
        except EntryRefused as error:
            denial = reader.denial(entry, str(error))
            if denial is None:
                raise
            problems.add(Problem(origin, str(error), code=error.code, key=error.key))
            return denial
        for note in notes:
            problems.add(Problem(origin, note.reason, in_force=True, code=note.code, key=note.key))
        return rule

    def _read(self, reader: EntryReader, entry: Node) -> tuple[Rule, tuple[Note, ...]]:
        """What an entry says, which may be known."""
        if self.known is None:
            return reader.rule(entry), tuple(reader.notes)
        way = (reader.shape, self.guard, self.by_user_id, self.literal_arns, self.loose)
        key = (way, values_of(entry))
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = (reader.rule(entry), tuple(reader.notes))
        rule, notes = found
        if rule.match.origin != reader.origin:
            rule = replace(rule, match=replace(rule.match, origin=reader.origin))
        return rule, notes

    def _account(self, entry: Node, origin: Origin) -> tuple[str, Match]:
        if not isinstance(entry, Text) or entry.value is None:
            raise EntryRefused(Code.BAD_ACCOUNT, "it must be an account id: 12 digits in quotes")
        try:
            account_id = account(entry.value)
        except ValueError as error:
            raise EntryRefused(Code.BAD_ACCOUNT, str(error)) from error
        return account_id, Match(origin, CANONICAL_ARN, (), self.guard)
