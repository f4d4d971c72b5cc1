"""A git host on loopback that wants a name and a password, and sees what the computer's other processes show."""

from __future__ import annotations

import base64
import http.server
import os
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

USER = "ada"


@dataclass
class PrivateHost:
    """`seen` are the command lines of all processes at the moment of each request; `refused` counts wrong log-ins."""

    password: str
    port: int = 0
    seen: set[str] = field(default_factory=set)
    served: int = 0
    refused: int = 0

    def url(self, password: str | None = None) -> str:
        """The address of the repository `shared.git`, with the log-in in it where a password is given."""
        login = f"{USER}:{password}@" if password is not None else ""
        return f"http://{login}127.0.0.1:{self.port}/shared.git"

    @property
    def login(self) -> str:
        return "Basic " + base64.b64encode(f"{USER}:{self.password}".encode()).decode()


@contextmanager
def private_host(folder: Path, password: str) -> Iterator[PrivateHost]:
    """Serve the bare repositories in `folder`, to whom the password is known."""
    host = PrivateHost(password)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(host, folder))
    server.daemon_threads = True
    host.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()


def command_lines() -> set[str]:
    return {" ".join(found.info["cmdline"] or ()) for found in psutil.process_iter(["cmdline"])}


def _handler(host: PrivateHost, folder: Path) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.seen |= command_lines()
            if self.headers.get("Authorization") == host.login:
                host.served += 1
                self._answer()
                return
            host.refused += "Authorization" in self.headers
            self.send_response(HTTPStatus.UNAUTHORIZED)
            self.send_header("WWW-Authenticate", 'Basic realm="fleet"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            self.do_GET()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            env = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "REMOTE_USER": USER,
            }
            done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
            self.send_response(int(fields.pop("Status", "200").split()[0]))
            for name, value in fields.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *words: object) -> None:
            """Says nothing."""

    return Handler
