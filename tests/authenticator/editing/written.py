"""aws-auth documents as people write them, in pieces, so that a test knows what belongs to what."""

from __future__ import annotations

import json
from dataclasses import dataclass

from hypothesis import strategies as st

_COMMENTS = st.sampled_from(["# team: a", "#", "# - rolearn: old", "# it's [not] {this}: &x *y"])
_NAMES = st.text("abAB09-_.:/@ é𝄞#'\"{}[]&*,", min_size=1, max_size=5).map(str.strip).filter(bool)
_KEYS = ("rolearn", "username", "groups", "userid", "Unknown-Key", "note")


def _scalars(text: str) -> st.SearchStrategy[str]:
    """The ways to write a text."""
    ways = [json.dumps(text, ensure_ascii=False), "'" + text.replace("'", "''") + "'"]
    if text.replace("-", "").isalnum() and text.isascii() and text[0].isalpha():
        ways.append(text)
    return st.sampled_from(ways)


@dataclass(frozen=True)
class Entry:
    """One entry as it stands: the comments above it, its lines, and what they say."""

    above: str
    lines: str
    fields: dict[str, str | list[str]]

    @property
    def text(self) -> str:
        return self.above + self.lines


@dataclass(frozen=True)
class Document:
    """A document: what stands before the entries, the entries, and what stands after them."""

    head: str
    entries: tuple[Entry, ...]
    tail: str

    @property
    def text(self) -> str:
        return self.head + "".join(entry.text for entry in self.entries) + self.tail


@st.composite
def _values(draw: st.DrawFn, key: str) -> str | list[str]:
    if key == "groups":
        return draw(st.lists(_NAMES, max_size=3, unique=True))
    return draw(_NAMES) + ("\n" if key == "note" else "")


@st.composite
def _field(draw: st.DrawFn, key: str, value: str | list[str], indent: str) -> str:
    end = draw(st.sampled_from(["", "", "  # why", " #"]))
    if isinstance(value, str):
        if value.endswith("\n"):
            return f"{key}: |{end}\n{indent}    {value}"
        return f"{key}: {draw(_scalars(value))}{end}\n"
    items = [draw(_scalars(item)) for item in value]
    if not items or draw(st.booleans()):
        return f"{key}: [{', '.join(items)}]{end}\n"
    offset = draw(st.sampled_from(["", "  "]))
    return f"{key}:{end}\n" + "".join(f"{indent}{offset}- {item}\n" for item in items)


@st.composite
def _entry(draw: st.DrawFn, number: int, margin: str, *, first: bool) -> Entry:
    keys = draw(st.permutations(_KEYS))[: draw(st.integers(1, len(_KEYS)))]
    fields = {key: draw(_values(key)) for key in ["rolearn", *(k for k in keys if k != "rolearn")]}
    fields["rolearn"] = f"arn:aws:iam::111122223333:role/r{number}"
    above = ""
    if not first and draw(st.booleans()):
        above = "".join(f"{margin}{draw(_COMMENTS)}\n" for _ in range(draw(st.integers(1, 2))))
    if draw(st.integers(0, 4)) == 0:
        flow = ", ".join(
            f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()
        )
        return Entry(above, f"{margin}- {{{flow}}}\n", fields)
    gap = draw(st.sampled_from([" ", "   "]))
    indent = margin + " " + gap
    lines = [draw(_field(key, value, indent)) for key, value in fields.items()]
    text = f"{margin}-{gap}{lines[0]}" + "".join(f"{indent}{line}" for line in lines[1:])
    if draw(st.integers(0, 4)) == 0:
        text += f"{indent}# - below\n"
    return Entry(above, text, fields)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Documents with block lists; line breaks and the last one are as they may be."""
    margin = draw(st.sampled_from(["", "  "]))
    head = draw(st.sampled_from(["", "---\n", "# head\n", "# head\n\n", "--- # x\n# y\n"]))
    entries = [
        draw(_entry(number, margin, first=number == 0)) for number in range(draw(st.integers(1, 3)))
    ]
    tail = draw(st.sampled_from(["", "\n", f"{margin}# tail\n", "\n# tail"]))
    return Document(head, tuple(entries), tail)
