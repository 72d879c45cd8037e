"""The literals of HCL that are written."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.editing.formats import hcl

# HCL Native Syntax Specification, "Template Literals".
_ESCAPE = re.compile(r"\\(.)")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')

WRITTEN = {
    "a text": ("dev", '"dev"'),
    "escapes": ('\n\t"\\', r'"\n\t\"\\"'),
    "escapes of JSON only": ("\b\f\\b", r'"\u0008\u000c\\b"'),
    "a list of texts": (["a", "b"], '["a", "b"]'),
    "an empty list": ([], "[]"),
    "an object": ({"a": "b", "c": ["d"]}, '{\n  a = "b"\n  c = ["d"]\n}'),
    "a list of objects": ([{"a": "b"}], '[\n  {\n    a = "b"\n  },\n]'),
    "braces that are not a template": ("{{SessionName}}", '"{{SessionName}}"'),
    "a template": ("${x} %{y}", r'"\u0024{x} \u0025{y}"'),
    "a template after a dollar": ("$${x}", r'"$\u0024{x}"'),
}


@pytest.mark.parametrize(("value", "text"), WRITTEN.values(), ids=WRITTEN)
def test_written(value: object, text: str) -> None:
    assert hcl.written(value) == text


@given(st.lists(st.text() | st.text("${%}\\\"'\n")))
def test_every_text_is_one_literal_without_a_template(texts: list[str]) -> None:
    written = hcl.written(texts)
    assert set(_ESCAPE.findall(written)) <= set('nrt"\\u')
    assert [json.loads(literal) for literal in _STRING.findall(written)] == texts
    assert "${" not in written
    assert "%{" not in written
