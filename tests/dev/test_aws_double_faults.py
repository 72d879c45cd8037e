"""Every fault of the AWS double, as a client meets it, and the endpoint that controls them."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache

import botocore.session
import pytest
import urllib3
from urllib3.exceptions import ProtocolError, ProxyError, ReadTimeoutError, SSLError

from dev.aws_double import AwsDouble
from dev.aws_double.faults import (
    KINDS,
    Close,
    Delay,
    Dribble,
    Fail,
    Fault,
    Hang,
    Redirect,
    Repeat,
    Reset,
    Rubbish,
    Stray,
    Throttle,
    TimeOut,
    WrongName,
)
from dev.aws_double.principals import Principal, user
from dev.aws_double.rubbish import RUBBISH
from dev.waiting import PATIENCE_SECONDS

ALICE = user("111122223333", "alice")
BOB = user("444455556666", "bob")


class Client:
    """Sends GetCallerIdentity requests and tells the outcome."""

    def __init__(self, aws: AwsDouble) -> None:
        self.http = urllib3.ProxyManager(
            aws.proxy_url, ca_certs=str(aws.ca_bundle), retries=False, maxsize=10
        )

    def call(
        self, principal: Principal = ALICE, read_timeout: float = PATIENCE_SECONDS
    ) -> urllib3.BaseHTTPResponse:
        return self.http.request(
            "GET",
            presigned_url(principal),
            headers={"Accept": "application/json"},
            redirect=False,
            timeout=urllib3.Timeout(connect=PATIENCE_SECONDS, read=read_timeout),
        )

    def outcome(self, principal: Principal = ALICE) -> str:
        response = self.call(principal)
        return "ok" if response.status == 200 else response.json()["Error"]["Code"]


@cache
def presigned_url(principal: Principal) -> str:
    signer = botocore.session.Session().create_client(
        "sts",
        region_name="eu-west-1",
        aws_access_key_id=principal.access_key_id,
        aws_secret_access_key=principal.secret_access_key,
    )
    return signer.generate_presigned_url("get_caller_identity", HttpMethod="GET")


class Clock:
    """Moves by hand, from a time that signatures made now agree with."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def aws(clock: Clock) -> Iterator[AwsDouble]:
    with AwsDouble([ALICE, BOB], clock=clock) as double:
        yield double


@pytest.fixture
def client(aws: AwsDouble) -> Iterator[Client]:
    client = Client(aws)
    yield client
    client.http.clear()


def test_a_throttle_allows_its_burst_then_its_rate(
    aws: AwsDouble, client: Client, clock: Clock
) -> None:
    aws.faults.start(Throttle(rate=1, burst=2))
    outcomes = [client.outcome() for _ in range(3)]
    clock.now += 1
    outcomes += [client.outcome() for _ in range(2)]
    assert outcomes == ["ok", "ok", "Throttling", "ok", "Throttling"]
    assert client.call().status == 400


def test_a_throttle_charges_the_signers_account(aws: AwsDouble, client: Client) -> None:
    aws.faults.start(Throttle(rate=0, burst=1))
    assert [client.outcome(who) for who in (ALICE, ALICE, BOB)] == ["ok", "Throttling", "ok"]


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "InternalFailure"), (502, "BadGateway"), (503, "ServiceUnavailable")],
)
def test_a_failure_for_the_next_calls_only(
    aws: AwsDouble, client: Client, status: int, code: str
) -> None:
    aws.faults.start(Fail(status), times=2)
    assert [client.outcome() for _ in range(3)] == [code, code, "ok"]
    assert aws.calls.counts().by_outcome == {code: 2, "ok": 1}


def test_a_delay_is_longer_than_a_short_timeout(aws: AwsDouble, client: Client) -> None:
    aws.faults.start(Delay(seconds=60), times=1)
    with pytest.raises(ReadTimeoutError):
        client.call(read_timeout=0.2)
    assert client.outcome() == "ok"


