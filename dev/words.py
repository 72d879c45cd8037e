"""Counts phrases that CONTRIBUTING.md asks to avoid: `python -m dev.words [FILE...]`.

With files, print each place. Without, print the rate of the whole project and the files with the
most phrases, and fail above `CEILING`. The text is that of comments, docstrings and string literals
in Python (literals of tests are data and do not count), names of tests, comments in other
languages, and Markdown without its code. Text in backquotes is a quotation and does not count.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

# Phrases per 10,000 words. Lower it when the rate has fallen; never raise it.
CEILING = 79.0

_PER = 10_000
_WORST_FILES = 12
_FOLDERS = ("authenticator", "client", "dev", "docs", "manifests", "tests")
# They quote every phrase.
_EXEMPT = frozenset({"dev/words.py", "tests/dev/test_words.py"})
_COMMENT_MARKS = {
    **dict.fromkeys((".css", ".go", ".js"), ("//", "/*", "*")),
    **dict.fromkeys((".sh", ".toml", ".yaml", ".yml"), ("#",)),
}

_PATTERNS = {
    "nobody, somebody, anybody": r"\b(?:no|some|any)body\b",
    "whoever": r"\bwhoever\b",
    "whom": r"\bwhom\b",
    "as good as": r"\bas good as\b",
    "hardly": r"\bhardly\b",
    "goes before": r"\b(?:go|goes|going|went) before\b",
    "lets fall": r"\b(?:let|lets|letting) (?:\w+ )?fall\b",
    "stands in": r"\b(?:stand|stands|stood|standing) in for\b|\bstands in\b",
    "beside, besides": r"\bbesides?\b",
    "lest": r"\blest\b",
    "for ... 's sake": r"\bfor [\w' ]{1,20}\bsake\b",
    "anew": r"\banew\b",
    "found out": r"\bfound out\b",
    "of ours": r"\bof (?:ours|theirs|yours)\b",
    "of its own": r"\bof (?:its|their|our|one's) own\b",
    "made up": r"\bmade[- ]up\b",
    "is no X": r"\b(?:is|are|was|were|be) no (?!longer\b|(?:more|less|later) than\b)[a-z`]",
}
_PHRASES = {
    name: re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE)
    for name, pattern in _PATTERNS.items()
}
# A sentence that begins so and is not a question.
_WHAT = "What ... as a subject"
_WHAT_WORD = re.compile(r"\bWhat\b")
_BEFORE_SENTENCE = re.compile(
    r"(?:\A|[.!?:|]['\")*]*\s|\n\s*\n|(?:\A|\n)\s*(?:[-*+#>]+|\d+\.)\s)[\s*\"]*\Z"
)
_SENTENCE_END = re.compile(r"[.?!](?:\s|\Z|[*)\"])|\n\s*\n|\Z")

_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_QUOTATION = re.compile(r"``[^`]*``|`[^`]*`")
_FENCED = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of prose.

    Attributes:
        line: the number of its first line in the file.
        prose: the text, line breaks kept.
    """

    line: int
    prose: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a phrase is.

    Attributes:
        line: the line's number.
        phrase: its name in the list of phrases.
        excerpt: the words around it.
    """

    line: int
    phrase: str
    excerpt: str


def texts(name: str, content: str) -> Iterator[Text]:
    """Yield the prose of a file.

    Args:
        name: the file's path, relative to the project.
        content: the file's content.
    """
    path = Path(name)
    if path.suffix == ".py":
        yield from _python(content, literals=path.parts[0] != "tests")
    elif path.suffix == ".md":
        yield Text(1, _FENCED.sub(_blank, content))
    else:
        yield from _comments(content, _COMMENT_MARKS.get(path.suffix, ()))


def places(text: Text) -> Iterator[Place]:
    """Yield each phrase in a piece of prose."""
    prose = _QUOTATION.sub(lambda quoted: "``" + "\n" * quoted[0].count("\n"), text.prose)
    found = [(it.start(), name) for name, at in _PHRASES.items() for it in at.finditer(prose)]
    found += [(it.start(), _WHAT) for it in _WHAT_WORD.finditer(prose) if _subject(prose, it)]
    for start, name in sorted(found):
        excerpt = " ".join(prose[max(0, start - 20) : start + 50].split())
        yield Place(text.line + prose.count("\n", 0, start), name, excerpt)


def words(text: Text) -> int:
    """Return the number of words in a piece of prose, quotations not counted."""
    return sum(1 for _ in _WORD.finditer(_QUOTATION.sub("", text.prose)))


def _subject(prose: str, what: re.Match[str]) -> bool:
    end = _SENTENCE_END.search(prose, what.end())
    question = end is not None and end[0].startswith("?")
    return not question and _BEFORE_SENTENCE.search(prose, 0, what.start()) is not None


def _python(content: str, *, literals: bool) -> Iterator[Text]:
    yield from _python_comments(content)
    docstrings: set[ast.AST] = set()
    parts: set[ast.AST] = set()
    for node in ast.walk(ast.parse(content)):  # parents first
        if isinstance(node, ast.Expr):
            docstrings.add(node.value)
        if isinstance(node, ast.JoinedStr):
            parts.update(node.values)
            if literals:
                yield Text(node.lineno, "".join(map(_part, node.values)))
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield Text(node.lineno, node.name.replace("_", " "))
        elif (
            node not in parts
            and isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            # One word is an identifier rather than prose.
            and (node in docstrings or (literals and " " in node.value))
        ):
            yield Text(node.lineno, node.value)


def _part(node: ast.expr) -> str:
    """Return a part of an f-string; an expression is a quotation."""
    return str(node.value) if isinstance(node, ast.Constant) else "``"


def _python_comments(content: str) -> Iterator[Text]:
    """Yield comments, those of consecutive lines as one text."""
    block: list[str] = []
    last = column = 0
    for token in tokenize.generate_tokens(io.StringIO(content).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, at = token.start
        if block and (line, at) != (last + 1, column):
            yield Text(last - len(block) + 1, "\n".join(block))
            block = []
        block.append(token.string.lstrip("#!").strip())
        last, column = line, at
    if block:
        yield Text(last - len(block) + 1, "\n".join(block))


def _comments(content: str, marks: tuple[str, ...]) -> Iterator[Text]:
    """Yield the comments that have lines of their own, those of consecutive lines as one text."""
    block: list[str] = []
    for number, line in enumerate([*content.splitlines(), ""], 1):
        text = line.strip()
        if mark := next((mark for mark in marks if text.startswith(mark)), None):
            block.append(text.removeprefix(mark).strip(" */"))
        elif block:
            yield Text(number - len(block), "\n".join(block))
            block = []


def _blank(match: re.Match[str]) -> str:
    return "\n" * match[0].count("\n")


def files(root: Path = ROOT) -> Iterator[str]:
    """Yield the paths, relative to the project, of the files that count."""
    suffixes = {".md", ".py", *_COMMENT_MARKS}
    for path in sorted(
        [*root.glob("*.*"), *(p for f in _FOLDERS for p in (root / f).rglob("*.*"))]
    ):
        name = path.relative_to(root).as_posix()
        if path.suffix in suffixes and path.is_file() and name not in _EXEMPT:
            yield name


def main(arguments: list[str]) -> None:
    """Print places, or the rate and the worst files; exit with 1 above the ceiling."""
    if arguments:
        for name in arguments:
            for line in _listed(name, Path(name).read_text("utf-8")):
                print(line)
        return
    total = 0
    phrases: Counter[str] = Counter()
    worst: Counter[str] = Counter()
    for name in files():
        for text in texts(name, (ROOT / name).read_text("utf-8")):
            total += words(text)
            for place in places(text):
                phrases[place.phrase] += 1
                worst[name] += 1
    sys.exit(_verdict(total, phrases, worst))


def _listed(name: str, content: str) -> Iterable[str]:
    for text in texts(name, content):
        for place in places(text):
            yield f"{name}:{place.line}: {place.phrase}: {place.excerpt}"


def _verdict(total: int, phrases: Counter[str], worst: Counter[str]) -> int:
    rate = phrases.total() * _PER / max(total, 1)
    print(f"{phrases.total()} phrases to avoid in {total} words: {rate:.2f} per {_PER:,}.")
    if rate <= CEILING:
        if rate <= CEILING - 1:
            print(f"The ceiling is {CEILING}: lower CEILING in dev/words.py.")
        return 0
    print(f"The ceiling is {CEILING} (dev/words.py). See 'Words' in CONTRIBUTING.md.", end="\n\n")
    for name, count in phrases.most_common():
        print(f"{count:6} {name}")
    print("\nMost are in:")
    for name, count in worst.most_common(_WORST_FILES):
        print(f"{count:6} {name}")
    print("\nShow the places: .venv/bin/python -m dev.words FILE...")
    return 1


if __name__ == "__main__":
    main(sys.argv[1:])
