"""What is written back to an IAMIdentityMapping."""

from __future__ import annotations

from typing import Any

import pytest

from authenticator.mapping.guards import Guard
from authenticator.mapping.sections import SectionReader
from authenticator.sources.custom_resources import IdentityMappings
from tests.authenticator.sources.doubles import RememberedReports

ROLE = "arn:aws:iam::111122223333:role/path/Dev"
NOW = 1_800_000_000.0


def mapping(name: str, *, generation: int = 1, status: Any = None, **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "uid": f"uid-{name}", "generation": generation}
    return {"metadata": metadata, "spec": spec, "status": status or {}}


@pytest.fixture
def documents() -> IdentityMappings:
    return IdentityMappings(SectionReader("CRD", Guard()))


def report(documents: IdentityMappings) -> RememberedReports:
    reports = RememberedReports()
    documents.report(reports)
    return reports


def test_a_sound_one_gets_its_canonical_arn(documents: IdentityMappings) -> None:
    """With its path: the reference's servers on the same cluster match callers by this field."""
    documents.listed([mapping("a", arn=ROLE, username="dev", userid="AROAEXAMPLE")], NOW)
    reports = report(documents)
    assert reports.events == []
    assert reports.statuses == [
        (
            "/apis/iamauthenticator.k8s.aws/v1alpha1/iamidentitymappings/a",
            {
                "canonicalARN": "arn:aws:iam::111122223333:role/path/dev",
                "userID": "AROAEXAMPLE",
                "conditions": [
                    {
                        "type": "Valid",
                        "status": "True",
                        "reason": "InForce",
                        "message": "",
                        "observedGeneration": 1,
                        "lastTransitionTime": "2027-01-15T08:00:00Z",
                    }
                ],
            },
        )
    ]


@pytest.mark.parametrize(
    "arn", ["arn:aws:iam::111122223333:role/Dev ", " arn:aws:iam::111122223333:role/x"]
)
def test_blanks_around_an_arn_stay_in_its_status(documents: IdentityMappings, arn: str) -> None:
    """The reference never matches such an entry, but for a status without the blanks."""
    documents.listed([mapping("a", arn=arn, username="dev")], NOW)

    [(_, status)] = report(documents).statuses

    assert status["canonicalARN"] == arn.lower()


def test_a_refused_one_gets_the_reason_as_condition_and_event(documents: IdentityMappings) -> None:
    documents.listed([mapping("a", arn="nonsense", username="dev")], NOW)
    reports = report(documents)
    ((_, status),) = reports.statuses
    (condition,) = status["conditions"]
    assert (condition["status"], condition["reason"]) == ("False", "Refused")
    assert "it is not of the form" in condition["message"]
    assert reports.events == [("a", [condition["message"]])]


def test_a_status_that_is_right_is_not_written_again(documents: IdentityMappings) -> None:
    documents.listed([mapping("a", arn=ROLE, username="dev")], NOW)
    ((_, status),) = report(documents).statuses
    documents.changed("MODIFIED", mapping("a", status=status, arn=ROLE, username="dev"), NOW + 1)
    assert report(documents).statuses == []
    documents.listed([mapping("a", status=status, arn=ROLE, username="dev")], NOW + 2)
    assert report(documents).statuses == []


def test_the_time_of_transition_stays_while_the_outcome_does(documents: IdentityMappings) -> None:
    documents.listed([mapping("a", arn=ROLE, username="dev")], NOW)
    ((_, status),) = report(documents).statuses
    later = mapping("a", generation=2, status=status, arn=ROLE, username="other")
    documents.changed("MODIFIED", later, NOW + 60)
    ((_, again),) = report(documents).statuses
    assert again["conditions"][0]["observedGeneration"] == 2
    assert again["conditions"][0]["lastTransitionTime"] == "2027-01-15T08:00:00Z"


def test_conditions_of_others_are_kept(documents: IdentityMappings) -> None:
    other = {"type": "Audited", "status": "True"}
    documents.listed([mapping("a", status={"conditions": [other]}, arn=ROLE, username="dev")], NOW)
    ((_, status),) = report(documents).statuses
    assert [condition["type"] for condition in status["conditions"]] == ["Audited", "Valid"]


def test_entries_are_in_the_order_of_names(documents: IdentityMappings) -> None:
    for name in ("b", "a"):
        documents.changed("ADDED", mapping(name, arn=ROLE, username=name), NOW)
    assert [section.name for section in documents.sections()] == ["a", "b"]


def test_a_change_of_the_status_alone_leaves_the_rules_as_they_are(
    documents: IdentityMappings,
) -> None:
    documents.listed([mapping("a", arn=ROLE, username="dev")], NOW)
    (before,) = documents.sections()
    changed = mapping("a", status={"canonicalARN": "x"}, arn=ROLE, username="dev")
    documents.changed("MODIFIED", changed, NOW)
    assert documents.sections()[0] is before


@pytest.mark.parametrize("spec", [None, {}, {"arn": 1}, {"arn": ROLE, "username": " a"}, "text"])
def test_an_odd_spec_is_refused_and_reported(documents: IdentityMappings, spec: Any) -> None:
    odd = {"metadata": {"name": "a", "uid": "u", "generation": 1}, "spec": spec}
    documents.listed([odd], NOW)
    assert not documents.sections()[0].rules
    assert report(documents).events


def test_hosts_that_disagree_do_not_answer_each_others_statuses(
    documents: IdentityMappings,
) -> None:
    documents.listed([mapping("a", arn=ROLE, username="dev")], NOW)
    report(documents)
    other = mapping("a", status={"canonicalARN": "another's"}, arn=ROLE, username="dev")
    documents.changed("MODIFIED", other, NOW)
    assert report(documents).statuses == []
    documents.listed([other], NOW)
    assert len(report(documents).statuses) == 1


def test_what_is_wrong_is_reported_first(documents: IdentityMappings) -> None:
    fine = [mapping(f"a{number}", arn=ROLE, username="dev") for number in range(5)]
    warned = mapping("b", arn=ROLE, username="dev", unknown="x")
    refused = mapping("c", arn="nonsense", username="dev")
    documents.listed([*fine, warned, refused], NOW)
    reports = report(documents)
    names = [path.rpartition("/")[2] for path, _ in reports.statuses]
    assert names == ["c", "b", "a0", "a1", "a2", "a3", "a4"]
    assert [path.rpartition("/")[2] for path in reports.urgent] == ["c", "b"]


def test_an_event_of_a_status_gives_the_very_same_sections(documents: IdentityMappings) -> None:
    """Statuses of 5,000 objects come back as 5,000 events."""
    documents.listed([mapping(name, arn=ROLE, username=name) for name in "ba"], NOW)
    before = documents.sections()
    documents.changed("MODIFIED", mapping("a", status={"x": 1}, arn=ROLE, username="a"), NOW)
    assert documents.sections() is before
    documents.changed("MODIFIED", mapping("a", generation=2, arn=ROLE, username="c"), NOW)
    assert [section.rules[0].match.username.head for section in documents.sections()] == ["c", "b"]
    documents.changed("DELETED", mapping("a"), NOW)
    assert [section.name for section in documents.sections()] == ["b"]
