"""Who may ask /validate: exactly the certificates that were issued, or a secret path."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from authenticator.serving.admission_peers import AdmissionPeers, Peer
from authenticator.serving.certificates import rotation
from authenticator.serving.certificates.admission_client import ROLE, AdmissionClient
from authenticator.serving.certificates.pair import ServerCertificate, Wanted, load

NOW = datetime.now(timezone.utc)
WANTED = Wanted(hostname="localhost", address="127.0.0.1", lifetime=timedelta(days=90))
SECRET = "0123456789abcdef0123456789abcdef"
ADDRESS = "192.0.2.1"
KNOWN = Peer(ADDRESS, authenticated=True)


class Counted:
    def __init__(self) -> None:
        self.results: list[str] = []

    def admission(self, result: str) -> None:
        self.results.append(result)

    def anonymous_admission(self) -> None:
        self.results.append("anonymous")


class Server:
    """A state directory, and who may ask its server."""

    def __init__(self, directory: Path, *, secrets: str = "", anonymous: bool = False) -> None:
        self.directory = directory
        self.now = NOW
        rotation.current(directory, WANTED, NOW)
        kubeconfig = directory / "admission.kubeconfig"
        self.client = AdmissionClient(directory, kubeconfig, "localhost", 21362)
        self.pair = self.client.follow(NOW)
        file = directory / "secret"
        if secrets:
            file.write_text(secrets)
        self.counted = Counted()
        self.peers = AdmissionPeers(
            directory,
            str(file) if secrets else "",
            anonymous=anonymous,
            clock=self._clock,
        )
        self.peers.count(self.counted)

    def _clock(self) -> float:
        return self.now.timestamp()

    def ask(self, certificate: bytes | None = None, path: str = "/validate") -> Peer | None:
        return self.peers.identify(certificate, path, ADDRESS)


def der(pair: ServerCertificate) -> bytes:
    return x509.load_pem_x509_certificate(pair.pem).public_bytes(Encoding.DER)


def next_pair(directory: Path) -> ServerCertificate:
    cert, key = (directory / f"next-{ROLE}{name}.pem" for name in ("cert", "key"))
    return load(cert, key, NOW)


def test_an_unauthenticated_peer_is_refused_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(tmp_path)
    assert [server.ask(), server.ask()] == [None, None]
    assert server.counted.results == ["unauthenticated"] * 2
    [line] = caplog.messages  # and not a line for each
    assert "unchecked" in line
    assert "docs/admission.md" in line
    assert server.peers.detail()["lastRefused"] is not None


def test_the_certificate_that_was_issued_counts(tmp_path: Path) -> None:
    server = Server(tmp_path)
    assert server.ask(der(server.pair)) == KNOWN
    assert server.counted.results == []
    assert server.peers.detail()["lastAuthenticated"] is not None


def test_another_certificate_of_the_same_name_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    server, other = Server(tmp_path / "a"), Server(tmp_path / "b")
    assert server.ask(der(other.pair)) is None
    serving = rotation.current(tmp_path / "a", WANTED, NOW)
    assert server.ask(der(serving)) is None


def test_an_expired_certificate_does_not_count(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.now = server.pair.ends + timedelta(seconds=1)
    assert server.ask(der(server.pair)) is None
    server.now = server.pair.begins - timedelta(seconds=1)
    assert server.ask(der(server.pair)) is None


def test_it_ends_with_the_certificate_of_the_server(tmp_path: Path) -> None:
    """So that one rotation replaces both."""
    server = Server(tmp_path)
    serving = rotation.current(tmp_path, WANTED, NOW)
    assert abs(serving.ends - server.pair.ends) < timedelta(seconds=2)


def test_a_rotation_leaves_no_moment_in_which_none_counts(tmp_path: Path) -> None:
    server = Server(tmp_path)
    old = der(server.pair)
    rotation.prepare(tmp_path, WANTED, NOW)
    before = server.client.kubeconfig.read_bytes()
    server.client.follow(NOW)
    server.peers.look()
    following = next_pair(tmp_path)
    assert server.ask(old) == server.ask(der(following)) == KNOWN
    shown = server.client.kubeconfig.read_bytes()
    assert shown != before

    rotation.switch(tmp_path, NOW)
    assert server.client.follow(NOW).pem == following.pem
    server.peers.look()
    # A session that is resumed, or a connection that is kept, has the old one still.
    assert server.ask(old) is None
    assert server.ask(der(following)) == KNOWN
    assert server.client.kubeconfig.read_bytes() == shown


def test_a_switch_that_was_cut_off_is_finished(tmp_path: Path) -> None:
    server = Server(tmp_path)
    rotation.prepare(tmp_path, WANTED, NOW)
    server.client.follow(NOW)
    following = next_pair(tmp_path)
    rotation.switch(tmp_path, NOW)
    (tmp_path / f"next-{ROLE}key.pem").replace(tmp_path / f"{ROLE}key.pem")  # and then it stopped
    assert server.client.follow(NOW).pem == following.pem
    server.peers.look()
    assert server.ask(der(following)) == KNOWN


def test_the_kubeconfig_is_for_its_owner_and_stays_when_it_need_not_change(tmp_path: Path) -> None:
    server = Server(tmp_path)
    first = server.client.kubeconfig.stat()
    assert first.st_mode & 0o777 == 0o600
    server.client.follow(NOW)
    assert server.client.kubeconfig.stat().st_ino == first.st_ino


def test_a_file_that_cannot_be_used_counts_for_nothing_and_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(tmp_path, secrets="short\n")
    certificate = der(server.pair)
    (tmp_path / f"{ROLE}cert.pem").write_text("nonsense")
    server.peers.look()
    server.peers.look()
    assert server.ask(certificate) is None
    assert server.ask(None, "/validate/short") is None
    problems = server.peers.detail()["problems"]
    assert len(problems) == 2
    assert all(sum(problem in line for line in caplog.messages) == 1 for problem in problems)
    assert "short" not in "".join(problems)


# Secret paths.


@pytest.mark.parametrize("secrets", [SECRET, f"\n{'x' * 40}\n{SECRET}\n"])
def test_a_secret_path_counts(tmp_path: Path, secrets: str) -> None:
    server = Server(tmp_path, secrets=secrets)
    assert server.ask(None, f"/validate/{SECRET}") == KNOWN


@pytest.mark.parametrize(
    "path",
    [
        "/validate",
        "/validate/",
        f"/validate/{SECRET[:-1]}",
        f"/validate/{SECRET}/",
        f"/validate/{SECRET.upper()}",
        f"/validate//{SECRET}",
        f"/validate/{SECRET}\n",
        f"/validate/{SECRET}é",
        "/validate/\udcff",
    ],
)
def test_another_path_does_not_count(tmp_path: Path, path: str) -> None:
    server = Server(tmp_path, secrets=SECRET)
    assert server.ask(None, path) is None


def test_a_new_secret_counts_and_the_old_one_no_longer(tmp_path: Path) -> None:
    server = Server(tmp_path, secrets=SECRET)
    (tmp_path / "secret").write_text("y" * 64)
    server.peers.look()
    assert server.ask(None, f"/validate/{SECRET}") is None
    assert server.ask(None, f"/validate/{'y' * 64}") == KNOWN


def test_without_a_secret_no_path_is_one(tmp_path: Path) -> None:
    server = Server(tmp_path)
    assert server.ask(None, "/validate/") is None


def test_a_guess_is_refused_even_while_anonymous_peers_are_answered(tmp_path: Path) -> None:
    server = Server(tmp_path, secrets=SECRET, anonymous=True)
    assert server.ask(None, "/validate/guess") is None
    assert server.ask(None) == Peer(ADDRESS, authenticated=False)
    assert server.ask(None, f"/validate/{SECRET}") == KNOWN
    assert server.counted.results == ["unauthenticated", "anonymous"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Server:
    return Server(tmp_path_factory.mktemp("peers"), secrets=SECRET)


@given(st.one_of(st.none(), st.binary()), st.text())
def test_nothing_that_is_made_up_counts(
    shared: Server, certificate: bytes | None, path: str
) -> None:
    for prefix in ("", "/validate", "/validate/"):
        assert shared.ask(certificate, prefix + path) is None
