"""A small Azure Blob Storage behind a proxy on loopback: what Terraform's azurerm backend asks of it.

The backend speaks https to NAME.blob.core.windows.net alone. So this is the proxy that leads there, and the server at
its other end, with a certificate of its own. Blobs have metadata, and leases that do not end.
"""

from __future__ import annotations

import datetime as dt
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "shopstates.blob.core.windows.net"
EMPTY = '<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>{}</Blobs><NextMarker /></EnumerationResults>'


@dataclass
class Blob:
    data: bytes = b""
    metadata: dict[str, str] = field(default_factory=dict)
    lease: str = ""


@dataclass
class Blobs:
    """By path: /container/key. `forbidden` containers are somebody else's."""

    port: int = 0
    certificate: Path = Path()
    containers: set[str] = field(default_factory=lambda: {"states"})
    forbidden: set[str] = field(default_factory=set)
    kept: dict[str, Blob] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HTTPS_PROXY": f"http://127.0.0.1:{self.port}",
            "https_proxy": f"http://127.0.0.1:{self.port}",
            "SSL_CERT_FILE": str(self.certificate),
            "ARM_SAS_TOKEN": "sig=of-a-test",
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    blobs: Blobs
    tls: ssl.SSLContext

    def connect(self) -> None:
        self.send_response(200 if self.path == f"{HOST}:443" else 403)
        self.end_headers()
        self.connection = self.tls.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def answer(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        with self.blobs.lock:
            self.blobs.asked.append(f"{self.command} {url.path} {query.get('comp', '')}")
            status, headers, body = self._found(url.path, query, data)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's name)
        pass

    def _found(self, path: str, query: dict[str, str], data: bytes) -> tuple[int, dict[str, str], bytes]:
        container = path.split("/")[1]
        if container in self.blobs.forbidden:
            return 403, {"x-ms-error-code": "AuthorizationFailure"}, b""
        if container not in self.blobs.containers:
            return 404, {"x-ms-error-code": "ContainerNotFound"}, b""
        if query.get("restype") == "container":
            return 200, {"Content-Type": "application/xml"}, EMPTY.format("").encode()
        blob = self.blobs.kept.get(path)
        if self.command == "PUT" and "comp" not in query:
            return self._put(path, blob, data)
        if blob is None:
            return 404, {"x-ms-error-code": "BlobNotFound"}, b""
        if query.get("comp") == "lease":
            return self._lease(blob)
        if query.get("comp") == "metadata":
            return self._set_metadata(blob)
        about = {f"x-ms-meta-{name}": value for name, value in blob.metadata.items()}
        about["x-ms-lease-status"] = "locked" if blob.lease else "unlocked"
        return 200, {**about, "Content-Type": "application/json"}, blob.data

    def _held(self, blob: Blob | None) -> bool:
        return blob is not None and bool(blob.lease) and self.headers.get("x-ms-lease-id") != blob.lease

    def _metadata(self) -> dict[str, str]:
        told = {name.lower(): value for name, value in self.headers.items()}
        return {name.removeprefix("x-ms-meta-"): told[name] for name in told if name.startswith("x-ms-meta-")}

    def _put(self, path: str, blob: Blob | None, data: bytes) -> tuple[int, dict[str, str], bytes]:
        if self._held(blob):
            return 412, {"x-ms-error-code": "LeaseIdMissing"}, b""
        self.blobs.kept[path] = Blob(data, self._metadata(), blob.lease if blob else "")
        return 201, {}, b""

    def _set_metadata(self, blob: Blob) -> tuple[int, dict[str, str], bytes]:
        if self._held(blob):
            return 412, {"x-ms-error-code": "LeaseIdMissing"}, b""
        blob.metadata = self._metadata()
        return 200, {}, b""

    def _lease(self, blob: Blob) -> tuple[int, dict[str, str], bytes]:
        if self.headers["x-ms-lease-action"] == "acquire":
            if blob.lease:
                return 409, {"x-ms-error-code": "LeaseAlreadyPresent"}, b""
            blob.lease = self.headers["x-ms-proposed-lease-id"]
            return 201, {"x-ms-lease-id": blob.lease}, b""
        if self._held(blob):
            return 409, {"x-ms-error-code": "LeaseIdMismatchWithLeaseOperation"}, b""
        blob.lease = ""
        return 200, {}, b""


def _certificate(folder: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "blobs of tests")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    files = folder / "blobs.crt", folder / "blobs.key"
    files[0].write_bytes(made.public_bytes(pem))
    plain = serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return files


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A Terraform that was killed hangs up."""


@contextmanager
def served(folder: Path) -> Iterator[Blobs]:
    made = Blobs()
    made.certificate, key = _certificate(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.certificate, key)
    verbs = {f"do_{verb}": _Handler.answer for verb in ("GET", "HEAD", "PUT", "DELETE")}
    handler = type("Handler", (_Handler,), {"blobs": made, "tls": tls, "do_CONNECT": _Handler.connect, **verbs})
    with _Server(("127.0.0.1", 0), handler) as server:
        made.port = server.server_port
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield made
        server.shutdown()
