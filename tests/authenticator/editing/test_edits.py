"""One entry is edited, and nothing beside it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authenticator.editing.changes import Change
from authenticator.editing.edits import EditError, edited
from authenticator.editing.entry import Value
from authenticator.editing.writing import Item
from tests.authenticator.editing.written import Document, Entry, documents
from tests.examples import examples

NEW = {
    "rolearn": "arn:aws:iam::111122223333:role/New",
    "username": "new:{{SessionName}}",
    "groups": ["dev", "system:masters"],
}
# Documents are drawn in many small steps.
SLOWLY = settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
LINE_BREAKS = st.sampled_from(["\n", "\r\n"])
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "username": st.sampled_from(["no", "{{SessionName}}", "a # b", "é: 𝄞", "012345678901"]),
        "groups": st.lists(st.sampled_from(["a", "b", "system:masters", "[x"]), unique=True),
        "userid": st.none() | st.just("AIDAEXAMPLE"),
        "unknown-key": st.none(),
    },
)


def append(text: str, path: Sequence[str], items: Sequence[Item]) -> str:
    return edited(text, [Change(path, additions=items)])


def remove(text: str, path: Sequence[str], indexes: Collection[int]) -> str:
    return edited(text, [Change(path, removals=frozenset(indexes))])


def update(text: str, path: Sequence[str], index: int, fields: Mapping[str, Value | None]) -> str:
    return edited(text, [Change(path, updates={index: fields})])


def loaded(text: str) -> Any:
    """What another reader of YAML sees, with every scalar as a text."""
    return yaml.load(text, Loader=yaml.CBaseLoader)


def first(text: str) -> Any:
    """What another reader sees in the first document of a text."""
    loader = yaml.CBaseLoader(text)
    return loader.get_data() if loader.check_data() else None


def broken(text: str, line_break: str) -> str:
    return text.replace("\n", line_break)


class TestWhateverTheDocument:
    @SLOWLY
    @given(documents(), LINE_BREAKS)
    def test_an_entry_is_added_after_the_others(self, document: Document, line_break: str) -> None:
        text = broken(document.text, line_break)
        result = append(text, (), [NEW])
        end = len(text) - len(broken(document.tail, line_break))
        assert result[:end] == text[:end]
        assert result.endswith(text[end:])
        assert loaded(result) == [*loaded(text), NEW]
        assert result.count("\n") == result.count(line_break)

    @SLOWLY
    @given(documents(), LINE_BREAKS, st.data())
    def test_an_entry_is_removed_with_its_own_comments(
        self, document: Document, line_break: str, data: st.DataObject
    ) -> None:
        entries = list(document.entries)
        index = data.draw(st.integers(0, len(entries) - 1))
        result = remove(broken(document.text, line_break), (), [index])
        del entries[index]
        # What stands above the entry that is first now stays above it.
        wanted = Document(document.head, tuple(entries), document.tail).text
        assert result == broken(wanted, line_break)

    @SLOWLY
    @given(documents(), LINE_BREAKS, CHANGES, st.data())
    def test_an_entry_is_changed_and_all_others_stay(
        self,
        document: Document,
        line_break: str,
        changes: dict[str, Any],
        data: st.DataObject,
    ) -> None:
        index = data.draw(st.integers(0, len(document.entries) - 1))
        text = broken(document.text, line_break)
        result = update(text, (), index, changes)
        before, after = document.entries[:index], document.entries[index + 1 :]
        head = Document(document.head, before, document.entries[index].above).text
        tail = Document("", after, document.tail).text
        assert result.startswith(broken(head, line_break))
        assert result.endswith(broken(tail, line_break))
        assert loaded(result) == [
            *(entry.fields for entry in before),
            changed(document.entries[index], changes),
            *(entry.fields for entry in after),
        ]

    @SLOWLY
    @given(documents(), CHANGES, st.data())
    def test_the_comments_of_a_changed_entry_stay(
        self, document: Document, changes: dict[str, Any], data: st.DataObject
    ) -> None:
        index = data.draw(st.integers(0, len(document.entries) - 1))
        changes = {key: value for key, value in changes.items() if key == "userid" and value}
        result = update(document.text, (), index, changes)
        for line in document.text.splitlines():
            assert line in result.splitlines() or "userid" in line or line.endswith("}")

    @SLOWLY
    @given(documents(), st.data())
    def test_several_are_removed_as_one_by_one(
        self, document: Document, data: st.DataObject
    ) -> None:
        indexes = data.draw(st.sets(st.integers(0, len(document.entries) - 1), min_size=1))
        one_by_one = document.text
        for index in sorted(indexes, reverse=True):
            one_by_one = remove(one_by_one, (), [index])
        assert remove(document.text, (), indexes) == one_by_one


@SLOWLY
@given(documents(), LINE_BREAKS, st.data())
def test_changes_made_at_once_leave_all_other_entries_as_they_are(
    document: Document, line_break: str, data: st.DataObject
) -> None:
    indexes = range(len(document.entries))
    fates = [data.draw(st.sampled_from(["stay", "update", "remove"])) for _ in indexes]
    updates = {at: data.draw(CHANGES) for at in indexes if fates[at] == "update"}
    removals = frozenset(at for at in indexes if fates[at] == "remove")
    additions = data.draw(st.sampled_from([[], [NEW], [NEW, NEW]]))
    text = broken(document.text, line_break)
    result = edited(text, [Change((), updates, removals, additions)])
    assert (loaded(result) or []) == [
        *(
            changed(entry, updates.get(at, {}))
            for at, entry in enumerate(document.entries)
            if at not in removals
        ),
        *additions,
    ]
    at = 0
    for entry, fate in zip(document.entries, fates, strict=True):
        if fate == "stay":
            lines = broken(entry.text, line_break)
            assert lines in result[at:]
            at = result.index(lines, at) + len(lines)
    assert result.count("\n") == result.count(line_break)


def test_many_changes_parse_the_text_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for its values and their places; the result once, to check it."""
    entries = "".join(f"- rolearn: r{n}\n  username: u{n}\n  groups: [a]\n" for n in range(500))
    texts: list[str] = []

    def counting(text: str, Loader: Any) -> Any:  # noqa: N803 (PyYAML's name)
        texts.append(text)
        return parse(text, Loader=Loader)

    parse = yaml.parse
    monkeypatch.setattr(yaml, "parse", counting)
    updates = {at: {"username": "new", "groups": ["a", "b"], "userid": "A"} for at in range(100)}
    changes = [
        Change(["mapRoles"], updates, frozenset(range(100, 200)), [NEW] * 100),
        Change(["mapUsers"], additions=[NEW]),
    ]
    result = edited(f"mapRoles:\n{entries}", changes)
    assert len(loaded(result)["mapRoles"]) == 500
    assert len(texts) == 2


