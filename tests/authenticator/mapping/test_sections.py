"""Entries as people write them: in force, put right, or left out with the reason."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.mapping.documents import read_data, read_file
from authenticator.mapping.guards import Guard
from authenticator.mapping.nodes import read
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import Section, SectionReader
from tests.authenticator.mapping.callers import role, user

READER = SectionReader("Test", Guard(username_prefixes=("aws:",), group_prefixes=("eks:",)))
ROLE = "arn:aws:iam::111122223333:role/Dev"
HEAD = f"- rolearn: {ROLE}\n  "


def roles(text: str, reader: SectionReader = READER) -> Section:
    """The section of a `mapRoles` text."""
    return read_data({"mapRoles": text}, reader)[0]


def granted(section: Section) -> tuple[str, tuple[str, ...]] | None:
    """What the section's rules make of the role Dev."""
    match = RuleSet((section.rules,)).find(role("Dev"), now=0)
    return match.render(role("Dev"), "") if match else None


IN_FORCE = {
    "plain": (HEAD + "username: dev\n  groups: [a, b]", ("dev", ("a", "b")), None),
    "keys in any case": (
        f"- roleARN: {ROLE}\n  userName: dev\n  GROUPS: [a]",
        ("dev", ("a",)),
        None,
    ),
    "null groups": (HEAD + "username: dev\n  groups:", ("dev", ()), None),
    "empty groups": (HEAD + "username: dev\n  groups: []", ("dev", ()), None),
    "no groups": (HEAD + "username: dev", ("dev", ()), None),
    "empty userid": (HEAD + "username: dev\n  userid: ''", ("dev", ()), None),
    "one group as text": (
        HEAD + "username: dev\n  groups: system:masters",
        ("dev", ()),
        "not a list",
    ),
    "groups as map": (HEAD + "username: dev\n  groups: {a: b}", ("dev", ()), "not a list"),
    "groups with commas": (HEAD + "username: dev\n  groups: a,b", ("dev", ()), "not a list"),
    "group as map": (HEAD + "username: dev\n  groups: [{a: b}, c]", ("dev", ("c",)), "no name"),
    "empty group": (HEAD + "username: dev\n  groups: ['', c]", ("dev", ("c",)), "no name"),
    "empty item": (HEAD + "username: dev\n  groups:\n  - a\n  -", ("dev", ("a",)), "empty item"),
    "numbers as names": (
        HEAD + "username: 007\n  groups: [010, yes]",
        ("007", ("010", "yes")),
        None,
    ),
    "group indented too far": (
        HEAD + "username: dev\n  groups:\n  - a\n     - b",
        ("dev", ("a - b",)),
        "indented too far",
    ),
    "group twice": (HEAD + "username: dev\n  groups: [a, a]", ("dev", ("a",)), None),
    "no username": (HEAD + "groups: [a]", (ROLE, ("a",)), "username is missing"),
    "unknown key": (HEAD + "username: dev\n  comment: x", ("dev", ()), "unknown key 'comment'"),
    "mistyped key": (HEAD + "username: dev\n  gruops: [a]", ("dev", ()), "did you mean groups?"),
    "reference's long path": (
        "- rolearn: arn:aws:iam::111122223333:role/a/b/Dev\n  username: dev",
        ("dev", ()),
        None,
    ),
    "session in the ARN": (
        "- rolearn: arn:aws:sts::111122223333:assumed-role/Dev/bob\n  username: dev",
        ("dev", ()),
        "session in its ARN is ignored",
    ),
    "alias": (
        HEAD + "username: dev\n  groups: &g [a]\n- {rolearn: x, groups: *g}",
        ("dev", ("a",)),
        None,
    ),
    "expires later": (HEAD + "username: dev\n  expires: 2030-01-01T00:00:00Z", ("dev", ()), None),
}
LEFT_OUT = {
    "not an ARN": ("- rolearn: Dev\n  username: dev", "rolearn: it is not of the form"),
    "no ARN": ("- username: dev", "it names nobody; give it rolearn or sso"),
    "null ARN": ("- rolearn:\n  username: dev", "it names nobody"),
    "user's key": (f"- userarn: {ROLE}\n  username: dev", "it names nobody"),
    "ARN and sso": (
        HEAD + "sso: {permissionSetName: A, accountID: '111122223333'}",
        "both rolearn and sso",
    ),
    "sso without account": ("- sso: {permissionSetName: A}\n  username: dev", "accountID missing"),
    "sso as text": ("- sso: Admin\n  username: dev", "sso: "),
    "account lost its zero": (
        "- sso: {permissionSetName: A, accountID: 12345678901}",
        "a leading zero may have been lost",
    ),
    "username with blanks": (HEAD + "username: ' a'", "username: it has blanks"),
    "group with blanks": (HEAD + "groups: ['system:masters ']", "groups: it has blanks"),
    "username as list": (HEAD + "username: [a]", "username: it must be a single value"),
    "unknown placeholder": (HEAD + "username: '{{User}}'", "unknown placeholder"),
    "control character": (HEAD + 'username: "a\\nb"', "control or invisible"),
    "reserved username": (HEAD + "username: aws:x", "reserved prefix 'aws:'"),
    "reserved group": (HEAD + "groups: [eks:x]", "reserved prefix 'eks:'"),
    "key twice": (HEAD + "username: a\n  username: b", "username stands in it twice"),
    "key twice in another case": (HEAD + "username: a\n  userName: b", "stands in it twice"),
    "not a map": ("- " + ROLE, "it must be a map"),
    "null entry": ("-", "it must be a map"),
    "expires as date": (HEAD + "expires: 2030-01-01", "a time with a zone"),
    "expires without zone": (HEAD + "expires: 2030-01-01T00:00:00", "a time with a zone"),
    "expires impossible": (HEAD + "expires: 2030-02-31T00:00:00Z", "expires: "),
    # Shown in UTC, they would be in the years 0 and 10000.
    "expires before time": (HEAD + "expires: 0001-01-01T00:00:00+14:00", "the years 1 and 9999"),
    "expires after time": (HEAD + "expires: 9999-12-31T23:00:00-14:00", "the years 1 and 9999"),
    "expires empty": (HEAD + "expires:", "a time with a zone"),
    "expires mistyped": (HEAD + "expire: 2030-01-01T00:00:00Z", "did you mean expires?"),
    "userid mistyped": (HEAD + "user_id: AROAEXAMPLE", "did you mean userid?"),
    "userid with session": (HEAD + "userid: AROAEXAMPLE:bob", "without a session name"),
}


