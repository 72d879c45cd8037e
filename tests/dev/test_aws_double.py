"""The AWS double as its clients see it: botocore and urllib3 through the proxy."""

from __future__ import annotations

import json
import select
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from pathlib import Path

import botocore.session
import pytest
import urllib3
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError

from dev.aws_double import AwsDouble, Principal
from dev.aws_double.principals import assumed_role, federated_user, root, sso_user, user

ACCOUNT = "111122223333"
ALICE = user(ACCOUNT, "alice", path="team/")
PRINCIPALS = {
    "user": ALICE,
    "root": root(ACCOUNT),
    "assumed-role": assumed_role(ACCOUNT, "admin", "alice"),
    "federated-user": federated_user(ACCOUNT, "dave"),
    "sso": sso_user(ACCOUNT, "Developer", "carol@example.com"),
    "instance": assumed_role(ACCOUNT, "node", "i-0123456789abcdef0"),
    "china": user(ACCOUNT, "alice", partition="aws-cn"),
}
REGION = "eu-west-1"
HOST = f"sts.{REGION}.amazonaws.com"


@pytest.fixture
def aws() -> Iterator[AwsDouble]:
    with AwsDouble(PRINCIPALS.values()) as double:
        yield double


@pytest.fixture
def http(aws: AwsDouble) -> Iterator[urllib3.ProxyManager]:
    manager = urllib3.ProxyManager(
        aws.proxy_url, ca_certs=str(aws.ca_bundle), retries=False, maxsize=50
    )
    yield manager
    manager.clear()


@pytest.fixture
def through_the_double(aws: AwsDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)


SESSION = botocore.session.Session()


def sts(principal: Principal = ALICE, region: str = REGION) -> BaseClient:
    return SESSION.create_client(
        "sts",
        region_name=region,
        aws_access_key_id=principal.access_key_id,
        aws_secret_access_key=principal.secret_access_key,
        aws_session_token=principal.session_token,
        config=Config(retries={"total_max_attempts": 1}),
    )


def presigned_url(principal: Principal = ALICE) -> str:
    return sts(principal).generate_presigned_url("get_caller_identity", HttpMethod="GET")


@pytest.mark.usefixtures("through_the_double")
@pytest.mark.parametrize("kind", PRINCIPALS)
def test_botocore_learns_its_identity(aws: AwsDouble, kind: str) -> None:
    principal = PRINCIPALS[kind]
    region = "cn-north-1" if kind == "china" else REGION
    answer = sts(principal, region).get_caller_identity()
    identity = {name: answer[name] for name in ("Account", "Arn", "UserId")}
    assert identity == {
        "Account": ACCOUNT,
        "Arn": principal.arn,
        "UserId": principal.user_id,
    }
    assert aws.calls.counts().by_access_key == {principal.access_key_id: 1}


def test_a_presigned_url_is_answered_in_json_to_those_who_accept_it(
    http: urllib3.ProxyManager,
) -> None:
    response = http.request("GET", presigned_url(), headers={"Accept": "application/json"})
    assert response.status == 200
    assert response.headers["content-type"] == "application/json"
    answer = response.json()["GetCallerIdentityResponse"]
    assert answer["GetCallerIdentityResult"] == {
        "Account": ACCOUNT,
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/team/alice",
        "UserId": ALICE.user_id,
    }
    assert answer["ResponseMetadata"]["RequestId"] == response.headers["x-amzn-requestid"]


