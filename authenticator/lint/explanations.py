"""The explanations of the rules: their sections of docs/lint.md, which the wheel has too."""

from __future__ import annotations

import re
from pathlib import Path

from authenticator.lint.rules import LintRule

# setup.py puts the page next to this module; in a checkout it is among the documents.
_PLACES = (
    Path(__file__).with_name("rules.md"),
    Path(__file__).parents[2] / "docs" / "lint.md",
)
_FENCE = re.compile(r"^```\w*\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")


def explanation(rule: LintRule) -> str:
    """Return what a rule finds and why, with an example of a fault and of its correction.

    Raises:
        OSError: the page is not installed.
    """
    page = next((place for place in _PLACES if place.exists()), _PLACES[0]).read_text("utf-8")
    section = page.partition(f"\n### {rule.id}\n")[2]
    section = re.split(r"^##", section, maxsplit=1, flags=re.MULTILINE)[0]
    text = _LINK.sub(r"\1", _FENCE.sub(lambda found: _indented(found[1]), section)).strip()
    return f"{rule.id} ({rule.severity.value}): {rule.title}\n\n{text}\n\n{rule.page}"


def _indented(block: str) -> str:
    return "".join(f"    {line}" if line.strip() else line for line in block.splitlines(True))
