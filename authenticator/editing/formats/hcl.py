"""The literals of HCL, as a `terraform.tfvars` file has them: read and written.

Read are texts, numbers, booleans, null, lists and objects. Whatever Terraform would have to
evaluate is refused with its line, never guessed.

Source: HCL Native Syntax Specification (HashiCorp).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from authenticator.mapping.nodes import MAX_DEPTH, DocumentError, Fields, Items, Node, Text

_TOKEN = re.compile(
    r"""(?P<space>[ \t]+)
    |(?P<newline>\r?\n)
    |(?P<comment>(?:\#|//)[^\n]*|/\*.*?\*/)
    |(?P<text>"(?:[^"\\\r\n]|\\.)*")
    |(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![\w.])
    |(?P<word>[A-Za-z_][A-Za-z0-9_-]*)
    |(?P<sign>[=:,\[\]{}])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:([nrt\"\\])|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_LETTERS = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
# `$${` is a literal `${`; with any other number of `$` it is, or may be, a template.
_TEMPLATE = re.compile(r"([$%]+)\{")
_CONSTANTS = {"true": "true", "false": "false", "null": None}
_LITERALS_ONLY = (
    "only plain values can be read here, no variables, functions or templates; give the output of"
    " `terraform output -json` or `terraform console` instead"
)


class _Token(NamedTuple):
    kind: str  # "newline", "text", "number", "word", the sign itself, or "end"
    text: str
    line: int


def read(text: str) -> Fields:
    """The variables that a file sets.

    Raises:
        DocumentError: it holds something other than `NAME = LITERAL`.
    """
    return _Parser(list(_tokens(text))).body()


def written(value: object, indent: int = 0) -> str:
    """A text, or a list or dict of such, as HCL; the keys of a dict must be identifiers."""
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        items = [f"{inner}{key} = {written(item, indent + 2)}\n" for key, item in value.items()]
        return "{\n" + "".join(items) + " " * indent + "}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        items = [f"{inner}{written(item, indent + 2)},\n" for item in value]
        return "[\n" + "".join(items) + " " * indent + "]"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    # What JSON escapes in printable text, HCL escapes alike; these two begin a template.
    quoted = json.dumps(value, ensure_ascii=False)
    return quoted.replace("${", "\\u0024{").replace("%{", "\\u0025{")


def _tokens(text: str) -> Iterator[_Token]:
    place, line = 0, 1
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise DocumentError(_LITERALS_ONLY, line)
        kind, word = found.lastgroup or "", found.group()
        if kind not in ("space", "comment"):
            yield _Token(word if kind == "sign" else kind, word, line)
        line += word.count("\n")
        place = found.end()
    yield _Token("end", "", line)


class _Parser:
    """Recursive descent, as deep as `MAX_DEPTH`."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = tokens
        self._place = 0

    def body(self) -> Fields:
        """All that the file sets."""
        return self._pairs("end", ("=",), MAX_DEPTH)

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _take(self) -> _Token:
        token = self._next
        self._place += token.kind != "end"
        return token

    def _skip_lines(self) -> None:
        while self._next.kind == "newline":
            self._take()

    def _pairs(self, end: str, signs: tuple[str, ...], depth: int) -> Fields:
        found = Fields(self._next.line)
        self._skip_lines()
        while self._next.kind != end:
            key = self._take()
            if key.kind not in ("word", "text") or self._take().kind not in signs:
                raise DocumentError(f"NAME = VALUE is expected; {_LITERALS_ONLY}", key.line)
            name = _literal(key) if key.kind == "text" else key.text
            if name in found.values:
                raise DocumentError(f"{name} is set twice; keep one", key.line)
            found.values[name] = self._value(depth - 1)
            # A line ends a pair everywhere, and a comma in an object.
            if self._next.kind not in ("newline", end, "," if end == "}" else end):
                raise DocumentError(_LITERALS_ONLY, self._next.line)
            if self._next.kind == ",":
                self._take()
            self._skip_lines()
        self._take()
        return found

    def _value(self, depth: int) -> Node:
        token = self._take()
        if depth == 0:
            raise DocumentError(f"it is nested deeper than {MAX_DEPTH} levels", token.line)
        if token.kind == "text":
            return Text(token.line, _literal(token))
        if token.kind == "number":
            return Text(token.line, token.text)
        if token.kind == "word" and token.text in _CONSTANTS:
            return Text(token.line, _CONSTANTS[token.text])
        if token.kind == "[":
            return self._list(token.line, depth)
        if token.kind == "{":
            return self._pairs("}", ("=", ":"), depth)
        raise DocumentError(_LITERALS_ONLY, token.line)

    def _list(self, line: int, depth: int) -> Items:
        found = Items(line)
        self._skip_lines()
        while self._next.kind != "]":
            found.values.append(self._value(depth - 1))
            self._skip_lines()
            if self._next.kind not in (",", "]"):
                raise DocumentError(_LITERALS_ONLY, self._next.line)
            if self._next.kind == ",":
                self._take()
                self._skip_lines()
        self._take()
        return found


def _literal(token: _Token) -> str:
    """What a quoted text says."""

    def unescaped(found: re.Match[str]) -> str:
        letter, short, long, other = found.groups()
        if other or int(long or "0", 16) > 0x10FFFF:  # noqa: PLR2004 (the last code point)
            raise DocumentError(f"the escape {found.group()} is unknown", token.line)
        return _LETTERS[letter] if letter else chr(int(short or long, 16))

    inner = token.text[1:-1]
    for found in _TEMPLATE.finditer(inner):
        if len(found[1]) != 2 or found[1][0] != found[1][1]:  # noqa: PLR2004 (`$${`)
            raise DocumentError(_LITERALS_ONLY, token.line)
    plain = _TEMPLATE.sub(lambda found: f"{found[1][0]}{{", inner)
    return _ESCAPE.sub(unescaped, plain)
