"""What is particular to the ConfigMap aws-auth."""

from __future__ import annotations

from typing import Any

import pytest

from authenticator.mapping.guards import Guard
from authenticator.mapping.sections import SectionReader
from authenticator.sources.config_map import AwsAuth
from tests.authenticator.sources.doubles import RememberedReports

ROLES = '[{"rolearn": "arn:aws:iam::111122223333:role/Dev", "username": "dev"}]'


def config_map(**content: Any) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": "1", "uid": "u"}, **content}


def test_a_section_that_kubectl_put_under_binary_data_keeps_its_last_good_rules() -> None:
    """kubectl does so with a file that has one byte that is not UTF-8."""
    documents = AwsAuth(SectionReader("EKSConfigMap", Guard()))
    documents.listed([config_map(data={"mapRoles": ROLES})], now=1.0)
    documents.changed("MODIFIED", config_map(binaryData={"mapRoles": "/w=="}), now=2.0)
    section = next(s for s in documents.sections() if s.name == "mapRoles")
    assert len(section.rules) == 1
    assert "binaryData" in section.problems[0].reason
    assert documents.texts()() == {"mapRoles": ROLES}


def taken(*versions: dict[str, str]) -> AwsAuth:
    """The source after it has read these versions of `data`."""
    documents = AwsAuth(SectionReader("EKSConfigMap", Guard()))
    for version in versions:
        documents.listed([config_map(data=version)], now=1.0)
    return documents


def entries(documents: AwsAuth) -> int:
    return sum(section.size for section in documents.sections())


EMPTY = ("", '""', "''", "``", "null", "~", "[]", " \n", "# nobody\n", "---\n", "---\n[]\n---\n")


@pytest.mark.parametrize("text", EMPTY)
def test_an_empty_section_revokes_in_every_spelling_and_says_so(text: str) -> None:
    """`mapUsers: '""'` kept its last good version, and alice system:masters."""
    documents = taken({"mapRoles": ROLES}, {"mapRoles": text})
    assert entries(documents) == 0
    reports = RememberedReports()
    documents.report(reports)
    ((name, reasons),) = reports.events
    assert (name, reasons) == ("aws-auth", ["it has become empty: 1 entry no longer apply"])


def test_a_section_that_is_taken_out_says_so_and_one_that_comes_back_says_nothing() -> None:
    assert taken({"mapRoles": ROLES}, {}).sections()[0].problems
    assert not taken({"mapRoles": ROLES}, {}, {"mapRoles": ROLES}).sections()[0].problems


def test_a_deleted_config_map_says_that_its_entries_are_gone() -> None:
    documents = taken({"mapRoles": ROLES})
    documents.changed("DELETED", config_map(), now=2.0)
    reports = RememberedReports()
    documents.report(reports)
    assert reports.events == [("aws-auth", ["it has become empty: 1 entry no longer apply"])]


@pytest.mark.parametrize("broken", ["{}", "a: b", "- [", "mapRoles"])
def test_what_does_not_parse_keeps_the_last_good_version(broken: str) -> None:
    documents = taken({"mapRoles": ROLES}, {"mapRoles": broken})
    assert entries(documents) == 1
    assert "the last good version stays active" in documents.sections()[0].problems[0].reason


def test_an_empty_section_after_a_broken_one_revokes() -> None:
    assert entries(taken({"mapRoles": ROLES}, {"mapRoles": "{}"}, {"mapRoles": '""'})) == 0


def test_keys_are_read_in_their_own_case_as_the_reference_and_eks_do() -> None:
    """`maproles` granted here, and next to mapRoles it took away what that grants."""
    alone = taken({"maproles": ROLES})
    assert entries(alone) == 0
    reports = RememberedReports()
    alone.report(reports)
    assert "write mapRoles" in reports.events[0][1][0]
    assert entries(taken({"mapRoles": ROLES, "maproles": "[]"})) == 1


@pytest.mark.parametrize("more", ["\n---\n", "\n---\n# nothing\n", "\n...\n"])
def test_a_trailing_divider_is_harmless(more: str) -> None:
    """With one, nobody of mapRoles got in on a cold start."""
    documents = taken({"mapRoles": ROLES + more})
    assert entries(documents) == 1
    assert not documents.sections()[0].problems


@pytest.mark.parametrize("more", ["\n---\n- x", "\n--- [x\n", "\n---\n{{ template }}\n"])
def test_what_follows_the_first_document_is_reported_and_not_read(more: str) -> None:
    documents = taken({"mapRoles": ROLES + more})
    assert entries(documents) == 1
    (problem,) = documents.sections()[0].problems
    assert "what follows the first YAML document" in problem.reason


def test_duplicates_that_grant_different_things_are_named_in_an_event() -> None:
    twice = f"{ROLES[:-1]}, {ROLES[1:-1].replace('dev', 'other')}]"
    reports = RememberedReports()
    taken({"mapRoles": twice}).report(reports)
    ((_, (reason,)),) = reports.events
    assert "mapRoles[1]" in reason
    assert "grants something else" in reason
