"""A real server on loopback: what slow, hostile and many clients do to it, and restarts."""

from __future__ import annotations

import errno
import http.client
import json
import os
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import datetime, timezone
from pathlib import Path

import pytest

from authenticator.errors import ConfigError
from authenticator.serving.admission_peers import AdmissionPeers
from authenticator.serving.certificates import rotation
from authenticator.serving.certificates.pair import Wanted, load_or_create
from authenticator.serving.endpoints import SMALL_BODY_BYTES
from authenticator.serving.server import ServeOptions, serve
from dev.ports import free_port
from dev.waiting import wait_until
from tests.authenticator.serving.key_updates import KeyUpdater

ROOT = Path(__file__).parents[3]
REVIEW = '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"%s"}}'


def until(condition: Callable[[], bool]) -> None:
    wait_until(condition, "another process has not done what the test waits for")


class Server:
    """`webhook.py` in a process of its own."""

    def __init__(self, directory: Path, *, port: int = 0, health_port: int = 0) -> None:
        self.directory = directory
        self.port = port or free_port()
        self.health_port = health_port or free_port()
        script = Path(__file__).with_name("webhook.py")
        # gunicorn's `http_parser=auto` would use it for every request, and fail.
        (directory / "gunicorn_h1c.py").write_text("LimitRequestLine = None")
        self.log = (directory / "log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, script, str(directory), str(self.port), str(self.health_port)],
            stdout=self.log,
            stderr=self.log,
            cwd=directory,
            env={
                **os.environ,
                "PYTHONPATH": f"{ROOT}{os.pathsep}{directory}",
                "GUNICORN_CMD_ARGS": "--workers 7 --bind 127.0.0.1:1",
                "WEB_CONCURRENCY": "7",
            },
        )

    def workers(self, state: str = "started") -> set[int]:
        return {int(path.suffix[1:]) for path in self.directory.glob(f"{state}.*")}

    def waiting(self) -> int:
        return len(list(self.directory.glob("waiting.*")))

    def ready(self) -> Server:
        until(lambda: len(self.workers()) == 2 or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()
        self.tls = ssl.create_default_context(cafile=self.directory / "cert.pem")
        # Shows the client certificate, as an API server does at /validate.
        self.api_server = ssl.create_default_context(cafile=self.directory / "cert.pem")
        pair = (self.directory / f"admission-client-{name}.pem" for name in ("cert", "key"))
        self.api_server.load_cert_chain(*pair)
        return self

    def said(self) -> str:
        return (self.directory / "log").read_text()

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait()
        self.log.close()
        return status

    def client(self, tls: ssl.SSLContext | None = None) -> http.client.HTTPSConnection:
        context = tls or self.tls
        return http.client.HTTPSConnection("localhost", self.port, context=context, timeout=30)

    def connect(self, tls: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return (tls or self.tls).wrap_socket(sock, server_hostname="localhost")

    def served(self) -> bytes:
        """The certificate that a new connection is shown."""
        return ssl.get_server_certificate(("127.0.0.1", self.port)).encode()

    def tcp(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server")).ready()
    yield server
    server.stop()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path).ready()
    yield server
    (tmp_path / "gate").touch()
    server.stop()


def review(client: http.client.HTTPSConnection, token: str = "fast") -> str:
    """Ask for one review, and give the user."""
    client.request("POST", "/authenticate?timeout=30s", REVIEW % token)
    response = client.getresponse()
    assert response.status == 200
    return str(json.loads(response.read())["status"]["user"]["username"])


def assert_serves(server: Server) -> None:
    """Both workers' share of new clients is answered."""
    for _ in range(8):
        client = server.client()
        assert review(client).startswith("worker-")
        client.close()


HEAD = b"POST /authenticate HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"


def half_open(server: Server) -> socket.socket:
    return server.tcp()


def half_shaken(server: Server) -> socket.socket:
    sock = server.tcp()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        server.tls.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    sock.sendall(outgoing.read())  # a ClientHello, and nothing after it
    return sock


def idle(server: Server) -> socket.socket:
    return server.connect()


def slow_head(server: Server) -> socket.socket:
    sock = server.connect()
    sock.sendall(HEAD)
    return sock


def slow_body(server: Server) -> socket.socket:
    sock = server.connect()
    sock.sendall(HEAD + b"\r\n{")
    return sock


@pytest.mark.parametrize("attack", [half_open, half_shaken, idle, slow_head, slow_body])
def test_two_hundred_clients_that_stall_keep_nobody_waiting(
    shared: Server, attack: Callable[[Server], socket.socket]
) -> None:
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(attack(shared))
        assert_serves(shared)


@pytest.mark.slow
@pytest.mark.parametrize("attack", [half_open, half_shaken, slow_head, slow_body])
def test_a_client_that_stalls_is_given_up_after_seconds(
    shared: Server, attack: Callable[[Server], socket.socket]
) -> None:
    with attack(shared) as sock:
        sock.settimeout(30)
        with suppress(ConnectionResetError):
            while sock.recv(65536):
                pass


def test_a_client_that_does_not_read_its_answers_keeps_nobody_waiting(shared: Server) -> None:
    with ExitStack() as stack:
        for _ in range(16):
            sock = stack.enter_context(shared.connect())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        assert_serves(shared)


@pytest.mark.parametrize("requested", [False, True])
def test_a_client_that_sends_tls_without_a_request_is_closed(
    shared: Server, requested: bool
) -> None:
    """1.6 MB of KeyUpdate messages on each of four connections had a worker killed as stuck."""
    with shared.tcp() as sock, suppress(ConnectionError):
        KeyUpdater(sock).send(20_000, requested=requested)
        while sock.recv(64 * 1024):  # until the server closes, which takes it no deadline
            pass
    assert_serves(shared)


def test_more_connections_than_there_is_room_for_displace_those_that_stall(shared: Server) -> None:
    kept = shared.client()
    review(kept)
    with ExitStack() as stack:
        # More than both workers may have (1,000 each).
        for _ in range(2_200):
            stack.enter_context(shared.tcp())
        assert_serves(shared)
        assert review(kept).startswith("worker-")


def exchange(server: Server, data: bytes) -> bytes:
    """Send `data`, and give all that comes back until the server closes."""
    with server.connect() as sock:
        sock.sendall(data)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def posted(body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST /authenticate HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, *headers, b"", body])


CLOSE = b"Connection: close"
CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (posted(b" " * (2 * 2**20), CLOSE), 413),
        (posted(b'{"a":' * 5000 + b"1" + b"}" * 5000, CLOSE), 400),
        (HEAD[:-2].replace(b"Content-Length: 100", CHUNKED) + b"\r\n\r\n0\r\n\r\n", 411),
        (b"POST /authenticate HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 411),
        (b"GET /authenticate HTTP/1.0\r\n\r\n", 405),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: close\r\n\r\n", 404),
        (b"nonsense\r\n\r\n", 400),
    ],
    ids=["1 MiB", "5,000 deep", "chunked", "no length", "GET", "HTTP/2", "upgrade", "nonsense"],
)
def test_what_is_no_review_is_refused_and_the_connection_closed(
    shared: Server, data: bytes, status: int
) -> None:
    answer = exchange(shared, data)
    assert re.match(rb"HTTP/1.[01] %d " % status, answer)
    assert b"Connection: close" in answer
    assert b"gunicorn" not in answer.lower()
    assert b"server:" not in answer.lower()
    assert_serves(shared)


