"""aws-auth, files and custom resources are edited alike."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
import yaml

from authenticator.editing.access_entries import AccessEntries
from authenticator.editing.documents import AwsAuth, Document, MappingFile
from authenticator.editing.edits import EditError
from authenticator.editing.entry import MappingEntry
from authenticator.editing.objects import IdentityMappings
from authenticator.editing.parsed import _parsed
from authenticator.editing.principals import Chosen, identity, matching, one

DEV = "arn:aws:iam::111122223333:role/team/Dev"
BOB = "arn:aws:iam::111122223333:user/bob"
ROLE = MappingEntry("mapRoles", {"rolearn": DEV, "username": "dev", "groups": ["a", "b"]})
USER = MappingEntry("mapUsers", {"userarn": BOB, "username": "bob"})
ACCOUNT = MappingEntry("mapAccounts", {"account": "012345678901"})
SSO = MappingEntry(
    "mapRoles", {"sso": {"permissionSetName": "Ops", "accountID": "111122223333"}, "username": "o"}
)

EMPTY = [
    pytest.param(AwsAuth({}), id="aws-auth"),
    pytest.param(MappingFile("m.yaml", ""), id="a file"),
    pytest.param(MappingFile("m.json", "{}\n"), id="a JSON file"),
    pytest.param(MappingFile("c.yaml", "server:\n  port: 1\n"), id="a config file"),
    pytest.param(IdentityMappings({}), id="custom resources"),
    pytest.param(AccessEntries({}), id="access entries"),
]


@pytest.mark.parametrize("document", EMPTY)
class TestEveryDocument:
    def test_has_what_was_added(self, document: Document) -> None:
        found = document.edited(additions=[ROLE, USER]).entries()
        assert [located.entry for located in found] == [ROLE, USER]

    def test_puts_in_force_what_was_added(self, document: Document) -> None:
        sections = document.edited(additions=[ROLE, USER]).sections()
        assert sum(len(section.rules) for section in sections) == 2
        assert [problem for section in sections for problem in section.problems] == []

    def test_changes_one_entry(self, document: Document) -> None:
        document = document.edited(additions=[ROLE, USER])
        located = one(document.entries(), DEV)
        changed = document.edited(updates=[(located, {"groups": None, "username": "ops"})])
        assert [found.entry for found in changed.entries()] == [
            MappingEntry("mapRoles", {"rolearn": DEV, "username": "ops"}),
            USER,
        ]

    def test_removes_one_entry(self, document: Document) -> None:
        document = document.edited(additions=[ROLE, USER])
        gone = document.edited(removals=[one(document.entries(), DEV)])
        assert [found.entry for found in gone.entries()] == [USER]

    def test_is_not_changed_by_its_own_edits(self, document: Document) -> None:
        before = dict(document.texts)
        document.edited(additions=[ROLE])
        assert document.texts == before


@pytest.mark.parametrize("document", EMPTY[:-1])
def test_the_unique_id_of_a_principal_is_added_to_an_entry(document: Document) -> None:
    document = document.edited(additions=[ROLE])
    changed = document.edited(updates=[(one(document.entries(), DEV), {"userid": "AROA"})])
    assert [found.entry.fields.get("userid") for found in changed.entries()] == ["AROA"]


@pytest.mark.parametrize("document", EMPTY[:-2])
def test_texts_hold_accounts_and_permission_sets(document: Document) -> None:
    found = document.edited(additions=[SSO, ACCOUNT])
    assert [located.entry for located in found.entries()] == [SSO, ACCOUNT]
    assert sum(len(section.accounts) for section in found.sections()) == 1


@pytest.mark.parametrize(("entry", "why"), [(SSO, "permission set"), (ACCOUNT, "whole account")])
def test_objects_hold_neither(entry: MappingEntry, why: str) -> None:
    with pytest.raises(EditError, match=why):
        IdentityMappings({}).edited(additions=[entry])


class TestAwsAuth:
    def test_a_key_in_another_case_is_not_the_section_and_is_never_written_to(self) -> None:
        misspelled = "- rolearn: x\n"
        before = AwsAuth({"maproles": misspelled, "other": "kept"})
        document = before.edited(additions=[ROLE])
        assert set(document.texts) == {"maproles", "mapRoles", "other"}
        assert document.texts["maproles"] == misspelled
        assert [found.entry for found in document.entries()] == [ROLE]

    @pytest.mark.parametrize(
        "texts",
        [
            pytest.param({"mapRoles": "- ["}, id="it does not parse"),
            pytest.param({"mapRoles": "a text"}, id="it is no list"),
        ],
    )
    def test_a_broken_section_is_not_edited_but_the_others_are(self, texts: dict[str, str]) -> None:
        with pytest.raises(EditError, match=r"mapRoles.*cannot be read.*by hand"):
            AwsAuth(texts).edited(additions=[ROLE])
        assert [found.entry for found in AwsAuth(texts).edited(additions=[USER]).entries()] == [
            USER
        ]

    def test_a_section_under_binary_data_is_named_and_not_edited(self) -> None:
        """`mappings list` said that there are no entries."""
        document = AwsAuth({}, frozenset({"mapRoles"}))
        problems = [problem.reason for found in document.sections() for problem in found.problems]
        assert problems == ["it stands under binaryData; save it as UTF-8 text under data"]
        with pytest.raises(EditError, match="binaryData"):
            document.edited(additions=[ROLE])
        assert document.edited(additions=[USER]).binary == document.binary

    def test_entries_that_cannot_be_used_have_a_place_too(self) -> None:
        document = AwsAuth({"mapRoles": "- a text\n- rolearn: {a: b}\n- \n- [x]\n"})
        assert [found.id for found in document.entries()] == [
            f"mapRoles[{index}]" for index in range(4)
        ]
        assert document.edited(removals=document.entries()[2:3]).texts["mapRoles"].count("- ") == 3


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(AwsAuth({"mapRoles": "- rolearn: x\n", "mapUsers": ""}), id="aws-auth"),
        pytest.param(MappingFile("m.yaml", "server:\n  mapRoles: []\n"), id="a config file"),
    ],
)
def test_however_often_a_text_is_asked_it_is_parsed_once_and_laid_out_once(
    document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: Counter[str] = Counter()
    parse = yaml.parse

    def counting(text: str, Loader: Any) -> Any:  # noqa: N803 (PyYAML's name)
        texts[text] += 1
        return parse(text, Loader=Loader)

    monkeypatch.setattr(yaml, "parse", counting)
    _parsed.cache_clear()
    document.sections()
    after = document.edited(additions=[ROLE, USER])
    for each in (document, after):
        each.sections()
        each.entries()
    before = set(document.texts.values())
    assert all(count <= 1 + (text in before) for text, count in texts.items())
    assert set(after.texts.values()) <= set(texts)


def test_single_values_in_a_config_file_are_entries_that_are_not_edited() -> None:
    text = 'server:\n  mapAccounts: "111122223333,012345678901"\n  mapRoles: {rolearn: x}\n'
    document = MappingFile("config.yaml", text)
    assert [located.id for located in document.entries()] == [
        "mapRoles[0]",
        "mapAccounts[0]",
        "mapAccounts[1]",
    ]
    with pytest.raises(EditError, match="something other than a list"):
        document.edited(additions=[ACCOUNT])


class TestObjects:
    def test_a_name_that_is_taken_gets_a_number(self) -> None:
        document = IdentityMappings({}).edited(additions=[ROLE])
        ((name, _),) = document.objects.items()
        taken = IdentityMappings({name: {"spec": {"arn": BOB, "username": "x"}}}).edited(
            additions=[ROLE]
        )
        assert sorted(taken.objects) == [name, f"{name}.00002"]

    def test_texts_bring_it_back(self) -> None:
        document = IdentityMappings(
            {"a": {"metadata": {"labels": {"é": "1"}}, "spec": {"arn": BOB}}}
        )
        assert IdentityMappings.from_texts(document.texts) == document
        assert json.loads(document.texts["a"])["metadata"] == {"labels": {"é": "1"}}

    def test_a_username_cannot_be_taken_out(self) -> None:
        document = IdentityMappings({}).edited(additions=[ROLE])
        with pytest.raises(EditError, match="must have a username"):
            document.edited(updates=[(document.entries()[0], {"username": None})])


class TestPrincipals:
    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            pytest.param("arn:aws:iam::111122223333:role/dev", ["mapRoles[0]"], id="without path"),
            pytest.param(
                DEV.upper().replace("ARN:AWS:IAM", "arn:aws:iam"), ["mapRoles[0]"], id="case"
            ),
            pytest.param("mapaccounts[0]", ["mapAccounts[0]"], id="the id"),
            pytest.param(" 012345678901 ", ["mapAccounts[0]"], id="an account"),
            pytest.param("arn:aws:iam::111122223333:role/De*", [], id="a pattern of nobody"),
        ],
    )
    def test_what_a_word_means(self, wanted: str, found: list[str]) -> None:
        entries = AwsAuth({}).edited(additions=[ROLE, USER, ACCOUNT, SSO]).entries()
        assert [located.id for located in matching(entries, wanted)] == found

    def test_of_several_none_is_taken(self) -> None:
        entries = AwsAuth({}).edited(additions=[ROLE, ROLE]).entries()
        with pytest.raises(EditError, match=r"mapRoles\[0\], mapRoles\[1\]"):
            one(entries, DEV)

    def test_of_several_the_one_that_applies_is_found_if_that_is_asked(self) -> None:
        document = AwsAuth({}).edited(additions=[ROLE, USER, ROLE])
        (found,) = Chosen([DEV]).find(document, applying_at=0.0)
        assert found.id == "mapRoles[1]"
        with pytest.raises(EditError, match=r"mapRoles\[0\], mapRoles\[1\].*another one applies"):
            Chosen([DEV]).find(document)

    def test_a_place_that_another_entry_has_taken_is_not_edited(self) -> None:
        document = AwsAuth({}).edited(additions=[ROLE, SSO])
        chosen = Chosen(["mapRoles[0]"])
        chosen.find(document)
        with pytest.raises(EditError, match="another entry now"):
            chosen.find(document.edited(removals=document.entries()[:1]))

    def test_a_name_for_people(self) -> None:
        assert [e.principal for e in (ROLE, USER, ACCOUNT, SSO)] == [
            DEV,
            BOB,
            "012345678901",
            "permission set Ops in 111122223333",
        ]
        assert identity(SSO) == "arn:aws:iam::111122223333:role/awsreservedsso_ops_*"
