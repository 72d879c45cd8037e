"""Which mappings a file holds, whatever it is: one reader for every verb.

    a mapping or config file    the sections as lists, at the top or under `server`
    a manifest                  the ConfigMap aws-auth, IAMIdentityMapping objects, lists of them,
                                and config files in other ConfigMaps; other objects are passed over

Text that looks like mappings and is not read is named: half a file must not give a verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeAlias

from authenticator.mapping.documents import read_data, read_lists
from authenticator.mapping.nodes import (
    DocumentError,
    Fields,
    Items,
    Node,
    Text,
    read_all,
    read_first,
    value_of,
)
from authenticator.mapping.sections import SECTIONS, Section, SectionReader

NAMESPACE, NAME = "kube-system", "aws-auth"
CONFIG_MAP, IDENTITY_MAPPING = "ConfigMap", "IAMIdentityMapping"
BINARY = "it stands under binaryData; save it as UTF-8 text under data"
_SERVER = "server"
_KEYS = frozenset(name.lower() for name in SECTIONS)
_KINDS = {kind.lower(): kind for kind in (CONFIG_MAP, IDENTITY_MAPPING)}
_YAML = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Lists:
    """A mapping file or a config file.

    Attributes:
        fields: the file as a map.
        rest: the line on which text begins that is not read; 0 if there is none.
        inside: the value of a ConfigMap in which the file stands; None for a file of its own.
    """

    fields: Fields
    rest: int = 0
    inside: Text | None = None

    @property
    def under(self) -> str:
        """The key that leads to the sections; "" if they are at the top."""
        return _SERVER if value_of(self.fields, _SERVER) is not None else ""

    def sections(self, reader: SectionReader) -> tuple[Section, ...]:
        """What the server reads in it."""
        return read_lists(self.fields, self.rest, reader, self.under)


@dataclass(frozen=True, slots=True)
class AwsAuthData:
    """The ConfigMap aws-auth.

    Attributes:
        data: its texts.
        misplaced: the sections that are not texts under `data`, with the reason.
    """

    data: Mapping[str, Text]
    misplaced: Mapping[str, tuple[Node, str]] = field(default_factory=dict)

    def sections(self, reader: SectionReader) -> tuple[Section, ...]:
        """What the server reads in it."""
        texts = {key: node.value or "" for key, node in self.data.items()}
        lines = {key: first_line(node) for key, node in self.data.items()}
        return tuple(
            self._misplaced(section, reader) if section.name in self.misplaced else section
            for section in read_data(texts, reader, lines)
        )

    def _misplaced(self, section: Section, reader: SectionReader) -> Section:
        node, reason = self.misplaced[section.name]
        return reader.broken(section.name, DocumentError(reason, node.line, node.column))


@dataclass(frozen=True, slots=True)
class Identity:
    """An IAMIdentityMapping object."""

    name: str
    spec: Node

    def sections(self, reader: SectionReader) -> tuple[Section, ...]:
        """What the server reads in it."""
        return (reader.identity_node(self.name, self.spec),)


Part: TypeAlias = "Lists | AwsAuthData | Identity"


@dataclass(frozen=True, slots=True)
class Held:
    """What a file holds.

    Attributes:
        parts: in the order of the default chain: files, aws-auth, custom resources by name.
        unread: what looks like mappings and is not read.
    """

    parts: tuple[Part, ...] = ()
    unread: tuple[DocumentError, ...] = ()

    def understood(self) -> tuple[Part, ...]:
        """The parts.

        Raises:
            DocumentError: there are none, or something is not read.
        """
        if self.unread:
            raise self.unread[0]
        if not self.parts:
            raise DocumentError(
                "it holds no mappings: neither mapRoles, mapUsers or mapAccounts nor Kubernetes"
                f" objects with them ({CONFIG_MAP} {NAME}, {IDENTITY_MAPPING})"
            )
        return self.parts


def held(text: str) -> Held:
    """What a file holds.

    Raises:
        DocumentError: it does not parse.
    """
    try:
        return held_in(read_all(text))
    except DocumentError:
        first = read_first(text)
        # Of a file with lists the server reads the first document only, whatever follows.
        if not first.rest or not isinstance(first.node, Fields) or _kind(first.node):
            raise
        return _of_lists(first.node, first.rest)


def held_in(roots: Sequence[Node]) -> Held:
    """What the documents of a file hold.

    Raises:
        DocumentError: the first document is no map.
    """
    if any(map(_kind, roots)):
        found = _Manifest()
        for root in roots:
            found.take(root)
        return found.held()
    if not roots or (isinstance(roots[0], Text) and roots[0].value is None):
        return Held()
    first = roots[0]
    if not isinstance(first, Fields):
        reason = f"it must be a map with the keys {', '.join(SECTIONS)}, or a Kubernetes object"
        raise DocumentError(reason, first.line, first.column)
    others = (r.line for r in roots[1:] if not (isinstance(r, Text) and r.value is None))
    return _of_lists(first, next(others, 0))


def first_line(node: Text) -> int:
    """The line on which the text of a literal block begins; 0 for values of other styles."""
    return node.line + 1 if node.line and node.style == "|" else 0


def _of_lists(fields: Fields, rest: int) -> Held:
    return Held((Lists(fields, rest),) if _is_lists(fields) else ())


def _is_lists(fields: Fields) -> bool:
    """Whether a map has a section, `server`, or a key that is nearly one of the sections."""
    keys = [key.lower() for key in fields.values]
    return _SERVER in keys or any(
        key in _KEYS or get_close_matches(key[:64], _KEYS, n=1, cutoff=0.75) for key in keys
    )


class _Manifest:
    """Collects what the objects of a manifest hold."""

    def __init__(self) -> None:
        self._files: list[Part] = []
        self._aws_auth: list[Part] = []
        self._identities: list[Identity] = []
        self._unread: list[DocumentError] = []

    def held(self) -> Held:
        """All that was found."""
        identities = sorted(self._identities, key=lambda identity: identity.name)
        return Held((*self._files, *self._aws_auth, *identities), tuple(self._unread))

    def take(self, root: Node, kind_of_items: str = "") -> None:
        """Take one object, or the objects of a list."""
        kind = _kind(root) or kind_of_items
        if kind == CONFIG_MAP:
            self._config_map(root)
        elif kind == IDENTITY_MAPPING:
            spec = _get(root, "spec") or Fields(root.line, column=root.column)
            self._identities.append(Identity(_text(_get(_get(root, "metadata"), "name")), spec))
        elif kind.endswith("List"):
            items = _get(root, "items")
            if isinstance(items, Items):
                for item in items.values:
                    self.take(item, kind.removesuffix("List"))
            elif items is not None:
                self._miss(root, f"the items of a {kind} must be a list")
        elif kind.lower() in _KINDS:
            self._miss(root, f"its kind is {kind}; write {_KINDS[kind.lower()]}")
        elif kind and _holds_sections(root):
            self._miss(root, f"an object of kind {kind} is not read; use a {CONFIG_MAP}")
        elif not kind and not (isinstance(root, Text) and root.value is None):
            self._miss(root, "it is no Kubernetes object, although others are: it has no kind")

    def _config_map(self, root: Node) -> None:
        metadata = _get(root, "metadata")
        name, namespace = _text(_get(metadata, "name")), _text(_get(metadata, "namespace"))
        nodes = {**_fields(_get(root, "data"))}
        binary = _fields(_get(root, "binaryData"))
        if name in ("", NAME) and namespace in ("", NAMESPACE):
            if self._aws_auth:
                self._miss(root, f"the {CONFIG_MAP} {NAME} stands here twice; merge the two")
            self._take_aws_auth(nodes, binary)
        elif not _KEYS.isdisjoint(key.lower() for key in (*nodes, *binary)):
            place = f"{namespace or 'default'}/{name}"
            self._miss(root, f"the server reads {NAMESPACE}/{NAME} only, and this is {place}")
        if name == NAME:
            return
        for key, node in nodes.items():
            if isinstance(node, Text) and key.lower() not in _KEYS:
                self._config_file(key, node)
        for key, node in binary.items():
            if key.endswith(_YAML):
                self._miss(node, f"{key}: {BINARY}")

    def _take_aws_auth(self, nodes: Mapping[str, Node], binary: Mapping[str, Node]) -> None:
        misplaced: dict[str, tuple[Node, str]] = {
            key: (node, f"a {CONFIG_MAP} holds text: write a | behind {key}:")
            for key, node in nodes.items()
            if key in SECTIONS and not isinstance(node, Text)
        }
        misplaced |= {key: (node, BINARY) for key, node in binary.items() if key in SECTIONS}
        texts = {key: node for key, node in nodes.items() if isinstance(node, Text)}
        self._aws_auth.append(AwsAuthData(texts, misplaced))

    def _config_file(self, key: str, node: Text) -> None:
        """Take a config file that a ConfigMap holds, to be mounted for the server."""
        try:
            first = read_first(node.value or "", first_line(node) or 1)
        except DocumentError as error:
            if key.endswith(_YAML):
                self._unread.append(DocumentError(f"{key}: {error.reason}", error.line))
            return
        if isinstance(first.node, Fields) and not _kind(first.node) and _is_lists(first.node):
            self._files.append(Lists(first.node, first.rest, node))

    def _miss(self, node: Node, reason: str) -> None:
        self._unread.append(DocumentError(reason, node.line, node.column))


def _holds_sections(root: Node) -> bool:
    """Whether the object has sections where a ConfigMap or a config file would have them."""
    holders = (root, *(_get(root, key) for key in ("data", "stringData", "binaryData", "spec")))
    return any(not _KEYS.isdisjoint(map(str.lower, _fields(holder))) for holder in holders)


def _kind(node: Node) -> str:
    return _text(_get(node, "kind"))


def _get(node: Node | None, key: str) -> Node | None:
    return node.values.get(key) if isinstance(node, Fields) else None


def _fields(node: Node | None) -> Mapping[str, Node]:
    return node.values if isinstance(node, Fields) else {}


def _text(node: Node | None) -> str:
    return (node.value or "") if isinstance(node, Text) else ""


@dataclass(frozen=True, slots=True)
class Witness(SectionReader):
    """A reader that keeps what it was given to read.

    Attributes:
        nodes: the sections as they were given, by name.
    """

    nodes: dict[str, Node] = field(default_factory=dict)

    def section(self, name: str, node: Node | None) -> Section:
        """Read one section, and keep its node."""
        if node is not None:
            self.nodes[name] = self.as_list(name, node)
        return SectionReader.section(self, name, node)


def broken_in(sections: Sequence[Section]) -> Iterator[DocumentError]:
    """Why sections cannot be read, one reason for each."""
    for section in sections:
        if section.broken:
            problem = section.problems[0]
            yield DocumentError(f"{section.name}: {problem.reason}", problem.origin.line)
