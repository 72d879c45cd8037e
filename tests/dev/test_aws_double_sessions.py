"""The sessions that the AWS double issues: roles, MFA, web identity and Identity Center."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from dev.aws_double import AwsDouble, Principal
from dev.aws_double.faults import Fail, Throttle
from dev.aws_double.principals import assumed_role, root, sso_user, user
from dev.aws_double.sso import SsoSession
from dev.aws_double.trust import Role

ACCOUNT = "111122223333"
REGION = "eu-west-1"
ALICE = user(ACCOUNT, "alice")
ROOT = root(ACCOUNT)
MALLORY = user("444455556666", "mallory")
CI = assumed_role(ACCOUNT, "ci", "build-1")
PHONE = f"arn:aws:iam::{ACCOUNT}:mfa/phone"
SUBJECT = "system:serviceaccount:default:app"


def role_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


EVERYONE_HERE = frozenset({ROOT.arn})
OPEN = Role(role_arn("team/open"), EVERYONE_HERE, longest=7200)
EXTERNAL = Role(role_arn("external"), EVERYONE_HERE, external_id="secret handshake")
CAREFUL = Role(role_arn("careful"), EVERYONE_HERE, multi_factor=True)
FOR_CI = Role(role_arn("for-ci"), frozenset({role_arn("ci")}))
FOR_ALICE = Role(role_arn("for-alice"), frozenset({ALICE.arn}))
WEB = Role(role_arn("web"), trusts_subjects=frozenset({SUBJECT}))
LOGIN = SsoSession(
    access_token="access-1",
    refresh_token="refresh-1",
    user_name="carol@example.com",
    assignments=frozenset({(ACCOUNT, "Developer")}),
    expires_at=time.time() + 3600,
)


class Clock:
    """Goes with the machine's, and can be put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def aws(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsDouble]:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with AwsDouble(
        [ALICE, MALLORY, CI, ROOT],
        roles=[OPEN, EXTERNAL, CAREFUL, FOR_CI, FOR_ALICE, WEB],
        mfa_codes={PHONE: "123456"},
        web_identities={"a.web.token": SUBJECT, "another.web.token": "system:other"},
        sso_sessions=[LOGIN],
        clock=clock,
    ) as double:
        for name, value in double.environment().items():
            monkeypatch.setenv(name, value)
        yield double


def sts(principal: Principal) -> boto3.client:
    return boto3.client(
        "sts",
        region_name=REGION,
        aws_access_key_id=principal.access_key_id,
        aws_secret_access_key=principal.secret_access_key,
        aws_session_token=principal.session_token,
    )


def of_issued(credentials: dict[str, str]) -> boto3.client:
    return boto3.client(
        "sts",
        region_name=REGION,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )


def error_code(call: Callable[..., object], **parameters: object) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"]


