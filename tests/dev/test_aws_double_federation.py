"""The JWTs of the AWS double, as boto3 asks for them and as a verifier fetches their keys."""

from __future__ import annotations

import base64
import json
import math
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timezone

import boto3
import pytest
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from dev.aws_double import AwsDouble, Principal
from dev.aws_double.faults import Fail, Redirect, WrongKeys
from dev.aws_double.federation import NAMESPACE, Issuer, Permission
from dev.aws_double.principals import (
    SSO_PATH,
    assumed_role,
    federated_user,
    instance,
    root,
    sso_user,
    temporary,
    user,
)
from dev.aws_double.trust import Role
from dev.aws_double.wrong_keys import WRONG_KEYS

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
REGION = "eu-west-1"
AUDIENCE = "urn:k8s-aws:demo"
ALICE = user(ACCOUNT, "alice", path="team/")
DEV = assumed_role(ACCOUNT, "Dev", "alice", path="team/", claims={"source_identity": "alice"})
CAROL = sso_user(ACCOUNT, "Developer", "carol@example.com")
NODE = instance(ACCOUNT, "node", "i-0123456789abcdef0")
STRANGER = user(OTHER_ACCOUNT, "mallory")
ROOT = root(ACCOUNT)
DAVE = federated_user(ACCOUNT, "dave")
TAGGED = Role(
    f"arn:aws:iam::{ACCOUNT}:role/ci/Tagged",
    frozenset({ALICE.arn}),
    tags={"team": "data", "stage": "test"},
)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsDouble]:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    principals = [ALICE, DEV, CAROL, NODE, STRANGER, ROOT, DAVE]
    with AwsDouble(principals, roles=[TAGGED]) as double:
        for name, value in double.environment().items():
            monkeypatch.setenv(name, value)
        yield double


@pytest.fixture
def issuer(aws: AwsDouble) -> Issuer:
    return aws.federation.enable(ACCOUNT, org_id="o-a1b2c3d4e5", ou_path="o-a1b2c3d4e5/r-ab12/")


@pytest.fixture
def http(aws: AwsDouble) -> Iterator[urllib3.ProxyManager]:
    manager = urllib3.ProxyManager(aws.proxy_url, ca_certs=str(aws.ca_bundle), retries=False)
    yield manager
    manager.clear()


def client(principal: Principal, service: str = "sts", **options: object) -> boto3.client:
    return boto3.client(
        service,
        region_name=REGION,
        aws_access_key_id=principal.access_key_id,
        aws_secret_access_key=principal.secret_access_key,
        aws_session_token=principal.session_token,
        # The double's own checks are tested, not botocore's.
        config=Config(parameter_validation=False),
        **options,
    )


def ask(principal: Principal, **parameters: object) -> dict[str, object]:
    asked = {"Audience": [AUDIENCE], "SigningAlgorithm": "RS256", **parameters}
    answer: dict[str, object] = client(principal).get_web_identity_token(**asked)
    return answer


def error_code(call: Callable[..., object], *arguments: object, **parameters: object) -> str:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **parameters)
    code: str = caught.value.response["Error"]["Code"]
    return code


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text: str) -> int:
    return int.from_bytes(decode(text), "big")


def verify(token: str, keys: list[dict[str, str]]) -> dict[str, object]:
    """Verify with `cryptography` and the published key; give the claims."""
    head, payload, signature = token.split(".")
    header = json.loads(decode(head))
    [jwk] = [key for key in keys if key["kid"] == header["kid"]]
    data = f"{head}.{payload}".encode()
    if header["alg"] == "RS256":
        rsa.RSAPublicNumbers(number(jwk["e"]), number(jwk["n"])).public_key().verify(
            decode(signature), data, padding.PKCS1v15(), hashes.SHA256()
        )
    else:
        raw = decode(signature)
        r, s = int.from_bytes(raw[:48], "big"), int.from_bytes(raw[48:], "big")
        ec.EllipticCurvePublicNumbers(
            number(jwk["x"]), number(jwk["y"]), ec.SECP384R1()
        ).public_key().verify(encode_dss_signature(r, s), data, ec.ECDSA(hashes.SHA384()))
    claims: dict[str, object] = json.loads(decode(payload))
    return claims


def published(http: urllib3.ProxyManager, issuer: Issuer) -> list[dict[str, str]]:
    keys: list[dict[str, str]] = http.request("GET", f"{issuer.url}/.well-known/jwks.json").json()[
        "keys"
    ]
    return keys


@pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
def test_a_role_gets_a_token_that_the_published_keys_verify(
    http: urllib3.ProxyManager, issuer: Issuer, algorithm: str
) -> None:
    before = int(time.time())
    answer = ask(DEV, SigningAlgorithm=algorithm, DurationSeconds=900)
    claims = verify(answer["WebIdentityToken"], published(http, issuer))
    issued = claims.pop("iat")
    assert before <= issued <= time.time()
    assert answer["Expiration"] == datetime.fromtimestamp(issued + 900, timezone.utc)
    assert uuid.UUID(claims.pop("jti"))
    arn = f"arn:aws:iam::{ACCOUNT}:role/team/Dev"
    assert claims == {
        "iss": issuer.url,
        "aud": AUDIENCE,
        "sub": arn,
        "exp": issued + 900,
        NAMESPACE: {
            "aws_account": ACCOUNT,
            "source_region": REGION,
            "principal_id": arn,
            "source_identity": "alice",
            "org_id": "o-a1b2c3d4e5",
            "ou_path": ["o-a1b2c3d4e5/r-ab12/"],
        },
    }


def test_the_keys_look_as_at_aws(http: urllib3.ProxyManager, issuer: Issuer) -> None:
    discovery = http.request("GET", f"{issuer.url}/.well-known/openid-configuration").json()
    assert discovery["issuer"] == issuer.url
    assert discovery["jwks_uri"] == f"{issuer.url}/.well-known/jwks.json"
    rsa_key, ec_key = published(http, issuer)
    assert set(rsa_key) == {"e", "kid", "kty", "n", "use"}
    assert (rsa_key["kid"], rsa_key["e"]) == ("RSA_0", "AQAB")
    assert set(ec_key) == {"alg", "crv", "kid", "kty", "use", "x", "y"}
    assert (ec_key["kid"], ec_key["alg"], ec_key["crv"]) == ("EC384_0", "ES384", "P-384")


def test_each_account_has_its_own_issuer_and_keys(aws: AwsDouble, issuer: Issuer) -> None:
    other = aws.federation.enable(OTHER_ACCOUNT)
    assert other.host != issuer.host
    [one, _], [two, _] = issuer.jwks()["keys"], other.jwks()["keys"]
    assert one["kid"] == two["kid"]
    assert one["n"] != two["n"]
    with pytest.raises(InvalidSignature):
        verify(aws.federation.mint(STRANGER, AUDIENCE), issuer.jwks()["keys"])


@pytest.mark.usefixtures("issuer")
@pytest.mark.parametrize(
    ("principal", "subject", "claims"),
    [
        (ALICE, ALICE.arn, {}),
        (
            CAROL,
            f"arn:aws:iam::{ACCOUNT}:role/{SSO_PATH}{CAROL.arn.split('/')[1]}",
            {"identity_store_user_id": CAROL.claims["identity_store_user_id"]},
        ),
        (
            NODE,
            f"arn:aws:iam::{ACCOUNT}:role/node",
            {
                "ec2_source_instance_arn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/"
                "i-0123456789abcdef0"
            },
        ),
    ],
    ids=["user", "identity-center", "instance"],
)
def test_the_claims_of_each_kind_of_caller(
    principal: Principal, subject: str, claims: dict[str, object]
) -> None:
    token = str(ask(principal)["WebIdentityToken"])
    payload = json.loads(decode(token.split(".")[1]))
    assert payload["sub"] == payload[NAMESPACE]["principal_id"] == subject
    assert claims.items() <= payload[NAMESPACE].items()


@pytest.mark.usefixtures("issuer")
def test_tags_of_a_session_override_those_of_its_role() -> None:
    session = client(ALICE).assume_role(
        RoleArn=TAGGED.arn,
        RoleSessionName="ci",
        SourceIdentity="alice",
        Tags=[{"Key": "team", "Value": "web"}],
    )["Credentials"]
    principal = Principal(
        "", "", session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]
    )
    token = str(
        ask(principal, Tags=[{"Key": "job", "Value": "nightly"}], DurationSeconds=600)[
            "WebIdentityToken"
        ]
    )
    details = json.loads(decode(token.split(".")[1]))[NAMESPACE]
    assert details["principal_id"] == TAGGED.arn
    assert details["principal_tags"] == {"team": "web", "stage": "test"}
    assert details["request_tags"] == {"job": "nightly"}
    assert details["source_identity"] == "alice"
    ends = session["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ")
    assert details["original_session_exp"] == ends


@pytest.mark.usefixtures("issuer")
def test_several_audiences_are_a_list() -> None:
    token = str(ask(DEV, Audience=["one", "two"])["WebIdentityToken"])
    assert json.loads(decode(token.split(".")[1]))["aud"] == ["one", "two"]


