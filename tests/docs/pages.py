"""The project's Markdown as data: pages, their headings and links, and their fenced blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"(?P<indent> *)```(?P<info>[^`]*)")
_HEADING = re.compile(r"(?P<marks>#{1,6}) +(?P<title>.+?) *")
_LINK = re.compile(r"(?<!!)\[(?:[^\]\[]|\[[^\]]*\])*\]\((?P<target>[^)\s]+)\)")
_CODE_SPAN = re.compile(r"(`+)(?!`)(?P<code>.+?)(?<!`)\1(?!`)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        page: its page, from the project's top.
        line: where its fence is.
        sections: the headings that it is under, the page's own first.
        language: the first word of the fence, "" if there is none.
        words: the other words of the fence.
        text: what is between the fences.
    """

    page: str
    line: int
    sections: tuple[str, ...]
    language: str
    words: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its prose is its text without the fenced blocks.

    Attributes:
        path: from the project's top.
        prose: the lines outside of blocks; a line within one is empty here.
        blocks: the fenced blocks.
        headings: the titles, as they are written.
    """

    path: str
    prose: tuple[str, ...]
    blocks: tuple[Block, ...]
    headings: tuple[str, ...]

    @property
    def links(self) -> list[tuple[int, str]]:
        """The targets of all links, each with its line."""
        return [
            (number, found["target"])
            for number, line in enumerate(self.prose, 1)
            for found in _LINK.finditer(_CODE_SPAN.sub("`code`", line))
        ]

    @property
    def code_spans(self) -> list[tuple[int, str]]:
        """What stands between backticks in the prose, each with its line."""
        return [
            (number, found["code"].strip())
            for number, line in enumerate(self.prose, 1)
            for found in _CODE_SPAN.finditer(line)
        ]

    @property
    def anchors(self) -> frozenset[str]:
        """What a link may name behind `#`, as GitHub makes it of the headings."""
        made: list[str] = []
        for heading in self.headings:
            slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            again = sum(one == slug for one in made)
            made.append(f"{slug}-{again}" if again else slug)
        return frozenset(made)


def read(path: Path) -> Page:
    """Take a page apart. Raises ValueError for a block without an end."""
    name, lines = str(path.relative_to(ROOT)), path.read_text().splitlines()
    prose = list(lines)
    blocks: list[Block] = []
    headings: list[tuple[int, str]] = []
    at = 0
    while at < len(lines):
        if fence := _FENCE.fullmatch(lines[at]):
            end = lines.index(f"{fence['indent']}```", at + 1)
            language, *words = fence["info"].split() or [""]
            text = "".join(
                f"{line.removeprefix(fence['indent'])}\n" for line in lines[at + 1 : end]
            )
            under = _sections(headings)
            blocks.append(Block(name, at + 1, under, language, tuple(words), text))
            prose[at : end + 1] = [""] * (end + 1 - at)
            at = end
        elif heading := _HEADING.fullmatch(lines[at]):
            headings.append((len(heading["marks"]), heading["title"]))
        at += 1
    return Page(name, tuple(prose), tuple(blocks), tuple(title for _, title in headings))


def pages() -> list[Page]:
    """Every page of the project."""
    top = sorted(ROOT.glob("*.md"))
    return [read(path) for path in [*top, *sorted((ROOT / "docs").rglob("*.md"))]]


def _sections(headings: list[tuple[int, str]]) -> tuple[str, ...]:
    """The headings in force after `headings`, from the page's title down."""
    path: list[tuple[int, str]] = []
    for level, title in headings:
        path = [*(one for one in path if one[0] < level), (level, title)]
    return tuple(title for _, title in path)
