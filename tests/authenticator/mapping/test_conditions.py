"""Conditions narrow an entry, and never do anything else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from authenticator.aws.arns import CallerIdentity, PrincipalArn, SignedClaims
from authenticator.mapping.conditions import Conditions
from authenticator.mapping.documents import read_file
from authenticator.mapping.guards import Guard
from authenticator.mapping.precedence import hidden, in_order
from authenticator.mapping.rules import Rule
from authenticator.mapping.ruleset import RuleSet
from authenticator.mapping.sections import Section, SectionReader
from tests.authenticator.mapping.callers import ACCOUNT, ROLE_ID, role, user

ROLE = f"arn:aws:iam::{ACCOUNT}:role/Dev"
CLAIMS = SignedClaims(
    organization="o-abcd1234ef",
    organizational_units=frozenset({"ou-ab12-11111111", "ou-ab12-22222222"}),
    principal_tags=(("team", "data"), ("tier", "1")),
)


def jwt(arn: str = ROLE, claims: SignedClaims = CLAIMS) -> CallerIdentity:
    return CallerIdentity(PrincipalArn.parse(arn), "", "", claims)


PRESIGNED = role("Dev")


def sections(text: str) -> tuple[Section, ...]:
    return read_file(text.encode(), SectionReader("test", Guard()))


def rules(text: str) -> list[Rule]:
    return [rule for section in sections(text) for rule in (*section.rules, *section.denials)]


def login(text: str, identity: CallerIdentity) -> str:
    """The username that a caller gets; in parentheses, why an entry refuses them."""
    found = RuleSet.of((), sections(text), ())
    match = found.find(identity, 0.0)
    if match is not None:
        return match.render(identity, "ip-10-0-0-1.ec2.internal")[0]
    refusing = found.refusing(identity, 0.0)
    return f"({refusing[1]})" if refusing else "()"


def entry(condition: str, username: str = "dev", arn: str = ROLE) -> str:
    return f"mapRoles:\n- rolearn: {arn}\n  username: {username}\n  {condition}\n"


@pytest.mark.parametrize(
    ("condition", "claims", "met"),
    [
        ("proof: jwt", {}, True),
        ("proof: JWT", {}, True),
        ("proof: presigned", {}, False),
        ("organization: o-abcd1234ef", {}, True),
        ("organization: o-abcd1234e", {}, False),
        ("organization: o-abcd1234ef", {"organization": ""}, False),
        ("organizationalUnit: ou-ab12-11111111", {}, True),
        ("organizationalUnit: ou-ab12-22222222", {}, True),
        ("OrganizationalUnit: ou-ab12-22222222", {}, True),
        ("organizationalUnit: ou-ab12-1", {}, False),
        ("organizationalUnit: ou-ab12-111111111", {}, False),
        ("organizationalUnit: ou-ab12-11111111", {"organizational_units": frozenset()}, False),
        (
            "organizationalUnit: ou-ab12-1",
            {"organizational_units": frozenset({"ou-ab12-11"})},
            False,
        ),
        ("principalTags: {team: data}", {}, True),
        ("principaltags: {team: data}", {}, True),
        ("principalTags: {team: data, tier: '1'}", {}, True),
        ("principalTags: {team: dat}", {}, False),
        ("principalTags: {team: DATA}", {}, False),
        ("principalTags: {Team: data}", {}, False),
        ("principalTags: {team: data, other: x}", {}, False),
        ("principalTags: {other: ''}", {}, False),
        ("principalTags: {team: data}", {"principal_tags": ()}, False),
    ],
)
def test_a_jwt_meets_a_condition(condition: str, claims: dict[str, Any], met: bool) -> None:
    answer = login(entry(condition), jwt(claims=replace(CLAIMS, **claims)))
    assert (answer == "dev") is met
    assert met or answer.startswith("(its ")


@pytest.mark.parametrize(
    "condition",
    [
        "proof: jwt",
        "organization: o-abcd1234ef",
        "organizationalUnit: ou-ab12-11111111",
        "principalTags: {team: data}",
    ],
)
def test_a_presigned_token_meets_none_but_its_own_proof(condition: str) -> None:
    assert login(entry(condition), PRESIGNED) != "dev"
    assert login(entry("proof: presigned"), PRESIGNED) == "dev"


@pytest.mark.parametrize(
    "condition",
    [
        "proof: ''",
        "proof: oidc",
        "proof: [jwt]",
        "organization: ''",
        "organization:",
        "organization: my-org",
        "organization: '*'",
        "organizationalUnit: ou-ab12",
        "organizationalUnit: r-ab12",
        "organizationalUnit: o-abcd1234ef/r-ab12/ou-ab12-1",
        "principalTags: {}",
        "principalTags: ''",
        "principalTags: team=data",
        "principalTags: [team]",
        "principalTags: {team: [data]}",
        "principalTags: {team: }",
        'principalTags: {"te\\u200bam": data}',
        "proff: jwt",
        "organisation: o-abcd1234ef",
        "organizationUnit: ou-ab12-1",
        "principalTag: {team: data}",
        "principal_tags: {team: data}",
        "principalTags: {team: data, team: ops}",
        "conditions: {proof: jwt}",
        "tags: {team: data}",
        "orgId: o-abcd1234ef",
        "org-unit: ou-ab12-1",
        "ou: ou-ab12-1",
        "valid_until: 2031-01-01T00:00:00Z",
        "jwt: true",
        "exp\u200bires: 2031-01-01T00:00:00Z",
        "\uff50\uff52\uff4f\uff4f\uff46: jwt",
        "us\u0435r\u0456d: AROAEXAMPLE",
        "\u0440rin\u0441i\u0440\u0430lT\u0430gs: {team: data}",
    ],
)
def test_a_condition_that_cannot_be_used_refuses_everyone(condition: str) -> None:
    wider = f"- rolearn: arn:aws:iam::{ACCOUNT}:role/*\n  username: wide\n"
    text = entry(condition) + wider
    for identity in (jwt(), PRESIGNED):
        assert login(text, identity).startswith("(it cannot be used and refuses the caller")


@pytest.mark.parametrize("key", ["owner", "\u5099\u8003", "\u0432\u043b\u0430\u0434", "\u00fcber"])
def test_a_remark_under_a_key_of_its_own_refuses_nobody(key: str) -> None:
    assert login(entry(f"{key}: x"), PRESIGNED) == "dev"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ("username: 'dev:{{SessionName}}'\n  proof: jwt", "{{SessionName}}"),
        ("username: '{{AccessKeyID}}'\n  organization: o-abcd1234ef", "{{AccessKeyID}}"),
        ("username: dev\n  groups: ['{{SessionNameRaw}}']\n  proof: jwt", "{{SessionNameRaw}}"),
        (f"username: dev\n  userid: {ROLE_ID}\n  proof: jwt", "userid"),
        ("username: '{{SourceIdentity}}'\n  proof: presigned", "{{SourceIdentity}}"),
        ("username: dev\n  organization: o-abcd1234ef\n  proof: presigned", "claims"),
        ("username: '{{SourceIdentity}}:{{SessionName}}'", "{{SourceIdentity}}"),
    ],
)
def test_what_no_token_has_together_is_refused(fields: str, reason: str) -> None:
    (section, *_) = sections(f"mapRoles:\n- rolearn: {ROLE}\n  {fields}\n")
    assert not section.rules
    assert len(section.denials) == 1
    assert reason in section.problems[0].reason


class TestValuesOfOneKindOfToken:
    def test_a_session_name_is_not_in_a_jwt(self) -> None:
        text = f"mapRoles:\n- rolearn: {ROLE}\n  username: dev:{{{{SessionName}}}}\n"
        assert login(text, PRESIGNED) == "dev:alice"
        assert login(text, jwt()) == "(it needs {{SessionName}}, which a JWT does not have)"

    def test_an_access_key_is_not_in_a_jwt(self) -> None:
        text = entry("groups: ['{{AccessKeyID}}']")
        assert login(text, PRESIGNED) == "dev"
        assert login(text, jwt()) == "(it needs {{AccessKeyID}}, which a JWT does not have)"

    def test_a_unique_id_is_not_in_a_jwt(self) -> None:
        text = entry(f"userid: {ROLE_ID}")
        assert login(text, PRESIGNED) == "dev"
        assert login(text, jwt()) == "(it has a userid, which a JWT does not tell)"

    @pytest.mark.parametrize(
        ("name", "claim"),
        [
            ("IdentityStoreUserID", "identity_store_user_id"),
            ("SourceIdentity", "source_identity"),
        ],
    )
    def test_a_claim_is_in_jwts_that_have_it(self, name: str, claim: str) -> None:
        text = f"mapRoles:\n- rolearn: {ROLE}\n  username: 'u:{{{{{name}}}}}'\n"
        assert login(text, jwt(claims=replace(CLAIMS, **{claim: "9067-1"}))) == "u:9067-1"
        assert "which this token does not have" in login(text, jwt())
        assert "which a presigned token does not have" in login(text, PRESIGNED)

    def test_what_both_have(self) -> None:
        text = (
            f"mapRoles:\n- rolearn: {ROLE}\n  username: '{{{{AccountID}}}} {{{{CanonicalARN}}}}'\n"
        )
        with_path = jwt(f"arn:aws:iam::{ACCOUNT}:role/team/Dev")
        assert login(text, PRESIGNED) == login(text, with_path) == f"{ACCOUNT} {ROLE}"


WIDER = f"""
mapRoles:
- rolearn: {ROLE}
  username: narrow
  CONDITION
