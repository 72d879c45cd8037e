"""Texts that are parsed once, however many ask what is in them."""

from __future__ import annotations

from functools import lru_cache

from authenticator.mapping.nodes import DocumentError, Node, read

# Three sections of a ConfigMap before and after an edit.
_KEPT = 6


class Parsed:
    """What a text holds, or why it cannot be read."""

    def __init__(self, text: str) -> None:
        """Parse a text."""
        self._tree: Node | None = None
        self._error: DocumentError | None = None
        try:
            self._tree = read(text)
        except DocumentError as error:
            self._error = error

    def tree(self) -> Node | None:
        """The tree of the text; None if it has no content.

        Raises:
            DocumentError: it does not parse.
        """
        if self._error:
            raise self._error
        return self._tree


@lru_cache(maxsize=_KEPT)
def parsed(text: str) -> Parsed:
    """What a text holds; the last few texts are remembered."""
    return Parsed(text)
