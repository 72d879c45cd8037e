"""Credentials that botocore has to get, and what people read when it cannot."""

import hashlib
import json
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from client.botocore_credentials import BotocoreSession
from client.credentials import Credentials
from tests.client.running import Run, python
from tests.client.sts import KEYS, ROLE, Sts, at, url_of


@pytest.mark.usefixtures("keys")
class TestAssumedRole:
    @pytest.mark.parametrize(
        ("line", "asked"),
        [
            ("", {"RoleSessionName": "aws-iam-authenticator"}),
            ("-s me@example.com", {"RoleSessionName": "me@example.com"}),
            ("-e xy", {"RoleSessionName": "aws-iam-authenticator", "ExternalId": "xy"}),
        ],
        ids=["plain", "session name", "external id"],
    )
    def test_signs_with_the_roles_credentials(
        self, line: str, asked: dict[str, str], run: Run, sts: Sts
    ) -> None:
        url = url_of(run(f"-i c --region eu-west-1 -r {ROLE} {line}"))

        assert "ASIAROLE" in url
        assert "X-Amz-Security-Token=role-token" in url
        assert sts.hosts == ["sts.eu-west-1.amazonaws.com"]
        assert sts.asked == [
            {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": ROLE, **asked}
        ]

    @pytest.mark.parametrize(
        ("user_id", "name"),
        [("AROAEXAMPLE:me", "me"), ("AIDAEXAMPLE", "aws-iam-authenticator")],
        ids=["session", "user"],
    )
    def test_forwards_the_callers_session_name(
        self, user_id: str, name: str, run: Run, sts: Sts
    ) -> None:
        sts.user_id = user_id

        url_of(run(f"-i c -r {ROLE} --forward-session-name"))

        assert sts.asked[-1]["RoleSessionName"] == name

    def test_the_credential_does_not_outlive_the_role(self, run: Run, sts: Sts) -> None:
        sts.lifetime = 300

        outcome = run(f"-i c -r {ROLE}")

        assert json.loads(outcome.out)["status"]["expirationTimestamp"] <= at(300)

    def test_a_refusal_shows_who_asked_and_why_not(self, run: Run, sts: Sts) -> None:
        sts.refusal = "AccessDenied"

        line = run(f"-i c -r {ROLE}").refusal()

        assert line.startswith(f"cannot assume {ROLE} with the credentials from the environment: ")
        assert "user/eve is not authorized to perform: sts:AssumeRole" in line
        assert "trust policy" in line
        assert "hidden" not in line

    @pytest.mark.parametrize(
        ("ahead", "phrase"),
        [
            (3600.0, "this computer's clock is 60 minutes behind AWS's"),
            (-600.0, "this computer's clock is 10 minutes ahead of AWS's"),
            (0.0, "check the secret access key that asks"),
        ],
        ids=["behind", "ahead", "right"],
    )
    def test_a_clock_that_is_off_is_named(
        self, ahead: float, phrase: str, run: Run, sts: Sts
    ) -> None:
        sts.refusal = "SignatureDoesNotMatch"
        sts.ahead = ahead

        assert phrase in run(f"-i c -r {ROLE}").refusal()

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("-r Admin", "'Admin' is not the ARN of a role"),
            ("-r arn:aws:iam::1:role/x", "is not the ARN of a role"),
            ("-r arn:aws:iam::11112222333x:role/x", "is not the ARN of a role"),
            ("-r arn:aws:iam::111122223333:role/", "is not the ARN of a role"),
            ("-r arn:aws:iam::111122223333:role/x:y", "is not the ARN of a role"),
            ("-r arn:gcp:iam::111122223333:role/x", "is not the ARN of a role"),
            ("-r arn:aws:x:iam::111122223333:role/x", "is not the ARN of a role"),
            ("-r arn:aws:sts::111122223333:assumed-role/x/y", "is not the ARN of a role"),
            (f"-r {ROLE} -s a/b", "session name 'a/b'"),
            (f"-r {ROLE} -s x", "session name 'x'"),
            (f"-r {ROLE} -e x", "ExternalId"),
        ],
    )
    def test_refuses_what_sts_would(self, line: str, message: str, run: Run, sts: Sts) -> None:
        assert message in run(f"-i c {line}").refusal()
        assert sts.asked == []

    def test_refuses_that_before_it_asks_for_the_profiles_role(
        self, run: Run, sts: Sts, files: Callable[..., None]
    ) -> None:
        files(f"[profile me]\nrole_arn = {ROLE}\nsource_profile = base\n", f"[base]\n{KEYS}", "me")

        assert "'Admin' is not the ARN of a role" in run("-i c -r Admin").refusal()

        assert sts.asked == []

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_a_network_that_fails_is_named(
        self, scheme: str, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://user:hidden@127.0.0.1:1")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

        line = run(f"-i c -r {ROLE}").refusal()

        assert "127.0.0.1:1" in line
        assert "check HTTPS_PROXY" in line
        assert "hidden" not in line

    def test_a_session_token_with_a_line_break_is_not_shown(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_SESSION_TOKEN", "hidden\n")

        line = run(f"-i c -r {ROLE}").refusal()

        assert "the session token from the environment holds characters" in line
        assert "hidden" not in line


class TestProfiles:
    def test_a_session_token_that_only_botocore_reads_is_not_shown(
        self, run: Run, files: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files(f"[profile me]\nrole_arn = {ROLE}\ncredential_source = Environment\n")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
        monkeypatch.setenv("AWS_SESSION_TOKEN", "hidden\n")

        line = run("-i c --profile me").refusal()

        assert "Invalid header value ***" in line
        assert "hidden\\n" not in line

    def test_a_role_of_the_profile(
        self, run: Run, sts: Sts, files: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files(f"[profile me]\nrole_arn = {ROLE}\nsource_profile = base\n", f"[base]\n{KEYS}", "me")
        monkeypatch.setenv("AWS_REGION", "eu-west-1")

        url = url_of(run())

        assert "ASIAROLE" in url
        assert urlsplit(url).hostname == "sts.eu-west-1.amazonaws.com"
        assert sts.hosts == ["sts.eu-west-1.amazonaws.com"]

    def test_a_role_on_top_of_the_profiles_role(
        self, run: Run, sts: Sts, files: Callable[..., None]
    ) -> None:
        files(f"[profile me]\nrole_arn = {ROLE}\nsource_profile = base\n", f"[base]\n{KEYS}", "me")

        url_of(run(f"-i c -r {ROLE}2"))

        assert [asked["RoleArn"] for asked in sts.asked] == [ROLE, f"{ROLE}2"]

    def test_a_file_that_only_botocore_reads(self, run: Run, files: Callable[..., None]) -> None:
        files("[profile me]\nregion = eu-west-1\nnote = a\n  b\n", f"[me]\n{KEYS}", "me")

        url = url_of(run())

        assert "AKIDEXAMPLE" in url
        assert urlsplit(url).hostname == "sts.eu-west-1.amazonaws.com"

    def test_a_process_with_an_end(self, run: Run, files: Callable[..., None], home: Path) -> None:
        files(process(home, {"Expiration": at(3600), "SessionToken": "t"}), profile="me")

        assert "ASIAPROCESS" in url_of(run())

    def test_a_process_with_expired_credentials(
        self, run: Run, files: Callable[..., None], home: Path
    ) -> None:
        files(process(home, {"Expiration": at(-60), "SessionToken": "t"}), profile="me")

        assert "still expired" in run().refusal()


def process(home: Path, extra: dict[str, str], *, program: str = "") -> str:
    answer = {"Version": 1, "AccessKeyId": "ASIAPROCESS", "SecretAccessKey": "s", **extra}
    script = home / "process.py"
    script.write_text(program or f"print({json.dumps(json.dumps(answer))})")
    return f"[profile me]\ncredential_process = {sys.executable} {script}\n"


# Config file, credentials file, what the line has to say.
FAULTS = {
    "unknown profile": (
        "[profile b]\n[profile a]\n",
        "[c]\n",
        ["AWS profile 'me' does not exist (known: a, b, c)", "AWS_PROFILE"],
    ),
    "unknown profile, file that only botocore reads": (
        "[profile b]\nnote = a\n  b\n",
        "[c]\n",
        ["AWS profile 'me' does not exist (known: b, c)", "AWS_PROFILE"],
    ),
    "empty profile": (
        "[profile me]\nregion = eu-west-1\n",
        "",
        ["no AWS credentials found", "AWS_ACCESS_KEY_ID", "profile 'me'", "~/.aws/credentials"],
    ),
    "single sign-on, never logged in": (
        """
        [profile me]
        sso_session = s
        sso_account_id = 111122223333
        sso_role_name = Admin
        [sso-session s]
        sso_start_url = https://example.awsapps.com/start
        sso_region = eu-west-1
        """,
        "",
        ["run `aws sso login --profile me`"],
    ),
    "single sign-on of the old kind, never logged in": (
        """
        [profile me]
        sso_account_id = 111122223333
        sso_role_name = Admin
        sso_start_url = https://example.awsapps.com/start
        sso_region = eu-west-1
        """,
        "",
        ["run `aws sso login --profile me`"],
    ),
    "single sign-on of the source profile, never logged in": (
        f"""
        [profile me]
        role_arn = {ROLE}
        source_profile = portal
        [profile portal]
        sso_account_id = 111122223333
        sso_role_name = Admin
        sso_start_url = https://example.awsapps.com/start
        sso_region = eu-west-1
        """,
        "",
        ["run `aws sso login --profile portal`"],
    ),
    "web identity token file that is missing": (
        f"[profile me]\nrole_arn = {ROLE}\nweb_identity_token_file = /absent\n",
        "",
        ["cannot read /absent: No such file", "correct web_identity_token_file"],
    ),
    "role without anybody who may assume it": (
        f"[profile me]\nrole_arn = {ROLE}\ncredential_source = Environment\n",
        "",
        ["Environment", "profile me"],
    ),
    "single sign-on, half configured": (
        "[profile me]\nsso_account_id = 1\n",
        "",
        ["missing required configuration", "check profile me in ~/.aws/config"],
    ),
    "half a key": (
        "",
        "[me]\naws_access_key_id = AKID\n",
        ["profile 'me' in the shared credentials file", "no aws_secret_access_key"],
    ),
    "half a key, file that only botocore reads": (
        "[profile b]\nnote = a\n  b\n",
        "[me]\naws_access_key_id = AKID\n",
        ["aws_secret_access_key", "complete profile me"],
    ),
    "quoted key": (
        "",
        '[me]\naws_access_key_id = "AKID"\naws_secret_access_key = x\n',
        ["profile 'me' in the shared credentials file", "remove quotes"],
    ),
    "empty secret": (
        "",
        "[me]\naws_access_key_id = AKID\naws_secret_access_key =\n",
        ["the secret access key from profile 'me'", "is empty"],
    ),
    "role without a source": (
        f"[profile me]\nrole_arn = {ROLE}\n",
        "",
        ["source_profile", "complete profile me"],
    ),
    "role in a circle": (
        f"""
        [profile me]
        role_arn = {ROLE}
        source_profile = b
        [profile b]
        role_arn = {ROLE}
        source_profile = me
        """,
        "",
        ["Infinite loop", "check profile me"],
    ),
    "web identity without its token": (
        f"[profile me]\nrole_arn = {ROLE}\nweb_identity_token_file = /absent/token\n",
        "",
        ["/absent/token"],
    ),
    "process that is missing": (
        "[profile me]\ncredential_process = /absent/process\n",
        "",
        ["/absent/process"],
    ),
    "unknown region": (
        "[profile me]\nregion = Frankfurt\n",
        f"[me]\n{KEYS}",
        ["'Frankfurt' is not an AWS Region"],
    ),
}


@pytest.mark.parametrize("case", FAULTS.values(), ids=FAULTS.keys())
def test_each_fault_names_its_cause_and_cure(
    case: tuple[str, str, list[str]], run: Run, files: Callable[..., None]
) -> None:
    config, credentials, phrases = case
    files(textwrap.dedent(config), credentials, "me")

    line = run().refusal()

    for phrase in phrases:
        assert phrase in line


def test_an_end_without_a_time_zone_is_named(
    run: Run, files: Callable[..., None], home: Path
) -> None:
    answer = {
        "Version": 1,
        "AccessKeyId": "ASIA",
        "SecretAccessKey": "s",
        "SessionToken": "t",
        "Expiration": "2099-01-01T00:00:00",
    }
    files(process(home, answer), profile="me")

    assert "gives an Expiration without a time zone" in run().refusal()


SSO = "sso_start_url = https://example.awsapps.com/start\nsso_region = eu-west-1\n"
SSO_ROLE = "sso_account_id = 111122223333\nsso_role_name = Admin\n"


@pytest.mark.parametrize(
    ("config", "cache_key"),
    [
        (f"[profile me]\nsso_session = s\n{SSO_ROLE}[sso-session s]\n{SSO}", "s"),
        (f"[profile me]\n{SSO}{SSO_ROLE}", "https://example.awsapps.com/start"),
    ],
    ids=["session", "old kind"],
)
def test_an_sso_login_that_expired_names_the_command(
    config: str, cache_key: str, files: Callable[..., None], home: Path
) -> None:
    files(config, profile="me")
    cache = home / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    (cache / f"{hashlib.sha1(cache_key.encode()).hexdigest()}.json").write_text(
        json.dumps({"accessToken": "hidden", "expiresAt": at(-60), "region": "eu-west-1"})
    )

    # botocore finds the cache's directory when it is imported, so in an interpreter of its own.
    line = python("-m", "client", "token", "-i", "c").refusal()

    assert "expired" in line
    assert "run `aws sso login --profile me`" in line
    assert "hidden" not in line


@pytest.mark.parametrize(
    ("program", "phrase"),
    [
        ("import sys; sys.exit('log in\\nfirst')", "log in first"),
        ("print('<html>')", "check profile me"),
        ("print('{}')", "run the profile's credential source by hand"),
    ],
    ids=["fails", "rubbish", "empty"],
)
def test_a_process_that_fails_is_one_line(
    program: str, phrase: str, run: Run, files: Callable[..., None], home: Path
) -> None:
    files(process(home, {}, program=program), profile="me")

    assert phrase in run().refusal()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[me]\naws_access_key_id = AKID\naws_secret_access_key very-secret\n", "(line 3)"),
        ("aws_secret_access_key = very-secret\n", "(line 1)"),
        ("[me]\n" + KEYS + KEYS, "(line 4)"),
        ("\ufeff[me]\n" + KEYS, "(line 1)"),
    ],
    ids=["no delimiter", "no section", "twice", "byte order mark"],
)
def test_a_broken_file_is_named_without_its_content(
    text: str, place: str, run: Run, files: Callable[..., None], home: Path
) -> None:
    files("", text, "me")

    line = run().refusal()

    assert f"{home}/.aws/credentials {place}" in line
    assert "very-secret" not in line


def test_without_credentials_it_says_where_it_looked(run: Run) -> None:
    line = run().refusal()

    for place in ("AWS_ACCESS_KEY_ID", "'default'", "~/.aws/config", "instance's metadata"):
        assert place in line


def test_half_a_key_in_the_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")

    assert "AWS_SECRET_ACCESS_KEY is not; set both or neither" in run().refusal()


def test_says_that_botocore_is_missing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "client.botocore_credentials", raising=False)
    monkeypatch.setitem(sys.modules, "botocore.session", None)

    assert "pip install botocore" in run().refusal()


def test_the_login_command_can_be_pasted(
    run: Run, files: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "my team")
    files(f'[profile "my team"]\nsso_session = s\n{SSO_ROLE}[sso-session s]\n{SSO}')

    assert "run `aws sso login --profile 'my team'`" in run().refusal()


class TestProxies:
    def test_a_socks_proxy_is_refused_without_its_password(
        self, run: Run, keys: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "socks5://me:hidden@proxy:1080")
        monkeypatch.delenv("https_proxy", raising=False)
        outcome = run(f"-i c --no-cache -r {ROLE}")
        assert outcome.code == 1
        assert "list sts.us-east-1.amazonaws.com in NO_PROXY" in outcome.err
        assert "hidden" not in outcome.err

    @pytest.mark.parametrize(
        ("no_proxy", "proxied"),
        [
            ("", True),
            (".amazonaws.com", False),
            ("*.amazonaws.com", False),
            ("sts.eu-west-1.amazonaws.com:443", False),
            ("sts.eu-west-1.amazonaws.com:80", True),
            ("10.0.0.0/8", True),
        ],
    )
    def test_clients_use_the_proxy_that_go_programs_use(
        self, monkeypatch: pytest.MonkeyPatch, no_proxy: str, proxied: bool
    ) -> None:
        proxy = "http://proxy.example:3128"
        for name, value in (("HTTPS_PROXY", proxy), ("NO_PROXY", no_proxy)):
            monkeypatch.setenv(name, value)
            monkeypatch.setenv(name.lower(), value)
        caller = Credentials("AKIDEXAMPLE", "secret", None, source="a test")
        made = BotocoreSession(None).client("sts", caller, region="eu-west-1")
        chosen = made._endpoint.http_session._proxy_config.proxy_url_for(made.meta.endpoint_url)
        assert chosen == (proxy if proxied else None)
