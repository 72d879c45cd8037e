"""The double's signature check, against requests that botocore signs."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from dev.aws_double.answers import AwsError
from dev.aws_double.hosts import Endpoint, find_endpoint
from dev.aws_double.principals import Principal, Principals, assumed_role, temporary, user
from dev.aws_double.signature import verify
from dev.aws_double.wire import Request, WireError

HOST = "sts.eu-west-1.amazonaws.com"
QUERY = "Action=GetCallerIdentity&Version=2011-06-15"
ALICE = user("111122223333", "alice")
ADMIN = assumed_role("111122223333", "admin", "alice")
LATE = temporary("arn:aws:sts::111122223333:assumed-role/late/alice", "AROA:alice", expires_at=0)
KNOWN = Principals([ALICE, ADMIN, LATE])


def presign(
    principal: Principal = ALICE,
    *,
    host: str = HOST,
    region: str = "eu-west-1",
    service: str = "sts",
    expires: int = 60,
    headers: dict[str, str] | None = None,
) -> Request:
    unsigned = AWSRequest("GET", f"https://{host}/?{QUERY}", headers=headers)
    signer = SigV4QueryAuth(credentials(principal), service, region, expires=expires)
    signer.add_auth(unsigned)
    url = urlsplit(unsigned.url)
    pairs = {"host": host, **{name.lower(): value for name, value in (headers or {}).items()}}
    return Request("GET", f"/?{url.query}", tuple(pairs.items()))


def sign_header(principal: Principal = ALICE, body: bytes = QUERY.encode()) -> Request:
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    unsigned = AWSRequest("POST", f"https://{HOST}/", headers=form, data=body)
    SigV4Auth(credentials(principal), "sts", "eu-west-1").add_auth(unsigned)
    headers = {"Host": HOST, **unsigned.headers}
    return Request("POST", "/", tuple((n.lower(), v) for n, v in headers.items()), body)


def credentials(principal: Principal) -> Credentials:
    return Credentials(
        principal.access_key_id, principal.secret_access_key, principal.session_token
    )


def endpoint(host: str = HOST) -> Endpoint:
    found = find_endpoint(host)
    assert found is not None
    return found


def with_query(request: Request, **changes: str | None) -> Request:
    query = {**dict(parse_qsl(urlsplit(request.target).query)), **changes}
    text = urlencode({name: value for name, value in query.items() if value is not None})
    return Request(request.method, f"/?{text}", request.headers, request.body)


def with_header(request: Request, name: str, value: str) -> Request:
    headers = {**dict(request.headers), name: value}
    return Request(request.method, request.target, tuple(headers.items()), request.body)


def dated(request: Request) -> float:
    text = dict(request.query)["X-Amz-Date"]
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()


def refusal(request: Request, host: str = HOST, now: float | None = None) -> tuple[str, int]:
    with pytest.raises(AwsError) as caught:
        verify(request, endpoint(host), KNOWN, time.time() if now is None else now)
    return caught.value.code, caught.value.status


@pytest.mark.parametrize("principal", [ALICE, ADMIN], ids=["lasting", "temporary"])
@pytest.mark.parametrize("sign", [presign, sign_header])
def test_what_botocore_signs_is_proven(
    sign: Callable[[Principal], Request], principal: Principal
) -> None:
    assert verify(sign(principal), endpoint(), KNOWN, time.time()) is principal


def test_a_signed_cluster_header_is_proven() -> None:
    request = presign(headers={"x-k8s-aws-id": "production"})
    assert verify(request, endpoint(), KNOWN, time.time()) is ALICE
    assert refusal(with_header(request, "x-k8s-aws-id", "test")) == ("SignatureDoesNotMatch", 403)


def test_a_query_that_is_encoded_another_way_is_proven() -> None:
    request = presign(ADMIN)
    everything = "&".join(
        f"{name}={''.join(f'%{byte:02x}' for byte in value.encode())}"
        for name, value in request.query
    )
    assert verify(
        Request("GET", f"/?{everything}", request.headers), endpoint(), KNOWN, time.time()
    )


def test_the_global_host_is_signed_for_its_region() -> None:
    host = "sts.amazonaws.com"
    assert (
        verify(presign(host=host, region="us-east-1"), endpoint(host), KNOWN, time.time()) is ALICE
    )
    assert refusal(presign(host=host), host) == ("SignatureDoesNotMatch", 403)


@pytest.mark.parametrize("expires", [0, 1, 60, 900])
def test_expires_is_ignored_as_sts_ignores_it(expires: int) -> None:
    request = presign(expires=expires)
    assert verify(request, endpoint(), KNOWN, dated(request) + 899) is ALICE


@pytest.mark.parametrize(
    ("age", "accepted"),
    [(-901, False), (-900, True), (0, True), (900, True), (901, False)],
)
def test_a_request_is_good_for_15_minutes_around_its_date(age: int, accepted: bool) -> None:
    request = presign()
    if accepted:
        assert verify(request, endpoint(), KNOWN, dated(request) + age) is ALICE
    else:
        assert refusal(request, now=dated(request) + age) == ("SignatureDoesNotMatch", 403)


STRANGER = user("111122223333", "mallory")
FORGER = Principal(ALICE.arn, ALICE.user_id, ALICE.access_key_id, "another secret")


@pytest.mark.parametrize(
    ("request_", "code", "status"),
    [
        (lambda: presign(FORGER), "SignatureDoesNotMatch", 403),
        (lambda: sign_header(FORGER), "SignatureDoesNotMatch", 403),
        (lambda: presign(STRANGER), "InvalidClientTokenId", 403),
        (lambda: presign(LATE), "ExpiredToken", 403),
        (
            lambda: with_query(presign(ADMIN), **{"X-Amz-Security-Token": None}),
            "InvalidClientTokenId",
            403,
        ),
        (
            lambda: with_query(presign(), **{"X-Amz-Security-Token": ADMIN.session_token}),
            "InvalidClientTokenId",
            403,
        ),
        (lambda: presign(region="us-east-1"), "SignatureDoesNotMatch", 403),
        (lambda: presign(service="iam"), "SignatureDoesNotMatch", 403),
        (lambda: with_query(presign(), Action="AssumeRole"), "SignatureDoesNotMatch", 403),
        (lambda: with_query(presign(), Extra="1"), "SignatureDoesNotMatch", 403),
        (
            lambda: with_query(presign(), **{"X-Amz-Date": "20260101T000000Z"}),
            "SignatureDoesNotMatch",
            403,
        ),
        (
            lambda: with_query(presign(), **{"X-Amz-SignedHeaders": "x-k8s-aws-id"}),
            "SignatureDoesNotMatch",
            403,
        ),
        (lambda: with_header(presign(), "host", "sts.amazonaws.com"), "SignatureDoesNotMatch", 403),
        (
            lambda: Request("POST", presign().target, presign().headers),
            "SignatureDoesNotMatch",
            403,
        ),
        (
            lambda: Request("POST", "/", sign_header().headers, b"Action=AssumeRole"),
            "SignatureDoesNotMatch",
            403,
        ),
        (
            lambda: with_header(sign_header(), "x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
            "SignatureDoesNotMatch",
            403,
        ),
        (lambda: with_query(presign(), **{"X-Amz-Date": "now"}), "IncompleteSignature", 400),
        (
            lambda: with_query(
                presign(),
                **{
                    "X-Amz-Date": "20261399T000000Z",
                    "X-Amz-Credential": (
                        f"{ALICE.access_key_id}/20261399/eu-west-1/sts/aws4_request"
                    ),
                },
            ),
            "IncompleteSignature",
            400,
        ),
        (
            lambda: with_query(presign(), **{"X-Amz-Algorithm": "AWS4-HMAC-SHA1"}),
            "IncompleteSignature",
            400,
        ),
        (
            lambda: with_query(presign(), **{"X-Amz-Credential": "AKIA/short"}),
            "IncompleteSignature",
            400,
        ),
        (lambda: with_header(sign_header(), "authorization", "x"), "IncompleteSignature", 400),
        (
            lambda: Request("GET", f"/?{QUERY}", (("host", HOST),)),
            "MissingAuthenticationToken",
            403,
        ),
    ],
    ids=[
        "wrong-secret-presigned",
        "wrong-secret-header",
        "unknown-key",
        "expired-credentials",
        "session-token-left-out",
        "session-token-of-another-key",
        "scope-of-another-region",
        "scope-of-another-service",
        "changed-action",
        "added-parameter",
        "changed-date",
        "host-not-signed",
        "changed-host",
        "changed-method",
        "changed-body",
        "unsigned-payload",
        "malformed-date",
        "impossible-date",
        "other-algorithm",
        "malformed-credential",
        "malformed-authorization",
        "unsigned",
    ],
)
def test_what_is_refused(request_: Callable[[], Request], code: str, status: int) -> None:
    assert refusal(request_()) == (code, status)


def test_a_key_is_unknown_in_another_partition() -> None:
    host = "sts.cn-north-1.amazonaws.com.cn"
    request = presign(host=host, region="cn-north-1")
    assert refusal(request, host) == ("InvalidClientTokenId", 403)


@pytest.mark.parametrize("name", ["X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature"])
def test_a_part_given_twice_is_refused(name: str) -> None:
    request = presign()
    again = f"{request.target}&{name}={quote(dict(request.query)[name])}"
    assert refusal(Request("GET", again, request.headers)) == ("IncompleteSignature", 400)


SIGNED = presign()


@given(position=st.integers(min_value=0, max_value=63), digit=st.sampled_from("0123456789abcdefX"))
def test_no_other_signature_is_accepted(position: int, digit: str) -> None:
    signature = dict(SIGNED.query)["X-Amz-Signature"]
    changed = signature[:position] + digit + signature[position + 1 :]
    if changed != signature:
        forged = with_query(SIGNED, **{"X-Amz-Signature": changed})
        assert refusal(forged, now=dated(SIGNED)) == ("SignatureDoesNotMatch", 403)


PRINTABLE = st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126))


@given(query=PRINTABLE, host=PRINTABLE, authorization=PRINTABLE, body=st.binary())
def test_no_request_raises_anything_but_refusals(
    query: str, host: str, authorization: str, body: bytes
) -> None:
    headers = (("host", host), ("authorization", authorization))
    with pytest.raises((AwsError, WireError)):
        verify(Request("POST", f"/?{query}", headers, body), endpoint(), KNOWN, time.time())


@given(path=PRINTABLE, host=PRINTABLE)
def test_a_path_or_host_that_was_not_signed_is_refused(path: str, host: str) -> None:
    target = f"/{path.replace('?', '')}{SIGNED.target.removeprefix('/')}"
    request = Request("GET", target, (("host", host),))
    assert refusal(request, now=dated(SIGNED)) == ("SignatureDoesNotMatch", 403)
