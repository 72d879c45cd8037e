"""The connections to STS, against the double and whatever it is told to do."""

import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from authenticator.aws.https import HttpsPool, Proxy, verifying_context
from authenticator.errors import ConfigError, StsUnavailable
from dev.aws_double import AwsDouble, faults

HOST = "sts.us-west-2.amazonaws.com"
TARGET = "/?Action=GetCallerIdentity&Version=2011-06-15"
HEADERS = {"Accept": "application/json", "x-k8s-aws-id": "c"}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsDouble]:
    with AwsDouble() as double:
        for name, value in double.environment().items():
            monkeypatch.setenv(name, value)
        yield double


def pool() -> HttpsPool:
    return HttpsPool(context=verifying_context(), proxy=Proxy.from_environment())


def test_an_answer_comes_through_the_proxy(aws: AwsDouble) -> None:
    status, body = pool()(HOST, TARGET, HEADERS, timeout=10)
    assert status in (400, 403)
    assert b"MissingAuthenticationToken" in body
    assert aws.calls.counts().total == 1


@pytest.mark.parametrize(
    "url",
    ["https://proxy:3128", "socks5://proxy:1080", "http://", "http://proxy:notaport", "http://:80"],
)
def test_a_proxy_that_cannot_be_used_is_told_at_the_start(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", url)
    with pytest.raises(ConfigError, match="HTTPS_PROXY"):
        Proxy.from_environment()


def test_the_proxys_credentials_and_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://us%40er:pa%3Ass@proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "localhost,.vpce.amazonaws.com")
    proxy = Proxy.from_environment()
    assert proxy is not None
    assert (proxy.host, proxy.port) == ("proxy.example", 3128)
    assert proxy.headers == {"Proxy-Authorization": "Basic dXNAZXI6cGE6c3M="}
    assert proxy.for_host(HOST) is proxy
    assert proxy.for_host("vpce-1.sts.us-west-2.vpce.amazonaws.com") is None


def test_no_proxy_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert Proxy.from_environment() is None


def test_a_bundle_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    with pytest.raises(ConfigError, match="No such file"):
        verifying_context()
    bundle.write_text("not PEM")
    with pytest.raises(ConfigError, match="AWS_CA_BUNDLE"):
        verifying_context()


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    proxy = Proxy("127.0.0.1", port, {}, "")
    fetch = HttpsPool(context=ssl.create_default_context(), proxy=proxy)
    with pytest.raises(StsUnavailable, match="refused"):
        fetch(HOST, "/", HEADERS, timeout=5)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (faults.Dribble(0.2), "did not answer within"),
        (faults.Hang(), "did not answer within"),
        (faults.Rubbish("huge"), "more than 65536 bytes"),
        (faults.Reset(), "could not be asked"),
        (faults.WrongName(), "could not be asked"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_fault_is_an_unavailable_sts(aws: AwsDouble, fault: faults.Fault, reason: str) -> None:
    aws.faults.start(fault)
    with pytest.raises(StsUnavailable, match=reason):
        pool()(HOST, TARGET, HEADERS, timeout=1)
    aws.faults.stop_all()
    # And nothing of it is left for the next.
    assert b"MissingAuthenticationToken" in pool()(HOST, TARGET, HEADERS, timeout=10)[1]


@pytest.mark.parametrize("status", [301, 302, 307])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_redirect_is_never_followed(aws: AwsDouble, status: int, scheme: str) -> None:
    aws.faults.start(faults.Redirect(f"{scheme}://sts.us-east-1.amazonaws.com/", status))
    assert pool()(HOST, TARGET, HEADERS, timeout=10)[0] == status
    assert aws.calls.counts().total == 1


def test_a_connection_is_used_again(aws: AwsDouble) -> None:
    fetch = pool()
    for _ in range(3):
        fetch(HOST, TARGET, HEADERS, timeout=10)
    assert aws.calls.counts().total == 3
    assert connections(fetch) == 1


def test_a_kept_connection_that_was_closed_meanwhile_is_no_fault(aws: AwsDouble) -> None:
    fetch = pool()
    fetch(HOST, TARGET, HEADERS, timeout=10)
    aws.faults.start(faults.Reset(), times=1)
    assert b"MissingAuthenticationToken" in fetch(HOST, TARGET, HEADERS, timeout=10)[1]


def test_a_second_connection_resumes_the_first_ones_session(aws: AwsDouble) -> None:
    fetch = pool()
    fetch(HOST, TARGET, HEADERS, timeout=10)
    [(_, first)] = fetch._idle.pop(HOST)
    first.close()
    fetch(HOST, TARGET, HEADERS, timeout=10)
    [(_, second)] = fetch._idle[HOST]
    assert isinstance(second._sock, ssl.SSLSocket)
    assert second._sock.session_reused


@pytest.mark.parametrize("value", ["c\r\nHost: other", "c\n", "ü"])
def test_a_header_cannot_add_to_the_request(value: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        pool()(HOST, TARGET, {"x-k8s-aws-id": value}, timeout=1)


def connections(fetch: HttpsPool) -> int:
    return sum(map(len, fetch._idle.values()))


def test_many_threads_share_the_pool(aws: AwsDouble) -> None:
    fetch = pool()
    with ThreadPoolExecutor(16) as threads:
        statuses = set(
            threads.map(lambda _: fetch(HOST, TARGET, HEADERS, timeout=10)[0], range(64))
        )
    assert statuses <= {400, 403}
    assert aws.calls.counts().total == 64
    assert connections(fetch) <= 16