def test_the_bounds_are_those_of_the_service_model(issuer: Issuer) -> None:
    """Read from botocore: what the model allows is answered, one more or less is not."""
    model = client(DEV).meta.service_model.operation_model("GetWebIdentityToken").input_shape
    seconds = model.members["DurationSeconds"].metadata
    audiences = model.members["Audience"]
    longest = audiences.member.metadata["max"]
    tags = model.members["Tags"]
    key, value = (tags.member.members[name].metadata["max"] for name in ("Key", "Value"))
    most = audiences.metadata["max"]
    good: list[dict[str, object]] = [
        {"DurationSeconds": seconds["min"]},
        {"DurationSeconds": seconds["max"]},
        {"Audience": ["x"] * most},
        {"Audience": ["x" * longest]},
        {"Tags": [{"Key": "k" * key, "Value": "v" * value}]},
        {"Tags": [{"Key": f"k{number}", "Value": ""} for number in range(tags.metadata["max"])]},
    ]
    bad: list[dict[str, object]] = [
        {"DurationSeconds": seconds["min"] - 1},
        {"DurationSeconds": seconds["max"] + 1},
        {"Audience": []},
        {"Audience": ["x"] * (most + 1)},
        {"Audience": ["x" * (longest + 1)]},
        {"SigningAlgorithm": "HS256"},
        {"Tags": [{"Key": "k" * (key + 1), "Value": ""}]},
        {"Tags": [{"Key": "k", "Value": "v" * (value + 1)}]},
        {
            "Tags": [
                {"Key": f"k{number}", "Value": ""} for number in range(tags.metadata["max"] + 1)
            ]
        },
    ]
    for parameters in good:
        assert ask(DEV, **parameters)["WebIdentityToken"], parameters
    for parameters in bad:
        assert error_code(ask, DEV, **parameters) == "ValidationError", parameters


def test_without_federation_the_call_is_refused(aws: AwsDouble) -> None:
    code = "OutboundWebIdentityFederationDisabledException"
    assert error_code(ask, DEV) == code
    issuer = aws.federation.enable(ACCOUNT)
    assert ask(DEV)["WebIdentityToken"]
    aws.federation.disable(ACCOUNT)
    assert error_code(ask, DEV) == code
    assert aws.federation.enable(ACCOUNT) is issuer
    assert error_code(ask, STRANGER) == code


@pytest.mark.usefixtures("issuer")
def test_a_token_may_not_outlive_its_session(aws: AwsDouble) -> None:
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/Ends/soon"
    ending = temporary(arn, "AROAEND:soon", expires_at=time.time() + 600)
    aws.principals.add(ending)
    assert ask(ending, DurationSeconds=500)["WebIdentityToken"]
    assert error_code(ask, ending, DurationSeconds=900) == "SessionDurationEscalationException"


@pytest.mark.usefixtures("issuer")
def test_a_large_payload_is_refused() -> None:
    tags = [{"Key": f"{n}" * 60, "Value": "v" * 256} for n in range(50)]
    assert error_code(ask, DEV, Tags=tags) == "JWTPayloadSizeExceededException"


@pytest.mark.usefixtures("issuer")
def test_the_global_endpoint_does_not_issue_tokens() -> None:
    sts = boto3.client(
        "sts",
        region_name="us-east-1",
        endpoint_url="https://sts.amazonaws.com",
        aws_access_key_id=DEV.access_key_id,
        aws_secret_access_key=DEV.secret_access_key,
        aws_session_token=DEV.session_token,
    )
    code = error_code(sts.get_web_identity_token, Audience=[AUDIENCE], SigningAlgorithm="RS256")
    assert code == "InvalidAction"


@pytest.mark.usefixtures("issuer")
def test_iam_policy_decides_who_may_ask_for_what(aws: AwsDouble) -> None:
    limited = Permission(
        frozenset({AUDIENCE}), longest=600, algorithms=frozenset({"RS256"}), tags=False
    )
    aws.federation.permit(DEV.subject, limited)
    assert ask(DEV)["WebIdentityToken"]
    for parameters in (
        {"Audience": ["urn:k8s-aws:prod"]},
        {"Audience": [AUDIENCE, "urn:k8s-aws:prod"]},
        {"DurationSeconds": 601},
        {"SigningAlgorithm": "ES384"},
        {"Tags": [{"Key": "k", "Value": "v"}]},
    ):
        assert error_code(ask, DEV, **parameters) == "AccessDenied", parameters
    aws.federation.permit(ALICE.subject, None)
    assert error_code(ask, ALICE) == "AccessDenied"
    assert error_code(ask, DAVE) == "AccessDenied"


def test_a_session_of_get_session_token_may_ask(issuer: Issuer) -> None:
    session = client(ALICE).get_session_token()["Credentials"]
    principal = Principal(
        "", "", session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]
    )
    claims = verify(str(ask(principal)["WebIdentityToken"]), issuer.jwks()["keys"])
    assert claims["sub"] == ALICE.arn


