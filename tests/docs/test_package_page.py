"""What a package index shows of the distribution is true and works there."""

from __future__ import annotations

from importlib.metadata import metadata

import pytest
from markdown_it import MarkdownIt

from authenticator import REPOSITORY
from tests.docs.pages import ROOT

METADATA = metadata("kube-iam-authenticator")
PAGE = METADATA.get_payload()  # type: ignore[attr-defined]


def test_it_is_the_page_of_the_repository() -> None:
    assert PAGE.strip() == (ROOT / "docs" / "package.md").read_text().strip()
    assert METADATA["Description-Content-Type"] == "text/markdown"


def test_every_link_works_outside_the_repository() -> None:
    tokens = [child for token in MarkdownIt().parse(PAGE) for child in token.children or ()]
    links = [token.attrs["href"] for token in tokens if token.type == "link_open"]
    images = [token.attrs["src"] for token in tokens if token.type == "image"]
    assert links
    assert [link for link in (*links, *images) if not str(link).startswith("https://")] == []


def test_it_has_no_diagram() -> None:
    """Package indexes do not draw mermaid."""
    assert "mermaid" not in PAGE


def test_it_names_the_extras_that_there_are() -> None:
    for extra in ("admin", "server", "tracing"):
        assert extra in METADATA.get_all("Provides-Extra", [])
        assert f"| `{extra}` |" in PAGE


def test_the_command_names_the_same_repository() -> None:
    assert f"Repository, {REPOSITORY}" in METADATA.get_all("Project-URL", [])


@pytest.mark.parametrize("label", ["Repository", "Replaces"])
def test_project_urls(label: str) -> None:
    urls = dict(url.split(", ") for url in METADATA.get_all("Project-URL", []))
    assert urls[label].startswith("https://")


@pytest.mark.parametrize("page", ["README.md", "docs/install.md", "docs/client.md"])
def test_no_page_takes_an_unreleased_name_from_an_index(page: str) -> None:
    """`pip install kube-iam-authenticator` would install a stranger's package."""
    text = (ROOT / page).read_text()
    assert "pip install kube-iam-authenticator" not in text
    assert "pip install 'kube-iam-authenticator[server]'" not in text
