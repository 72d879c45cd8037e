"""The verifier of JWTs against the corpus, section by section, and against generated tokens."""

from __future__ import annotations

import json
from typing import Any

import jwt as pyjwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.aws.arns import CallerIdentity, ProofKind
from authenticator.errors import TokenRefused
from authenticator.tokens import jwt
from authenticator.tokens.jwks import Algorithm, parse
from authenticator.tokens.jwt import Issuer, JwtPolicy
from tests.corpus import forge, jwts

NOW = 1_790_000_000.5
POLICY = JwtPolicy(
    issuers={jwts.ISSUER: Issuer(jwts.ISSUER, jwts.ACCOUNT)},
    audiences=frozenset({jwts.AUDIENCE}),
    algorithms=frozenset(Algorithm),
    max_age_seconds=900,
    partition="aws",
)
KEYS = parse(json.dumps(jwts.own_keys().jwks()).encode())
CASES = forge.cases("jwts")
PASSES = [case for case in CASES if case.get("granted")]
FAILS = [case for case in CASES if not case.get("granted")]


def named(case: dict[str, str]) -> str:
    return case["name"]


def proven(token: str, *, now: float = NOW, policy: JwtPolicy = POLICY) -> CallerIdentity:
    checked = jwt.check(token, now=now, policy=policy)
    if checked.key_id not in KEYS:  # the server waits for the next key set
        raise TokenRefused("unknown-key", "no key has this name")
    return checked.verify(KEYS[checked.key_id])


def refusal(token: str, *, now: float = NOW, policy: JwtPolicy = POLICY) -> TokenRefused:
    with pytest.raises(TokenRefused) as caught:
        proven(token, now=now, policy=policy)
    return caught.value


def with_claims(**aws: Any) -> CallerIdentity:
    return proven(jwts.token({"aws": aws}, now=NOW))


@pytest.mark.parametrize("case", FAILS, ids=named)
def test_refused_by_the_check_that_is_meant(case: dict[str, Any]) -> None:
    assert refusal(jwts.token(case, now=NOW)).check == case["check"]


@pytest.mark.parametrize("case", PASSES, ids=named)
def test_accepted(case: dict[str, Any]) -> None:
    identity = proven(jwts.token(case, now=NOW))
    assert identity.proof is ProofKind.JWT
    assert identity.user_id == identity.access_key_id == ""


def test_the_corpus_meets_every_check() -> None:
    assert {case["check"] for case in FAILS} == set(jwt.CHECKS)
    assert len(set(jwt.CHECKS)) == len(jwt.CHECKS)


@pytest.mark.parametrize("name", ["plain", "es384"])
def test_tokens_of_the_corpus_are_what_another_library_takes(name: str) -> None:
    """PyJWT as an oracle: with a key set, it reads the same claims of the same token."""
    token = jwts.token(next(case for case in CASES if case["name"] == name), now=NOW)
    keys = pyjwt.PyJWKSet.from_dict(jwts.own_keys().jwks())
    key = keys[pyjwt.get_unverified_header(token)["kid"]]
    algorithm = pyjwt.get_unverified_header(token)["alg"]
    read = pyjwt.decode(
        token,
        key,
        algorithms=[algorithm],
        audience=jwts.AUDIENCE,
        issuer=jwts.ISSUER,
        options={"verify_exp": False, "verify_iat": False},
    )
    assert read["sub"] == str(proven(token).arn)


@pytest.mark.parametrize(
    ("seconds", "check"),
    [(-61, "not-yet"), (-60, None), (0, None), (899, None), (900, "expired"), (901, "expired")],
)
def test_the_window_of_time_is_exact(seconds: int, check: str | None) -> None:
    token, moment = jwts.token({}, now=NOW), int(NOW) + seconds
    if check is None:
        proven(token, now=moment)
    else:
        assert refusal(token, now=moment).check == check


@pytest.mark.parametrize(("seconds", "passes"), [(299, True), (300, True), (301, False)])
def test_the_age_is_the_operators(seconds: int, passes: bool) -> None:
    policy = JwtPolicy(POLICY.issuers, POLICY.audiences, POLICY.algorithms, 300, "aws")
    token = jwts.token({}, now=NOW)
    if passes:
        proven(token, now=int(NOW) + seconds, policy=policy)
    else:
        assert refusal(token, now=int(NOW) + seconds, policy=policy).check == "age"


