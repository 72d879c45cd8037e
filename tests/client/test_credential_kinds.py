"""Every place that AWS credentials come from ends in a token that STS takes for the right one."""

import base64
import hashlib
import json
import socket
import ssl
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.aws_double import AwsDouble
from dev.aws_double.faults import Fail, Hang
from dev.aws_double.principals import assumed_role, sso_role_name, user
from dev.aws_double.sso import SsoSession
from dev.aws_double.trust import Role
from tests.client import metadata
from tests.client.running import Outcome, python

ACCOUNT = "111122223333"
ALICE = user(ACCOUNT, "alice")
NODE = assumed_role(ACCOUNT, "node", "i-0123456789abcdef0")
SUBJECT = "system:serviceaccount:default:app"
WEB_TOKEN = "a.web.token"


def role_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def session_arn(role: str, session: str) -> str:
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}"


FIRST = Role(role_arn("team/first"), frozenset({ALICE.arn}), external_id="handshake", longest=7200)
SECOND = Role(role_arn("second"), frozenset({role_arn("first"), role_arn("node")}))
WEB = Role(role_arn("web"), trusts_subjects=frozenset({SUBJECT}))
LOGIN = SsoSession(
    access_token="access-1",
    refresh_token="refresh-1",
    user_name="carol@example.com",
    assignments=frozenset({(ACCOUNT, "Developer")}),
    expires_at=time.time() + 3600,
)
START_URL = "https://example.awsapps.com/start"
SSO = f"sso_start_url = {START_URL}\nsso_region = eu-west-1\n"
SSO_ROLE = f"sso_account_id = {ACCOUNT}\nsso_role_name = Developer\n"
CAROL = session_arn(sso_role_name(ACCOUNT, "Developer"), "carol@example.com")
FIRST_PROFILE = (
    f"[profile first]\nrole_arn = {FIRST.arn}\nsource_profile = alice\nexternal_id = handshake\n"
    "role_session_name = me\nduration_seconds = 7200\n"
)


@pytest.fixture
def aws(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsDouble]:
    (home / ".aws" / "credentials").write_text(ALICE.profile("alice"))
    with AwsDouble(
        [ALICE, NODE],
        roles=[FIRST, SECOND, WEB],
        web_identities={WEB_TOKEN: SUBJECT},
        sso_sessions=[LOGIN],
    ) as double:
        for name, value in {**double.environment(), "AWS_REGION": "eu-west-1"}.items():
            monkeypatch.setenv(name, value)
        yield double