def changed(entry: Entry, changes: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = dict(entry.fields)
    spelled = {key.lower(): key for key in fields}
    for key, value in changes.items():
        if value is None:
            fields.pop(spelled.get(key, key), None)
        else:
            fields[spelled.get(key, key)] = value
    return fields


@pytest.mark.parametrize("text", ["[-]>", "[a]b\n", "--- [-]>\n", "[-]\n>", "[a]\n...\n...b"])
def test_a_text_that_other_readers_of_yaml_refuse_is_not_edited(text: str) -> None:
    """The server and the reference stop reading after the first document."""
    with pytest.raises(yaml.YAMLError):
        list(yaml.load_all(text, Loader=yaml.CBaseLoader))
    with pytest.raises(EditError, match="does not parse; put that right first"):
        append(text, (), [NEW])


YAMLISH = st.text("ab:-[]{}&*#|>'\"\n\t ?!%,~", max_size=30)


@SLOWLY
@given(YAMLISH)
def test_of_any_text_nothing_but_the_new_entry_differs_or_it_is_refused(text: str) -> None:
    try:
        result = append(text, (), [NEW])
    except EditError:
        return
    before = first(text)
    assert first(result) == [*(before if isinstance(before, list) else []), NEW]


@SLOWLY
@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"))), st.data())
def test_json_stays_json(entries: list[dict[str, str]], data: st.DataObject) -> None:
    indent = data.draw(st.sampled_from([None, 2, 4]))
    text = json.dumps({"mapRoles": entries, "other": [1]}, indent=indent)
    added = append(text, ["mapRoles"], [NEW])
    assert json.loads(added) == {"mapRoles": [*entries, NEW], "other": [1]}
    last = remove(added, ["mapRoles"], [len(entries)])
    assert json.loads(last) == json.loads(text)
    users = append(text, ["mapUsers"], [NEW])
    assert json.loads(users)["mapUsers"] == [NEW]
    renamed = update(added, ["mapRoles"], len(entries), {"username": "x", "userid": "A"})
    assert json.loads(renamed)["mapRoles"][-1] == {**NEW, "username": "x", "userid": "A"}


ITEM = '- "111122223333"\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", ITEM, id="nothing"),
        pytest.param("[]", ITEM, id="an empty list"),
        pytest.param("[]\n", ITEM, id="an empty list and a line break"),
        pytest.param("null\n", ITEM, id="null"),
        pytest.param("---\n", "---\n" + ITEM, id="a header"),
        pytest.param("--- []\n", "---\n" + ITEM, id="a header and an empty list"),
        pytest.param("# none yet\n", "# none yet\n" + ITEM, id="a comment"),
        pytest.param("[] # none\n", " # none\n" + ITEM, id="an empty list and a comment"),
        pytest.param("- 'x'", "- 'x'\n- \"111122223333\"", id="no last line break"),
        pytest.param("\ufeff- x\n", "\ufeff- x\n" + ITEM, id="a byte order mark"),
        pytest.param("[a, b]", '[a, b, "111122223333"]', id="brackets"),
        pytest.param("[a,b,]", '[a,b,"111122223333",]', id="brackets with a comma at the end"),
    ],
)
def test_the_first_entry_of_a_list(before: str, after: str) -> None:
    assert append(before, (), ["111122223333"]) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", "mapRoles:\n  - x\n", id="nothing"),
        pytest.param("{}", '{"mapRoles": ["x"]}', id="an empty map"),
        pytest.param("a: 1", "a: 1\nmapRoles:\n  - x", id="no last line break"),
        pytest.param("mapRoles:\nb: 1\n", "mapRoles:\n  - x\nb: 1\n", id="null"),
        pytest.param("mapRoles: ~ # n\n", "mapRoles: # n\n  - x\n", id="null and a comment"),
        pytest.param("MAPROLES: []\n", "MAPROLES:\n  - x\n", id="another case"),
        pytest.param("mapRoles:\n- y\n\n", "mapRoles:\n- y\n- x\n\n", id="dashes below the key"),
        pytest.param(
            "mapUsers:\n- y\n", "mapUsers:\n- y\nmapRoles:\n- x\n", id="as the section beside it"
        ),
        pytest.param('{"mapRoles": null}', '{"mapRoles": ["x"]}', id="null in braces"),
    ],
)
def test_a_section_of_a_file(before: str, after: str) -> None:
    assert append(before, ["mapRoles"], ["x"]) == after


