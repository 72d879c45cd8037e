r"""Text from elsewhere, made safe to show on a terminal, in a log line or in an HTTP header.

A mapping, a token or an answer can hold anything: line breaks that forge log lines, sequences that
a terminal obeys, marks that reverse the order of letters. All of them become escapes as Python
writes them (`\n`, `\x1b`, `\u202e`), so that a reader sees that they are there.
"""

from __future__ import annotations

_ELLIPSIS = "..."


def printable(text: str, length: int | None = None) -> str:
    r"""Return `text` in one line, each character that is not printable as an escape.

    Not printable are control characters, line breaks, all spaces but U+0020, formatting marks such
    as bidirectional overrides, lone surrogates and unassigned characters (`str.isprintable`).

    Args:
        text: anything.
        length: the most characters to return, at least 3; what is cut off ends in "...".
    """
    if text.isprintable() and (length is None or len(text) <= length):
        return text
    if length is not None and len(text) > length:
        text = text[: length + 1]  # still too long, so that it is marked as cut
    shown = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
    if length is None or len(shown) <= length:
        return shown
    return shown[: length - len(_ELLIPSIS)] + _ELLIPSIS
