"""Certificates of the local stack: an authority of its own, and what it signs.

Keys are of P-256, unencrypted PKCS 8 in PEM: Kafka reads nothing else without a tool of Java's. The files'
mode is what keeps the keys.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_VALID_DAYS = 3_650
VALID_DAYS = 825
RENEWED_BEFORE_DAYS = 60
"""A certificate is made anew at the first start so many days before it ends."""
_CLOCKS_APART = dt.timedelta(hours=1)
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


class Certificate(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key in PEM, in the clear."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def read(certificate: Path, key: Path) -> Certificate:
    """Return a certificate from its files. Raises OSError, ValueError."""
    found = serialization.load_pem_private_key(key.read_bytes(), None)
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{key} is not the key that was made for {certificate}")
    return Certificate(x509.load_pem_x509_certificate(certificate.read_bytes()), found)


def authority(name: str) -> Certificate:
    """Return a new authority that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = (
        _builder(_named(name), _named(name), key, AUTHORITY_VALID_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return Certificate(builder.sign(key, hashes.SHA256()), key)


def signed(by: Certificate, name: str, uses: Iterable[x509.ObjectIdentifier]) -> Certificate:
    """Return a new certificate for 127.0.0.1 and localhost.

    Its subject is the common name alone: that is the whole of the principal which Kafka makes of it. `uses`:
    SERVER, CLIENT or both.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    here = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key())
    builder = (
        _builder(_named(name), by.certificate.subject, key, VALID_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(here), critical=False)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(issuer_key, critical=False)
    )
    return Certificate(builder.sign(by.key, hashes.SHA256()), key)


def ends_soon(certificate: x509.Certificate) -> bool:
    """Return whether a certificate has ended, or is to be made anew."""
    left = certificate.not_valid_after_utc - dt.datetime.now(dt.UTC)
    return left < dt.timedelta(days=RENEWED_BEFORE_DAYS)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_APART)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
