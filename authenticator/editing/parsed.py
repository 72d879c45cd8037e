"""Texts that are parsed once, however many ask what is in them."""

from __future__ import annotations

from functools import lru_cache

from authenticator.mapping.nodes import DocumentError, First, Node, read_first

# Three sections of a ConfigMap before and after an edit.
_KEPT = 6


def tree(text: str) -> Node | None:
    """The tree of a text's first document; None if it has no content.

    Raises:
        DocumentError: the text does not parse.
    """
    return parse(text).node


def parse(text: str, first_line: int = 1) -> First:
    """Parse a text as `authenticator.mapping.nodes.read_first` does; the last few are remembered.

    The parser's events are kept: an edit asks where its values stand (`places.Layout`).

    Raises:
        DocumentError: the text does not parse.
    """
    found = _parsed(text, first_line)
    if isinstance(found, DocumentError):
        raise found
    return found


@lru_cache(maxsize=_KEPT)
def _parsed(text: str, first_line: int) -> First | DocumentError:
    try:
        return read_first(text, first_line, keep_events=True)
    except DocumentError as error:
        return error