def test_a_short_delay_is_followed_by_the_answer(aws: AwsDouble, client: Client) -> None:
    aws.faults.start(Delay(seconds=0.01))
    assert client.outcome() == "ok"


def test_what_hangs_is_answered_when_the_hang_is_stopped(aws: AwsDouble, client: Client) -> None:
    aws.faults.start(Hang(), times=2)
    with ThreadPoolExecutor(2) as pool:
        hanging = [pool.submit(client.outcome) for _ in range(2)]
        aws.calls.wait(lambda counts: counts.total == 2)
        assert client.outcome() == "ok"
        assert not wait(hanging, timeout=0).done
        aws.faults.stop(Hang)
        assert [call.result() for call in hanging] == ["ok", "ok"]


def test_a_hang_outlives_a_client_that_gives_up(aws: AwsDouble, client: Client) -> None:
    aws.faults.start(Hang())
    with pytest.raises(ReadTimeoutError):
        client.call(read_timeout=0.2)
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(client.outcome)
        aws.calls.wait(lambda counts: counts.total == 2)
        aws.faults.stop(Hang)
        assert hanging.result() == "ok"


def test_a_double_that_hangs_can_be_closed() -> None:
    with ThreadPoolExecutor(1) as pool:
        with AwsDouble([ALICE]) as aws:
            aws.faults.start(Hang())
            hanging = pool.submit(Client(aws).call)
            aws.calls.wait(lambda counts: counts.total == 1)
        with pytest.raises((ProtocolError, ProxyError)):
            hanging.result()


def test_a_reset_in_the_middle_of_the_response(aws: AwsDouble, client: Client) -> None:
    aws.faults.start(Reset(), times=1)
    with pytest.raises(ProtocolError):
        client.call()
    assert aws.calls.counts().by_outcome == {"reset": 1}
    assert client.outcome() == "ok"


def test_a_close_in_place_of_a_response(aws: AwsDouble, client: Client) -> None:
    aws.faults.start(Close(), times=1)
    with pytest.raises((ProtocolError, ProxyError)):
        client.call()
    assert client.outcome() == "ok"


@pytest.mark.parametrize(
    ("fault", "more"), [(Repeat(), b"HTTP/1.1 400"), (Stray(data="stray"), b"stray")]
)
def test_more_bytes_than_the_response(aws: AwsDouble, fault: Fault, more: bytes) -> None:
    aws.faults.start(fault, times=1)
    proxy = aws.proxy_url.removeprefix("http://")
    trust = ssl.create_default_context(cafile=aws.ca_bundle)
    with contextlib.closing(http.client.HTTPSConnection(proxy, context=trust)) as connection:
        connection.set_tunnel("sts.amazonaws.com")
        connection.connect()
        connection.sock.sendall(b"GET /?Action=Wrong HTTP/1.1\r\nHost: sts.amazonaws.com\r\n\r\n")
        arrived = b""
        while more not in arrived[1:]:
            arrived += connection.sock.recv(65536)
    assert arrived.startswith(b"HTTP/1.1 400")


def test_a_408_after_the_response_and_instead_of_it(aws: AwsDouble, client: Client) -> None:
    aws.faults.start(TimeOut(), times=1)
    assert client.outcome() == "ok"
    aws.faults.start(TimeOut(instead=True), times=1)
    response = client.call()
    assert (response.status, response.headers["connection"]) == (408, "close")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect(aws: AwsDouble, client: Client, status: int) -> None:
    aws.faults.start(Redirect("http://169.254.169.254/latest", status))
    response = client.call()
    assert (response.status, response.headers["location"]) == (
        status,
        "http://169.254.169.254/latest",
    )


@pytest.mark.parametrize("kind", sorted(RUBBISH))
def test_rubbish_differs_from_every_right_answer(aws: AwsDouble, client: Client, kind: str) -> None:
    right = client.call()
    aws.faults.start(Rubbish(kind), times=1)
    wrong = client.call()
    assert wrong.status == 200
    assert wrong.data != right.data
    assert client.outcome() == "ok"