@pytest.mark.parametrize(("text", "expected", "note"), IN_FORCE.values(), ids=IN_FORCE)
def test_in_force(text: str, expected: object, note: str | None) -> None:
    section = roles(text)
    assert granted(section) == expected
    notes = [problem.reason for problem in section.problems if problem.in_force]
    assert [note in reason for reason in notes if note] == [True] * bool(note)


@pytest.mark.parametrize(("text", "reason"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_left_out_with_the_reason_and_the_rest_applies(text: str, reason: str) -> None:
    sound = "- rolearn: arn:aws:iam::111122223333:role/Sound\n  username: sound\n"
    section = roles(f"{sound}{text}\n{sound.replace('Sound', 'Too')}")
    assert [str(rule.match.origin) for rule in section.rules] == [
        "Test mapRoles[0], line 1",
        f"Test mapRoles[2], line {3 + text.count(chr(10)) + 1}",
    ]
    (problem,) = section.problems
    assert reason in problem.reason
    assert str(problem.origin) == "Test mapRoles[1], line 3"
    assert not problem.in_force


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("- a: [", 2, "flow"),
        (f"rolearn: {ROLE}", 1, "'- ' before each entry"),
        ("just words", 1, "'- ' before each entry"),
        ("- a: b\n\tc: d", 2, "tab"),
    ],
)
def test_a_section_that_does_not_parse_is_broken_alone(text: str, line: int, reason: str) -> None:
    users = "- userarn: arn:aws:iam::111122223333:user/bob\n  username: bob"
    map_roles, map_users, _ = read_data({"mapRoles": text, "mapUsers": users}, READER)
    assert map_roles.broken
    assert map_roles.problems[0].origin.line == line
    assert reason in map_roles.problems[0].reason
    assert not map_users.broken
    assert RuleSet((map_users.rules,)).find(user("bob"), now=0)


@pytest.mark.parametrize("text", ["", "[]", "null", "~", "# nothing\n"])
def test_an_empty_section_has_no_entries_and_no_problems(text: str) -> None:
    assert roles(text) == Section("mapRoles")


