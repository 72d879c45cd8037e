"""The server's certificate: made once, checked always, accepted by TLS clients as its own root."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from authenticator.errors import ConfigError
from authenticator.serving.certificates.pair import ServerCertificate, Wanted, load_or_create

NOW = datetime.now(timezone.utc)


def make(directory: Path, *, hostname: str = "localhost", now: datetime = NOW) -> ServerCertificate:
    return load_or_create(directory, Wanted(hostname=hostname, address="127.0.0.1"), now)


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def pem_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes = b"") -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption(),
    )


def test_a_first_start_makes_a_pair_whose_key_only_the_owner_reads(tmp_path: Path) -> None:
    state = tmp_path / "state"
    made = make(state)
    assert (made.certificate, made.key) == (state / "cert.pem", state / "key.pem")
    assert permissions(made.key) == 0o600
    assert permissions(state) == 0o700
    assert sorted(path.name for path in state.iterdir()) == ["cert.pem", "key.pem"]


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    first = make(tmp_path)
    key = first.key.read_bytes()
    assert make(tmp_path, hostname="another.example") == first
    assert first.key.read_bytes() == key


def test_it_is_no_ca_and_lives_for_a_hundred_years(tmp_path: Path) -> None:
    certificate = x509.load_pem_x509_certificate(make(tmp_path).pem)
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.not_valid_after_utc > NOW + timedelta(days=365 * 98)


@pytest.mark.parametrize(
    ("hostname", "dns", "addresses"),
    [
        ("webhook.example", ["webhook.example", "localhost"], ["127.0.0.1", "::1"]),
        ("localhost", ["localhost"], ["127.0.0.1", "::1"]),
        ("10.0.0.7", ["localhost"], ["10.0.0.7", "127.0.0.1", "::1"]),
    ],
    ids=["a name", "loopback only", "an address"],
)
def test_it_names_the_hostname_and_loopback(
    tmp_path: Path, hostname: str, dns: list[str], addresses: list[str]
) -> None:
    certificate = x509.load_pem_x509_certificate(make(tmp_path, hostname=hostname).pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == dns
    assert [str(name) for name in names.get_values_for_type(x509.IPAddress)] == addresses


def test_a_hostname_that_is_not_ascii_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="xn--"):
        make(tmp_path, hostname="wébhook.example")


@pytest.mark.parametrize("hostname", ["localhost", "127.0.0.1"])
def test_a_tls_client_that_trusts_only_it_accepts_it(tmp_path: Path, hostname: str) -> None:
    made = make(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.certificate, made.key)
    client = ssl.create_default_context(cadata=made.pem.decode("ascii"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # what Python 3.13 does by default
    near, far = socket.socketpair()
    with near, far:
        thread = threading.Thread(target=lambda: server.wrap_socket(far, server_side=True))
        thread.start()
        with client.wrap_socket(near, server_hostname=hostname) as connection:
            assert connection.version() == "TLSv1.3"
        thread.join()


def test_servers_that_start_at_once_agree_on_one_pair(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def race(_number: int) -> ServerCertificate:
        start.wait()
        return make(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(race, range(8)))
    assert len(set(made)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cert.pem", "key.pem"]


def test_a_start_after_a_crash_between_key_and_certificate_goes_on(tmp_path: Path) -> None:
    key = make(tmp_path).key.read_bytes()
    (tmp_path / "cert.pem").unlink()
    assert make(tmp_path).key.read_bytes() == key


EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("key.pem", pem_of(EC_KEY), "key of another certificate"),
        ("key.pem", pem_of(RSA_KEY), "key of another certificate"),
        ("key.pem", pem_of(EC_KEY, b"secret"), "the key is encrypted"),
        ("key.pem", b"rubbish", "not a PEM private key"),
        ("cert.pem", b"rubbish", "not a PEM certificate"),
        ("cert.pem", b"", "not a PEM certificate"),
    ],
    ids=["other key", "other kind of key", "encrypted", "no key", "no certificate", "empty"],
)
def test_an_unusable_file_is_named_and_kept(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    make(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message) as raised:
        make(tmp_path)
    assert str(tmp_path) in str(raised.value)
    assert (tmp_path / name).read_bytes() == content


def test_a_certificate_without_its_key_is_reported(tmp_path: Path) -> None:
    make(tmp_path).key.unlink()
    with pytest.raises(ConfigError, match=r"key\.pem: No such file"):
        make(tmp_path)


def test_a_foreign_key_without_its_certificate_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(pem_of(RSA_KEY))
    with pytest.raises(ConfigError, match="not of our making"):
        make(tmp_path)


@pytest.mark.parametrize(
    ("age", "message"),
    [(timedelta(days=365 * 101), "expired at"), (timedelta(days=-366), "not valid before")],
    ids=["expired", "not yet valid"],
)
def test_a_certificate_out_of_its_time_is_refused(
    tmp_path: Path, age: timedelta, message: str
) -> None:
    make(tmp_path)
    with pytest.raises(ConfigError, match=message):
        make(tmp_path, now=NOW + age)


@pytest.mark.parametrize("name", ["cert.pem", "key.pem"])
def test_a_dangling_link_is_not_written_through(tmp_path: Path, name: str) -> None:
    target = tmp_path / "elsewhere"
    (tmp_path / name).symlink_to(target)
    with pytest.raises(ConfigError, match="File exists"):
        make(tmp_path)
    assert not target.exists()


def test_mounted_secrets_that_are_links_are_followed(tmp_path: Path) -> None:
    made = make(tmp_path / "real")
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    for path in (made.certificate, made.key):
        (mounted / path.name).symlink_to(path)
    assert make(mounted).pem == made.pem


def test_a_directory_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="file"):
        make(tmp_path / "file" / "state")
