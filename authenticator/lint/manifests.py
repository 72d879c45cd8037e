"""Files of any kind that lint is given: mapping files, config files and Kubernetes manifests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from authenticator.display import printable
from authenticator.lint.documents import Context, Document, Frame, of_data, of_file, of_identity
from authenticator.lint.findings import Finding, Place
from authenticator.lint.rules import RULES
from authenticator.mapping.documents import decoded
from authenticator.mapping.nodes import (
    DocumentError,
    Fields,
    Items,
    Node,
    Text,
    from_value,
    read_all,
)
from authenticator.mapping.sections import SECTIONS

_SERVER = "server"
# YAML 1.1, "Line Break Characters": what the parser counts as lines.
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_KEYS = frozenset(name.lower() for name in SECTIONS)


def documents_of_file(content: bytes, name: str, context: Context) -> tuple[Document, ...]:
    """What a file holds: one document of mappings, or the objects of a manifest.

    Objects of other kinds than ConfigMap, IAMIdentityMapping and lists of them are passed over.
    """
    try:
        text = decoded(content)
        roots = read_all(text)
    except DocumentError:
        return (of_file(content, name, context),)
    if any(map(_kind, roots)):
        manifest = _Manifest(name, _LINE_BREAK.split(text), context)
        return tuple(document for root in roots for document in manifest.documents(root))
    under = _SERVER if roots and _get(roots[0], _SERVER) is not None else ""
    return (of_file(content, name, context, under),)


def documents_of_object(obj: Mapping[str, object], context: Context) -> tuple[Document, ...]:
    """What one object of an API server holds; it has no lines but those of its texts."""
    metadata = obj.get("metadata")
    given = metadata if isinstance(metadata, Mapping) else {}
    parts = (str(obj.get("kind", "")).lower(), given.get("namespace"), given.get("name"))
    name = "/".join(str(part) for part in parts if part)
    try:
        root = from_value(obj)
    except DocumentError as error:
        return (Document(name, (Finding(RULES["unreadable"], error.reason, Place(name)),)),)
    return tuple(_Manifest(name, [], context).documents(root))


class _Manifest:
    """A file with Kubernetes objects."""

    def __init__(self, name: str, lines: list[str], context: Context) -> None:
        self._name = name
        self._lines = lines
        self._context = context

    def documents(self, root: Node) -> Iterator[Document]:
        """What one object holds, or the objects of a list."""
        kind = _kind(root)
        if kind == "ConfigMap":
            yield self._config_map(root)
        elif kind == "IAMIdentityMapping":
            spec = _get(root, "spec") or Fields(root.line, column=root.column)
            resource = printable(_text(_get(_get(root, "metadata"), "name"))) or "unnamed"
            yield of_identity(spec, self._name, resource, self._context)
        elif kind.endswith("List"):
            items = _get(root, "items")
            for item in items.values if isinstance(items, Items) else ():
                yield from self.documents(item)

    def _config_map(self, root: Node) -> Document:
        data, lines, frames = {}, {}, {}
        findings: list[Finding] = []
        fields = _get(root, "data")
        for key, node in fields.values.items() if isinstance(fields, Fields) else ():
            if isinstance(node, Text):
                data[key] = node.value or ""
                frames[key.lower()] = frame = self._frame(node)
                lines[key] = node.line + 1 if node.line and not frame.fixed else 0
            elif key.lower() in _KEYS:
                message = f"a ConfigMap holds text: write a | behind {key}:"
                findings.append(self._unreadable(key, node, message))
        binary = _get(root, "binaryData")
        for key, node in binary.values.items() if isinstance(binary, Fields) else ():
            if key.lower() in _KEYS:
                message = "it stands under binaryData; save it as UTF-8 text under data"
                findings.append(self._unreadable(key, node, message))
        document = of_data(data, self._name, self._context, lines, frames)
        return replace(document, findings=(*document.findings, *findings))

    def _unreadable(self, key: str, node: Node, message: str) -> Finding:
        place = Place(self._name, key, line=node.line, column=node.column)
        return Finding(RULES["unreadable"], message, place)

    def _frame(self, node: Text) -> Frame:
        """Where the lines of a text are: those of a literal block are the file's own."""
        if not node.line:
            return Frame()
        header = self._lines[node.line - 1][node.column - 1 :]
        if not header.startswith("|"):
            return Frame(fixed=(node.line, node.column))
        written = _indent(self._lines[node.line :])
        return Frame(indent=max(0, written - _indent((node.value or "").split("\n"))))


def _indent(lines: Iterable[str]) -> int:
    """How many spaces the first line begins with that is not empty."""
    first = next((line for line in lines if line.strip()), "")
    return len(first) - len(first.lstrip(" "))


def _kind(node: Node) -> str:
    return _text(_get(node, "kind"))


def _get(node: Node | None, key: str) -> Node | None:
    """The value of a key: Kubernetes' own in their case, the config file's in any."""
    if not isinstance(node, Fields):
        return None
    return node.values.get(key) or next(
        (v for k, v in node.values.items() if key == _SERVER and k.lower() == key), None
    )


def _text(node: Node | None) -> str:
    return (node.value or "") if isinstance(node, Text) else ""
