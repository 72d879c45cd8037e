"""YAML as a tree of texts: what is kept as written, and what is refused with its line."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.mapping import nodes
from authenticator.mapping.nodes import (
    MAX_BYTES,
    DocumentError,
    Fields,
    Items,
    Node,
    Text,
    read,
    read_all,
)

BILLION_LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
MANY_ALIASES = "- &big [" + "x," * 20_000 + "]\n" + "- *big\n" * 100

REFUSED = {
    "tab as indentation": ("a:\n\t- b", 2, "cannot start any token"),
    "unclosed list": ("a: [1,\n 2", 3, "flow sequence (from line 1)"),
    "billion laughs": (BILLION_LAUGHS, 6, "aliases included"),
    "one large list repeated": (MANY_ALIASES, 1, "aliases included"),
    "an alias of itself": ("a: &a [*a]", 1, "names nothing before it"),
    "unknown alias": ("a: *b", 1, "names nothing before it"),
    "deep lists": ("[" * 100_000, 1, "nested deeper"),
    "deep dashes": ("- " * 100_000, 1, "nested deeper"),
    "python object": ("a: !!python/object/apply:os.system [x]", 1, "tags are not supported"),
    "own tag": ("a: !secret x", 1, "tags are not supported"),
    "a list as a key": ("? [a]\n: b", 1, "a key must be"),
    "control character": ("a: b\nc: \x00", 2, "does not allow"),
    "lone surrogate": ("a: \ud800", 0, "UTF-8"),
    "merge of a text": ("a:\n  <<: b", 2, "<< needs a map"),
    "too large": ("#" * (MAX_BYTES + 1), 0, "larger than"),
}


def plain(node: Node | None) -> object:
    """The tree as plain Python values, for comparison."""
    if isinstance(node, Items):
        return [plain(item) for item in node.values]
    if isinstance(node, Fields):
        return {key: plain(value) for key, value in node.values.items()}
    return node.value if node else None


@pytest.mark.parametrize(("text", "line", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(DocumentError) as refusal:
        read(text)
    assert reason in refusal.value.reason
    assert refusal.value.line == line


@pytest.mark.parametrize(
    "written", ["012345678901", "111122223333", "0o17", "1_000", "1e3", "yes", "2030-01-01", "0x1f"]
)
def test_scalars_stay_as_written(written: str) -> None:
    assert plain(read(f"a: {written}")) == {"a": written}


@pytest.mark.parametrize("null", ["", "~", "null", "NULL"])
def test_plain_null_is_none_and_quoted_null_is_text(null: str) -> None:
    assert plain(read(f"a: {null}")) == {"a": None}
    assert plain(read(f"a: '{null}'")) == {"a": null}


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_no_content(text: str) -> None:
    assert plain(read(text)) is None


def test_lines_are_counted_from_one() -> None:
    node = read("a:\n  - b\n  - c: d\n")
    assert isinstance(node, Fields)
    items = node.values["a"]
    assert isinstance(items, Items)
    assert [item.line for item in items.values] == [2, 3]


def test_columns_are_counted_from_one() -> None:
    node = read('a:\n  - "b"\n  - c: d\n')
    assert isinstance(node, Fields)
    items = node.values["a"]
    assert isinstance(items, Items)
    assert [(item.line, item.column) for item in items.values] == [(2, 5), (3, 5)]
    assert (node.column, items.column) == (1, 3)


def test_lines_of_a_text_in_a_larger_one() -> None:
    node = read("a:\n- b\n", first_line=10)
    assert isinstance(node, Fields)
    assert [node.line, node.values["a"].line] == [10, 11]
    with pytest.raises(DocumentError) as refusal:
        read("a:\n- [\n", first_line=10)
    assert (refusal.value.line, refusal.value.column) == (12, 1)


def test_a_stream_of_documents() -> None:
    assert [plain(node) for node in read_all("a: 1\n---\n---\n- b\n...\n")] == [
        {"a": "1"},
        None,
        ["b"],
    ]
    assert read_all("# nothing\n") == ()


def test_anchors_end_with_their_document() -> None:
    with pytest.raises(DocumentError, match=r"line 3: the alias \*x names nothing before it"):
        read_all("a: &x 1\n---\na: *x\n")


def test_the_bound_on_values_is_one_for_all_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authenticator.mapping.nodes.MAX_NODES", 10)
    documents = "- a\n---\n" * 4
    assert len(read_all(documents)) == 5
    with pytest.raises(DocumentError, match="more than 10 values"):
        read_all(documents * 2)


def test_a_repeated_key_is_remembered_with_its_line() -> None:
    node = read("a: 1\nb: 2\na: 3\n")
    assert isinstance(node, Fields)
    assert node.repeated == {"a": 3}


def test_aliases_and_merge_keys_of_hand_written_files_work() -> None:
    text = "base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\nlist: [*b, *b]\n"
    assert plain(read(text)) == {
        "base": {"x": "1", "y": "2"},
        "one": {"x": "1", "y": "3"},
        "list": [{"x": "1", "y": "2"}, {"x": "1", "y": "2"}],
    }


def test_own_keys_are_not_copied_for_each_merged_map() -> None:
    class Watched(Fields):
        copies = 0

        def __setattr__(self, name: str, value: object) -> None:
            Watched.copies += name == "values"
            super().__setattr__(name, value)

    fields = Watched(1, {"own": Text(1, "x")})
    fields.add(Text(1, "<<"))
    fields.add(Items(1, [Fields(1, {"a": Text(1, "first"), "own": Text(1, "merged")})] * 1000))
    fields.add(Text(1, "<<"))
    fields.add(Fields(1, {"a": Text(1, "second")}))
    fields.merge()
    assert plain(fields) == {"a": "first", "own": "x"}
    assert Watched.copies == 2  # when it is made, and when it is merged


def test_a_stream_is_read_with_one_look_at_each_document(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []

    class Roots(list[Node]):
        def __iter__(self) -> Iterator[Node]:
            looks.append(len(self))
            return super().__iter__()

    class Builder(nodes._Builder):
        def __init__(self, first_line: int) -> None:
            super().__init__(first_line)
            self.roots = Roots()

    monkeypatch.setattr(nodes, "_Builder", Builder)
    assert len(read_all("a\n---\n" * 100)) == 101
    assert len(looks) <= 1


_json = st.recursive(
    st.none() | st.text(st.characters(codec="ascii", min_codepoint=32), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "mapRoles"]), inner, max_size=3)
    ),
    max_leaves=20,
)


@given(_json, st.sampled_from([None, 1, "\t"]))
def test_json_is_read_as_json(value: object, indent: int | str | None) -> None:
    assert plain(read(json.dumps(value, indent=indent))) == value


@given(st.text() | st.text(st.sampled_from("[]{}:,-&*a'\"|>!?#\n\t ")))
def test_any_text_is_a_tree_or_a_document_error(text: str) -> None:
    try:
        node = read(text)
    except DocumentError:
        return
    assert node is None or isinstance(node, (Text, Items, Fields))
