"""The page as text: what holds before a browser reads it."""

from __future__ import annotations

import base64
import hashlib
import json
import re

from hypothesis import given
from hypothesis import strategies as st

from authenticator.access.document import document
from authenticator.access.page import page
from tests.authenticator.access.clusters import mapped, report, sections

_ELEMENT = re.compile(r"<(script|style)([^>]*)>(.*?)</\1>", re.DOTALL)
_HOSTILE = st.text() | st.sampled_from(
    ["</script>", "<!--<script>", "]]>", "[[script]]", "[[data]]", "&lt;", "\u2028", "\ud800"]
)


def rendered(cluster: str) -> str:
    made = report([], sections([mapped("Dev", "dev")]))
    return page(document(made, cluster=cluster, now=0))


@given(_HOSTILE)
def test_no_name_leaves_the_data(name: str) -> None:
    elements = _ELEMENT.findall(rendered(name))
    assert [tag for tag, _, _ in elements] == ["style", "script", "script"]
    _, attributes, text = elements[1]
    assert "application/json" in attributes
    assert json.loads(text)["cluster"] == name
    assert "<" not in text


def test_the_policy_allows_what_is_in_the_page_and_nothing_else() -> None:
    whole = rendered("c")
    found = re.search(r'Content-Security-Policy" content="([^"]*)"', whole)
    assert found
    policy = dict(part.split(" ", 1) for part in found[1].split("; "))
    style, _, script = (text for _, _, text in _ELEMENT.findall(whole))

    def only(text: str) -> str:
        digest = hashlib.sha256(text.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"

    assert policy == {
        "default-src": "'none'",
        "style-src": only(style),
        "script-src": only(script),
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


def test_the_page_names_no_other_place() -> None:
    whole = rendered("c")
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", whole)
    # No handlers in attributes either: the policy would refuse them without a word.
    assert not re.search(r"<[^>]*\son[a-z]+=", whole)