def test_a_section_of_the_server_in_a_config_file() -> None:
    text = "clusterID: c\nserver:\n  port: 1  # taken\n\n# the end\n"
    assert append(text, ["server", "mapAccounts"], ["012345678901"]) == (
        "clusterID: c\nserver:\n  port: 1  # taken\n  mapAccounts:\n"
        '    - "012345678901"\n\n# the end\n'
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("- a: 1  # x\n  # of b\n  b: 2\n", "- # of b\n  b: 2\n", id="the first"),
        pytest.param("- a: 1\n\n  b: 2\n", "- b: 2\n", id="the first, with a blank line after"),
        pytest.param("- b: 2\n  a:\n  - 1\n    # in a\n", "- b: 2\n", id="the last"),
        pytest.param("- {a: 1, b: 2}\n", "- {b: 2}\n", id="the first in braces"),
        pytest.param("- {b: 2, A: 1}\n", "- {b: 2}\n", id="the last in braces"),
        pytest.param("- b: 2\n", "- b: 2\n", id="none"),
    ],
)
def test_a_field_is_taken_out(before: str, after: str) -> None:
    assert update(before, (), 0, {"a": None}) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param('[{"a": 1}, {"b": 2}]', '[{"c": "x"}, {"b": 2}]', id="in braces"),
        pytest.param("- a: 1\n- b: 2\n", "- c: x\n- b: 2\n", id="in a block"),
    ],
)
def test_the_only_field_is_replaced_by_another(before: str, after: str) -> None:
    assert update(before, (), 0, {"a": None, "c": "x"}) == after


def test_all_entries_in_brackets_are_replaced_by_others() -> None:
    text = '{\n  "mapRoles": ["a", "b"],\n  "x": 1\n}\n'
    change = Change(["mapRoles"], removals=frozenset([0, 1]), additions=["c", "d"])
    assert edited(text, [change]) == text.replace('"a", "b"', '"c", "d"')


def test_a_scalar_is_replaced_and_its_key_and_spaces_stay() -> None:
    assert update("- 'username' :   a  # why\n", (), 0, {"username": "b"}) == (
        "- 'username' :   b  # why\n"
    )


IN_BRACKETS = """\
[ # all
  {a: 1}, # of 1
  # above 2
  {a: 2}, # of 2
  # above 3
  {a: 3} # of 3
  # the end
]
"""
OF_1, OF_2, OF_3 = (
    "  {a: 1}, # of 1\n",
    "  # above 2\n  {a: 2}, # of 2\n",
    "  # above 3\n  {a: 3} # of 3\n",
)


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("indexes", "gone"),
    [
        pytest.param([0], [OF_1], id="the first"),
        pytest.param([1], [OF_2], id="one between"),
        pytest.param([2], [OF_3], id="the last"),
        pytest.param([0, 2], [OF_1, OF_3], id="the first and the last"),
    ],
)
def test_an_entry_in_brackets_goes_with_its_own_comments(
    indexes: list[int], gone: list[str], line_break: str
) -> None:
    wanted = IN_BRACKETS
    for lines in gone:
        wanted = wanted.replace(lines, "")
    assert remove(broken(IN_BRACKETS, line_break), (), indexes) == broken(wanted, line_break)


