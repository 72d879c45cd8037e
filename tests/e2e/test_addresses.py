"""The server on hosts of both families of addresses, of IPv6 alone and of IPv4 alone."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import select
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cryptography import x509

from dev.aws_double import AwsDouble
from dev.cluster import Options, Webhook
from dev.netns import Host
from dev.ports import free_port
from dev.server import COMMAND, WebhookServer, write_config
from tests.e2e import callers
from tests.e2e.callers import ALICE
from tests.e2e.logins import log_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import StartControlPlane


def write(directory: Path, **settings: Any) -> Path:
    configuration = callers.configuration()
    configuration["server"] |= settings
    return write_config(directory, configuration)


def answers(address: str, port: int) -> bool:
    probe = http.client.HTTPConnection(address, port, timeout=30)
    try:
        probe.request("GET", "/readyz")
        return probe.getresponse().status == 200
    finally:
        probe.close()


@pytest.mark.parametrize("address", ["::", "[::]"])
def test_one_server_answers_both_families(tmp_path: Path, aws: AwsDouble, address: str) -> None:
    config = write(tmp_path, address=address)
    flags = ("--log-format", "json")
    with WebhookServer(config, aws.environment(), arguments=flags) as server:
        assert answers("::1", server.health_port)
        assert answers("127.0.0.1", server.health_port)
        with server.poster() as poster:
            assert poster.review(callers.fresh_token(ALICE.principal)).user is not None
        # Not ::ffff:127.0.0.1.
        assert server.audited("")["remote"] in ("127.0.0.1", "::1")


@pytest.mark.cluster
@pytest.mark.parametrize("written", ["::1", "[::1]"])
def test_an_api_server_asks_over_ipv6(
    tmp_path: Path, aws: AwsDouble, start_control_plane: StartControlPlane, written: str
) -> None:
    config = write(tmp_path, address=written, hostname=written)
    flags = ("--log-format", "json")
    with WebhookServer(config, aws.environment(), arguments=flags) as server:
        kubeconfig = yaml.safe_load(server.kubeconfig.read_text())
        url = kubeconfig["clusters"][0]["cluster"]["server"]
        assert url == f"https://[::1]:{server.port}/authenticate"
        plane = start_control_plane(Options(Webhook(server.kubeconfig)))
        assert log_in(plane, callers.fresh_token(ALICE.principal)) == 201
        assert server.audited("")["remote"] == "::1"


@pytest.fixture
def ipv6_only() -> Iterator[Host]:
    """A host whose loopback has no IPv4 address."""
    with Host() as host:
        host.ip("address", "delete", "127.0.0.1/8", "dev", "lo")
        yield host


@pytest.mark.debian
def test_a_host_without_ipv4(tmp_path: Path, ipv6_only: Host) -> None:
    config = write(tmp_path, address="::1", hostname="::1")
    with ipv6_only.entered(), AwsDouble(callers.PRINCIPALS, address="::1") as aws:
        server = WebhookServer(config, aws.environment())
        with server, server.poster() as poster:
            assert poster.review(callers.fresh_token(ALICE.principal)).user is not None
            assert answers("::1", server.health_port)


@pytest.mark.debian
def test_a_host_without_ipv4_is_told_which_flag_to_set(tmp_path: Path, ipv6_only: Host) -> None:
    config = write(tmp_path)
    with ipv6_only.entered():
        ran = subprocess.run(
            [COMMAND, "server", "--config", config],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ran.returncode == 1
    assert "cannot listen on 127.0.0.1" in ran.stderr
    assert "--address" in ran.stderr


@pytest.mark.parametrize(
    ("hostname", "url"),
    [
        ("fd00::a1", r"https://\[fd00::a1\]:443/authenticate"),
        ("[fd00::a1]", r"https://\[fd00::a1\]:443/authenticate"),
        ("10.0.0.7", r"https://10\.0\.0\.7:443/authenticate"),
        ("iam.example.com", r"https://iam\.example\.com:443/authenticate"),
    ],
)
def test_init_names_an_address_of_either_family(tmp_path: Path, hostname: str, url: str) -> None:
    """Without brackets, kube-apiserver does not start."""
    service = "aws-iam-authenticator.kube-system.svc"
    flags = (f"--hostname={hostname}", f"--address={service}", "--port=443", "--cluster-id=a")
    subprocess.run([COMMAND, "init", *flags], cwd=tmp_path, check=True, timeout=60)
    kubeconfig = yaml.safe_load((tmp_path / "aws-iam-authenticator.kubeconfig").read_text())
    assert re.fullmatch(url, kubeconfig["clusters"][0]["cluster"]["server"])
    certificate = x509.load_pem_x509_certificate((tmp_path / "cert.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    written = {str(name.value) for name in names}
    assert written >= {hostname.strip("[]"), service, "::1", "127.0.0.1", "localhost"}


class Scraped(WebhookServer):
    """A server with a metrics port."""

    def __init__(self, directory: Path, aws: AwsDouble, address: str = "127.0.0.1") -> None:
        self.metrics_port = free_port()
        endpoint = f"{address}:{self.metrics_port}"
        super().__init__(write(directory, metricsAddress=endpoint), aws.environment())

    def get(self, path: str, address: str = "127.0.0.1", method: str = "GET") -> tuple[int, bytes]:
        client = http.client.HTTPConnection(address, self.metrics_port, timeout=30)
        try:
            client.request(method, path, b"{}" if method == "POST" else None)
            answer = client.getresponse()
            return answer.status, answer.read()
        finally:
            client.close()


def test_the_metrics_port_serves_metrics_and_nothing_else(tmp_path: Path, aws: AwsDouble) -> None:
    with Scraped(tmp_path, aws) as server:
        status, text = server.get("/metrics")
        assert status == 200
        assert b"aws_iam_authenticator_authenticate_latency_seconds" in text
        with server.poster() as poster:
            assert poster.get("/metrics").status == 200
        for path, method in (
            ("/healthz", "GET"),
            ("/readyz", "GET"),
            ("/authenticate", "POST"),
            ("/validate", "POST"),
        ):
            assert server.get(path, method=method)[0] == 404


@pytest.mark.parametrize("address", ["[::]", ""])
def test_the_metrics_port_of_both_families(tmp_path: Path, aws: AwsDouble, address: str) -> None:
    with Scraped(tmp_path, aws, address) as server:
        assert server.get("/metrics", "::1")[0] == 200
        assert server.get("/metrics", "127.0.0.1")[0] == 200


def test_connections_to_the_metrics_port_take_no_place_of_a_login(
    tmp_path: Path, aws: AwsDouble
) -> None:
    with Scraped(tmp_path, aws) as server, contextlib.ExitStack() as held:
        place = ("127.0.0.1", server.metrics_port)
        crowd = [
            held.enter_context(socket.create_connection(place, timeout=30)) for _ in range(100)
        ]
        with server.poster() as poster:
            assert poster.review(callers.fresh_token(ALICE.principal)).user is not None
        # They keep no scrape out either: a newer connection takes the place of one that stalls.
        assert server.get("/metrics")[0] == 200

        def is_bounded() -> bool:
            """Whether no more of them are open than two workers have places for."""
            return len(select.select(crowd, [], [], 0)[0]) >= len(crowd) - 32

        server.poll_until(is_bounded, "it keeps more than 16 connections in each worker")


@pytest.mark.parametrize(
    "wrong", ["21364", "::1", ":::21364", "[::1]", "a:b", "0.0.0.0:0", "h:65536"]
)
def test_a_metrics_address_of_another_form_is_refused(tmp_path: Path, wrong: str) -> None:
    config = write(tmp_path)
    ran = subprocess.run(
        [COMMAND, "server", "--config", config, f"--metrics-address={wrong}"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 1
    assert "ADDRESS:PORT" in ran.stderr


def test_a_metrics_port_that_is_taken_costs_no_login(tmp_path: Path, aws: AwsDouble) -> None:
    server = Scraped(tmp_path, aws)
    with socket.create_server(("127.0.0.1", server.metrics_port)), server:
        server.log.wait_for(
            lambda line: line if "without the metrics port" in line else None, since=0
        )
        assert json.loads(server.poster().get("/readyz").body)["ready"]