def test_a_certificate_of_another_name(aws: AwsDouble, client: Client) -> None:
    aws.faults.start(WrongName(), times=1)
    with pytest.raises(SSLError, match=r"wrong\.example|doesn't match|mismatch"):
        client.call()
    assert aws.calls.counts().total == 0
    assert client.outcome() == "ok"


def test_a_dribble_arrives_whole_in_the_end(aws: AwsDouble, client: Client) -> None:
    aws.faults.start(Dribble(seconds=0), times=1)
    assert client.outcome() == "ok"


def test_a_slow_dribble_keeps_resetting_a_read_timeout(aws: AwsDouble, client: Client) -> None:
    aws.faults.start(Dribble(seconds=60), times=1)
    with pytest.raises((ReadTimeoutError, ProtocolError)):
        client.call(read_timeout=0.2)


def test_faults_combine_and_stop_together(aws: AwsDouble, client: Client) -> None:
    aws.faults.start(Delay(seconds=0.01))
    aws.faults.start(Fail(503))
    assert client.outcome() == "ServiceUnavailable"
    aws.faults.stop_all()
    assert client.outcome() == "ok"


@pytest.mark.parametrize(
    ("kind", "fields", "outcome"),
    [
        ("fail", {"status": 503, "times": 1}, "ServiceUnavailable"),
        ("throttle", {"rate": 0, "burst": 0}, "Throttling"),
    ],
)
def test_the_control_endpoint_starts_and_stops_faults(
    aws: AwsDouble, client: Client, kind: str, fields: dict[str, int], outcome: str
) -> None:
    assert control(aws, "PUT", f"/faults/{kind}", fields) == (200, {})
    assert client.outcome() == outcome
    assert control(aws, "DELETE", f"/faults/{kind}") == (200, {})
    assert client.outcome() == "ok"
    status, counts = control(aws, "GET", "/calls")
    assert (status, counts["total"], counts["by_outcome"]) == (200, 2, {outcome: 1, "ok": 1})


def test_the_control_endpoint_tells_and_forgets_calls(aws: AwsDouble, client: Client) -> None:
    client.call()
    _, requests = control(aws, "GET", "/requests")
    assert [request["action"] for request in requests] == ["GetCallerIdentity"]
    assert control(aws, "DELETE", "/calls") == (200, {})
    assert control(aws, "GET", "/requests") == (200, [])


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/faults/unknown", {}, 404),
        ("DELETE", "/faults/unknown", None, 404),
        ("GET", "/", None, 404),
        ("PUT", "/faults/fail", {"status": 200}, 400),
        ("PUT", "/faults/fail", {"unknown": 1}, 400),
        ("PUT", "/faults/rubbish", {"kind": "unknown"}, 400),
        ("PUT", "/faults/redirect", {"location": "/", "status": 200}, 400),
        ("PUT", "/faults/delay", [], 400),
        ("PUT", "/faults/delay", {"seconds": "1"}, 400),
        ("PUT", "/faults/delay", {"seconds": -1}, 400),
        ("PUT", "/faults/hang", {"times": -1}, 400),
        ("PUT", "/faults/throttle", {"rate": 1, "burst": -1}, 400),
        ("PUT", "/faults/dribble", {"seconds": -1}, 400),
        ("PUT", "/faults/wrong-name", {"name": "../wrong"}, 400),
    ],
)
def test_the_control_endpoint_refuses(
    aws: AwsDouble, method: str, path: str, body: object, status: int
) -> None:
    answer_status, answer = control(aws, method, path, body)
    assert answer_status == status
    assert answer["error"]


def test_every_fault_has_a_name_in_the_control_endpoint() -> None:
    assert set(KINDS.values()) == set(Fault.__args__)


def control(aws: AwsDouble, method: str, path: str, body: object = None) -> tuple[int, object]:
    connection = http.client.HTTPConnection(aws.control_url.removeprefix("http://"), timeout=30)
    connection.request(method, path, None if body is None else json.dumps(body))
    response = connection.getresponse()
    answer = response.status, json.loads(response.read())
    connection.close()
    return answer
