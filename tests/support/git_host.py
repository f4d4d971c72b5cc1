"""The deploy keys of one repository, and the tokens of one App, as GitHub and GitLab serve them on loopback.

Paths, statuses, bodies and pages are those of their pages on REST. What is not served: whether a key is in use by
another repository (GitHub's 422), rate limits, and who a token belongs to.
"""

from __future__ import annotations

import base64
import http.server
import itertools
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

REPOSITORY = "team/fleet"
TOKEN = "Qz-token-of-the-host"
APP, INSTALLATION = "4711", "815"
APP_TOKEN = "ghs_Qz-token-of-the-app"
PUBLIC = re.compile(r"ssh-ed25519 [A-Za-z0-9+/=]+( .*)?")


@dataclass
class GitHost:
    kind: str
    port: int = 0
    keys: dict[int, dict[str, Any]] = field(default_factory=dict)
    token: str = TOKEN
    may_write: bool = True
    app_key: RSAPublicKey | None = None
    asked: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(7))

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}" + ("/api/v4" if self.kind == "gitlab" else "")

    @property
    def place(self) -> str:
        return "/api/v4/projects/team%2Ffleet/deploy_keys" if self.kind == "gitlab" else f"/repos/{REPOSITORY}/keys"

    def answer(self, method: str, path: str, bearer: str, body: dict[str, Any]) -> tuple[int, Any]:
        place, query = urlsplit(path).path, parse_qs(urlsplit(path).query)
        if place == f"/app/installations/{INSTALLATION}/access_tokens" and method == "POST" and self.kind == "github":
            return self._app(bearer)
        if place.startswith("/app/installations/"):
            return 404, {"message": "Not Found"}
        if bearer != self.token:
            return 401, {"message": "Bad credentials" if self.kind == "github" else "401 Unauthorized"}
        if not place.startswith(self.place):
            return 404, {"message": "Not Found" if self.kind == "github" else "404 Project Not Found"}
        return self._keys(method, unquote(place.removeprefix(self.place).strip("/")), query, body)

    def _keys(self, method: str, number: str, query: dict[str, list[str]], body: dict[str, Any]) -> tuple[int, Any]:
        if method == "GET" and not number:
            size, page = int(query.get("per_page", ["30"])[0]), int(query.get("page", ["1"])[0])
            return 200, list(self.keys.values())[(page - 1) * size : page * size]
        if not self.may_write:
            return 403, {"message": "Resource not accessible by personal access token"}
        if method == "POST":
            return self._added(body)
        if method == "DELETE" and int(number) in self.keys:
            del self.keys[int(number)]
            return 204, None
        return 404, {"message": "Not Found"}

    def _added(self, body: dict[str, Any]) -> tuple[int, Any]:
        reads = body.get("read_only") is True if self.kind == "github" else body.get("can_push") is False
        if not PUBLIC.fullmatch(body.get("key", "")) or not body.get("title") or not reads:
            return 422, {"message": "Validation Failed"}
        number = next(self.numbers)
        self.keys[number] = {"id": number, **body}
        return 201, self.keys[number]

    def _app(self, bearer: str) -> tuple[int, Any]:
        """As GitHub looks at a JSON Web Token: by its signature, its issuer and its times."""
        head, claims, signature = (_decoded(part) for part in bearer.split("."))
        told, header = json.loads(claims), json.loads(head)
        try:
            assert self.app_key is not None
            signed = bearer.rpartition(".")[0].encode()
            self.app_key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return 401, {"message": "A JSON web token could not be decoded"}
        if header != {"alg": "RS256", "typ": "JWT"} or told["iss"] != APP or not 0 < told["exp"] - told["iat"] <= 600:
            return 401, {"message": "'Issuer' claim ('iss') must be an Integer"}
        return 201, {"token": APP_TOKEN, "expires_at": "2026-11-22T05:00:00Z"}


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@contextmanager
def git_host(kind: str) -> Iterator[GitHost]:
    host = GitHost(kind)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(host))
    server.daemon_threads = True
    host.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(host: GitHost) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
            host.asked.append(f"{self.command} {self.path}")
            status, said = host.answer(self.command, self.path, bearer, body)
            data = b"" if said is None else json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            self.do_GET()

        def do_DELETE(self) -> None:
            self.do_GET()

        def log_message(self, *words: object) -> None:
            """Says nothing."""

    return Handler
