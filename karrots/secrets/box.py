"""Sealed values: opened with a private key, closed with a public one.

A value is a session key under RSA-OAEP with SHA-256, its length in two bytes before it, and the text under AES-256-GCM
with that session key and a nonce of zeroes; the label of OAEP binds it to a namespace and a name (pkg/crypto of
github.com/bitnami-labs/sealed-secrets v0.40.0).
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from karrots import clock
from karrots.errors import Failed

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    from karrots.secrets.find import Sealed

BITS = 4096
SESSION_BYTES = 32
NONCE = bytes(12)
LIFE_DAYS = 3650
CERTIFICATE, PRIVATE = "tls.crt", "tls.key"


@dataclass(frozen=True)
class Key:
    """`begins` of its certificate orders the keys of a controller: all open, the newest closes."""

    private: RSAPrivateKey = field(repr=False)
    certificate: bytes
    begins: dt.datetime


def read(secret: Mapping[str, Any]) -> Key:
    """A key as its controller keeps it, in a Secret. Raises Failed for what is none."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        data = secret["data"]
        certificate = base64.b64decode(data[CERTIFICATE])
        private = load_pem_private_key(base64.b64decode(data[PRIVATE]), password=None)
        begins = x509.load_pem_x509_certificate(certificate).not_valid_before_utc
    except (KeyError, TypeError, ValueError, binascii.Error):
        private, certificate, begins = None, b"", clock.now()
    if not isinstance(private, RSAPrivateKey):
        name = secret.get("metadata", {}).get("name")
        raise Failed(
            f"the Secret '{name}' is no sealing key",
            why=f"it has not both {CERTIFICATE} and an RSA {PRIVATE}",
            hint=f"kubectl -n {secret.get('metadata', {}).get('namespace')} get secret {name}",
        )
    return Key(private, certificate, begins)


def newest(keys: Iterable[Key]) -> Key:
    return max(keys, key=lambda key: key.begins)


def make(bits: int = BITS) -> dict[str, str]:
    """The data of a Secret with a new key and its certificate, which it signs itself."""
    from datetime import timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric import rsa

    key, now, nobody = rsa.generate_private_key(65537, bits), clock.now(), x509.Name([])
    certificate = (
        x509.CertificateBuilder(nobody, nobody, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=LIFE_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.TraditionalOpenSSL, forms.NoEncryption())
    pair = {CERTIFICATE: certificate.public_bytes(forms.Encoding.PEM), PRIVATE: private}
    return {name: base64.b64encode(text).decode() for name, text in pair.items()}


def label(found: Sealed) -> bytes:
    wide = {"strict": f"{found.namespace}/{found.name}", "namespace-wide": found.namespace, "cluster-wide": ""}
    return wide[found.reach].encode()


def opened(value: str, bound: bytes, keys: Iterable[Key]) -> bytes | None:
    """The text in a value, None when none of the keys opens it."""
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
    return next((text for text in (_opened(data, bound, key.private) for key in keys) if text is not None), None)


def _opened(data: bytes, bound: bytes, private: RSAPrivateKey) -> bytes | None:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    length = int.from_bytes(data[:2], "big")
    try:
        session = private.decrypt(data[2 : 2 + length], _padding(bound))
        return AESGCM(session).decrypt(NONCE, data[2 + length :], None)
    except (ValueError, InvalidTag):
        return None


def closed(text: bytes, bound: bytes, public: RSAPublicKey) -> str:
    """The session key is used once, so its nonce may be the same each time."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    session = os.urandom(SESSION_BYTES)
    wrapped = public.encrypt(session, _padding(bound))
    data = len(wrapped).to_bytes(2, "big") + wrapped + AESGCM(session).encrypt(NONCE, text, None)
    return base64.b64encode(data).decode()


def _padding(bound: bytes) -> Any:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    return padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), bound)