def test_accounts_are_read_as_written_and_mapped_to_their_arn() -> None:
    accounts = "- 012345678901\n- '111122223333'\n- 12345678901\n- [x]\n"
    section = read_data({"mapAccounts": accounts}, READER)[2]
    assert [account_id for account_id, _ in section.accounts] == ["012345678901", "111122223333"]
    assert [problem.origin.line for problem in section.problems] == [3, 4]
    match = RuleSet((), dict(section.accounts)).find(role("Any"), now=0)
    assert match
    assert match.render(role("Any"), "") == ("arn:aws:iam::111122223333:role/Any", ())


def test_guards_apply_to_mapped_accounts_too() -> None:
    reader = SectionReader("Test", Guard(username_prefixes=("arn:",)))
    section = read_data({"mapAccounts": "['111122223333']"}, reader)[2]
    match = section.accounts[0][1]
    with pytest.raises(Exception, match="reserved prefix 'arn:'"):
        match.render(role("Any"), "")


@pytest.mark.parametrize("grant", ["username: system:admin", "groups: [system:masters]"])
def test_a_source_that_may_not_grant_system_names_is_told_at_load(grant: str) -> None:
    section = roles(HEAD + grant, SectionReader("Test", Guard(system_names=False)))
    assert not section.rules
    assert "begins with system:" in section.problems[0].reason


@pytest.mark.parametrize(
    ("section", "arn", "belongs"),
    [
        ("mapUsers", ROLE, "mapRoles"),
        ("mapRoles", "arn:aws:iam::111122223333:user/bob", "mapUsers"),
    ],
)
def test_role_and_user_mixed_up_works_and_is_reported(section: str, arn: str, belongs: str) -> None:
    key = "rolearn" if section == "mapRoles" else "userarn"
    found = {s.name: s for s in read_data({section: f"- {key}: {arn}\n  username: x"}, READER)}[
        section
    ]
    assert len(found.rules) == 1
    assert belongs in found.problems[0].reason


def test_strict_user_ids_need_an_id_may_lack_an_arn_and_still_check_a_bad_one() -> None:
    reader = SectionReader("Test", Guard(), by_user_id=True)
    section = roles(
        f"- userid: AROAEXAMPLE\n  username: a\n"
        f"- rolearn: {ROLE}\n  username: b\n"
        f"- userid: AROAEXAMPLE\n  rolearn: nonsense\n  username: c\n"
        f"- userid: AROAEXAMPLE\n  rolearn: {ROLE}\n  username: d\n",
        reader,
    )
    assert [rule.match.origin.index for rule in section.rules] == [0, 3]
    assert [problem.origin.index for problem in section.problems] == [1, 2]


CODES = {
    "- x": ("bad-entry", ""),
    "- rolearn: x": ("bad-arn", "rolearn"),
    "- sso: {permissionSetName: A}": ("bad-permission-set", "sso"),
    HEAD + "username: '{{'": ("bad-username", "username"),
    HEAD + "groups: ['{{']": ("bad-groups", "groups"),
    HEAD + "username: x\n  groups: [a, '']": ("empty-item", "groups"),
    HEAD + "username: x\n  groups: {a: b}": ("single-group", "groups"),
    HEAD + "userid: x": ("bad-userid", "userid"),
    HEAD + "expires: x": ("bad-expires", "expires"),
    "- username: x": ("no-principal", ""),
    HEAD + "sso: {permissionSetName: A, accountID: '111122223333'}": ("two-principals", ""),
    HEAD + "Rolearn: x": ("duplicate-key", "rolearn"),
    HEAD + "expire: x": ("mistyped-limit", "expire"),
    HEAD + "username: aws:x": ("reserved-name", ""),
    HEAD + "username: x\n  groups: a": ("single-group", "groups"),
    HEAD + "groups: [a]": ("missing-username", ""),
    HEAD + "username: x\n  groups: [a - b]": ("run-on-group", "groups"),
    "- {rolearn: 'arn:aws:iam::111122223333:root', username: x}": ("wrong-section", ""),
    "- {rolearn: 'arn:aws:sts::111122223333:assumed-role/a/bob', username: x}": (
        "assumed-role",
        "",
    ),
    HEAD + "username: x\n  Note: a": ("unknown-key", "note"),
    HEAD + "username: x\n  groups: [a, ~]": ("empty-item", ""),
    "a": ("unreadable", ""),
    "a: [": ("unreadable", ""),
}