@pytest.mark.parametrize(
    ("before", "key", "after"),
    [
        pytest.param("- {a: 1, # x\n   b: 2}\n", "b", "- {a: 1, # x\n   }\n", id="the last"),
        pytest.param("- { # x\n   a: 1, b: 2}\n", "a", "- { # x\n   b: 2}\n", id="the first"),
    ],
)
def test_a_field_in_braces_leaves_the_comments_of_others(before: str, key: str, after: str) -> None:
    assert update(before, (), 0, {key: None}) == after


ALIASES = """\
- &dev
  rolearn: arn:dev  # the first
  groups: &groups [a]
- *dev
- rolearn: arn:ops
  groups: *groups
"""


class TestAliases:
    def test_an_entry_that_others_repeat_can_be_removed(self) -> None:
        result = remove(ALIASES, (), [0])
        assert loaded(result) == loaded(ALIASES)[1:]
        assert "# the first" in result

    def test_an_entry_that_is_a_repetition_can_be_removed(self) -> None:
        assert remove(ALIASES, (), [1]) == ALIASES.replace("- *dev\n", "")

    @pytest.mark.parametrize("index", [0, 1, 2])
    def test_a_change_of_one_does_not_change_the_other(self, index: int) -> None:
        result = loaded(update(ALIASES, (), index, {"groups": ["b"], "userid": "A"}))
        wanted = loaded(ALIASES)
        wanted[index] = {**wanted[index], "groups": ["b"], "userid": "A"}
        assert result == wanted

    def test_line_breaks_of_windows_stay_when_the_whole_text_is_written_again(self) -> None:
        text = broken(ALIASES, "\r\n")
        result = remove(text, (), [0])
        assert "# the first\r\n" in result
        assert result.count("\r") == result.count("\n") == result.count("\r\n")

    def test_what_would_lose_a_comment_is_refused(self) -> None:
        text = ALIASES.replace("- *dev", "# again\n- *dev")
        with pytest.raises(EditError, match="by hand"):
            remove(text, (), [0])

    def test_a_value_that_others_repeat_is_changed_for_one(self) -> None:
        text = "- rolearn: &arn x\n- userarn: *arn\n"
        assert loaded(update(text, (), 0, {"rolearn": "y"})) == [
            {"rolearn": "y"},
            {"userarn": "x"},
        ]


class TestTextAfterTheFirstDocument:
    """The server does not read it, and an edit leaves it as it is."""

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            pytest.param("- a\n---\n", "- a\n- x\n---\n", id="a mark"),
            pytest.param("- a\n---\n- b\n", "- a\n- x\n---\n- b\n", id="a document"),
            pytest.param("- a\n...\n# end\n", "- a\n- x\n...\n# end\n", id="an end mark"),
            pytest.param("---\n---\n- b\n", "---\n- x\n---\n- b\n", id="an empty first one"),
            pytest.param("[a]\n---\n- [\n", '[a, "x"]\n---\n- [\n', id="one that does not parse"),
        ],
    )
    def test_it_stays(self, before: str, after: str) -> None:
        assert append(before, (), ["x"]) == after

    def test_a_section_is_added_before_it(self) -> None:
        text = "a: 1\n---\nb: 2\n"
        assert append(text, ["mapRoles"], ["x"]) == "a: 1\nmapRoles:\n  - x\n---\nb: 2\n"


class TestRefusals:
    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("a: [", id="what does not parse"),
            pytest.param("- !!python/object x\n", id="a tag"),
            pytest.param("- " * 40, id="a deep nest"),
        ],
    )
    def test_what_the_server_cannot_read_is_not_edited(self, text: str) -> None:
        with pytest.raises(EditError, match="does not parse"):
            append(text, (), ["x"])

    def test_an_entry_with_a_key_twice_is_not_changed(self) -> None:
        with pytest.raises(EditError, match="a key twice"):
            update("- rolearn: a\n  rolearn: b\n", (), 0, {"username": "x"})

    def test_an_entry_with_a_key_twice_can_be_removed(self) -> None:
        assert remove("- rolearn: a\n  rolearn: b\n- c: d\n", (), [0]) == "- c: d\n"

    def test_a_scalar_is_no_list(self) -> None:
        with pytest.raises(EditError):
            append("mapRoles: some text\n", ["mapRoles"], ["x"])
