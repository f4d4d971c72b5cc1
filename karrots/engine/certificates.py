"""The certificates of one cluster: ECDSA P-256, made in milliseconds, used on loopback only."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from karrots import clock, files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

VALID = dt.timedelta(days=3650)
# A clock that is set back by up to a day after a cluster was made does not lock its owner out.
EARLIER = dt.timedelta(days=1, hours=1)
SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
SERVER_ADDRESSES = ("127.0.0.1", "10.96.0.1")


@dataclass(frozen=True)
class Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def make(folder: Path) -> None:
    """Fill `folder` with all certificates and keys, each of mode 0600; a complete one is left as it is."""
    if folder.is_dir():
        return
    half_made = folder.with_name(folder.name + ".new")
    files.remove_tree(half_made, whatever=True)
    files.make_folder(half_made)
    cluster = _authority(half_made, "ca", "karrots cluster")
    _leaf(half_made, cluster, "apiserver", "kube-apiserver", server=True)
    _leaf(half_made, cluster, "admin", "kubernetes-admin", organisation="system:masters")
    _service_accounts(half_made)
    files.rename(half_made, folder)


def _authority(folder: Path, file: str, name: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(name)
    built = (
        _builder(subject, subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_signing_usage(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _store(folder, file, key, built)
    return Authority(built, key)


def _leaf(
    folder: Path, issuer: Authority, file: str, name: str, *, organisation: str = "", server: bool = False
) -> None:
    """A client certificate, or with `server` one for both ends of a connection."""
    key = ec.generate_private_key(ec.SECP256R1())
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if server else [])]
    builder = (
        _builder(_subject(name, organisation), issuer.certificate.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )
    if server:
        builder = builder.add_extension(x509.SubjectAlternativeName(_server_names()), critical=False)
    _store(folder, file, key, builder.sign(issuer.key, hashes.SHA256()))


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = clock.now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + VALID)
    )


def _subject(name: str, organisation: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)] if organisation else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _signing_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _server_names() -> Sequence[x509.GeneralName]:
    addresses = [x509.IPAddress(ipaddress.ip_address(address)) for address in SERVER_ADDRESSES]
    return [*(x509.DNSName(name) for name in SERVER_NAMES), *addresses]


def _service_accounts(folder: Path) -> None:
    """The key pair that signs and proves service account tokens."""
    key = ec.generate_private_key(ec.SECP256R1())
    _write(folder / "service-accounts.key", _pem(key))
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _write(folder / "service-accounts.pub", public)


def _store(folder: Path, file: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    _write(folder / f"{file}.crt", certificate.public_bytes(serialization.Encoding.PEM))
    _write(folder / f"{file}.key", _pem(key))


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes) -> None:
    files.create(path, data)