- rolearn: arn:aws:iam::{ACCOUNT}:role/*
  username: wide
mapAccounts:
- "{ACCOUNT}"
"""


@pytest.mark.parametrize(
    ("condition", "by_jwt", "presigned"),
    [
        ("proof: jwt", "narrow", None),
        ("proof: presigned", None, "narrow"),
        ("principalTags: {team: web}", None, None),
        ("organization: o-other", None, None),
        (f"userid: {ROLE_ID}", None, "narrow"),
        ("groups: ['{{SessionName}}']", None, "narrow"),
    ],
)
def test_no_one_falls_through_to_a_wider_entry(
    condition: str, by_jwt: str | None, presigned: str | None
) -> None:
    text = WIDER.replace("CONDITION", condition)
    for identity, expected in ((jwt(), by_jwt), (PRESIGNED, presigned)):
        answer = login(text, identity)
        assert answer == expected if expected else answer.startswith("(it")


def test_entries_for_both_kinds_of_token() -> None:
    text = f"""
mapRoles:
- {{rolearn: "{ROLE}", username: "key:{{{{SessionName}}}}"}}
- {{rolearn: "{ROLE}", username: "jwt", proof: jwt}}
- {{rolearn: "{ROLE}", username: "data", principalTags: {{team: data}}}}
"""
    assert login(text, PRESIGNED) == "key:alice"
    assert login(text, jwt()) == "data"
    assert login(text, jwt(claims=SignedClaims())) == "jwt"
    assert not list(hidden(in_order(rules(text))))


def test_an_entry_without_conditions_hides_those_before_it() -> None:
    text = f"""
mapRoles:
- {{rolearn: "{ROLE}", username: jwt, proof: jwt}}
- {{rolearn: "{ROLE}", username: all}}
"""
    assert login(text, jwt()) == "all"
    assert [rule.match.username.written for rule, _ in hidden(in_order(rules(text)))] == ["jwt"]


def test_an_entry_after_one_with_conditions_never_applies() -> None:
    text = f"""
mapRoles:
- {{rolearn: "{ROLE}", username: all}}
- {{rolearn: "{ROLE}", username: jwt, proof: jwt}}
"""
    assert login(text, PRESIGNED).startswith("(its proof is jwt")
    assert [rule.match.username.written for rule, _ in hidden(in_order(rules(text)))] == ["all"]


def test_a_pin_that_differs_is_not_passed_by_an_entry_for_presigned_tokens() -> None:
    text = f"""
mapRoles:
- {{rolearn: "{ROLE}", username: "any:{{{{SessionName}}}}"}}
- {{rolearn: "{ROLE}", username: pinned, userid: AROAOTHEROTHEROTHER1}}
"""
    assert login(text, PRESIGNED).startswith("(its userid is another")


class TestPermissionSets:
    SSO = f"""
mapRoles:
- sso: {{permissionSetName: Admin, accountID: "{ACCOUNT}"}}
  username: sso
- rolearn: arn:aws:iam::{ACCOUNT}:role/AWSReservedSSO_*
  username: look-alike
"""
    NAME = "AWSReservedSSO_Admin_0123456789abcdef"

    @pytest.mark.parametrize(
        ("path", "username"),
        [
            ("aws-reserved/sso.amazonaws.com/", "sso"),
            ("aws-reserved/sso.amazonaws.com/eu-west-2/", "sso"),
            ("AWS-reserved/sso.amazonaws.com/", "sso"),
            ("", "look-alike"),
            ("aws-reserved/", "look-alike"),
            ("aws-reserved/sso.amazonaws.com.evil/", "look-alike"),
            ("x/aws-reserved/sso.amazonaws.com/", "look-alike"),
        ],
    )
    def test_a_jwt_proves_the_path(self, path: str, username: str) -> None:
        assert login(self.SSO, jwt(f"arn:aws:iam::{ACCOUNT}:role/{path}{self.NAME}")) == username

    def test_a_presigned_token_cannot(self) -> None:
        assert login(self.SSO, role(self.NAME)) == "sso"


def test_users_patterns_and_accounts_match_jwts() -> None:
    text = f"""
mapRoles:
- rolearn: arn:aws:iam::{ACCOUNT}:role/dev-*
  username: pattern
mapUsers:
- userarn: arn:aws:iam::{ACCOUNT}:user/team/alice
  username: alice
mapAccounts: ["{ACCOUNT}"]
"""
    assert login(text, jwt(f"arn:aws:iam::{ACCOUNT}:role/x/dev-1")) == "pattern"
    assert login(text, jwt(f"arn:aws:iam::{ACCOUNT}:user/team/alice")) == "alice"
    assert login(text, jwt(f"arn:aws:iam::{ACCOUNT}:user/bob")) == str(user("bob").arn)
    assert login(text, jwt("arn:aws:iam::444455556666:user/bob")) == "()"


CONDITIONS = st.builds(
    Conditions,
    st.none() | st.sampled_from([jwt().proof, PRESIGNED.proof]),
    st.sampled_from(["", "o-abcd1234ef", "o-other"]),
    st.sampled_from(["", "ou-ab12-11111111", "ou-ab12-1"]),
    st.sampled_from([(), (("team", "data"),), (("team", "web"),)]),
)


@given(st.lists(CONDITIONS, min_size=1, max_size=4), st.sampled_from([jwt(), PRESIGNED]))
# No token meets the second, which hides nothing.
@example(
    [Conditions(None, "", "ou-ab12-11111111"), Conditions(PRESIGNED.proof, "", "ou-ab12-11111111")],
    jwt(),
)
def test_conditions_never_widen(conditions: list[Conditions], identity: CallerIdentity) -> None:
    """Who is let in with conditions is let in by an entry for the same principal without them."""
    base = rules(entry("groups: [g]"))[0]
    made = [
        replace(
            base,
            conditions=one,
            match=replace(base.match, origin=replace(base.match.origin, index=number)),
        )
        for number, one in enumerate(conditions)
    ]
    wide = rules(entry("groups: [w]", arn=f"arn:aws:iam::{ACCOUNT}:role/*"))[0]
    match = RuleSet([[*made, wide]]).find(identity, 0.0)
    met = [rule for rule in made if not rule.conditions.unmet(identity)]
    if match is not None:
        assert match in [rule.match for rule in met]
    never = {rule.match.origin for rule, _ in hidden(in_order(made))}
    assert match is None or match.origin not in never
    claims = [rule.claims_of_a_caller() for rule in made]
    for rule, found in zip(made, claims, strict=True):
        caller = PRESIGNED if found is None else jwt(claims=found)
        contradicts = rule.match.contradicts(rule.conditions, pinned=False)
        assert contradicts or not rule.conditions.unmet(caller)
