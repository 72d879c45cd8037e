"""A real server on loopback: /validate answers API servers that show the issued certificate."""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import datetime, timezone
from pathlib import Path

import pytest

from authenticator.serving.certificates import rotation
from authenticator.serving.certificates.admission_client import AdmissionClient
from authenticator.serving.certificates.pair import CLIENT_NAME, Wanted
from authenticator.serving.tls import server_context
from dev.waiting import wait_until
from tests.authenticator.serving.test_server import LARGE, Server, head_of, review

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("server")
    (directory / "secret").write_text(SECRET)
    server = Server(directory).ready()
    yield server
    server.stop()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path).ready()
    yield server
    server.stop()


def validated(client: http.client.HTTPSConnection, path: str = "/validate?timeout=5s") -> int:
    client.request("POST", path, b"x")
    response = client.getresponse()
    response.read()
    return response.status


def counted(server: Server, name: str) -> float:
    client = server.client()
    client.request("GET", "/metrics")
    text = client.getresponse().read().decode()
    client.close()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if line.startswith(f"aws_iam_authenticator_{name}")
    )


def test_an_unauthenticated_peer_gets_401_before_its_body_and_occupies_no_place(
    shared: Server,
) -> None:
    """Twelve such connections had every edit stored unlooked at."""
    with ExitStack() as stack:
        socks = [stack.enter_context(shared.connect()) for _ in range(12)]
        for sock in socks:
            sock.sendall(head_of("/validate", 1_000_000) + b"x")
        for sock in socks:
            assert sock.recv(4096).startswith(b"HTTP/1.1 401 ")
        client = stack.enter_context(shared.connect(shared.api_server))
        client.sendall(head_of("/validate", LARGE) + b"x" * LARGE)
        assert client.recv(4096).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("path", ["/validate", "/authenticate"])
def test_the_health_port_takes_no_body_of_a_review(shared: Server, path: str) -> None:
    """It serves no reviews; a body there took the place of an API server's."""
    with socket.create_connection(("127.0.0.1", shared.health_port), timeout=30) as sock:
        sock.sendall(head_of(path, 1_000_000) + b"x")
        assert sock.recv(4096).startswith(b"HTTP/1.1 404 ")


def test_an_unauthenticated_peer_with_a_whole_body_gets_401(own: Server) -> None:
    for size in (1, LARGE):
        client = own.client()
        client.request("POST", "/validate", b"x" * size)
        response = client.getresponse()
        assert response.status == 401
        assert response.read() == b"Unauthorized\n"
    wait_until(
        lambda: (
            counted(own, 'admission_reviews_total{result="unauthenticated"}') == 2
            and counted(own, 'http_requests_refused_total{code="401"}') == 2
        ),
        "the refusals are not counted",
    )


def test_an_api_server_is_answered_and_logins_need_no_certificate(shared: Server) -> None:
    client = shared.client(shared.api_server)
    assert [validated(client) for _ in range(3)] == [200] * 3
    assert review(client).startswith("worker-")
    assert review(shared.client()).startswith("worker-")


def test_a_secret_path_is_answered(shared: Server) -> None:
    assert validated(shared.client(), f"/validate/{SECRET}?timeout=5s") == 200
    assert validated(shared.client(), f"/validate/{SECRET[:-1]}0?timeout=5s") == 401
    assert SECRET not in shared.said()


def foreign(directory: Path, *options: str) -> ssl.SSLContext:
    """A client with a certificate that names the same subject, by another key."""
    key, certificate = directory / "foreign.key", directory / "foreign.crt"
    new = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    files = ("-nodes", "-keyout", str(key), "-out", str(certificate))
    subject = ("-subj", f"/CN={CLIENT_NAME}", "-addext", "extendedKeyUsage=clientAuth")
    subprocess.run([*new, *files, *subject, *options], check=True, capture_output=True)
    context = ssl.create_default_context()
    context.load_cert_chain(certificate, key)
    return context


