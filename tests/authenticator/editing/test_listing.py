"""Entries as the server reads them."""

from __future__ import annotations

from authenticator.editing.documents import AwsAuth
from authenticator.editing.listing import listing

TEXT = """\
- rolearn: arn:aws:iam::111122223333:role/A
  username: shadowed
- rolearn: arn:aws:iam::111122223333:role/a
  username: "{{AccountID}}:a"
  groups: [one, '']
- rolearn: arn:aws:iam::11112222333:role/short
  username: bad
  groups: [x]
- rolearn: arn:aws:iam::111122223333:role/old
  username: old
  expires: 2020-01-01T00:00:00Z
"""


def test_each_entry_with_what_it_grants_and_whether_it_does() -> None:
    rows = listing(AwsAuth({"mapRoles": TEXT}), now=1_700_000_000).rows
    assert [(row.id, row.line, row.username, row.groups, row.inForce) for row in rows] == [
        ("mapRoles[0]", 1, "shadowed", (), False),
        ("mapRoles[1]", 3, "{{AccountID}}:a", ("one",), True),
        ("mapRoles[2]", 6, "bad", ("x",), False),
        ("mapRoles[3]", 9, "old", (), False),
    ]
    assert [bool(row.problems) for row in rows] == [True] * 4
    assert rows[3].problems == ("it has expired",)


def test_before_it_expires_an_entry_is_in_force() -> None:
    assert listing(AwsAuth({"mapRoles": TEXT}), now=1_000_000_000).rows[3].inForce


def test_a_section_that_cannot_be_read_is_told_of_beside_the_others() -> None:
    found = listing(AwsAuth({"mapRoles": "- [", "mapAccounts": '["111122223333"]'}), now=0)
    assert [(row.principal, row.username) for row in found.rows] == [
        ("111122223333", "{{CanonicalARN}}")
    ]
    (problem,) = found.problems
    assert problem.startswith("mapRoles, line")
