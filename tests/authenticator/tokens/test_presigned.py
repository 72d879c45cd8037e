"""The verifier against the corpus, and against whatever Hypothesis thinks of."""

import base64
import re
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.aws.sts_hosts import StsHost, sts_hosts
from authenticator.errors import TokenRefused
from authenticator.tokens import presigned
from tests.corpus import forge

NOW = 1_790_000_000
HOSTS = sts_hosts("aws")
CASES = forge.cases("tokens")
# STS, not the text, refuses these.
PASSES = [case for case in CASES if case.get("granted") or case["check"] == "sts"]
FAILS = [case for case in CASES if case not in PASSES]
VALID = forge.token({}, now=NOW)


def named(case: dict[str, str]) -> str:
    return case["name"]


@pytest.mark.parametrize("case", FAILS, ids=named)
def test_refused_by_the_check_that_is_meant(case: dict[str, str]) -> None:
    with pytest.raises(TokenRefused) as caught:
        presigned.check(forge.token(case, now=NOW), now=NOW, hosts=HOSTS)
    assert caught.value.check == case["check"]


@pytest.mark.parametrize("case", FAILS, ids=named)
def test_a_claim_holds_checked_text_only(case: dict[str, str]) -> None:
    with pytest.raises(TokenRefused) as caught:
        presigned.check(forge.token(case, now=NOW), now=NOW, hosts=HOSTS)
    claim = caught.value.claim
    if case["check"] in ("prefix", "size", "base64", "url"):
        assert claim is None
        return
    assert claim is not None
    assert re.fullmatch(r"[a-z0-9.-]{1,255}", claim.host)
    whole = case["check"] in ("scope", "date-exists", "not-yet", "expired")
    assert claim.access_key_id == ("AKIAIOSFODNN7EXAMPLE" if whole else "")
    assert bool(claim.region) is whole


def test_the_corpus_meets_every_check() -> None:
    assert {case["check"] for case in FAILS} == set(presigned.CHECKS)
    assert len(set(presigned.CHECKS)) == len(presigned.CHECKS)


@pytest.mark.parametrize("case", PASSES, ids=named)
def test_accepted_by_its_text(case: dict[str, str]) -> None:
    request = presigned.check(forge.token(case, now=NOW), now=NOW, hosts=HOSTS)
    assert request.host is HOSTS[case.get("host", "sts.us-west-2.amazonaws.com")]


def test_the_request_to_sts_is_built_from_the_checked_parts() -> None:
    request = presigned.check(VALID, now=NOW, hosts=HOSTS)
    url = base64.urlsafe_b64decode(VALID.removeprefix(presigned.PREFIX) + "===").decode()
    assert f"https://{request.host.name}{request.target}" == url
    assert request.access_key_id == "AKIAIOSFODNN7EXAMPLE"
    assert request.valid_until == NOW + 900


def test_operators_may_list_further_hosts() -> None:
    name = "vpce-0a1b2c3d.sts.us-west-2.vpce.amazonaws.com"
    case = {"host": name}
    with pytest.raises(TokenRefused, match="is not an STS host"):
        presigned.check(forge.token(case, now=NOW), now=NOW, hosts=HOSTS)
    hosts = sts_hosts("aws", [StsHost(name, "us-west-2", "aws")])
    assert presigned.check(forge.token(case, now=NOW), now=NOW, hosts=hosts).host.name == name


@pytest.mark.parametrize(
    ("seconds", "check"), [(-301, "not-yet"), (-300, None), (899, None), (900, "expired")]
)
def test_the_window_of_time_is_exact(seconds: int, check: str | None) -> None:
    def verify() -> None:
        presigned.check(VALID, now=NOW + seconds, hosts=HOSTS)

    if check is None:
        verify()
        return
    with pytest.raises(TokenRefused) as caught:
        verify()
    assert caught.value.check == check


def test_a_refusal_shows_nothing_of_the_token() -> None:
    url = base64.urlsafe_b64decode(VALID.removeprefix(presigned.PREFIX) + "===").decode()
    signature = url.rpartition("=")[2]
    for case in FAILS:
        with pytest.raises(TokenRefused) as caught:
            presigned.check(forge.token(case, now=NOW), now=NOW, hosts=HOSTS)
        assert signature not in str(caught.value)
        assert "AKIA" not in str(caught.value)
    assert signature not in repr(presigned.check(VALID, now=NOW, hosts=HOSTS))


def never_raises_anything_else(token: str) -> None:
    try:
        presigned.check(token, now=NOW, hosts=HOSTS)
    except TokenRefused:
        return
    # Only text that decodes to the valid URL, in this one spelling, may pass.
    assert token == VALID


@given(st.text())
def test_any_text(token: str) -> None:
    never_raises_anything_else(token)
    never_raises_anything_else(presigned.PREFIX + token)


@given(st.binary(max_size=600))
def test_any_url(url: bytes) -> None:
    encoded = base64.urlsafe_b64encode(url).decode().rstrip("=")
    never_raises_anything_else(presigned.PREFIX + encoded)


VALID_URL = base64.urlsafe_b64decode(VALID.removeprefix(presigned.PREFIX) + "===").decode()


@given(
    st.integers(0, len(VALID_URL)),
    st.integers(0, 3),
    st.text(st.characters(max_codepoint=0x250), max_size=3),
)
def test_a_valid_url_with_something_else_in_it(at: int, cut: int, put: str) -> None:
    url = VALID_URL[:at] + put + VALID_URL[at + cut :]
    encoded = base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
    try:
        request = presigned.check(presigned.PREFIX + encoded, now=NOW, hosts=HOSTS)
    except TokenRefused:
        return
    # What passed is another well-formed request, and says what was read, no more and no less.
    sent = f"https://{request.host.name}{request.target}"
    assert sorted(re.split("[?&]", sent.lower())) == sorted(re.split("[?&]", url.lower()))


# All that a parameter may hold, by the shapes of `presigned._PARAMETERS`.
VALUES = st.text("AZaz09+/=_-;.~", max_size=40)


@given(VALUES)
def test_a_value_is_escaped_as_signers_escape_it(value: str) -> None:
    assert presigned._escaped(value) == quote(value, safe="-._~")


@given(st.lists(st.sampled_from([*"AZ09._~-", *(f"%{code:02x}" for code in range(32, 128))])))
def test_each_escape_is_read_once(parts: list[str]) -> None:
    """`%252F` stands for `%2F`, and not for a slash."""
    value = "".join(part.upper() if index % 2 else part for index, part in enumerate(parts))
    assert presigned._unescaped("X", value) == unquote(value)
