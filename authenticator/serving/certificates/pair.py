"""The server's certificate: made on first start, loaded and checked ever after.

How it is replaced is in `authenticator.serving.certificates.rotation`.

The certificate signs itself, and the webhook kubeconfig carries it as the only root that the API
server trusts for us. Go accepts a leaf that is itself a root (crypto/x509, `Certificate.Verify`),
and so does OpenSSL, so it need not be a CA: a stolen key can then answer as this server but mint
nothing.
"""

from __future__ import annotations

import errno
import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from authenticator.atomic import create_atomically
from authenticator.errors import ConfigError
from authenticator.serving.certificates.ownership import KEY_NAME, owner_for, remedy

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

CERTIFICATE_NAME = "cert.pem"
# The subject of the certificate that API servers show.
CLIENT_NAME = "aws-iam-authenticator-admission"

# As long as the reference's. The API server trusts exactly this certificate, so its end brings work
# (a new kubeconfig, API servers restarted) and, the key having never left the host, little safety.
LIFETIME = timedelta(days=365 * 100)
# Hosts whose clocks are a little behind accept it at once. A short one begins less early.
_BACKDATED = timedelta(hours=1)
_BACKDATED_PART = 10
# A long one can spare a year: a host that makes it while its time is ahead serves it once the time
# is set.
_LONG = timedelta(days=365 * 10)
_BACKDATED_LONG = timedelta(days=365)

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A certificate and key on disk that fit together and are valid now.

    Attributes:
        certificate: the PEM file of the certificate, or of a chain that starts with it.
        key: the PEM file of its private key.
        pem: what is in `certificate`; public.
        begins: since when it is valid, aware.
        ends: until when it is valid, aware.
        self_signed: whether it is its own issuer, as those are that we make.
    """

    certificate: Path
    key: Path
    pem: bytes
    begins: datetime
    ends: datetime
    self_signed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a certificate that has to be made shall say.

    Attributes:
        hostname: the name or address in the webhook kubeconfig's URL.
        address: the address that the server listens on.
        lifetime: how long it shall be valid, with the time before now in which it begins.
        client: whether it is for the API server, which shows it to this server; it names no host.
    """

    hostname: str
    address: str
    lifetime: timedelta = LIFETIME
    client: bool = False


def load_or_create(
    directory: Path, wanted: Wanted, now: datetime, *, prefix: str = ""
) -> ServerCertificate:
    """Load `cert.pem` and `key.pem` from `directory`, or make what is missing.

    What is there is never overwritten. Servers that start at once in one directory agree: the first
    key wins, and the others make their certificate for it, of which again the first wins.

    Args:
        directory: the state directory; made (0700) when it is missing.
        wanted: what a new certificate shall say.
        now: the time, aware.
        prefix: what stands before the names of the files.

    Raises:
        ConfigError: the files cannot be read, written or used.
    """
    certificate = directory / f"{prefix}{CERTIFICATE_NAME}"
    key = directory / f"{prefix}{KEY_NAME}"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not certificate.exists():
            _create(certificate, _load_or_create_key(key), wanted, now)
    except OSError as error:
        raise _unreadable(directory, error) from error
    return load(certificate, key, now)


def load(certificate: Path, key: Path, now: datetime | None) -> ServerCertificate:
    """Load a pair.

    Args:
        certificate: the PEM file of the certificate.
        key: the PEM file of its key.
        now: the time, aware; None for a pair of any time.

    Raises:
        ConfigError: the files cannot be read or used, or are not valid at `now`.
    """
    try:
        pem, key_pem = certificate.read_bytes(), key.read_bytes()
    except OSError as error:
        raise _unreadable(certificate.parent, error) from error
    parsed = _parse_certificate(certificate, pem)
    try:
        _check_key(certificate, parsed, _parse_key(key, key_pem))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(certificate, "its key is of a kind that is not known") from error
    begins, ends = parsed.not_valid_before_utc, parsed.not_valid_after_utc
    if now is not None:
        _check_time(certificate, begins, ends, now)
    return ServerCertificate(certificate, key, pem, begins, ends, parsed.issuer == parsed.subject)


