"""Names of custom resources."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.editing.formats.names import names, natural_name
from authenticator.mapping.selectors import by_arn

# Kubernetes: RFC 1123 subdomains of at most 253 characters.
SUBDOMAIN = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
)
IAM = "arn:aws:iam::111122223333:"
DIGEST = "-[0-9a-f]{8}"

NATURAL = {
    "a role": (f"{IAM}role/Dev-1", "role-111122223333-dev-1"),
    "a role with a path, which takes no part": (f"{IAM}role/a/b/Dev", "role-111122223333-dev"),
    "a session of a role": (
        "arn:aws:sts::111122223333:assumed-role/Dev/x",
        "role-111122223333-dev",
    ),
    "a user": (f"{IAM}user/bob", "user-111122223333-bob"),
    "a user with a path": (f"{IAM}user/a/bob", f"user-111122223333-a-bob{DIGEST}"),
    "root": (f"{IAM}root", "root-111122223333"),
    "characters that names cannot have": (
        f"{IAM}role/A_b.c@d",
        f"role-111122223333-a-b-c-d{DIGEST}",
    ),
    "a pattern": (f"{IAM}role/team-*", f"role-111122223333-team{DIGEST}"),
    "another partition": (
        "arn:aws-cn:iam::111122223333:role/Dev",
        f"role-111122223333-dev{DIGEST}",
    ),
    "a long path": (f"{IAM}user/{'p' * 400}/bob", f"user-111122223333-p{{182}}{DIGEST}"),
}


@pytest.mark.parametrize(("arn", "name"), NATURAL.values(), ids=NATURAL)
def test_natural_name(arn: str, name: str) -> None:
    assert re.fullmatch(name, natural_name(by_arn(arn)))


IN_ORDER = {
    "the same principal again": ([f"{IAM}role/Dev", f"{IAM}role/dev"], [0, 1]),
    "patterns of one rank that meet": ([f"{IAM}role/z*", f"{IAM}role/*a"], [0, 1]),
    "three times": ([f"{IAM}role/z*", f"{IAM}role/*a", f"{IAM}role/z*"], [0, 1, 2]),
}


@pytest.mark.parametrize(("arns", "order"), IN_ORDER.values(), ids=IN_ORDER)
def test_names_sort_as_the_entries_stand(arns: list[str], order: list[int]) -> None:
    found = names([by_arn(arn) for arn in arns])
    assert sorted(range(len(found)), key=found.__getitem__) == order


def test_other_entries_do_not_change_a_name() -> None:
    alone = names([by_arn(f"{IAM}role/Dev")])
    others = [by_arn(f"{IAM}role/{name}") for name in ("A", "*", "D*", "Dev?", "Dev-2")]
    assert names([*others, by_arn(f"{IAM}role/Dev")])[-1:] == alone


resources = st.from_regex(r"(role|user)/[A-Za-z0-9_+=,.@*?-]{1,64}", fullmatch=True)


@given(st.lists(resources, max_size=6))
def test_names_are_unique_and_valid(some: list[str]) -> None:
    found = names([by_arn(IAM + resource) for resource in some])
    assert len(set(found)) == len(some)
    assert all(SUBDOMAIN.fullmatch(name) for name in found)
