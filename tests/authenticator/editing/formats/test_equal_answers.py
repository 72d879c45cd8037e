"""After a conversion every caller is told what they were told before, or nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authenticator.editing.entry import MappingEntry
from authenticator.editing.formats import identity_mappings, table
from authenticator.editing.formats.answers import differences
from authenticator.editing.formats.conversion import Options
from authenticator.mapping.guards import Guard
from authenticator.mapping.sections import SectionReader
from tests.authenticator.editing.formats import answers as a
from tests.examples import examples

OPTIONS = Options(cluster="prod", region="eu-west-1")
NAMES = [name for name in table.NAMES if name != "terraform"]  # HCL is written only
LOSSLESS = ("aws-auth",)


def _custom_resources(entries: list[MappingEntry]) -> list[object]:
    """What the server answers once it has read the objects, as the API server keeps them."""
    found, _ = identity_mappings.portable(entries)
    objects = json.loads(json.dumps(dict(identity_mappings.specs(found))))
    assert len(objects) == len(found)
    reader = SectionReader("CRD", Guard())
    sections = [reader.identity(name, objects[name]) for name in sorted(objects)]
    assert not [section for section in sections if not section.rules]
    return a.answers(a.ruleset_of([section.rules[0] for section in sections]))


@given(st.one_of(a.some_principals, a.some_rivals))
@a.patient
def test_custom_resources_answer_as_the_entries_did(entries: list[MappingEntry]) -> None:
    entries = a.in_document_order(entries)
    assert _custom_resources(entries) == a.answers(a.ruleset(entries))


@given(a.some_entries)
@a.patient
def test_custom_resources_never_answer_otherwise(entries: list[MappingEntry]) -> None:
    entries = a.in_document_order(entries)
    before = a.answers(a.ruleset(entries))
    assert all(
        new in (None, old) for new, old in zip(_custom_resources(entries), before, strict=True)
    )


@given(st.one_of(a.some_principals, a.some_rivals))
@a.patient
def test_there_and_back_again(entries: list[MappingEntry]) -> None:
    entries = a.in_document_order(entries)
    text = table.named("crd").write(entries, OPTIONS).text
    found = table.read(text, OPTIONS, "crd").entries if text else ()
    assert a.answers(a.ruleset(a.in_document_order(found))) == a.answers(a.ruleset(entries))


@pytest.mark.parametrize("name", NAMES)
def test_an_export_that_is_read_back_answers_the_same_or_nothing(name: str) -> None:
    known = table.named(name)

    @given(a.some_entries)
    @settings(a.patient, max_examples=examples(60))
    def holds(entries: list[MappingEntry]) -> None:
        entries = a.in_document_order(entries)
        before = a.answers(a.ruleset(entries))
        text = known.write(entries, OPTIONS).text
        found = table.read(text, OPTIONS, name).entries if text else ()
        after = a.answers(a.ruleset(a.in_document_order(found)))
        allowed = () if name in LOSSLESS else (None,)
        assert all(new in (*allowed, old) for new, old in zip(after, before, strict=True))

    holds()


@given(st.one_of(a.some_entries, a.some_rivals), a.some_entries)
@settings(a.patient, max_examples=examples(200))
def test_what_is_found_equal_answers_alike(
    before: list[MappingEntry], more: list[MappingEntry]
) -> None:
    """Of lists that are one another's reordering, too, where most are equal."""
    one = a.usables(before)
    for other in (before[::-1], sorted(before, key=repr), more):
        if not differences(one, a.usables(other)):
            assert a.answers(a.ruleset(other)) == a.answers(a.ruleset(before))


@given(a.some_entries)
@a.patient
def test_a_list_does_not_differ_from_itself(entries: list[MappingEntry]) -> None:
    one = a.usables(entries)
    assert differences(one, one) == []
    assert differences(one, [*one, *one]) == []


@pytest.mark.parametrize("name", table.NAMES)
def test_an_entry_that_is_left_out_uncovers_no_wider_one(name: str) -> None:
    """Exported as aws-auth, the wider one let the callers of the broken one in."""
    role = "arn:aws:iam::111122223333:role"
    entries = [
        MappingEntry("mapRoles", {"rolearn": f"{role}/A", "username": "a", "expires": "soon"}),
        MappingEntry("mapRoles", {"rolearn": f"{role}/*", "username": "wide", "groups": ["g"]}),
    ]
    export = table.named(name).write(entries, OPTIONS)
    assert "wide" not in export.text
    assert {note.subject for note in export.notes if note.left_out} == {f"{role}/A", f"{role}/*"}
