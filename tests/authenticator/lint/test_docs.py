"""docs/lint.md explains every rule, and its examples are what it says of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from authenticator.lint import RULES, Context, Severity, lint_file
from authenticator.mapping.guards import Guard

PAGE = Path(__file__).parents[3] / "docs" / "lint.md"
_HEADING = re.compile(r"^(##+) (.+)$", re.MULTILINE)
_EXAMPLE = re.compile(r"^(Bad|Good):\n\n```yaml\n(.*?)```$", re.MULTILINE | re.DOTALL)

# 2029-12-31T00:00:00Z.
NOW = 1893369600.0
CONTEXTS = {
    "reserved-name": Context(NOW, guard=Guard(username_prefixes=("aws:",))),
    "missing-userid": Context(NOW, by_user_id=True),
    "missing-sts-region": Context(NOW, client_regions=("eu-central-1",)),
    "near-miss-known": Context(NOW, ("arn:aws:iam::111122223333:role/Admin",)),
}


def chapters() -> dict[str, tuple[str, str]]:
    """For each rule's heading, the chapter that it is in and the text below it."""
    pieces = _HEADING.split(PAGE.read_text("utf-8"))[1:]
    found: dict[str, tuple[str, str]] = {}
    chapter = ""
    for level, title, text in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True):
        if level == "##":
            chapter = title
        else:
            found[title] = chapter, text
    return found


def test_the_page_has_the_rules_in_their_order_and_nothing_else() -> None:
    assert list(chapters()) == list(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_stands_in_the_chapter_of_its_severity(rule: str) -> None:
    chapter, _ = chapters()[rule]
    assert chapter.split(":")[0] == f"{RULES[rule].severity.value.title()}s"


@pytest.mark.parametrize("rule", RULES)
def test_examples(rule: str) -> None:
    (_, bad), (_, good) = examples = _EXAMPLE.findall(chapters()[rule][1])
    assert [kind for kind, _ in examples] == ["Bad", "Good"]
    context = CONTEXTS.get(rule, Context(NOW))
    found = lint_file(bad.encode(), "bad.yaml", context)
    assert rule in {finding.rule.id for finding in found}
    if RULES[rule].severity is not Severity.ERROR:
        assert not [str(finding) for finding in found if finding.severity is Severity.ERROR]
    assert not [str(finding) for finding in lint_file(good.encode(), "good.yaml", context)]