def test_a_presigned_url_is_answered_in_xml_to_others(http: urllib3.ProxyManager) -> None:
    response = http.request("GET", presigned_url())
    assert response.headers["content-type"] == "text/xml"
    assert response.data.startswith(
        b'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    )


def test_an_error_in_json(http: urllib3.ProxyManager) -> None:
    stranger = user(ACCOUNT, "mallory")
    response = http.request("GET", presigned_url(stranger), headers={"Accept": "application/json"})
    assert response.status == 403
    assert response.json()["Error"] == {
        "Code": "InvalidClientTokenId",
        "Message": "The security token included in the request is invalid.",
        "Type": "Sender",
    }


@pytest.mark.usefixtures("through_the_double")
@pytest.mark.parametrize(
    ("principal", "code"),
    [
        (user(ACCOUNT, "mallory"), "InvalidClientTokenId"),
        (
            Principal(ALICE.arn, ALICE.user_id, ALICE.access_key_id, "another secret"),
            "SignatureDoesNotMatch",
        ),
    ],
    ids=["unknown-key", "wrong-secret"],
)
def test_botocore_understands_a_refusal(aws: AwsDouble, principal: Principal, code: str) -> None:
    with pytest.raises(ClientError) as caught:
        sts(principal).get_caller_identity()
    assert caught.value.response["Error"]["Code"] == code
    assert aws.calls.counts().by_outcome == {code: 1}


def test_the_clock_decides_what_is_expired() -> None:
    with AwsDouble([ALICE], clock=lambda: time.time() + 3600) as aws:
        http = urllib3.ProxyManager(aws.proxy_url, ca_certs=str(aws.ca_bundle), retries=False)
        response = http.request("GET", presigned_url(), headers={"Accept": "application/json"})
    error = response.json()["Error"]
    assert error["Code"] == "SignatureDoesNotMatch"
    assert error["Message"].startswith("Signature expired: ")


def test_keys_can_come_and_go(aws: AwsDouble, http: urllib3.ProxyManager) -> None:
    stranger = user(ACCOUNT, "mallory")
    url = presigned_url(stranger)
    statuses = [http.request("GET", url).status]
    aws.principals.add(stranger)
    statuses.append(http.request("GET", url).status)
    aws.principals.remove(stranger.access_key_id)
    statuses.append(http.request("GET", url).status)
    assert statuses == [403, 200, 403]


def test_an_unknown_action_is_refused(http: urllib3.ProxyManager) -> None:
    response = http.request(
        "GET",
        f"https://{HOST}/?Action=DeleteEverything&Version=2011-06-15",
        headers={"Accept": "application/json"},
    )
    assert (response.status, response.json()["Error"]["Code"]) == (400, "InvalidAction")


def test_a_foreign_host_is_refused_and_counted(aws: AwsDouble, http: urllib3.ProxyManager) -> None:
    with pytest.raises(urllib3.exceptions.ProxyError, match="403"):
        http.request("GET", "https://sts.example.com/")
    assert http.request("GET", "http://sts.amazonaws.com/").status == 403
    assert aws.calls.counts().refused_hosts == {
        "sts.example.com": 1,
        "http://sts.amazonaws.com/": 1,
    }
    assert aws.calls.counts().total == 0


def test_the_last_requests_can_be_looked_at(aws: AwsDouble, http: urllib3.ProxyManager) -> None:
    url = presigned_url()
    http.request("GET", url, headers={"X-Test": "1"})
    [call] = aws.calls.recent()
    assert (call.host, call.action, call.outcome) == (HOST, "GetCallerIdentity", "ok")
    assert f"https://{HOST}{call.request.target}" == url
    assert call.request.header("x-test") == "1"
    aws.calls.clear()
    assert aws.calls.recent() == ()
    assert aws.calls.counts().total == 0


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"CONNECT sts.amazonaws.com:443 HTTP/1.1\r\nno colon\r\n\r\n",
        b"CONNECT sts.amazonaws.com:443 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"CONNECT sts.amazonaws.com:443 HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        b"A" * 100_000,
        b"CONNECT sts.amazonaws.com:443 HTTP/1.1\r\nContent-Length: 1_0\r\n\r\n",
    ],
    ids=["tls", "http-2", "no-colon", "chunked", "too-long", "endless-head", "length"],
)
def test_garbage_is_answered_400(aws: AwsDouble, garbage: bytes) -> None:
    address = urllib3.util.parse_url(aws.proxy_url)
    with socket.create_connection((address.host, address.port), timeout=10) as client:
        client.sendall(garbage)
        assert client.recv(12) == b"HTTP/1.1 400"


def test_hundreds_of_connections_at_once(aws: AwsDouble, http: urllib3.ProxyManager) -> None:
    address = urllib3.util.parse_url(aws.proxy_url)
    idle = [socket.create_connection((address.host, address.port)) for _ in range(300)]
    url = presigned_url()
    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(lambda _: http.request("GET", url).status, range(200)))
    for client in idle:
        client.close()
    assert statuses == [200] * 200
    assert aws.calls.counts().by_outcome == {"ok": 200}


def test_as_a_process_of_its_own(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dev.aws_double", "--state-dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], 60)[0]
            lines = iter(process.stdout.readline, "")
            exports = "".join(takewhile(lambda line: line.startswith("export "), lines))
            control = next(lines).removeprefix("# Control: ").strip()
            assert who_am_i(exports, profile="bob") == f"arn:aws:iam::{ACCOUNT}:user/team/bob"
            counts = json.loads(urllib3.request("GET", f"{control}/calls").data)
            assert counts["by_outcome"] == {"ok": 1}
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0


def who_am_i(exports: str, profile: str) -> str:
    """Ask in a shell in which the double's output has been evaluated."""
    program = (
        "import botocore.session; "
        f"sts = botocore.session.Session().create_client('sts', '{REGION}'); "
        "print(sts.get_caller_identity()['Arn'])"
    )
    script = f"{exports}export AWS_PROFILE={profile}\n{shlex.join([sys.executable, '-c', program])}"
    shell = subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, text=True, check=False, timeout=60, env={}
    )
    assert shell.returncode == 0, shell.stderr
    return shell.stdout.strip()
