"""The project of account.py behind HTTP on loopback, and a log-in to it as Google gives them out: a signed key file."""

from __future__ import annotations

import json
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.eks_account.server import Server
from tests.support.gke_account.account import PROJECT, Account, asked_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pytest

EMAIL = f"deployer@{PROJECT}.iam.gserviceaccount.com"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body at once: the other side would wait for the second with its acknowledgement
    account: Account

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        told = self.account.answer(asked_of(self.command, self.path), token, body)
        self.send_response(told.status)
        for name, value in (("Content-Type", told.kind), ("Content-Length", str(len(told.body))), *told.headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(told.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's name)
        pass


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem() -> str:
    form = serialization.PrivateFormat.PKCS8
    return key().private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _public_pem() -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key().public_key().public_bytes(serialization.Encoding.PEM, form).decode()


@contextmanager
def served() -> Iterator[tuple[Account, str]]:
    account = Account(_public_pem())
    verbs = {f"do_{verb}": _Handler.answer for verb in ("GET", "POST", "DELETE")}
    with Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"account": account, **verbs})).serving() as server:
        yield account, server.address


def log_in(address: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK would also ask, in a thread of its own, where its answers may be kept: of Google, and nobody else."""
    for name, value in _environment(address, folder).items():
        monkeypatch.setenv(name, value)
    asks = "google.auth.credentials.CredentialsWithRegionalAccessBoundary._is_regional_access_boundary_lookup_required"
    monkeypatch.setattr(asks, lambda _: False)


def _environment(address: str, folder: Path) -> Mapping[str, str]:
    file = folder / "key.json"
    file.write_text(
        json.dumps({
            "type": "service_account", "project_id": PROJECT, "private_key_id": "1", "private_key": _pem(),
            "client_email": EMAIL, "client_id": "1", "token_uri": f"{address}/oauth2/token",
        })
    )  # fmt: skip
    return {
        "GOOGLE_APPLICATION_CREDENTIALS": str(file),
        "NO_GCE_CHECK": "true",
        "GOOGLE_CONTAINER_CUSTOM_ENDPOINT": f"{address}/v1/",
        "GOOGLE_COMPUTE_CUSTOM_ENDPOINT": f"{address}/compute/compute/v1/",
        "GOOGLE_DNS_CUSTOM_ENDPOINT": f"{address}/dns/dns/v1/",
        "GOOGLE_IAM_CUSTOM_ENDPOINT": f"{address}/iam/v1/",
        "GOOGLE_RESOURCE_MANAGER_CUSTOM_ENDPOINT": f"{address}/resourcemanager/v1/",
        "GOOGLE_SERVICE_USAGE_CUSTOM_ENDPOINT": f"{address}/serviceusage/v1/",
        "GOOGLE_OAUTH2_CUSTOM_ENDPOINT": f"{address}/oauth2/",
    }
