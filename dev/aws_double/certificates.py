"""A certificate authority of the double's own, and a TLS context for each name it answers as."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# TLS clients read the machine's clock, whatever clock the double has been given.
_LEEWAY = timedelta(days=1)
_LIFETIME = timedelta(days=30)
_CA_USE = {"key_cert_sign", "crl_sign"}
_LEAF_USE = {"digital_signature"}
_USES = (
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


class CertificateAuthority:
    """Issues certificates for any name, all with one key.

    Attributes:
        bundle: the PEM file that clients are to trust.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ca_key = ec.generate_private_key(ec.SECP256R1())
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "AWS double")])
        self._contexts: dict[str, ssl.SSLContext] = {}
        self.bundle = directory / "ca.pem"
        self.bundle.write_bytes(self._certificate(None).public_bytes(Encoding.PEM))

    def context(self, host: str) -> ssl.SSLContext:
        """Give the server-side TLS context for a host, with HTTP/1.1 only."""
        if host not in self._contexts:
            self._contexts[host] = self._make_context(host)
        return self._contexts[host]

    def _make_context(self, host: str) -> ssl.SSLContext:
        certificate = self._directory / f"{host}.pem"
        certificate.touch(mode=0o600)
        certificate.write_bytes(
            self._leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + self._certificate(host).public_bytes(Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(certificate)
        return context

    def _certificate(self, host: str | None) -> x509.Certificate:
        """Make the certificate of a host, or the authority's own (RFC 5280, 4.2.1)."""
        now = datetime.now(timezone.utc)
        key = self._ca_key if host is None else self._leaf_key
        uses = _CA_USE if host is None else _LEAF_USE
        builder = (
            x509.CertificateBuilder()
            .issuer_name(self._name)
            # A common name is at most 64 characters, a host may be longer: the name is in the SAN.
            .subject_name(self._name if host is None else x509.Name([]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _LEEWAY)
            .not_valid_after(now + _LIFETIME)
            .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**{use: use in uses for use in _USES}), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._ca_key.public_key()),
                critical=False,
            )
        )
        if host is not None:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(host)]), critical=True
            ).add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
            )
        return builder.sign(self._ca_key, hashes.SHA256())