def test_iam_enables_and_disables_federation(aws: AwsDouble) -> None:
    iam = client(ALICE, "iam")
    assert error_code(iam.get_outbound_web_identity_federation_info) == "FeatureDisabled"
    url = iam.enable_outbound_web_identity_federation()["IssuerIdentifier"]
    found = aws.federation.find(ACCOUNT)
    assert found is not None
    assert url == found.url
    info = iam.get_outbound_web_identity_federation_info()
    assert (info["IssuerIdentifier"], info["JwtVendingEnabled"]) == (url, True)
    assert ask(ALICE)["WebIdentityToken"]
    assert error_code(iam.enable_outbound_web_identity_federation) == "FeatureEnabled"
    iam.disable_outbound_web_identity_federation()
    assert not found.enabled
    assert error_code(iam.disable_outbound_web_identity_federation) == "FeatureDisabled"


def test_rotation_keeps_old_keys_and_can_run_ahead_of_the_document(issuer: Issuer) -> None:
    assert issuer.rotate() == "RSA_1"
    assert [key["kid"] for key in issuer.jwks()["keys"]] == ["RSA_0", "EC384_0", "RSA_1"]
    kid = issuer.rotate(publish=False)
    token = issuer.sign({"sub": "x"})
    assert json.loads(decode(token.split(".")[0])) == {"alg": "RS256", "kid": kid, "typ": "JWT"}
    assert kid not in [key["kid"] for key in issuer.jwks()["keys"]]
    issuer.publish()
    assert verify(token, issuer.jwks()["keys"]) == {"sub": "x"}
    issuer.withdraw("RSA_0")
    assert [key["kid"] for key in issuer.jwks()["keys"]] == ["EC384_0", "RSA_1", "RSA_2"]


@pytest.mark.parametrize("kind", sorted(WRONG_KEYS))
def test_wrong_key_documents_are_published(
    aws: AwsDouble, http: urllib3.ProxyManager, issuer: Issuer, kind: str
) -> None:
    good = http.request("GET", f"{issuer.url}/.well-known/jwks.json")
    aws.issuer_faults.start(WrongKeys(kind))
    wrong = http.request("GET", f"{issuer.url}/.well-known/jwks.json")
    assert wrong.status == 200
    assert (wrong.data, wrong.headers["content-type"]) != (good.data, good.headers["content-type"])


def test_faults_of_sts_and_of_issuers_are_apart(
    aws: AwsDouble, http: urllib3.ProxyManager, issuer: Issuer
) -> None:
    aws.faults.start(Fail(503))
    assert error_code(ask, DEV) == "ServiceUnavailable"
    assert published(http, issuer)
    aws.faults.stop_all()
    aws.issuer_faults.start(Redirect("https://example.com/keys"))
    answer = http.request("GET", f"{issuer.url}/.well-known/jwks.json", redirect=False)
    assert (answer.status, answer.headers["location"]) == (307, "https://example.com/keys")
    assert ask(DEV)["WebIdentityToken"]
    counts = aws.calls.counts()
    assert counts.by_action == {"GetWebIdentityToken": 2, "Keys": 2}
    assert counts.by_host[issuer.host] == 2


def test_other_documents_are_not_found(http: urllib3.ProxyManager, issuer: Issuer) -> None:
    for url in (f"{issuer.url}/", f"https://{uuid.UUID(int=0)}.tokens.sts.global.api.aws/"):
        assert http.request("GET", url).status == 404


def test_the_control_endpoint_changes_federation(
    aws: AwsDouble, http: urllib3.ProxyManager
) -> None:
    base = f"{aws.control_url}/federation/{ACCOUNT}"
    url = urllib3.request("PUT", base).json()["issuer"]
    issuer = aws.federation.find(ACCOUNT)
    assert issuer is not None
    assert issuer.url == url
    urllib3.request("POST", f"{base}/keys")
    assert issuer.key().kid == "RSA_1"
    urllib3.request("DELETE", base)
    assert not issuer.enabled
    assert urllib3.request("DELETE", f"{aws.control_url}/federation/{OTHER_ACCOUNT}").status == 404
    fault = f"{aws.control_url}/issuer-faults/wrong-keys"
    assert urllib3.request("PUT", fault, body=b'{"kind": "no-keys"}').status == 200
    assert published(http, issuer) == []
    urllib3.request("DELETE", f"{aws.control_url}/issuer-faults")
    assert len(published(http, issuer)) == 3


def test_root_gets_a_token_with_roots_subject(issuer: Issuer) -> None:
    claims = verify(str(ask(ROOT)["WebIdentityToken"]), issuer.jwks()["keys"])
    assert claims["sub"] == ROOT.arn
    assert math.isinf(ROOT.expires_at)