def test_a_role_session_proves_itself(aws: AwsDouble) -> None:
    answer = sts(ALICE).assume_role(RoleArn=OPEN.arn, RoleSessionName="alice", DurationSeconds=900)
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/open/alice"
    assert answer["AssumedRoleUser"]["Arn"] == arn
    ends = answer["Credentials"]["Expiration"] - datetime.now(timezone.utc)
    assert 850 < ends.total_seconds() <= 900

    issued = of_issued(answer["Credentials"])
    identity = issued.get_caller_identity()
    assert identity["Arn"] == arn
    assert identity["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]


def test_an_ended_role_session_is_refused_as_expired(aws: AwsDouble, clock: Clock) -> None:
    clock.ahead = -890
    answer = sts(ALICE).assume_role(RoleArn=OPEN.arn, RoleSessionName="alice", DurationSeconds=900)
    clock.ahead = 11
    assert error_code(of_issued(answer["Credentials"]).get_caller_identity) == "ExpiredToken"


def test_every_session_has_keys_of_its_own(aws: AwsDouble) -> None:
    keys = {
        sts(ALICE).assume_role(RoleArn=OPEN.arn, RoleSessionName="alice")["Credentials"][
            "AccessKeyId"
        ]
        for _ in range(2)
    }
    assert len(keys) == 2


def test_the_source_headers_are_recorded(aws: AwsDouble) -> None:
    client = sts(ALICE)

    def add(request: object, **_: object) -> None:
        request.headers["x-amz-source-arn"] = "arn:aws:eks:eu-west-1:111122223333:cluster/c"
        request.headers["x-amz-source-account"] = ACCOUNT

    client.meta.events.register("before-sign.sts.AssumeRole", add)
    client.assume_role(RoleArn=OPEN.arn, RoleSessionName="alice")
    [call] = aws.calls.recent()
    assert call.action == "AssumeRole"
    assert call.request.header("x-amz-source-account") == ACCOUNT
    assert call.request.header("x-amz-source-arn").endswith(":cluster/c")


@pytest.mark.parametrize(
    ("caller", "role", "more"),
    [
        (ALICE, EXTERNAL, {"ExternalId": "secret handshake"}),
        (ALICE, CAREFUL, {"SerialNumber": PHONE, "TokenCode": "123456"}),
        (ALICE, FOR_ALICE, {}),
        (ALICE, OPEN, {"DurationSeconds": 7200}),
        (CI, FOR_CI, {}),
        (CI, OPEN, {"DurationSeconds": 3600}),
    ],
    ids=["external-id", "mfa", "user", "long", "role", "chained"],
)
def test_who_may_assume_a_role(
    aws: AwsDouble, caller: Principal, role: Role, more: dict[str, str]
) -> None:
    answer = sts(caller).assume_role(RoleArn=role.arn, RoleSessionName="session", **more)
    assert of_issued(answer["Credentials"]).get_caller_identity()["UserId"].endswith(":session")


@pytest.mark.parametrize(
    ("caller", "role", "more", "code"),
    [
        (MALLORY, OPEN.arn, {}, "AccessDenied"),
        (ALICE, role_arn("unknown"), {}, "AccessDenied"),
        (ALICE, role_arn("open"), {}, "AccessDenied"),
        (ALICE, FOR_CI.arn, {}, "AccessDenied"),
        (CI, FOR_ALICE.arn, {}, "AccessDenied"),
        (ROOT, OPEN.arn, {}, "AccessDenied"),
        (ALICE, EXTERNAL.arn, {}, "AccessDenied"),
        (ALICE, EXTERNAL.arn, {"ExternalId": "another"}, "AccessDenied"),
        (ALICE, CAREFUL.arn, {}, "AccessDenied"),
        (ALICE, CAREFUL.arn, {"SerialNumber": PHONE, "TokenCode": "000000"}, "AccessDenied"),
        (ALICE, CAREFUL.arn, {"SerialNumber": PHONE}, "AccessDenied"),
        (ALICE, OPEN.arn, {"RoleSessionName": "two words"}, "ValidationError"),
        (ALICE, OPEN.arn, {"DurationSeconds": 901_000}, "ValidationError"),
        (CI, OPEN.arn, {"DurationSeconds": 7200}, "ValidationError"),
    ],
    ids=[
        "foreign-account",
        "unknown-role",
        "path-left-out",
        "user-for-role",
        "role-for-user",
        "root",
        "no-external-id",
        "wrong-external-id",
        "no-mfa",
        "wrong-mfa",
        "no-mfa-code",
        "session-name",
        "too-long",
        "too-long-when-chained",
    ],
)
def test_who_may_not_assume_a_role(
    aws: AwsDouble, caller: Principal, role: str, more: dict[str, object], code: str
) -> None:
    parameters = {"RoleArn": role, "RoleSessionName": "session", **more}
    assert error_code(sts(caller).assume_role, **parameters) == code


def test_a_session_token_carries_its_mfa_code(aws: AwsDouble) -> None:
    answer = sts(ALICE).get_session_token(SerialNumber=PHONE, TokenCode="123456")
    issued = of_issued(answer["Credentials"])
    assert issued.get_caller_identity()["Arn"] == ALICE.arn
    assert issued.assume_role(RoleArn=CAREFUL.arn, RoleSessionName="alice")
    assert error_code(issued.get_session_token) == "AccessDenied"


def test_a_session_token_without_a_code_is_not_multi_factor(aws: AwsDouble) -> None:
    issued = of_issued(sts(ALICE).get_session_token()["Credentials"])
    refused = error_code(issued.assume_role, RoleArn=CAREFUL.arn, RoleSessionName="alice")
    assert refused == "AccessDenied"


@pytest.mark.parametrize(
    ("token", "role", "code"),
    [
        ("forged.web.token", WEB, "InvalidIdentityToken"),
        ("another.web.token", WEB, "AccessDenied"),
        ("a.web.token", OPEN, "AccessDenied"),
    ],
)
def test_a_web_identity_that_is_refused(aws: AwsDouble, token: str, role: Role, code: str) -> None:
    call = sts(ALICE).assume_role_with_web_identity
    parameters = {"RoleArn": role.arn, "RoleSessionName": "app", "WebIdentityToken": token}
    assert error_code(call, **parameters) == code


def arn_of_profile(aws: AwsDouble, home: Path, config: str) -> str:
    """Ask for the identity of the profile `it`, in a process whose home has nothing else."""
    (home / ".aws").mkdir(exist_ok=True)
    (home / ".aws" / "config").write_text(config)
    process = subprocess.run(
        [sys.executable, "-c", WHO_AM_I],
        env={**aws.environment(), "HOME": str(home), "AWS_PROFILE": "it"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


WHO_AM_I = f"""
import botocore.session
sts = botocore.session.Session().create_client("sts", region_name="{REGION}")
print(sts.get_caller_identity()["Arn"])
"""


def test_botocores_own_assume_role_profile(aws: AwsDouble, tmp_path: Path) -> None:
    arn = arn_of_profile(
        aws,
        tmp_path,
        f"[profile it]\nregion = {REGION}\nrole_arn = {EXTERNAL.arn}\nsource_profile = base\n"
        "external_id = secret handshake\nrole_session_name = me\n"
        f"[profile base]\naws_access_key_id = {ALICE.access_key_id}\n"
        f"aws_secret_access_key = {ALICE.secret_access_key}\n",
    )
    assert arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/external/me"


def test_botocores_own_web_identity_profile(aws: AwsDouble, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a.web.token")
    arn = arn_of_profile(
        aws,
        tmp_path,
        f"[profile it]\nregion = {REGION}\nrole_arn = {WEB.arn}\n"
        f"web_identity_token_file = {tmp_path / 'token'}\nrole_session_name = app\n",
    )
    assert arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/web/app"


def sso_profile(tmp_path: Path, *, access_token: str, ends_in: float) -> str:
    """Give a profile, and write the cache file that `aws sso login` leaves."""
    moment = datetime.fromtimestamp(time.time() + ends_in, timezone.utc)
    later = datetime.fromtimestamp(time.time() + 86400, timezone.utc)
    cache = tmp_path / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    (cache / f"{hashlib.sha1(b'corp').hexdigest()}.json").write_text(
        json.dumps(
            {
                "accessToken": access_token,
                "expiresAt": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "refreshToken": LOGIN.refresh_token,
                "clientId": "client",
                "clientSecret": "secret",
                "registrationExpiresAt": later.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "region": REGION,
                "startUrl": "https://corp.awsapps.com/start",
            }
        )
    )
    return (
        f"[profile it]\nsso_session = corp\nsso_account_id = {ACCOUNT}\n"
        "sso_role_name = Developer\n[sso-session corp]\n"
        f"sso_region = {REGION}\nsso_start_url = https://corp.awsapps.com/start\n"
        "sso_registration_scopes = sso:account:access\n"
    )


@pytest.mark.parametrize(
    ("access_token", "ends_in", "actions"),
    [
        (LOGIN.access_token, 3600, ["GetRoleCredentials", "GetCallerIdentity"]),
        ("stale", -60, ["CreateToken", "GetRoleCredentials", "GetCallerIdentity"]),
    ],
    ids=["logged-in", "refreshed"],
)
def test_botocores_own_sso_profile(
    aws: AwsDouble,
    tmp_path: Path,
    access_token: str,
    ends_in: float,
    actions: list[str],
) -> None:
    config = sso_profile(tmp_path, access_token=access_token, ends_in=ends_in)
    arn = arn_of_profile(aws, tmp_path, config)
    assert arn == sso_user(ACCOUNT, "Developer", "carol@example.com").arn
    assert [call.action for call in aws.calls.recent()] == actions


@pytest.mark.parametrize(
    ("token", "role", "code"),
    [
        ("forged", "Developer", "UnauthorizedException"),
        (LOGIN.access_token, "Admin", "ForbiddenException"),
    ],
    ids=["unknown-token", "not-assigned"],
)
def test_the_portal_refuses(aws: AwsDouble, token: str, role: str, code: str) -> None:
    portal = boto3.client("sso", region_name=REGION)
    parameters = {"accessToken": token, "roleName": role, "accountId": ACCOUNT}
    assert error_code(portal.get_role_credentials, **parameters) == code


def test_the_portal_refuses_a_login_that_has_ended(aws: AwsDouble, clock: Clock) -> None:
    clock.ahead = 7200
    portal = boto3.client("sso", region_name=REGION)
    parameters = {
        "accessToken": LOGIN.access_token,
        "roleName": "Developer",
        "accountId": ACCOUNT,
    }
    assert error_code(portal.get_role_credentials, **parameters) == "UnauthorizedException"


def test_the_portal_has_no_other_operation(aws: AwsDouble) -> None:
    portal = boto3.client("sso", region_name=REGION)
    refused = error_code(portal.list_accounts, accessToken=LOGIN.access_token)
    assert refused == "UnknownOperationException"


@pytest.mark.parametrize(
    ("grant", "refresh_token", "code"),
    [
        ("refresh_token", "forged", "InvalidGrantException"),
        ("authorization_code", LOGIN.refresh_token, "InvalidGrantException"),
        ("refresh_token", None, "InvalidRequestException"),
    ],
)
def test_the_token_endpoint_refuses(
    aws: AwsDouble, grant: str, refresh_token: str | None, code: str
) -> None:
    oidc = boto3.client("sso-oidc", region_name=REGION)
    parameters = {"clientId": "client", "clientSecret": "secret", "grantType": grant}
    if refresh_token is not None:
        parameters["refreshToken"] = refresh_token
    assert error_code(oidc.create_token, **parameters) == code


@pytest.mark.parametrize(
    ("fault", "code"), [(Fail(503), "ServiceUnavailable"), (Throttle(0, 0), "Throttling")]
)
def test_faults_strike_the_portal_in_its_own_form(
    aws: AwsDouble, fault: Fail | Throttle, code: str
) -> None:
    aws.faults.start(fault)
    portal = boto3.client("sso", region_name=REGION)
    parameters = {"accessToken": "a", "roleName": "Developer", "accountId": ACCOUNT}
    assert error_code(portal.get_role_credentials, **parameters) == code
