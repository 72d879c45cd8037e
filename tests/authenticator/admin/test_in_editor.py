"""The form in which mappings are opened in an editor holds what is there, to the byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.admin.mappings.in_editor import _form
from authenticator.editing.edits import EditError

_TEXTS = st.one_of(
    st.text(max_size=40),
    st.text("- :#'\"|>\n\r\t[]{}&*!%@`a\ufeff\x85\u2028", max_size=40),
    st.sampled_from(["", "null", "~", "- a\n", "- a\r\n", "\n- a", "  - a\n - b\n", "a\n\n\n"]),
)


@given(st.dictionaries(st.sampled_from(["mapRoles", "mapUsers", "other"]), _TEXTS))
def test_the_texts_of_a_config_map_are_opened_as_they_are_or_not_at_all(
    texts: dict[str, str],
) -> None:
    try:
        form = _form("configmap", texts, None)
    except EditError:
        return
    assert form.read(form.text) == texts


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,9}", fullmatch=True),
        st.fixed_dictionaries(
            {"arn": _TEXTS, "username": _TEXTS}, optional={"groups": st.lists(_TEXTS, max_size=2)}
        ),
        max_size=3,
    )
)
def test_objects_are_opened_as_they_are_or_not_at_all(specs: dict[str, dict[str, object]]) -> None:
    texts = {
        name: json.dumps({"spec": spec}, indent=2, ensure_ascii=False) + "\n"
        for name, spec in specs.items()
    }
    try:
        form = _form("crd", texts, None)
    except EditError:
        return
    assert form.read(form.text) == texts


def test_objects_that_are_not_chosen_stay() -> None:
    texts = {name: f'{{\n  "spec": {{\n    "arn": "{name}"\n  }}\n}}\n' for name in ("a", "b")}
    form = _form("crd", texts, ["b"])
    assert "a:" not in form.text
    assert form.read(form.text.replace("arn: b", "arn: c")) == {
        "a": texts["a"],
        "b": texts["b"].replace('"b"', '"c"'),
    }


@pytest.mark.parametrize("value", ["x", "{{SessionName}}", "2031-01-31T18:00:00Z", "012", "é\n"])
def test_what_people_write_can_be_opened(value: str) -> None:
    text = json.dumps({"spec": {"username": value}}, indent=2, ensure_ascii=False) + "\n"
    form = _form("crd", {"a": text}, None)
    assert form.read(form.text) == {"a": text}
    data = {"mapRoles": f"- username: {value}\n  # a comment\n", "other": value}
    form = _form("configmap", data, None)
    assert form.read(form.text) == data


@pytest.mark.parametrize(
    ("source", "text", "reason"),
    [
        ("configmap", "mapRoles: []\n", r"line 1: write 'mapRoles: \|'"),
        ("configmap", "- a\n", "must be a map"),
        ("configmap", "a: x\na: y\n", "each key once"),
        ("crd", "- a\n", "map of the objects by name"),
        ("crd", "a\n", "map of the objects by name"),
        ("crd", "a: b\n", "a: write 'spec:'"),
        ("crd", "a: {spec: b}\n", "a: write 'spec:'"),
    ],
)
def test_a_text_of_another_form_is_refused(source: str, text: str, reason: str) -> None:
    with pytest.raises(EditError, match=reason):
        _form(source, {}, None).read(text)