def test_a_token_counts_within_its_bounds_only() -> None:
    checked = jwt.check(jwts.token({}, now=NOW), now=NOW, policy=POLICY)
    assert (checked.valid_from, checked.valid_until) == (int(NOW) - 60, int(NOW) + 900)


def test_es384_is_refused_unless_allowed() -> None:
    policy = JwtPolicy(
        POLICY.issuers, POLICY.audiences, frozenset({Algorithm.RS256}), 900, POLICY.partition
    )
    token = jwts.token({"header": {"alg": "ES384", "kid": "EC384_0"}}, now=NOW)
    assert refusal(token, policy=policy).check == "algorithm"


def test_a_role_keeps_its_path_and_is_matched_without() -> None:
    identity = proven(jwts.token({}, now=NOW))
    assert str(identity.arn) == "arn:aws:iam::111122223333:role/team/Dev"
    assert identity.canonical_arn == "arn:aws:iam::111122223333:role/Dev"


def test_claims_that_mappings_ask_for() -> None:
    claims = with_claims(
        identity_store_user_id="9067-1234",
        source_identity="alice",
        ec2_source_instance_arn="arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456789abcdef0",
    ).claims
    assert claims is not None
    assert claims.organization == "o-abcd1234ef"
    assert claims.organizational_units == {"ou-ab12-11111111", "ou-ab12-22222222"}
    assert claims.principal_tags == (("team", "data"),)  # never request_tags, the caller's choice
    assert claims.identity_store_user_id == "9067-1234"
    assert claims.source_identity == "alice"
    assert claims.instance_id == "i-0123456789abcdef0"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("org_id", "o-ABC"),
        ("org_id", ["o-abcd1234ef"]),
        ("identity_store_user_id", "a b"),
        ("source_identity", "\ud800"),
        ("source_identity", 7),
        ("ec2_source_instance_arn", "arn:aws:ec2:eu-west-1:444455556666:instance/i-01234567"),
        ("ec2_source_instance_arn", "arn:aws-cn:ec2:cn-north-1:111122223333:instance/i-01234567"),
        ("ec2_source_instance_arn", "arn:aws:ec2:eu-west-1:111122223333:instance/i-0123456"),
        ("principal_tags", ["team"]),
        ("principal_tags", {"team": ["data"], "x": 1, "a\n": "b", "c": "\u200b"}),
        ("ou_path", {"ou-ab12-11111111": 1}),
        ("ou_path", ["o-abcd1234ef/r-ab12/OU-AB12-11111111", 3]),
    ],
)
def test_a_claim_of_another_shape_is_absent(name: str, value: object) -> None:
    absent, odd = with_claims(**{name: None}), with_claims(**{name: value})
    assert odd == absent


def test_a_refusal_shows_nothing_of_the_token() -> None:
    for case in FAILS:
        token = jwts.token(case, now=NOW)
        shown = str(refusal(token))
        assert not any(len(part) > 6 and part in shown for part in token.split("."))
        assert "Dev" not in shown
    assert "eyJ" not in repr(jwt.check(jwts.token({}, now=NOW), now=NOW, policy=POLICY))


def never_raises_anything_else(token: str) -> None:
    check = ""
    try:
        proven(token)
    except TokenRefused as error:
        check = error.check
    assert check in ("", *jwt.CHECKS)


@given(st.text())
def test_any_text(token: str) -> None:
    never_raises_anything_else(token)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["iss", "aud", "sub", "iat", "exp", "nbf", "jti", "subject_mode", "x"])
AWS_NAMES = st.sampled_from(
    [*jwts.claims(now=0)[jwts.NAMESPACE], "ec2_source_instance_arn", "source_identity"]
)


@given(
    st.dictionaries(NAMES, JSON, max_size=2),
    st.dictionaries(AWS_NAMES, JSON, max_size=2),
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit"]), JSON, max_size=1),
)
def test_claims_of_any_shape(
    claims: dict[str, Any], aws: dict[str, Any], header: dict[str, Any]
) -> None:
    """Well signed, with members of any JSON: proven as before, or refused, and no other error."""
    case = {"claims": claims, "aws": aws, "header": header, "sign": "RS256"}
    never_raises_anything_else(jwts.token(case, now=NOW))


PLAIN = jwts.token({}, now=NOW)


@given(st.integers(0, len(PLAIN) - 1), st.integers(0, 2), st.text("AZaz09-_.=", max_size=2))
def test_no_change_of_a_token_passes(at: int, cut: int, put: str) -> None:
    changed = PLAIN[:at] + put + PLAIN[at + cut :]
    if changed == PLAIN:
        return
    refusal(changed)
