"""What STS's answers are read as. The answer is hostile until every field has been checked."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.aws.sts import read_answer
from authenticator.aws.sts_hosts import sts_hosts
from authenticator.errors import (
    Denied,
    NotProven,
    StsRefusedOddly,
    StsThrottled,
    StsUnavailable,
    Unavailable,
)
from authenticator.tokens import presigned
from tests.corpus import forge

NOW = 1_790_000_000
REQUEST = presigned.check(forge.token({}, now=NOW), now=NOW, hosts=sts_hosts("aws"))
ROLE = {
    "Account": "111122223333",
    "Arn": "arn:aws:sts::111122223333:assumed-role/Admin/bob@example.com",
    "UserId": "AROAEXAMPLEEXAMPLE000:bob@example.com",
}
USER = {
    "Account": "011122223333",
    "Arn": "arn:aws:iam::011122223333:user/team/alice",
    "UserId": "AIDAEXAMPLEEXAMPLE000",
}
ROOT = {
    "Account": "111122223333",
    "Arn": "arn:aws:iam::111122223333:root",
    "UserId": "111122223333",
}
FEDERATED = {
    "Account": "111122223333",
    "Arn": "arn:aws:sts::111122223333:federated-user/bob",
    "UserId": "111122223333:bob",
}


def answer(result: Any) -> bytes:
    return json.dumps({"GetCallerIdentityResponse": {"GetCallerIdentityResult": result}}).encode()


def refusal(code: Any) -> bytes:
    return json.dumps({"Error": {"Code": code, "Message": "m", "Type": "Sender"}}).encode()


@pytest.mark.parametrize(
    ("result", "canonical", "principal_id"),
    [
        (ROLE, "arn:aws:iam::111122223333:role/Admin", "AROAEXAMPLEEXAMPLE000"),
        (USER, "arn:aws:iam::011122223333:user/team/alice", "AIDAEXAMPLEEXAMPLE000"),
        (ROOT, "arn:aws:iam::111122223333:root", "111122223333"),
        (FEDERATED, "arn:aws:sts::111122223333:federated-user/bob", "111122223333:bob"),
    ],
    ids=["assumed role", "user", "root", "federated user"],
)
def test_each_kind_of_principal(result: Any, canonical: str, principal_id: str) -> None:
    identity = read_answer(REQUEST, 200, answer(result))
    assert str(identity.arn) == result["Arn"]
    assert identity.canonical_arn == canonical
    assert identity.principal_id == principal_id
    assert identity.user_id == result["UserId"]
    assert identity.access_key_id == "AKIAIOSFODNN7EXAMPLE"


@pytest.mark.parametrize(
    "change",
    [
        {"Account": "444455556666"},
        {"Account": "11112222333"},
        {"Account": "\uff11\uff11\uff11\uff11\uff12\uff12\uff12\uff12\uff13\uff13\uff13\uff13"},
        {"Account": 111122223333},
        {"Account": None},
        {"Arn": None},
        {"Arn": ["arn"]},
        {"UserId": None},
        {"Arn": "arn:aws-cn:sts::111122223333:assumed-role/Admin/bob@example.com"},
        {"Arn": "arn:aws:sts::444455556666:assumed-role/Admin/bob@example.com"},
        {"Arn": "rubbish"},
    ],
    ids=repr,
)
def test_an_answer_that_sts_would_not_give_is_a_fault_of_this_signers_only(change: Any) -> None:
    with pytest.raises(StsRefusedOddly):
        read_answer(REQUEST, 200, answer({**ROLE, **change}))


def test_only_a_call_that_was_left_unanswered_is_an_outage() -> None:
    assert not issubclass(StsRefusedOddly, StsUnavailable)
    assert not issubclass(StsThrottled, StsUnavailable)


@pytest.mark.parametrize(
    "result",
    [
        {**ROLE, "UserId": "AROAEXAMPLEEXAMPLE000:bob@example.com:x"},
        {**ROLE, "UserId": "AROAEXAMPLEEXAMPLE000"},
        {**ROLE, "UserId": "AROAEXAMPLEEXAMPLE000:eve"},
        {**ROLE, "UserId": "111122223333"},
        {**USER, "UserId": "AIDAEXAMPLEEXAMPLE000:x"},
        {**USER, "UserId": ""},
        {**ROOT, "UserId": "111122223333:bob"},
        {**ROOT, "UserId": "AIDAEXAMPLEEXAMPLE000"},
        {**FEDERATED, "UserId": "111122223333"},
    ],
    ids=lambda result: f"{result['Arn']} {result['UserId']}",
)
def test_a_user_id_of_another_kind_is_a_denial_and_not_an_outage(result: Any) -> None:
    with pytest.raises(NotProven, match="with a UserId of another kind") as caught:
        read_answer(REQUEST, 200, answer(result))
    assert caught.value.code == "UnknownPrincipal"


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sts::111122223333:assumed-role/aws:ec2-instance/i-0123456789abcdef0",
        "arn:aws:sts:us-west-2:111122223333:assumed-role/Admin/bob@example.com",
        "arn:aws:iam::111122223333:group/Admins",
        "arn:aws:iam::111122223333:role/Admin",
        "arn:aws:sts::111122223333:self",
        "arn:aws:iam::111122223333:workload/pipeline/7",
        "arn:aws:signin:us-east-1:111122223333:session/bob",
    ],
)
def test_a_kind_of_principal_that_aws_may_add_is_a_denial_and_not_an_outage(arn: str) -> None:
    with pytest.raises(
        NotProven, match=r"STS proved .*(no mapping can name|another kind)"
    ) as caught:
        read_answer(REQUEST, 200, answer({**ROLE, "Arn": arn}))
    assert caught.value.code == "UnknownPrincipal"


@pytest.mark.parametrize(
    "code",
    ["SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId",
     "IncompleteSignature", "MissingAuthenticationToken", "RequestExpired", "AccessDenied"],
)  # fmt: skip
@pytest.mark.parametrize("status", [400, 403])
def test_a_refusal_is_known_by_its_code_whatever_the_status(code: str, status: int) -> None:
    with pytest.raises(NotProven) as caught:
        read_answer(REQUEST, status, refusal(code))
    assert caught.value.code == code


@pytest.mark.parametrize("code", ["Throttling", "ThrottlingException", "RequestLimitExceeded"])
@pytest.mark.parametrize("status", [400, 403, 429, 503])
def test_throttling_is_never_a_denial(code: str, status: int) -> None:
    with pytest.raises(StsThrottled):
        read_answer(REQUEST, status, refusal(code))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, refusal("InternalFailure")),
        (503, refusal("ServiceUnavailable")),
        (403, refusal(None)),
        (407, b""),
        (451, refusal(7)),
        (403, refusal([])),
        (500, refusal({})),
        (403, b"<html>blocked by a proxy</html>"),
        (301, b""),
        (302, answer(ROLE)),
        (307, answer(ROLE)),
        (201, answer(ROLE)),
        (200, b""),
        (200, b"<html></html>"),
        (200, b"<GetCallerIdentityResponse><Arn>x</Arn></GetCallerIdentityResponse>"),
        (200, b"null"),
        (200, b"[]"),
        (200, answer(None)),
        (200, answer([])),
        (200, b"\xff\xfe"),
        (200, b"[" * 60000),
        (200, refusal("SignatureDoesNotMatch")),
    ],
)
def test_what_is_not_an_answer_of_stss_is_an_outage(status: int, body: bytes) -> None:
    with pytest.raises(StsUnavailable):
        read_answer(REQUEST, status, body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.integers(100, 599), st.binary(max_size=200) | JSON.map(lambda v: json.dumps(v).encode()))
def test_no_rubbish_grants_or_raises_anything_else(status: int, body: bytes) -> None:
    with pytest.raises((Denied, Unavailable)):
        read_answer(REQUEST, status, body)


@given(st.sampled_from([ROLE, USER, ROOT, FEDERATED]), st.sampled_from(sorted(ROLE)), JSON)
def test_a_field_of_rubbish_grants_nothing(result: Any, key: str, value: Any) -> None:
    if value == result[key]:
        return
    with pytest.raises((Denied, Unavailable)):
        read_answer(REQUEST, 200, answer({**result, key: value}))


@pytest.mark.parametrize("status", [400, 404, 413, 414, 431])
@pytest.mark.parametrize(
    "body", [b"", b"<html>Request-URI Too Large</html>", refusal("ValidationError")]
)
def test_a_request_that_is_refused_oddly_says_nothing_of_stss_health(
    status: int, body: bytes
) -> None:
    with pytest.raises(StsRefusedOddly, match=f"answered {status}"):
        read_answer(REQUEST, status, body)


@pytest.mark.parametrize("status", [400, 401, 403, 409, 418, 422])
def test_an_error_that_sts_has_added_says_nothing_of_its_health(status: int) -> None:
    with pytest.raises(StsRefusedOddly, match=f"answered {status}"):
        read_answer(REQUEST, status, refusal("SomethingNew"))


@pytest.mark.parametrize("status", [301, 500, 502, 503])
def test_any_other_failure_does(status: int) -> None:
    with pytest.raises(StsUnavailable) as caught:
        read_answer(REQUEST, status, refusal("InternalFailure"))
    assert not isinstance(caught.value, StsRefusedOddly)
