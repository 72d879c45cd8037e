"""The literals of HCL."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.editing.formats import hcl
from authenticator.mapping.nodes import DocumentError, Items, Node, Text

printable = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" \t\n"))
names = st.from_regex(r"[a-z_][a-z0-9_-]{0,8}", fullmatch=True)
values = st.recursive(
    printable,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=10,
)


def plain(node: Node) -> object:
    if isinstance(node, Text):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.values]
    return {key: plain(item) for key, item in node.values.items()}


@given(st.dictionaries(names, values, max_size=3))
def test_what_is_written_is_read_back(variables: dict[str, object]) -> None:
    text = "".join(f"{name} = {hcl.written(value)}\n" for name, value in variables.items())
    assert plain(hcl.read(text)) == variables


@given(st.text(st.sampled_from('ab = [{"$}]\\:,\n#/*-1.')))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(DocumentError):
        hcl.read(text)


READ = {
    "nothing": ("", {}),
    "comments": ("# a\n// b\n/* c\n d = 1 */ e = 2 # f", {"e": "2"}),
    "an account id keeps its zero": ('a = ["012345678901"]', {"a": ["012345678901"]}),
    "constants": ("a = true\nb = null\nc = -1.5e3", {"a": "true", "b": None, "c": "-1.5e3"}),
    "commas and lines": ("a = [\n1,\n\n2,\n]\n", {"a": ["1", "2"]}),
    "an object in one line": ('a = {b = 1, "c d" : 2}', {"a": {"b": "1", "c d": "2"}}),
    "escapes": (r'a = "\n\t\"\\\u0041\U0001F600"', {"a": '\n\t"\\A\U0001f600'}),
    "braces that are no template": ('a = "{{SessionName}}"', {"a": "{{SessionName}}"}),
    "a template that is escaped": ('a = "$${x} %%{y}"', {"a": "${x} %{y}"}),
}


@pytest.mark.parametrize(("text", "variables"), READ.values(), ids=READ)
def test_read(text: str, variables: dict[str, object]) -> None:
    assert plain(hcl.read(text)) == variables


REFUSED = {
    "a reference": ("a = 1\nb = [var.x]", 2),
    "a function": ('a = concat([], ["x"])', 1),
    "a template": ('a = [\n"arn:aws:iam::${local.id}:role/x",\n]', 2),
    "a template after a dollar": ('a = "$$${x}"', 1),
    "a directive": ('a = "%{if x}"', 1),
    "a heredoc": ("a = <<EOT\nx\nEOT", 1),
    "a block": ('module "eks" {\n}', 1),
    "a sum": ("a = 1 + 1", 1),
    "an open list": ("a = [1,\n2\n", 3),
    "an open text": ('a = "x', 1),
    "two in one line": ("a = 1 b = 2", 1),
    "a comma at the top": ("a = 1, b = 2", 1),
    "a colon at the top": ("a : 1", 1),
    "set twice": ("a = 1\na = 2", 2),
    "an unknown escape": (r'a = "\x41"', 1),
    "an escape beyond Unicode": (r'a = "\UFFFFFFFF"', 1),
    "too deep": (f"a = {'[' * 1000}{']' * 1000}", 1),
}


@pytest.mark.parametrize(("text", "line"), REFUSED.values(), ids=REFUSED)
def test_what_would_have_to_be_evaluated_is_refused_with_its_line(text: str, line: int) -> None:
    with pytest.raises(DocumentError) as caught:
        hcl.read(text)
    assert caught.value.line == line
