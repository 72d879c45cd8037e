"""Lint and the server: an error for exactly what the server leaves out, whatever is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from authenticator.lint import RULES, Context, Severity, lint_data, lint_file, lint_identity
from authenticator.mapping.documents import read_data, read_file
from authenticator.mapping.guards import Guard
from authenticator.mapping.problems import Code
from authenticator.mapping.sections import SECTIONS, Section, SectionReader

# The machine may be busy; how long an example takes says nothing.
patient = settings(deadline=None)
_ARNS = st.sampled_from(
    [
        *(f"arn:aws:iam::111122223333:{rest}" for rest in ("role/Dev", "role/a/Dev", "user/bob")),
        *(f"arn:aws:iam::111122223333:{rest}" for rest in ("root", "role/D*", "group/g", "role/?")),
        "arn:aws:sts::111122223333:assumed-role/Dev/bob",
        "arn:aws-cn:iam::111122223333:role/Dev",
        "arn:aws:iam::11112222333:role/Dev",
        "Dev",
    ]
)
_SSO = st.fixed_dictionaries(
    {"permissionSetName": st.sampled_from(["Admin", "", "a b"])},
    optional={"accountID": st.sampled_from(["111122223333", "1"]), "partition": st.just("aws-cn")},
)
_NAMES = st.sampled_from(
    ["dev", "{{SessionName}}", "{{No}}", "system:node:x", "aws:x", "a\u200bb", "", "d\u0435v"]
)
_entries = st.fixed_dictionaries(
    {},
    optional={
        "rolearn": _ARNS,
        "userarn": _ARNS,
        "sso": _SSO,
        "username": _NAMES,
        "UserName": _NAMES,
        "groups": st.lists(_NAMES, max_size=2) | _NAMES,
        "userid": st.sampled_from(["AROAONE", "AIDAONE", "x y", ""]),
        "expires": st.sampled_from(["2020-01-01T00:00:00Z", "2020-01-01", ""]),
        "expire": st.just("2020-01-01T00:00:00Z"),
        "comment": st.none(),
    },
)
_items = _entries | _NAMES | st.none() | st.just("111122223333") | st.just("12345")
_documents = st.dictionaries(
    st.sampled_from([*SECTIONS, "maproles", "mapRole", "other"]), st.lists(_items, max_size=4)
)
_guards = st.sampled_from([Guard(), Guard(("aws:",), ("aws:",)), Guard(system_names=False)])


def left_out(
    sections: tuple[Section, ...],
    document: dict[str, list[Any]],
    is_key: Callable[[str, str], bool],
) -> set[tuple[str, int]]:
    """The entries of sections that could be read which are not in force."""
    missing = set()
    for section in sections:
        origins = [rule.match.origin for rule in section.rules]
        origins += [match.origin for _, match in section.accounts]
        entries = next((v for k, v in document.items() if is_key(k, section.name)), [])
        if not section.broken and section.name in SECTIONS:
            in_force = {origin.index for origin in origins}
            missing |= {(section.name, n) for n in range(len(entries)) if n not in in_force}
    return missing


def in_any_case(key: str, name: str) -> bool:
    return key.lower() == name.lower()


@patient
@given(_documents, _guards, st.booleans())
def test_an_error_for_exactly_the_entries_that_the_server_leaves_out(
    document: dict[str, list[Any]], guard: Guard, by_user_id: bool
) -> None:
    reader = SectionReader("Server", guard, by_user_id)
    context = Context(0.0, guard=guard, by_user_id=by_user_id)
    data = {key: json.dumps(value) for key, value in document.items()}
    file = json.dumps(document).encode()
    for sections, findings, is_key in (
        (read_data(data, reader), lint_data(data, "x", context), str.__eq__),
        (read_file(file, reader), lint_file(file, "x", context), in_any_case),
    ):
        errors = [
            f.place
            for f in findings
            if f.severity is Severity.ERROR and f.rule.id != Code.CONFLICTING_ENTRY.value
        ]
        entries = {(place.section, place.index) for place in errors if place.index >= 0}
        assert entries == left_out(sections, document, is_key)
        broken = {section.name for section in sections if section.broken}
        assert broken <= {place.section for place in errors if place.index < 0}


@patient
@given(_entries, _guards)
def test_the_same_for_a_custom_resource(entry: dict[str, Any], guard: Guard) -> None:
    spec = {"arn" if key == "rolearn" else key: value for key, value in entry.items()}
    section = SectionReader("CRD", guard).identity("x", spec)
    found = lint_identity("x", spec, Context(guard=guard))
    assert bool(section.rules) is not any(f.severity is Severity.ERROR for f in found)


@patient
@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")), _guards)
def test_no_text_makes_lint_raise(text: str, guard: Guard) -> None:
    context = Context(0.0, (text,), guard)
    content = text.encode("utf-8", "surrogatepass")
    lint_file(content, "x", context)
    for key in (*SECTIONS, text):
        lint_data({key: text}, "x", context)
    manifest = {"kind": "ConfigMap", "data": dict.fromkeys((*SECTIONS, text), text)}
    lint_file(json.dumps(manifest).encode(), "x", context)
    lint_file(f"kind: ConfigMap\ndata:\n  mapRoles: |\n    {text}".encode("utf-8", "replace"), "x")


_values: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["arn", "sso", "groups", "userid"]), inner)
    ),
)


@patient
@given(_values)
def test_no_value_makes_lint_raise(value: object) -> None:
    lint_identity("x", value)


def test_all_that_the_server_reports_is_a_rule() -> None:
    # That a section has become empty is seen by comparison with the one before.
    assert {code.value for code in Code} - {Code.EMPTIED.value} <= set(RULES)