@pytest.mark.parametrize(("text", "expected"), CODES.items(), ids=CODES)
def test_each_problem_has_a_code_and_its_key(text: str, expected: tuple[str, str]) -> None:
    (problem,) = roles(text).problems
    assert problem.code is not None
    assert (problem.code.value, problem.key) == expected


def test_a_reader_can_be_told_to_list_all_problems() -> None:
    reader = SectionReader("Test", Guard(), most_problems=1000)
    assert len(roles("- x\n" * 200, reader).problems) == 200


def test_a_mistyped_section_is_reported() -> None:
    sections = read_data({"mapRole": HEAD, "unrelated": "x"}, READER)
    (problem,) = (problem for section in sections for problem in section.problems)
    assert "did you mean mapRoles?" in problem.reason


@pytest.mark.parametrize(
    "content",
    [
        b"server:\n  mapRoles:\n  - {rolearn: x}\n  maproles: []\n",
        b"server:\n  mapRoles: []\n  mapRoles: []\n",
    ],
    ids=["in two cases", "in the same case"],
)
def test_a_section_that_stands_twice_is_broken(content: bytes) -> None:
    section = next(s for s in read_file(content, READER, under="server") if s.name == "mapRoles")
    assert section.broken


@pytest.mark.parametrize(
    ("content", "line"),
    [(b"server:\n  mapRoles: [\n", 3), (b"a: b\nserver: x\n", 2), (b"[]", 1), (b"a:\n- \xff", 2)],
    ids=["unclosed", "server is a text", "a list", "not UTF-8"],
)
def test_a_file_that_does_not_parse_breaks_all_sections(content: bytes, line: int) -> None:
    sections = read_file(content, READER, under="server")
    assert [section.broken for section in sections] == [True] * 3
    assert {section.problems[0].origin.line for section in sections} == {line}


def test_the_references_files_are_read_as_they_are() -> None:
    config = f"clusterID: c\nserver:\n  mapRoles:\n  - roleARN: {ROLE}\n    username: dev\n"
    dynamic = {
        "LastUpdatedDateTime": "1700000000",
        "Version": "1",
        "mapRoles": [{"rolearn": ROLE, "username": "dev", "groups": ["a"]}],
        "mapUsers": [],
        "mapAccounts": [],
    }
    assert granted(read_file(b"\xef\xbb\xbf" + config.encode(), READER, under="server")[0]) == (
        "dev",
        (),
    )
    assert granted(read_file(json.dumps(dynamic).encode(), READER)[0]) == ("dev", ("a",))


def test_the_guides_example_is_in_force_without_a_warning() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "mappings.md").read_text()
    example = guide.split("```yaml\n")[1].split("```")[0]
    sections = read_file(example.encode(), READER)
    assert [(len(s.rules) + len(s.accounts), s.problems) for s in sections] == [
        (3, ()),
        (1, ()),
        (1, ()),
    ]


_value = st.recursive(
    st.none() | st.text(max_size=5) | st.sampled_from([ROLE, "AROAEXAMPLE", "{{SessionName}}"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["permissionSetName", "accountID", "x"]), inner, max_size=2
        )
    ),
    max_leaves=4,
)
_keys = st.sampled_from(
    ["rolearn", "roleARN", "userarn", "username", "groups", "sso", "userid", "expires", "x"]
)
_entries = st.lists(st.dictionaries(_keys, _value, max_size=5) | _value, max_size=5)


@given(_entries, st.sampled_from(["mapRoles", "mapUsers", "mapAccounts"]))
def test_every_entry_is_in_force_or_reported(entries: list[object], name: str) -> None:
    text = json.dumps(entries)
    section = {s.name: s for s in read_data({name: text}, READER)}[name]
    if section.broken:  # JSON's surrogate pairs are not YAML
        return
    in_force = {rule.match.origin.index for rule in section.rules}
    in_force |= {match.origin.index for _, match in section.accounts}
    left_out = {problem.origin.index for problem in section.problems if not problem.in_force}
    assert in_force | left_out == set(range(len(entries)))
    assert not in_force & left_out


@given(st.binary() | st.text().map(str.encode))
def test_any_file_is_read(content: bytes) -> None:
    assert {section.name for section in read_file(content, READER)} >= {"mapRoles", "mapUsers"}


@pytest.mark.parametrize("key", ["expiration", "expiryDate", "Expire"])
def test_an_expiry_under_another_name_never_makes_an_entry_for_ever(key: str) -> None:
    entry = {"rolearn": "arn:aws:iam::111122223333:role/Dev", "username": "u", key: "2020"}
    section = read_data({"mapRoles": json.dumps([entry])}, READER)[0]
    assert not section.rules
    assert section.problems


