"""Wanted entries against those that there are."""

from __future__ import annotations

import pytest

from authenticator.editing.desired import added, applied
from authenticator.editing.documents import AwsAuth, Document
from authenticator.editing.edits import EditError
from authenticator.editing.entry import MappingEntry, Value
from authenticator.editing.objects import IdentityMappings


def role(name: str, **fields: Value) -> MappingEntry:
    return MappingEntry(
        "mapRoles",
        {"rolearn": f"arn:aws:iam::111122223333:role/{name}", "username": name, **fields},
    )


NOW = 1_700_000_000.0
USER = MappingEntry("mapUsers", {"userarn": "arn:aws:iam::111122223333:user/b", "username": "b"})
BEFORE = AwsAuth({}).edited(additions=[role("a", groups=["x"]), role("b"), USER])


def entries(document: Document) -> list[MappingEntry]:
    return [located.entry for located in document.entries()]


def test_what_is_wanted_is_there_and_all_else_stays() -> None:
    after = applied(BEFORE, [role("b", groups=["y"]), role("c")], prune=False, now=NOW)
    assert [located.entry for located in after.entries()] == [
        role("a", groups=["x"]),
        role("b", groups=["y"]),
        role("c"),
        USER,
    ]


def test_twice_is_as_good_as_once() -> None:
    wanted = [role("b", groups=["y"]), role("c")]
    once = applied(BEFORE, wanted, prune=True, now=NOW)
    assert applied(once, wanted, prune=True, now=NOW) == once


def test_what_is_there_is_not_touched() -> None:
    assert applied(BEFORE, [role("A", username="a", groups=["x"])], prune=False, now=NOW) is BEFORE


def test_conditions_of_custom_resources_are_applied_once_and_taken_out_again() -> None:
    conditions: dict[str, Value] = {
        "organizationalUnit": "ou-ab12-1",
        "principalTags": {"team": "data"},
    }
    wanted = [role("a", groups=["x"], **conditions)]
    once = applied(IdentityMappings({}), wanted, prune=False, now=NOW)
    assert applied(once, wanted, prune=False, now=NOW) == once
    assert [one.entry.fields["principalTags"] for one in once.entries()] == [{"team": "data"}]
    (without,) = applied(once, [role("a", groups=["x"])], prune=False, now=NOW).entries()
    assert not without.entry.fields.keys() & conditions.keys()


def test_fields_that_are_not_wanted_go_and_unknown_ones_stay() -> None:
    text = "- rolearn: arn:aws:iam::111122223333:role/a # why\n  groups: [x]\n  owner: me\n"
    wanted = MappingEntry("mapRoles", {"rolearn": "arn:aws:iam::111122223333:role/a"})
    after = applied(AwsAuth({"mapRoles": text}), [wanted], prune=False, now=NOW)
    assert after.texts == {"mapRoles": text.replace("  groups: [x]\n", "")}


def test_pruning_takes_only_from_sections_that_are_spoken_of() -> None:
    after = applied(BEFORE, [role("b")], prune=True, now=NOW)
    assert [located.entry for located in after.entries()] == [role("b"), USER]


def test_nothing_wanted_prunes_nothing() -> None:
    assert applied(BEFORE, [], prune=True, now=NOW) is BEFORE


class TestRecreatedPrincipals:
    def test_an_id_is_added_to_the_entry_that_has_none(self) -> None:
        after = applied(BEFORE, [role("b", userid="AROAONE")], prune=False, now=NOW)
        assert [located.entry for located in after.entries()][1] == role("b", userid="AROAONE")

    def test_each_keeps_its_entry(self) -> None:
        wanted = [role("b", userid="AROAONE"), role("b", userid="AROATWO", groups=["n"])]
        once = applied(BEFORE, wanted, prune=True, now=NOW)
        assert [located.entry for located in once.entries()][:2] == wanted
        assert applied(once, wanted, prune=True, now=NOW) == once


@pytest.mark.parametrize(
    ("document", "wanted", "reason"),
    [
        pytest.param(BEFORE, [role("c"), role("C")], "wanted twice", id="twice in the file"),
        pytest.param(
            AwsAuth({}).edited(
                additions=[role("a", userid="AROAONE"), role("a", userid="AROATWO")]
            ),
            [role("a", groups=["y"])],
            r"mapRoles\[0\], mapRoles\[1\]",
            id="two recreations in the document",
        ),
    ],
)
def test_what_is_ambiguous_is_refused(
    document: AwsAuth, wanted: list[MappingEntry], reason: str
) -> None:
    with pytest.raises(EditError, match=reason):
        applied(document, wanted, prune=False, now=NOW)


class TestDuplicates:
    """Of equal entries of a section the later one applies, and it is that one which is changed."""

    def test_the_one_that_applies_is_changed(self) -> None:
        document = AwsAuth({}).edited(additions=[role("a"), role("b"), role("A"), role("c")])
        after = applied(document, [role("a", groups=["y"])], prune=False, now=NOW)
        assert entries(after) == [
            role("a"),
            role("b"),
            role("A", username="a", groups=["y"]),
            role("c"),
        ]

    def test_one_that_has_expired_does_not_apply(self) -> None:
        ended = role("a", expires="2020-01-01T00:00:00Z")
        document = AwsAuth({}).edited(additions=[role("a"), ended])
        after = applied(document, [role("a", groups=["y"])], prune=False, now=NOW)
        assert entries(after) == [role("a", groups=["y"]), ended]

    def test_one_that_refuses_its_callers_is_put_right(self) -> None:
        """It cannot be used, and the callers are refused instead of getting an earlier entry."""
        wrong = role("a", groups=["{{Unknown}}"])
        document = AwsAuth({}).edited(additions=[role("a"), wrong])
        after = applied(document, [role("a", groups=["y"])], prune=False, now=NOW)
        assert entries(after) == [role("a"), role("a", groups=["y"])]

    def test_an_arn_without_its_path_applies_before_one_with_it(self) -> None:
        document = AwsAuth({}).edited(additions=[role("b"), role("team/b")])
        after = applied(document, [role("b", groups=["y"])], prune=False, now=NOW)
        assert entries(after) == [role("b", groups=["y"]), role("team/b")]

    def test_twice_is_as_good_as_once(self) -> None:
        document = AwsAuth({}).edited(additions=[role("a"), role("a")])
        once = applied(document, [role("a", groups=["y"])], prune=True, now=NOW)
        assert applied(once, [role("a", groups=["y"])], prune=True, now=NOW) is once


def test_adding_what_is_there_is_refused() -> None:
    with pytest.raises(EditError, match=r"mapped already \(mapRoles\[0\]\)"):
        added(BEFORE, role("team/A"))
    assert len(added(BEFORE, role("a", userid="AROAONE")).entries()) == 4