def test_pipelined_requests_are_answered_in_their_order(shared: Server) -> None:
    body = (REVIEW % "fast").encode()
    gets = [b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in (b"/healthz", b"/none")]
    answer = exchange(shared, gets[0] + posted(body) + gets[1] + posted(body, CLOSE))
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"200", b"404", b"200"]


def test_a_request_that_trickles_in_is_answered(shared: Server) -> None:
    with shared.connect() as sock:
        data = posted((REVIEW % "fast").encode(), CLOSE)
        for start in range(0, len(data), 20):
            sock.sendall(data[start : start + 20])
        assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_http_2_is_not_negotiated(shared: Server) -> None:
    context = ssl.create_default_context(cafile=shared.directory / "cert.pem")
    context.set_alpn_protocols(["h2", "http/1.1"])
    with context.wrap_socket(shared.tcp(), server_hostname="localhost") as sock:
        assert sock.selected_alpn_protocol() == "http/1.1"


def test_tls_below_1_2_is_refused(shared: Server) -> None:
    context = ssl.create_default_context(cafile=shared.directory / "cert.pem")
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with shared.tcp() as sock, pytest.raises(ssl.SSLError):
        context.wrap_socket(sock, server_hostname="localhost")


@pytest.mark.slow
def test_a_kept_connection_outlives_the_deadline_of_a_head(shared: Server) -> None:
    """The API server keeps unused connections for 90 s and must never find one closed."""
    client = shared.client()
    review(client)
    # Longer than any deadline but that of idle connections: there is no event to wait for.
    assert not select.select([client.sock], [], [], 6.5)[0]
    review(client)