@pytest.fixture
def profile(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Choose the profile "me" of a config file."""

    def write(config: str) -> None:
        (home / ".aws" / "config").write_text(config)
        monkeypatch.setenv("AWS_PROFILE", "me")

    return write


def token(*flags: str) -> Outcome:
    return python("-m", "client", "token", "-i", "c", "--token-only", *flags)


def identity(aws: AwsDouble, outcome: Outcome) -> str:
    """Ask the double as a verifier does: whose is the token?"""
    assert (outcome.code, outcome.err) == (0, "")
    encoded = outcome.out.strip().removeprefix("k8s-aws-v1.")
    url = base64.urlsafe_b64decode(encoded + "==").decode()
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": aws.proxy_url}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=aws.ca_bundle)),
    )
    headers = {"x-k8s-aws-id": "c", "Accept": "application/json"}
    with opener.open(urllib.request.Request(url, headers=headers), timeout=30) as answer:
        document = json.load(answer)
    arn: str = document["GetCallerIdentityResponse"]["GetCallerIdentityResult"]["Arn"]
    return arn


def asked_once_for(aws: AwsDouble, arn: str, action: str, *flags: str) -> None:
    """The first run asks, the second finds what the first one kept."""
    assert identity(aws, token(*flags)) == arn
    assert identity(aws, token(*flags)) == arn
    assert aws.calls.counts().by_action[action] == 1


class TestRoles:
    def test_a_profiles_role(self, aws: AwsDouble, profile: Callable[[str], None]) -> None:
        profile(FIRST_PROFILE.replace("profile first", "profile me"))

        asked_once_for(aws, session_arn("first", "me"), "AssumeRole")

        [call] = [call for call in aws.calls.recent() if call.action == "AssumeRole"]
        assert dict(call.request.form)["DurationSeconds"] == "7200"

    def test_a_chain_of_roles(self, aws: AwsDouble, profile: Callable[[str], None]) -> None:
        profile(
            f"{FIRST_PROFILE}[profile me]\nrole_arn = {SECOND.arn}\nsource_profile = first\n"
            "role_session_name = me\n"
        )

        assert identity(aws, token()) == session_arn("second", "me")

    def test_a_role_on_the_command_line(
        self, aws: AwsDouble, profile: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_PROFILE", "alice")

        flags = ("-r", FIRST.arn, "-e", "handshake", "-s", "me", "--duration", "7200")

        asked_once_for(aws, session_arn("first", "me"), "AssumeRole", *flags)

    def test_a_session_name_that_is_forwarded(
        self, aws: AwsDouble, profile: Callable[[str], None]
    ) -> None:
        profile(FIRST_PROFILE.replace("profile first", "profile me"))

        forwarded = token("-r", SECOND.arn, "--forward-session-name")

        assert identity(aws, forwarded) == session_arn("second", "me")


@pytest.mark.parametrize(
    ("config", "cache_key"),
    [
        (f"[profile me]\nsso_session = s\n{SSO_ROLE}[sso-session s]\n{SSO}", "s"),
        (f"[profile me]\n{SSO}{SSO_ROLE}", START_URL),
    ],
    ids=["session", "old kind"],
)
def test_identity_center(
    config: str, cache_key: str, aws: AwsDouble, profile: Callable[[str], None], home: Path
) -> None:
    profile(config)
    cache = home / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(LOGIN.expires_at))
    (cache / f"{hashlib.sha1(cache_key.encode()).hexdigest()}.json").write_text(
        json.dumps(
            {
                "accessToken": LOGIN.access_token,
                "expiresAt": end,
                "region": "eu-west-1",
                "startUrl": START_URL,
            }
        )
    )

    asked_once_for(aws, CAROL, "GetRoleCredentials")


@pytest.mark.parametrize("place", ["environment", "profile"])
def test_web_identity(
    place: str,
    aws: AwsDouble,
    profile: Callable[[str], None],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = home / "web-token"
    file.write_text(WEB_TOKEN)
    if place == "environment":
        monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(file))
        monkeypatch.setenv("AWS_ROLE_ARN", WEB.arn)
        monkeypatch.setenv("AWS_ROLE_SESSION_NAME", "app")
    else:
        profile(
            f"[profile me]\nrole_arn = {WEB.arn}\nweb_identity_token_file = {file}\n"
            "role_session_name = app\n"
        )

    asked_once_for(aws, session_arn("web", "app"), "AssumeRoleWithWebIdentity")


def test_a_process(aws: AwsDouble, profile: Callable[[str], None], home: Path) -> None:
    script = home / "process.py"
    document = {"Version": 1, "SessionToken": NODE.session_token, "Expiration": "2099-01-01T00:00Z"}
    document |= {"AccessKeyId": NODE.access_key_id, "SecretAccessKey": NODE.secret_access_key}
    script.write_text(f"print({json.dumps(json.dumps(document))})")
    profile(f"[profile me]\ncredential_process = {sys.executable} {script}\n")

    assert identity(aws, token()) == NODE.arn


class TestMachines:
    """What belongs to a machine is not kept: a home directory may be on many of them."""

    @pytest.fixture(autouse=True)
    def machine(self, monkeypatch: pytest.MonkeyPatch, aws: AwsDouble) -> Iterator[str]:
        with metadata.serving(NODE) as url:
            yield url

    def test_an_instance(
        self, aws: AwsDouble, machine: str, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", machine)
        monkeypatch.setenv("AWS_EC2_METADATA_V1_DISABLED", "true")

        assert identity(aws, token()) == NODE.arn
        assert kept(home) == []

    @pytest.mark.parametrize("form", ["variable", "file"])
    def test_a_container_or_pod(
        self, form: str, aws: AwsDouble, machine: str, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{machine}pod")
        if form == "file":
            (home / "pod-token").write_text(metadata.POD_TOKEN)
            monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(home / "pod-token"))
        else:
            monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", metadata.POD_TOKEN)

        assert identity(aws, token()) == NODE.arn
        assert kept(home) == []

    def test_a_role_that_a_machine_assumes(
        self, aws: AwsDouble, machine: str, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{machine}pod")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", metadata.POD_TOKEN)

        assert identity(aws, token("-r", SECOND.arn, "-s", "me")) == session_arn("second", "me")
        assert kept(home) == []

    @pytest.mark.timeout(30)
    def test_metadata_that_never_answers_is_given_up_on(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
            monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)

            assert "no AWS credentials found" in token().refusal()


def kept(home: Path) -> list[Path]:
    place = home / ".kube" / "cache" / "aws-iam-authenticator" / "credentials.yaml.d"
    return [file for file in place.iterdir() if file.suffix != ".lock"]


class TestLongLivedKeys:
    def test_are_refused_if_told_so(self, aws: AwsDouble) -> None:
        line = token("--profile", "alice", "--only-temporary").refusal()

        assert "profile 'alice' in the shared credentials file are a long-lived access key" in line
        assert ALICE.secret_access_key not in line

    def test_may_assume_a_role_all_the_same(self, aws: AwsDouble) -> None:
        flags = ("--profile", "alice", "-r", FIRST.arn, "-e", "handshake", "-s", "me")

        assert identity(aws, token(*flags, "--only-temporary")) == session_arn("first", "me")


class TestTroubles:
    def test_an_sts_that_fails_once_is_asked_again(self, aws: AwsDouble) -> None:
        aws.faults.start(Fail(), times=1)

        outcome = token("--profile", "alice", "-r", FIRST.arn, "-e", "handshake", "-s", "me")

        assert identity(aws, outcome) == session_arn("first", "me")

    def test_a_broken_sts_is_given_up_on(self, aws: AwsDouble) -> None:
        aws.faults.start(Fail())

        line = token("--profile", "alice", "-r", FIRST.arn, "-e", "handshake").refusal()

        assert "cannot assume" in line
        assert aws.calls.counts().by_action["AssumeRole"] == 3

    @pytest.mark.slow
    @pytest.mark.timeout(60)
    def test_an_sts_that_never_answers_is_given_up_on(
        self, aws: AwsDouble, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        aws.faults.start(Hang())

        line = token("--profile", "alice", "-r", FIRST.arn, "-e", "handshake").refusal()

        assert "Read timeout" in line
        assert "check the network" in line

    def test_a_login_session_names_what_it_needs(self, profile: Callable[[str], None]) -> None:
        profile(f"[profile me]\nlogin_session = {ALICE.arn}\nregion = eu-west-1\n")

        assert "botocore[crt]" in token().refusal()
