"""A read-only smart-HTTP git server for exactly one repository, on loopback, behind a password.

Runs as a process of its cluster: `python -m karrots.engine.gitserver FOLDER --port N --repository GIT_DIR`. The
password is the content of FOLDER/git-token, so that it is on no command line. The protocol itself is spoken by git's
own CGI program (https://git-scm.com/docs/git-http-backend); only the two requests of a fetch get as far as that.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import re
import subprocess
import tempfile
import threading
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, TYPE_CHECKING

from karrots.adapters import process
from karrots.adapters.git_names import rehearsal_namespace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

USERNAME = "karrots"
PATH = "/fleet.git"
ADVERTISE = (f"{PATH}/info/refs", "service=git-upload-pack")
UPLOAD_PACK = f"{PATH}/git-upload-pack"
# What a fetch sends is a list of commits: some MiB even with 100,000 of them.
LARGEST_BODY = 32 * 2**20
CHUNK = 2**16
IDLE = 60.0
AT_ONCE = 16
# Flux reads branches and tags; the ledger, stashes and remote-tracking branches are none of a cluster's business.
HIDDEN = ("refs/remotes", "refs/stash", "refs/notes", "refs/karrots", "refs/heads/karrots", "refs/namespaces")
# Below its own path a rehearsal sees a commit of its own, as the one branch there is (gitnamespaces(7)).
REHEARSAL = re.compile(r"^/rehearsals/(?P<id>[0-9a-z]{26})(?=/)")


class BadRequest(Exception):
    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], repository: Path, token: str, spool: Path) -> None:
        super().__init__(address, Handler)
        self.repository = repository
        self.spool = spool
        self.slots = threading.BoundedSemaphore(AT_ONCE)
        self._login = _basic(token)

    def knows(self, header: str) -> bool:
        return hmac.compare_digest(header.encode("utf-8", "replace"), self._login)


def _basic(token: str) -> bytes:
    return b"Basic " + base64.b64encode(f"{USERNAME}:{token}".encode())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server
    timeout = IDLE

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def version_string(self) -> str:
        return "karrots"

    def _answer(self, method: str) -> None:
        try:
            self._allow(method)
            with self._body() as body, self.server.slots:
                self._serve(body)
        except BadRequest as refusal:
            self._refuse(refusal.status)
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _allow(self, method: str) -> None:
        if not self.server.knows(self.headers.get("Authorization", "")):
            raise BadRequest(HTTPStatus.UNAUTHORIZED)
        path, _, query = REHEARSAL.sub("", self.path, count=1).partition("?")
        if "git-receive-pack" in self.path:
            raise BadRequest(HTTPStatus.FORBIDDEN)
        if (method, path, query) not in (("GET", *ADVERTISE), ("POST", UPLOAD_PACK, "")):
            raise BadRequest(HTTPStatus.NOT_FOUND)

    def _refuse(self, status: HTTPStatus) -> None:
        """The connection ends with it: what is left of the request has not been read."""
        self.send_response(status)
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="karrots"')
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    @contextmanager
    def _body(self) -> Iterator[IO[bytes]]:
        """The request's body in a file that is already deleted, at its beginning."""
        with tempfile.TemporaryFile(dir=self.server.spool) as spool:
            if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
                self._copy_chunked(spool)
            else:
                self._copy(spool, _length(self.headers.get("Content-Length") or "0"))
            spool.seek(0)
            yield spool

    def _copy_chunked(self, spool: IO[bytes]) -> None:
        while size := _length(self.rfile.readline(CHUNK).split(b";")[0].strip().decode("ascii", "replace"), 16):
            if spool.tell() + size > LARGEST_BODY:
                raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            self._copy(spool, size)
            self.rfile.readline(CHUNK)
        while self.rfile.readline(CHUNK).strip():
            pass

    def _copy(self, spool: IO[bytes], size: int) -> None:
        if size > LARGEST_BODY:
            raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        while size:
            piece = self.rfile.read(min(size, CHUNK))
            if not piece:
                raise BadRequest(HTTPStatus.BAD_REQUEST)
            spool.write(piece)
            size -= len(piece)

    def _serve(self, body: IO[bytes]) -> None:
        size = body.seek(0, 2)
        body.seek(0)
        # Started here and not behind adapters.process, whose doors keep or log all output: a pack may be of any size.
        with subprocess.Popen(
            ["git", "http-backend"], env=self._cgi(size), stdin=body, stdout=subprocess.PIPE, stderr=None
        ) as backend:
            assert backend.stdout is not None  # noqa: S101  (PIPE was asked for)
            try:
                self._relay(backend.stdout)
            except BaseException:
                backend.kill()
                raise

    def _cgi(self, size: int) -> dict[str, str]:
        path, _, query = REHEARSAL.sub("", self.path, count=1).partition("?")
        rehearsal = REHEARSAL.match(self.path)
        return process.environment({
            **({"GIT_NAMESPACE": rehearsal_namespace(rehearsal["id"])} if rehearsal else {}),
            "GIT_PROJECT_ROOT": str(self.server.repository),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path.removeprefix(PATH),
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(size) if size else "",
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": USERNAME,
            "REMOTE_ADDR": self.client_address[0],
            **_settings(self.server.repository),
        })  # fmt: skip

    def _relay(self, answer: IO[bytes]) -> None:
        """CGI headers, then the pack as it comes."""
        status, headers = _cgi_head(answer)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        chunked = self.request_version != "HTTP/1.0"
        self.send_header(*(("Transfer-Encoding", "chunked") if chunked else ("Connection", "close")))
        self.end_headers()
        while piece := answer.read1(CHUNK):  # type: ignore[attr-defined]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = self.close_connection or not chunked


def _length(text: str, base: int = 10) -> int:
    with suppress(ValueError):
        value = int(text, base)
        if value >= 0:
            return value
    raise BadRequest(HTTPStatus.BAD_REQUEST)


def _cgi_head(answer: IO[bytes]) -> tuple[int, list[tuple[str, str]]]:
    """Raises BadRequest (502) when git says nothing: it is missing, or cannot read the repository."""
    status, headers = int(HTTPStatus.OK), []
    while line := answer.readline(CHUNK).strip():
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers.append((name, value.strip()))
    if not headers:
        raise BadRequest(HTTPStatus.BAD_GATEWAY)
    return status, headers


def _settings(repository: Path) -> Mapping[str, str]:
    """Settings of git by environment: nobody's files count, and the one repository may belong to another user."""
    pairs = [("safe.directory", str(repository)), ("http.receivepack", "false")]
    pairs += [("uploadpack.hideRefs", name) for name in HIDDEN]
    numbered = {f"GIT_CONFIG_KEY_{i}": key for i, (key, _) in enumerate(pairs)}
    numbered |= {f"GIT_CONFIG_VALUE_{i}": value for i, (_, value) in enumerate(pairs)}
    return {
        "GIT_CONFIG_COUNT": str(len(pairs)), **numbered, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="karrots.engine.gitserver")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--repository", type=Path, required=True)
    asked = parser.parse_args()
    token = (asked.folder / "git-token").read_text().strip()
    Server(("127.0.0.1", asked.port), asked.repository, token, asked.folder / "tmp").serve_forever()


if __name__ == "__main__":
    main()