def _load_or_create_key(path: Path) -> PrivateKeyTypes:
    """Give the private key in `path`, made when there is none.

    P-256: a TLS handshake signs once, 20 times faster than with RSA 2048.
    """
    if not path.exists():
        fresh = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        _create_unless_there(path, fresh, 0o600)
    return _parse_key(path, path.read_bytes())


def _create(path: Path, key: PrivateKeyTypes, wanted: Wanted, now: datetime) -> None:
    """Make the self-signed certificate of `key`."""
    names = [] if wanted.client else _names(wanted.hostname, wanted.address)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _unusable(path, f"missing, while {KEY_NAME} is there and not of our making")
    purpose = ExtendedKeyUsageOID.CLIENT_AUTH if wanted.client else ExtendedKeyUsageOID.SERVER_AUTH
    name = CLIENT_NAME if wanted.client else "aws-iam-authenticator"
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = dict.fromkeys(_KEY_USAGES, False) | {"digital_signature": True}
    short = min(_BACKDATED, wanted.lifetime / _BACKDATED_PART)
    begins = now - (_BACKDATED_LONG if wanted.lifetime >= _LONG else short)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + wanted.lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    _create_unless_there(path, certificate.public_bytes(serialization.Encoding.PEM), 0o644)


_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _create_unless_there(path: Path, data: bytes, mode: int) -> None:
    """Create `path`, or leave what another server has put there meanwhile."""
    try:
        create_atomically(path, data, mode, owner=owner_for(path.parent))
    except FileExistsError:
        if not path.exists():  # a dangling symbolic link
            raise


def _names(hostname: str, address: str) -> list[x509.GeneralName]:
    """Give the subject alternative names: the hostname, the address and loopback, each once."""
    return [_general_name(name) for name in dict.fromkeys((hostname, address, *_LOOPBACK))]


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError as error:
        problem = f"hostname {name!r}: not a DNS name in ASCII; write it in its xn-- form"
        raise ConfigError((problem,)) from error


def _parse_certificate(path: Path, pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(pem)[0]
    except ValueError as error:
        raise _unusable(path, "not a PEM certificate") from error


def _parse_key(path: Path, pem: bytes) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise _unusable(path, "the key is encrypted") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _unusable(path, "not a PEM private key") from error


def _check_key(path: Path, certificate: x509.Certificate, key: PrivateKeyTypes) -> None:
    """Refuse a pair that no client would accept, before the first login does.

    Raises:
        ConfigError: the key is another certificate's.
    """
    if certificate.public_key() != key.public_key():
        raise _unusable(path, "the key next to it is the key of another certificate")


def _check_time(path: Path, begins: datetime, ends: datetime, now: datetime) -> None:
    if now > ends:
        cure = (
            f"run `aws-iam-authenticator rotate` and `rotate --switch`, {_RESTART}"
            f" (if the host's time {now.isoformat()} is wrong, set its clock)"
        )
        raise ConfigError((f"{path}: expired at {ends.isoformat()}; {cure}",))
    if now < begins:
        cure = f"set the host's clock, by which it is {now.isoformat()}"
        raise ConfigError((f"{path}: not valid before {begins.isoformat()}; {cure}",))


_RESTART = "and restart every API server that reads the webhook kubeconfig"


def _unreadable(directory: Path, error: OSError) -> ConfigError:
    """Say what to do about files that cannot be read or created."""
    path = Path(error.filename or directory)
    reason = error.strerror or str(error)
    cure = remedy(path, error)
    if not cure and error.errno == errno.ENOENT and path.name.endswith(KEY_NAME):
        cure = f"restore it from a backup, or delete the certificate next to it {_FOR_NEW}"
    if not cure:
        return _unusable(path, reason)
    return ConfigError((f"{path}: {reason}; {cure}",))


_FOR_NEW = f"for a new pair {_RESTART}"


def _unusable(path: Path | str, why: str) -> ConfigError:
    cure = f"put a matching certificate and key there, or delete both {_FOR_NEW}"
    return ConfigError((f"{path}: {why}; {cure}",))
