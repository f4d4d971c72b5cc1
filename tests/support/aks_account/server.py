"""The account on loopback, for as long as a block runs."""

from __future__ import annotations

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

from tests.support.aks_account.account import HEADER, Account
from tests.support.eks_account.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    account: Account

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = self.account.answer(self.command, self.path, dict(self.headers.items()))
        self.send_response(found.status)
        for name, value in {"Content-Type": "application/json", **found.headers}.items():
            self.send_header(name, value)
        if found.status != 204:
            self.send_header("Content-Length", str(len(found.body)))
        self.end_headers()
        if found.status != 204:
            self.wfile.write(found.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's name)
        pass


@contextmanager
def served() -> Iterator[Account]:
    made = Account()
    verbs = {f"do_{verb}": _Handler.answer for verb in ("GET", "HEAD", "PUT", "POST", "DELETE")}
    server = Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"account": made, **verbs}))
    with server.serving():
        made.url = server.address
        yield made


def environment(account: Account) -> dict[str, str]:
    """Where Azure is, and a log-in: that of a program which runs in Azure, as it needs neither TLS nor a person."""
    return {
        "KARROTS_AZURE_ENDPOINT": account.url,
        "ARM_USE_MSI": "true",
        "IDENTITY_ENDPOINT": f"{account.url}/msi/token",
        "IDENTITY_HEADER": HEADER,
    }
