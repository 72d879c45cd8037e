"""Where the plugin runs: without a home directory, behind proxies, with odd files and variables."""

import json
import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

import client
from client import credentials, profiles
from client.errors import ClientError
from dev.aws_double.principals import assumed_role
from tests.client import metadata
from tests.client.running import Outcome, Run
from tests.client.sts import url_of

NODE = assumed_role("111122223333", "node", "i-0123456789abcdef0")
KEYS = "aws_access_key_id = AKIA{0}\naws_secret_access_key = secret-{0}\n"
# Runs the plugin as a user whose id has no account.
WITHOUT_ACCOUNT = """
import os, pwd, sys
def getpwuid(uid):
    raise KeyError(uid)
pwd.getpwuid = getpwuid
from client.__main__ import run
sys.exit(run())
"""


class TestNoHomeDirectory:
    """OpenShift and distroless images: HOME unset, and a user id that is not in passwd."""

    @pytest.fixture(params=["unset", "empty"])
    def homeless(self, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Outcome]:
        working = tmp_path / "working"
        working.mkdir()
        environ = {name: value for name, value in os.environ.items() if name != "HOME"}
        environ |= {"PYTHONPATH": str(Path(client.__file__).parents[1])}
        if request.param == "empty":
            environ["HOME"] = ""

        def run(*arguments: str, **variables: str) -> Outcome:
            finished = subprocess.run(
                [sys.executable, "-c", WITHOUT_ACCOUNT, *arguments],
                env=environ | variables,
                cwd=working,
                capture_output=True,
                text=True,
                check=False,
            )
            assert list(working.iterdir()) == []
            return Outcome(finished.returncode, finished.stdout, finished.stderr)

        return run

    @pytest.mark.parametrize("flags", [(), ("--no-cache",), ("--cache",)])
    def test_a_process_serves_all_the_same(
        self, flags: tuple[str, ...], homeless: Callable[..., Outcome], tmp_path: Path
    ) -> None:
        config = tmp_path / "config"
        answer = {"Version": 1, "AccessKeyId": "AKIAP", "SecretAccessKey": "s"}
        script = tmp_path / "process.py"
        script.write_text(f"print({json.dumps(json.dumps(answer))})")
        config.write_text(f"[default]\ncredential_process = {sys.executable} {script}\n")

        outcome = homeless("token", "-i", "c", *flags, AWS_CONFIG_FILE=str(config))

        assert (outcome.code, outcome.err) == (0, "")

    def test_keys_in_the_environment_serve(self, homeless: Callable[..., Outcome]) -> None:
        outcome = homeless("token", "-i", "c", AWS_ACCESS_KEY_ID="AKIA", AWS_SECRET_ACCESS_KEY="s")

        assert (outcome.code, outcome.err) == (0, "")


def test_an_empty_aws_profile_is_no_profile(
    run: Run, files: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Compose files and CI systems set AWS_PROFILE to nothing."""
    answer = {"Version": 1, "AccessKeyId": "AKIAP", "SecretAccessKey": "s"}
    (tmp_path / "process.py").write_text(f"print({json.dumps(json.dumps(answer))})")
    files(f"[default]\ncredential_process = {sys.executable} {tmp_path / 'process.py'}\n")
    monkeypatch.setenv("AWS_PROFILE", "")
    monkeypatch.setenv("AWS_DEFAULT_PROFILE", "")

    assert "AKIAP" in url_of(run())


@pytest.mark.parametrize("left_to_botocore", [False, True])
def test_aws_profile_comes_before_aws_default_profile(
    left_to_botocore: bool, run: Run, files: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the reference; botocore has it the other way round."""
    odd = "note = a\n  b\n" if left_to_botocore else ""
    files(odd and f"[profile x]\n{odd}", f"[a]\n{KEYS.format('A')}[b]\n{KEYS.format('B')}")
    monkeypatch.setenv("AWS_PROFILE", "a")
    monkeypatch.setenv("AWS_DEFAULT_PROFILE", "b")

    assert "AKIAA" in url_of(run())


def test_the_session_token_comes_before_its_old_name(
    keys: None, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that another tool left over must not win."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "new")
    monkeypatch.setenv("AWS_SECURITY_TOKEN", "old")

    assert "X-Amz-Security-Token=new&" in url_of(run())


@pytest.mark.parametrize(
    "text",
    ["\ufeff[default]\nregion = eu-west-1\n", "[default]\n[default]\n", "rubbish\n"],
    ids=["byte-order mark", "a section twice", "no section"],
)
def test_a_broken_config_file_does_not_stop_keys_in_the_environment(
    text: str, keys: None, run: Run, home: Path
) -> None:
    (home / ".aws" / "config").write_text(text)

    assert "AKIDEXAMPLE" in url_of(run())


class Recorder(BaseHTTPRequestHandler):
    """A proxy that no request should reach."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_error(502)

    def do_PUT(self) -> None:
        self.do_GET()

    def do_CONNECT(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    asked: list[str] = []
    handler = type("Handler", (Recorder,), {"asked": asked})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, url)
        yield asked
        server.shutdown()


class TestInstance:
    @pytest.fixture(autouse=True)
    def instance(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        with metadata.serving(NODE, region="cn-north-1") as url:
            monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
            monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
            yield

    def test_metadata_is_never_asked_through_a_proxy(self, proxy: list[str], run: Run) -> None:
        url_of(run())

        assert proxy == []

    def test_the_region_is_the_instances(self, run: Run) -> None:
        assert url_of(run()).startswith("https://sts.cn-north-1.amazonaws.com.cn/")

    def test_a_region_that_is_named_wins(self, run: Run) -> None:
        assert url_of(run("-i c --region eu-west-1")).startswith("https://sts.eu-west-1.")


@pytest.mark.parametrize("secret", ["secret ", " secret", "secret\n", "sec\nret"])
def test_white_space_in_a_secret_is_named(secret: str) -> None:
    """Every signature with it is refused, and the cause is invisible."""
    with pytest.raises(ClientError, match="white space"):
        credentials.Credentials("AKIA", secret, source="a test")


def test_an_empty_access_key_is_called_empty(run: Run, files: Callable[..., None]) -> None:
    files(credentials="[default]\naws_access_key_id =\naws_secret_access_key = s\n")

    assert "access key id" in (line := run().refusal())
    assert "is empty" in line


def test_an_unknown_profile_blames_the_flag_that_named_it(run: Run) -> None:
    assert "correct --profile" in run("-i c --profile alise").refusal()


def test_no_home_directory_means_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "")

    assert profiles.expand("~/.aws/config") == ""
