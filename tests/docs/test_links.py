"""No link of the documents is dead, and every page can be found from the first one."""

from __future__ import annotations

import functools
import re
from urllib.parse import urlsplit

import pytest

from tests.docs.pages import ROOT, Page, pages

PAGES = {page.path: page for page in pages()}
_HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.ASCII)

every_page = pytest.mark.parametrize("page", PAGES.values(), ids=lambda page: page.path)


def target_of(page: Page, link: str) -> str:
    """The file that a link names, from the project's top."""
    path = (
        (ROOT / page.path).parent / link.partition("#")[0] if link[0] != "#" else ROOT / page.path
    )
    return str(path.resolve().relative_to(ROOT))


def problem_of(page: Page, link: str) -> str:
    """What is wrong with a link, "" if nothing."""
    if "://" in link:
        parts = urlsplit(link)
        sound = parts.scheme == "https" and _HOST.fullmatch(parts.hostname or "")
        return "" if sound else "it is no https:// address"
    target = target_of(page, link)
    if not (ROOT / target).exists():
        return f"there is no {target}"
    anchor = link.partition("#")[2]
    if anchor and anchor not in PAGES[target].anchors:
        return f"{target} has no heading for #{anchor}"
    return ""


@every_page
def test_links_lead_somewhere(page: Page) -> None:
    found = [(line, link, problem_of(page, link)) for line, link in page.links]
    assert [f"line {line}: {link}: {why}" for line, link, why in found if why] == []


@every_page
def test_no_two_headings_have_one_anchor(page: Page) -> None:
    assert len(page.anchors) == len(page.headings)


@functools.cache
def reachable() -> frozenset[str]:
    """The pages that can be reached by links from the project's README."""
    found, waiting = {"README.md"}, ["README.md"]
    while waiting:
        page = PAGES[waiting.pop()]
        targets = {target_of(page, link) for _, link in page.links if "://" not in link}
        new = (targets & PAGES.keys()) - found
        found |= new
        waiting += new
    return frozenset(found)


@every_page
def test_a_reader_can_find_it(page: Page) -> None:
    assert page.path in reachable()


def test_the_index_has_every_page() -> None:
    index = PAGES["docs/README.md"]
    named = {target_of(index, link) for _, link in index.links}
    assert {path for path in PAGES if path.startswith("docs/")} - named == {index.path}