def refused(server: Server, context: ssl.SSLContext) -> bool:
    """Whether the handshake fails; in TLS 1.3 the client learns of it when it reads."""
    context.load_verify_locations(server.directory / "cert.pem")
    try:
        with server.connect(context) as sock:
            sock.sendall(head_of("/validate", 1) + b"x")
            return not sock.recv(4096)
    except (ssl.SSLError, ConnectionError):
        return True


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_of_the_same_name_and_another_key_is_refused(
    shared: Server, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    before = counted(shared, "tls_client_certificates_refused_total")
    context = foreign(tmp_path)
    context.minimum_version = context.maximum_version = version
    assert refused(shared, context)
    wait_until(
        lambda: counted(shared, "tls_client_certificates_refused_total") == before + 1,
        "the refused handshake is not counted",
    )
    assert review(shared.client()).startswith("worker-")


def test_a_certificate_that_the_issued_one_signed_is_refused(
    shared: Server, tmp_path: Path
) -> None:
    """It is no CA, so that whoever steals its key can mint no other name."""
    pair = [shared.directory / f"admission-client-{name}.pem" for name in ("cert", "key")]
    signed = foreign(tmp_path, "-CA", str(pair[0]), "-CAkey", str(pair[1]))
    assert refused(shared, signed)


def test_a_certificate_that_a_ca_signed_is_accepted_without_its_ca(
    shared: Server, tmp_path: Path
) -> None:
    """`admissionClientFile` without the CA failed each handshake of the API server."""
    (tmp_path / "ca").mkdir()
    foreign(tmp_path / "ca", "-subj", "/CN=ca")
    ca = [str(tmp_path / "ca" / f"foreign.{name}") for name in ("crt", "key")]
    client_side = foreign(tmp_path, "-CA", ca[0], "-CAkey", ca[1])
    client_side.load_verify_locations(shared.directory / "cert.pem")
    accepted = (tmp_path / "foreign.crt").read_text()
    server_side = server_context(
        *(shared.directory / name for name in ("cert.pem", "key.pem")), accepted
    )
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname="localhost")
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    for end in (client, server, client, server):
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()
    assert server.getpeercert(True) == ssl.PEM_cert_to_DER_cert(accepted)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_resumed_session_is_who_it_was(shared: Server, version: ssl.TLSVersion) -> None:
    for context, expected in ((shared.api_server, b"200"), (shared.tls, b"401")):
        context.maximum_version = version
        session: ssl.SSLSession | None = None
        for _ in range(2):
            sock = context.wrap_socket(shared.tcp(), server_hostname="localhost", session=session)
            assert sock.session_reused == (session is not None)
            sock.sendall(head_of("/validate", 1) + b"x")
            assert sock.recv(4096).startswith(b"HTTP/1.1 " + expected)
            session = sock.session
            sock.close()
        context.maximum_version = ssl.TLSVersion.MAXIMUM_SUPPORTED


def test_a_certificate_that_was_replaced_does_not_count_on_a_kept_connection(own: Server) -> None:
    client = own.client(own.api_server)
    assert validated(client) == 200
    wanted = Wanted(hostname="localhost", address="127.0.0.1")
    following = AdmissionClient(own.directory, own.directory / "admission.kubeconfig", "x", 1)
    now = datetime.now(timezone.utc)
    rotation.prepare(own.directory, wanted, now)
    following.follow(now)
    assert validated(client) == 200
    rotation.switch(own.directory, now)
    following.follow(now)

    def is_refused() -> bool:
        client.request("POST", "/validate", b"x")
        response = client.getresponse()
        response.read()
        return response.status == 401

    wait_until(is_refused, "the replaced certificate still counts")
    own.ready()  # with the pair that is in use now

    def is_answered() -> bool:
        try:
            return validated(own.client(own.api_server)) == 200
        except OSError:  # a worker that has not looked yet
            return False

    wait_until(is_answered, "the new certificate does not count")