def test_connections_that_are_kept_are_shared_between_the_workers(own: Server) -> None:
    """Left to the kernel, one worker may take nearly all of them."""
    clients = [own.client() for _ in range(40)]
    users = [review(client) for client in clients]
    assert sorted(users.count(user) // 10 for user in set(users)) in ([1, 2], [2, 2])


def test_metrics_are_the_sum_of_both_workers(own: Server) -> None:
    asked: dict[str, int] = {}
    while len(asked) < 2:
        client = own.client()
        worker = review(client)
        asked[worker] = asked.get(worker, 0) + 1
        client.close()
    name = "aws_iam_authenticator_authenticate_latency_seconds_count"
    expected = f'{name}{{result="success"}} {float(sum(asked.values()))}\n'

    def scraped() -> str:
        client = own.client()
        client.request("GET", "/metrics")
        answer = client.getresponse().read().decode()
        client.close()
        return answer

    # A worker adds what it counted a few times a second.
    until(lambda: expected in scraped())
    assert all(expected in scraped() for _ in range(4))


def test_gunicorns_own_environment_variables_change_nothing(shared: Server) -> None:
    assert len(shared.workers()) == 2


def test_a_parser_that_can_be_imported_is_not_used(shared: Server) -> None:
    """gunicorn's `auto` takes any package of the name, and this one reads no request."""
    assert (shared.directory / "gunicorn_h1c.py").exists()
    client = shared.client()
    client.request("POST", "/authenticate", body=REVIEW % "no token")
    assert client.getresponse().status == 200
    client.close()


def test_the_health_port_knows_healthz_only(shared: Server) -> None:
    for path, status in (("/healthz", 200), ("/authenticate", 404), ("/metrics", 404)):
        client = http.client.HTTPConnection("127.0.0.1", shared.health_port, timeout=30)
        client.request("GET", path)
        assert client.getresponse().status == status
        client.close()


def test_the_health_port_answers_while_every_thread_is_busy(own: Server) -> None:
    clients = []
    while own.waiting() < 20:  # 2 workers with 10 threads each
        before = own.waiting()
        clients.append(own.client(own.api_server))
        clients[-1].request("POST", "/validate", b"gate")
        if before < 10:
            until(lambda before=before: own.waiting() > before)
        else:
            time.sleep(0.02)
    client = http.client.HTTPConnection("127.0.0.1", own.health_port, timeout=30)
    client.request("GET", "/healthz")
    assert client.getresponse().read() == b"ok"
    # Logins take no thread.
    other = own.client()
    assert review(other).startswith("worker-")
    (own.directory / "gate").touch()
    assert {client.getresponse().status for client in clients} == {200}


def test_requests_that_reach_no_endpoint_keep_no_admission_review_waiting(own: Server) -> None:
    """Six hundred connections that asked for other paths delayed a review by a second."""
    with ExitStack() as stack:
        strangers = [stack.enter_context(own.connect()) for _ in range(40)]
        for sock in strangers:
            sock.sendall(b"GET /gate HTTP/1.1\r\nHost: x\r\n\r\n")
            sock.setblocking(False)
        # Two of each worker wait; the others are refused at once.
        refused: set[ssl.SSLSocket] = set()
        while len(refused) < 36:
            left = [sock for sock in strangers if sock not in refused]
            ready, _, _ = select.select(left, [], [], 30)
            assert ready, f"{len(refused)} are refused, and the others wait for a thread"
            for sock in ready:
                with suppress(ssl.SSLWantReadError):  # a session ticket
                    assert sock.recv(4096).startswith(b"HTTP/1.1 503 ")
                    refused.add(sock)
        client = own.client(own.api_server)
        client.request("POST", "/validate", b"x")
        assert client.getresponse().read() == b"1"
        client.close()
        for path in ("/healthz", "/readyz", "/metrics"):
            client = own.client()
            client.request("GET", path)
            assert client.getresponse().status == 200
            client.close()
        (own.directory / "gate").touch()


def test_a_taken_health_port_is_logged_and_served_without(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = Server(tmp_path, health_port=taken.getsockname()[1]).ready()
        assert_serves(server)
        assert server.stop() == 0
    assert "serving without the health port" in server.said()


def test_a_taken_port_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = Server(tmp_path, port=port)
        assert server.process.wait() == 1
        server.log.close()
    [line] = server.said().splitlines()
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in line


def test_a_host_without_ipv6_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_ipv6(family: int, kind: int) -> socket.socket:
        assert (family, kind) == (socket.AF_INET6, socket.SOCK_STREAM)
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

    wanted = Wanted(hostname="localhost", address="::1")
    pair = load_or_create(tmp_path, wanted, datetime.now(timezone.utc))
    options = ServeOptions(
        address="::1",
        port=free_port(),
        health_port=0,
        certificate=pair.certificate,
        key=pair.key,
        workers=2,
        peers=AdmissionPeers(tmp_path),
    )
    with monkeypatch.context() as patched:
        patched.setattr(socket, "socket", no_ipv6)
        with pytest.raises(ConfigError, match=r"cannot listen on ::1 port .*not supported"):
            serve(options, pytest.fail)


def test_a_review_in_flight_is_answered_before_the_end(own: Server) -> None:
    client = own.client()
    client.request("POST", "/authenticate", REVIEW % "gate")
    until(lambda: own.waiting() == 1)
    idle_client = own.client()
    review(idle_client)
    own.process.send_signal(signal.SIGTERM)
    # The kept connection of a worker that ends: a request that is on its way is answered.
    idle_client.request("POST", "/authenticate", REVIEW % "fast")
    assert idle_client.getresponse().status == 200
    (own.directory / "gate").touch()
    assert client.getresponse().status == 200
    assert own.process.wait() == 0
    assert own.workers("stopped") == own.workers()
    audited = [json.loads(line) for line in (own.directory / "audit").read_text().splitlines()]
    assert [record["decision"] for record in audited] == ["allow"] * 3


def test_a_worker_that_is_killed_resets_its_connections(own: Server) -> None:
    """An API server asks again after a reset; after an end without an answer it answers 401."""
    client = own.client()
    client.request("POST", "/authenticate", REVIEW % "gate")
    until(lambda: own.waiting() == 1)
    [waiting] = own.directory.glob("waiting.*")
    os.kill(int(waiting.name.split(".")[1]), signal.SIGKILL)
    with pytest.raises(ConnectionResetError):
        client.getresponse()
    assert_serves(own)


def test_a_restart_under_load_loses_no_review(own: Server) -> None:
    lost: list[Exception] = []
    users: set[str] = set()
    enough = threading.Event()

    def ask(*, keep: bool) -> None:
        client = own.client()
        try:
            while not enough.is_set():
                users.add(review(client))
                if not keep:
                    client.close()
        except Exception as error:  # noqa: BLE001 (whatever it was, a login was lost)
            lost.append(error)

    # The worker that starts first may get every kept connection. New ones go to the other, which
    # has fewer.
    clients = [
        threading.Thread(target=ask, kwargs={"keep": keep}) for keep in [True] * 6 + [False] * 2
    ]
    for thread in clients:
        thread.start()
    first = own.workers()
    until(lambda: len(users) == 2 or bool(lost))
    own.process.send_signal(signal.SIGHUP)
    # Both old workers end and both new ones are asked, under load all the while.
    until(lambda: own.workers("stopped") >= first or bool(lost))
    until(lambda: len(users) == 4 or bool(lost))
    enough.set()
    for thread in clients:
        thread.join()
    assert lost == []


def test_a_new_certificate_is_served_without_a_restart(own: Server) -> None:
    workers, before = own.workers(), own.served()
    wanted = Wanted(hostname="localhost", address="127.0.0.1")
    rotation.prepare(own.directory, wanted, datetime.now(timezone.utc))
    with own.connect() as open_before:
        after = rotation.switch(own.directory, datetime.now(timezone.utc)).pem
        loaded = [own.directory / f"loaded.{pid}" for pid in workers]
        until(lambda: all(path.read_bytes() == after for path in loaded))
        assert {own.served() for _ in range(8)} == {after} != {before}
        open_before.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert open_before.recv(1000).startswith(b"HTTP/1.1 200")
    assert own.workers() == workers


def test_a_certificate_without_its_key_leaves_the_one_in_use(own: Server) -> None:
    before = own.served()
    wanted = Wanted(hostname="localhost", address="127.0.0.1")
    other = rotation.prepare(own.directory, wanted, datetime.now(timezone.utc))
    other.certificate.replace(own.directory / "cert.pem")
    until(lambda: own.said().count("keeping the certificate in use") == 2)
    assert own.served() == before


# AdmissionReviews: larger than logins, and never in their way.

LARGE = 2 * 1024 * 1024


def head_of(path: str, size: int) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()


def test_an_object_of_several_mebibytes_can_be_validated(shared: Server) -> None:
    client = shared.client(shared.api_server)
    for size in (10, LARGE, 10, LARGE):
        client.request("POST", "/validate?timeout=5s", body=b"x" * size)
        assert client.getresponse().read() == str(size).encode()
    client.close()


def test_a_token_longer_than_any_of_ours_is_a_denial(shared: Server) -> None:
    """An API server takes headers of 1 MiB; after 413 it logged an outage of the webhook."""
    client = shared.client()
    for size in (SMALL_BODY_BYTES, 2**20):
        client.request("POST", "/authenticate", body=REVIEW % ("x" * size))
        answer = client.getresponse()
        assert answer.status == 200
        assert json.loads(answer.read())["status"] == {"authenticated": False}
    client.close()


def test_what_reaches_no_endpoint_is_counted(own: Server) -> None:
    """405, 411 and 413 counted in no metric."""
    exchange(own, b"GET /authenticate HTTP/1.0\r\n\r\n")
    exchange(own, posted(b" " * (2 * 2**20), CLOSE))
    exchange(own, HEAD[:-2].replace(b"Content-Length: 100", CHUNKED) + b"\r\n\r\n")

    def counted() -> bool:
        client = own.client()
        client.request("GET", "/metrics")
        text = client.getresponse().read().decode()
        client.close()
        name = "aws_iam_authenticator_http_requests_refused_total"
        return all(f'{name}{{code="{code}"}} 1.0\n' in text for code in (405, 411, 413))

    until(counted)


def test_a_worker_with_all_connections_gives_some_up_after_their_answers(own: Server) -> None:
    """After a restart one worker kept all eight connections for hours."""
    held = sorted(own.workers())
    os.kill(held[0], signal.SIGSTOP)
    clients = [own.client() for _ in range(8)]
    for client in clients:
        review(client)  # the other worker takes all of them
    os.kill(held[0], signal.SIGCONT)
    users: set[str] = set()

    def shared_again() -> bool:
        nonlocal users
        users = {review(client) for client in clients}
        return len(users) == 2

    until(shared_again)


@pytest.mark.slow
def test_few_large_objects_are_in_memory_at_once(shared: Server) -> None:
    """Two workers hold two each; logins go on beside them, and so do those who come later."""
    with ExitStack() as stack:
        socks = [stack.enter_context(shared.connect(shared.api_server)) for _ in range(20)]
        for sock in socks:
            sock.sendall(head_of("/validate", LARGE) + b"x" * (SMALL_BODY_BYTES + 1))
        refused = 0
        while refused < 16:
            ready, _, _ = select.select(socks, [], [])
            for sock in ready:
                socks.remove(sock)
                # Those that are held come to their deadline on a machine that is slow. Python 3.13
                # reports their reset, which older versions take for the end of the stream.
                with suppress(ConnectionResetError):
                    refused += sock.recv(4096).startswith(b"HTTP/1.1 429 ")
        client = shared.client()
        client.request("POST", "/authenticate", body=REVIEW % "fast")
        assert client.getresponse().status == 200
        client.close()

    def has_room() -> bool:
        with shared.connect(shared.api_server) as sock, suppress(OSError):
            sock.sendall(head_of("/validate", LARGE) + b"x" * LARGE)
            return sock.recv(4096).startswith(b"HTTP/1.1 200 ")
        return False

    until(has_room)