def test_of_many_problems_a_hundred_are_listed_and_the_rest_counted() -> None:
    warned, refused = HEAD + "comment: x\n", "- x\n"
    section = roles(warned * 300 + refused * 40)
    *listed, last = section.problems
    assert len(listed) == 100
    # What keeps an entry out goes first, wherever it stands.
    assert [p.origin.index for p in listed if not p.in_force] == list(range(300, 340))
    assert [p.origin.index for p in listed] == sorted(p.origin.index for p in listed)
    assert str(last.origin) == "Test mapRoles, line 1"
    assert "540 more problems" in last.reason  # each of the 300 has two: no username, too
    assert last.in_force
    assert len(section.rules) == 300


def test_refusals_that_are_not_listed_still_count_as_refusals() -> None:
    *listed, last = read_data({"mapAccounts": "- x\n" * 5000}, READER)[2].problems
    assert [problem.origin.index for problem in listed] == list(range(100))
    assert "4900 more problems" in last.reason
    assert not last.in_force


def test_a_hundred_problems_are_all_listed() -> None:
    assert {p.origin.index for p in roles("- x\n" * 100).problems} == set(range(100))


def test_of_many_mistyped_sections_a_hundred_are_reported() -> None:
    sections = read_data({f"mapRole{number}": "" for number in range(1000)}, READER)
    assert len(sections) == 103


@pytest.mark.parametrize(
    ("key", "refused"),
    [("x" * 100_000, False), ("expires" + "x" * 100_000, True), ("expires" + " " * 100, True)],
    ids=["unknown", "like one that narrows", "followed by spaces"],
)
def test_a_long_key_repeated_by_alias_is_quoted_in_part(key: str, refused: bool) -> None:
    entry = f'- &e\n  rolearn: {ROLE}\n  username: dev\n  ? "{key}"\n  : "1"\n'
    section = roles(entry + "- *e\n" * 200)
    assert bool(section.rules) is not refused
    assert sum(len(problem.reason) for problem in section.problems) < 101 * 200


def test_a_long_key_that_stands_twice_is_quoted_in_part() -> None:
    key = f'  ? "{"x" * 100_000}"\n  : "1"\n'
    (problem,) = roles(HEAD + f"username: dev\n{key}{key}").problems
    assert "stands in it twice" in problem.reason
    assert len(problem.reason) < 200


_VALUES = st.sampled_from(
    ["dev", ROLE, "", "[a, b]", "['{{x}}']", "{a: b}", "~", "AROAEXAMPLE", "2030-01-31T18:00:00Z"]
)
_ENTRIES = st.lists(
    st.lists(
        st.tuples(st.sampled_from(["rolearn", "UserName", "groups", "expires", "other"]), _VALUES),
        min_size=1,
        max_size=4,
    ).map(lambda fields: "- " + "\n  ".join(f"{key}: {value}" for key, value in fields) + "\n"),
    max_size=4,
)


@given(_ENTRIES, _ENTRIES, st.booleans())
def test_a_reader_that_remembers_equal_entries_reads_the_same(
    before: list[str], after: list[str], loose: bool
) -> None:
    remembering = SectionReader("Test", READER.guard, loose=loose, known={})
    roles("".join(before), remembering)
    for text in ("".join(after), "# a line\n" + "".join([*after, *before])):
        for literal in (True, False):
            readers = (
                replace(reader, literal_arns=literal)
                for reader in (remembering, SectionReader("Test", READER.guard, loose=loose))
            )
            one, other = (reader.section("mapRoles", read(text)) for reader in readers)
            assert one == other


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("on call, ticket 7", "on call, ticket 7"),
        ('"line\\nbreak"', r"line\nbreak"),
        ("[a, list]", ""),
        ("x" * 300, "x" * 197 + "..."),
    ],
)
def test_a_reason_is_a_remark_that_makes_no_entry_unusable(value: str, reason: str) -> None:
    text = f"- rolearn: arn:aws:iam::111122223333:role/Dev\n  username: dev\n  reason: {value}\n"
    found = SectionReader("test", Guard()).section("mapRoles", read(text))
    assert [rule.match.reason for rule in found.rules] == [reason]
    assert found.problems == ()
