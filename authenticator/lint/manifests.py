"""Files of any kind that lint is given: mapping files, config files and Kubernetes manifests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from authenticator.display import printable
from authenticator.lint.admission_webhook import KIND, anonymous_admission, webhooks
from authenticator.lint.documents import Context, Document, Frame, of_part, unreadable
from authenticator.lint.findings import Finding, Place
from authenticator.lint.rules import RULES
from authenticator.lint.sts_regions import sts_regions
from authenticator.mapping.documents import decoded
from authenticator.mapping.files import AwsAuthData, Held, Identity, Lists, Part, held, held_in
from authenticator.mapping.nodes import DocumentError, Text, from_value, read_all
from authenticator.mapping.sections import SECTIONS

# YAML 1.1, "Line Break Characters": what the parser counts as lines.
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


def documents_of_file(content: bytes, name: str, context: Context) -> tuple[Document, ...]:
    """What a file holds: one document of mappings, or the objects of a manifest."""
    try:
        text = decoded(content)
        found = held(text)
    except DocumentError as error:
        return (unreadable(name, error),)
    documents = tuple(_documents(found, name, context, _LINE_BREAK.split(text)))
    if KIND in text:
        asked = tuple(finding for root in read_all(text) for finding in webhooks(root, name))
        documents += (Document(name, asked),)
    if any(document.entries or document.findings for document in documents):
        return documents
    reason = (
        "no mapping is in it: neither an entry nor an object with entries; is it the right file?"
    )
    return (Document(name, (Finding(RULES["no-mappings"], reason, Place(name)),)),)


def documents_of_object(obj: Mapping[str, object], context: Context) -> tuple[Document, ...]:
    """What one object of an API server holds; it has no lines but those of its texts."""
    metadata = obj.get("metadata")
    given = metadata if isinstance(metadata, Mapping) else {}
    parts = (str(obj.get("kind", "")).lower(), given.get("namespace"), given.get("name"))
    name = "/".join(str(part) for part in parts if part)
    try:
        root = from_value(obj)
        found = held_in((root,))
    except DocumentError as error:
        return (unreadable(name, error),)
    return (*_documents(found, name, context, []), Document(name, tuple(webhooks(root, name))))


def _documents(found: Held, name: str, context: Context, lines: list[str]) -> Iterator[Document]:
    for part in found.parts:
        if isinstance(part, Identity):
            named = replace(part, name=printable(part.name) or "unnamed")
            yield of_part(named, name, context)
        else:
            frames = _frames(part, lines)
            yield of_part(part, name, context, frames)
            if isinstance(part, Lists):
                found_regions = sts_regions(part.fields, name, frames.get("", Frame()), context)
                yield Document(name, tuple(found_regions))
                frame = frames.get("", Frame())
                yield Document(name, tuple(anonymous_admission(part.fields, name, frame)))
    for error in found.unread:
        yield unreadable(name, error)


def _frames(part: Part, lines: list[str]) -> dict[str, Frame]:
    """Where the sections of a part stand in the file, by lower-case name."""
    if isinstance(part, AwsAuthData):
        return {key.lower(): _frame(node, lines) for key, node in part.data.items()}
    if isinstance(part, Lists) and part.inside is not None:
        return dict.fromkeys(("", *map(str.lower, SECTIONS)), _frame(part.inside, lines))
    return {}


def _frame(node: Text, lines: list[str]) -> Frame:
    """Where the lines of a text are: those of a literal block are the file's own."""
    if not node.line:
        return Frame()
    if node.style != "|":
        return Frame(fixed=(node.line, node.column))
    written = _indent(lines[node.line :])
    return Frame(indent=max(0, written - _indent((node.value or "").split("\n"))))


def _indent(lines: Iterable[str]) -> int:
    """How many spaces the first line begins with that is not empty."""
    first = next((line for line in lines if line.strip()), "")
    return len(first) - len(first.lstrip(" "))
