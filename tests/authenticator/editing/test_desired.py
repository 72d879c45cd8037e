"""Wanted entries against those that there are."""

from __future__ import annotations

import pytest

from authenticator.editing.desired import added, applied
from authenticator.editing.documents import AwsAuth
from authenticator.editing.edits import EditError
from authenticator.editing.entry import MappingEntry, Value


def role(name: str, **fields: Value) -> MappingEntry:
    return MappingEntry(
        "mapRoles",
        {"rolearn": f"arn:aws:iam::111122223333:role/{name}", "username": name, **fields},
    )


USER = MappingEntry("mapUsers", {"userarn": "arn:aws:iam::111122223333:user/b", "username": "b"})
BEFORE = AwsAuth({}).edited(additions=[role("a", groups=["x"]), role("b"), USER])


def entries(document: AwsAuth) -> list[MappingEntry]:
    return [located.entry for located in document.entries()]


def test_what_is_wanted_is_there_and_all_else_stays() -> None:
    after = applied(BEFORE, [role("b", groups=["y"]), role("c")], prune=False)
    assert [located.entry for located in after.entries()] == [
        role("a", groups=["x"]),
        role("b", groups=["y"]),
        role("c"),
        USER,
    ]


def test_twice_is_as_good_as_once() -> None:
    wanted = [role("b", groups=["y"]), role("c")]
    once = applied(BEFORE, wanted, prune=True)
    assert applied(once, wanted, prune=True) == once


def test_what_is_there_is_not_touched() -> None:
    assert applied(BEFORE, [role("A", username="a", groups=["x"])], prune=False) is BEFORE


def test_fields_that_are_not_wanted_go_and_unknown_ones_stay() -> None:
    text = "- rolearn: arn:aws:iam::111122223333:role/a # why\n  groups: [x]\n  owner: me\n"
    wanted = MappingEntry("mapRoles", {"rolearn": "arn:aws:iam::111122223333:role/a"})
    after = applied(AwsAuth({"mapRoles": text}), [wanted], prune=False)
    assert after.texts == {"mapRoles": text.replace("  groups: [x]\n", "")}


def test_pruning_takes_only_from_sections_that_are_spoken_of() -> None:
    after = applied(BEFORE, [role("b")], prune=True)
    assert [located.entry for located in after.entries()] == [role("b"), USER]


def test_nothing_wanted_prunes_nothing() -> None:
    assert applied(BEFORE, [], prune=True) is BEFORE


class TestRecreatedPrincipals:
    def test_an_id_is_added_to_the_entry_that_has_none(self) -> None:
        after = applied(BEFORE, [role("b", userid="AROAONE")], prune=False)
        assert [located.entry for located in after.entries()][1] == role("b", userid="AROAONE")

    def test_each_keeps_its_entry(self) -> None:
        wanted = [role("b", userid="AROAONE"), role("b", userid="AROATWO", groups=["n"])]
        once = applied(BEFORE, wanted, prune=True)
        assert [located.entry for located in once.entries()][:2] == wanted
        assert applied(once, wanted, prune=True) == once


@pytest.mark.parametrize(
    ("document", "wanted", "reason"),
    [
        pytest.param(BEFORE, [role("c"), role("C")], "wanted twice", id="twice in the file"),
        pytest.param(
            AwsAuth({}).edited(additions=[role("a"), role("a")]),
            [role("a", groups=["y"])],
            r"mapRoles\[0\], mapRoles\[1\]",
            id="twice in the document",
        ),
    ],
)
def test_what_is_ambiguous_is_refused(
    document: AwsAuth, wanted: list[MappingEntry], reason: str
) -> None:
    with pytest.raises(EditError, match=reason):
        applied(document, wanted, prune=False)


def test_adding_what_is_there_is_refused() -> None:
    with pytest.raises(EditError, match=r"mapped already \(mapRoles\[0\]\)"):
        added(BEFORE, role("team/A"))
    assert len(added(BEFORE, role("a", userid="AROAONE")).entries()) == 4
