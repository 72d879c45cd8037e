r"""Text from elsewhere, made safe to show on a terminal, in a log line or in an HTTP header.

A mapping, a token or an answer can hold anything: line breaks that forge log lines, sequences that
a terminal obeys, marks that reverse the order of letters. All of them become escapes as Python
writes them (`\n`, `\x1b`, `\u202e`), so that a reader sees that they are there.
"""

from __future__ import annotations

import re

_ELLIPSIS = "..."
# Letters and marks that draw nothing, though `str.isprintable` counts them as printable.
# Source: Unicode, `Default_Ignorable_Code_Point` of DerivedCoreProperties.txt, and U+2800.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)


def is_printable(text: str) -> bool:
    """Return whether each character of `text` is one that a reader sees, or U+0020."""
    return text.isprintable() and (text.isascii() or _BLANK.search(text) is None)


def printable(text: str, length: int | None = None) -> str:
    r"""Return `text` in one line, each character that is not printable as an escape.

    Not printable are control characters, line breaks, all spaces but U+0020, formatting marks such
    as bidirectional overrides, lone surrogates and unassigned characters (`str.isprintable`), and
    letters that draw nothing, such as U+3164.

    Args:
        text: anything.
        length: the most characters to return, at least 3; what is cut off ends in "...".
    """
    if is_printable(text) and (length is None or len(text) <= length):
        return text
    if length is not None and len(text) > length:
        text = text[: length + 1]  # still too long, so that it is marked as cut
    shown = "".join(
        character if is_printable(character) else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
    if length is None or len(shown) <= length:
        return shown
    return shown[: length - len(_ELLIPSIS)] + _ELLIPSIS


def printable_lines(text: str) -> str:
    """Return `text` with its line breaks, and each of its lines as `printable` has it."""
    return "\n".join(map(printable, text.split("\n")))
