"""Mappings as CEL: what is rendered, refused and named. tests/e2e has a real API server read it."""

from __future__ import annotations

import json

import pytest

from authenticator.editing.authentication_config import (
    MOST_ISSUERS,
    Rendered,
    Sources,
    TrustedIssuer,
    render,
)
from authenticator.mapping.documents import read_file
from authenticator.mapping.guards import Guard
from authenticator.mapping.problems import Origin
from authenticator.mapping.rules import administrator
from authenticator.mapping.sections import SectionReader

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Dev"
ISSUER = TrustedIssuer("https://issuer.example", ACCOUNT)


def rendered(
    *documents: object, guard: Guard | None = None, issuers: tuple[TrustedIssuer, ...] = (ISSUER,)
) -> Rendered:
    chain = [
        section
        for number, document in enumerate(documents)
        for section in read_file(
            json.dumps(document).encode(), SectionReader(f"source-{number}", guard or Guard())
        )
    ]
    admin = administrator(f"arn:aws:iam::{ACCOUNT}:role/Creator", Origin("bootstrap", "x"))
    return render(
        issuers,
        Sources((admin,), chain, ()),
        audiences=("b", "a"),
        partition="aws",
        max_age_seconds=900,
        now=1_900_000_000.0,
    )


def username(*documents: object, guard: Guard | None = None) -> str:
    (entry,) = rendered(*documents, guard=guard).document["jwt"]
    return str(entry["claimMappings"]["username"]["expression"])


def roles(**fields: object) -> dict[str, object]:
    return {"mapRoles": [{"rolearn": ROLE, "username": "dev", **fields}]}


def test_the_creator_comes_first() -> None:
    expression = username(roles())
    assert expression.index("creator") < expression.index("dev$")


@pytest.mark.parametrize("number", [0, MOST_ISSUERS + 1])
def test_a_number_of_issuers_that_the_api_server_does_not_take(number: int) -> None:
    issuers = tuple(TrustedIssuer(f"https://{n}.example", ACCOUNT) for n in range(number))
    with pytest.raises(ValueError, match="issuer"):
        rendered(issuers=issuers)


def test_an_expired_entry_is_absent_and_one_that_ends_refuses() -> None:
    made = rendered(roles(expires="2020-01-01T00:00:00Z"))
    assert made.left_out == ()
    assert "dev$" not in str(made.document)
    made = rendered(roles(expires="2099-01-01T00:00:00Z"))
    assert "CEL has no clock" in made.left_out[0]
    assert 'dev$") ? "" :' in username(roles(expires="2099-01-01T00:00:00Z"))


@pytest.mark.parametrize(
    "fields",
    [
        {"userid": "AROAEXAMPLEEXAMPLE123"},
        {"proof": "presigned"},
        {"username": "{{SessionName}}"},
        {"groups": ["{{AccessKeyID}}"]},
        {"username": "{{Unknown}}"},
        {"proof": "something"},
    ],
)
def test_an_entry_that_no_jwt_can_use_refuses_its_callers(fields: dict[str, object]) -> None:
    assert 'dev$") ? "" :' in username(roles(**fields))


def test_names_are_quoted() -> None:
    expression = username(roles(username="a\"b\\c'd\u00e9"))
    assert json.dumps("a\"b\\c'd\u00e9", ensure_ascii=False) in expression


def test_a_reserved_beginning_is_refused_as_rendered() -> None:
    expression = username(
        roles(username="{{SourceIdentity}}"),
        guard=Guard(username_prefixes=("admin:",), system_names=False),
    )
    assert '.startsWith("admin:")' in expression
    assert '.startsWith("system:")' in expression
    assert "startsWith" not in username(roles(), guard=Guard(username_prefixes=("admin:",)))


def test_sources_behind_a_mapped_account_do_not_apply() -> None:
    account = {"mapAccounts": [ACCOUNT]}
    assert "dev$" in username(roles(), account)
    assert "dev$" not in username(account, roles())


def test_other_accounts_partitions_and_kinds_are_left_out() -> None:
    others = {
        "mapRoles": [
            {"rolearn": "arn:aws:iam::444455556666:role/Dev", "username": "x"},
            {"rolearn": f"arn:aws-cn:iam::{ACCOUNT}:role/Dev", "username": "x"},
        ],
        "mapUsers": [
            {"userarn": f"arn:aws:iam::{ACCOUNT}:root", "username": "x"},
            {"userarn": f"arn:aws:sts::{ACCOUNT}:federated-user/x", "username": "x"},
        ],
    }
    assert '"x"' not in username(others)
