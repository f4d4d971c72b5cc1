"""A small Cloud Storage on loopback: what Terraform's gcs backend and the door of karrots ask of its JSON API.

Objects have generations, and every call may ask for one (`ifGenerationMatch`; 0 means that there is none yet). Google's
own clients, Terraform's among them, go where STORAGE_EMULATOR_HOST says, without a login.
"""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

OBJECT = re.compile(r"(?:/storage/v1|/download/storage/v1)?/b/([^/]+)/o/(.+)")
LISTING = re.compile(r"(?:/storage/v1)?/b/([^/]+)/o")
UPLOAD = re.compile(r"/(?:resumable/)?upload/storage/v1/b/([^/]+)/o")
BUCKET = re.compile(r"(?:/storage/v1)?/b/([^/]+)")
PART = re.compile(rb"\r?\n\r?\n(.*?)\r?\n--", re.DOTALL)


@dataclass
class Kept:
    data: bytes
    generation: int


@dataclass
class Bucket:
    settings: dict[str, Any]
    objects: dict[str, Kept] = field(default_factory=dict)
    removed: int = 0


@dataclass
class Gcs:
    port: int = 0
    buckets: dict[str, Bucket] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    generation: int = 1_700_000_000_000_000
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def environment(self) -> dict[str, str]:
        return {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{self.port}"}

    def put(self, bucket: str, name: str, data: bytes) -> Kept:
        self.generation += 1
        made = self.buckets[bucket].objects[name] = Kept(data, self.generation)
        return made


class _Refused(Exception):
    def __init__(self, status: int, why: str) -> None:
        self.status, self.why = status, why


class _Handler(BaseHTTPRequestHandler):
    gcs: Gcs

    def answer(self) -> None:
        data = self._body()
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        with self.gcs.lock:
            self.gcs.asked.append(f"{self.command} {url.path}")
            try:
                status, body, generation = self._found(url.path, query, data)
            except _Refused as no:
                told = {"error": {"code": no.status, "message": no.why, "errors": [{"reason": no.why}]}}
                status, body, generation = no.status, json.dumps(told).encode(), 0
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if generation:
            self.send_header("X-Goog-Generation", str(generation))
        self.end_headers()
        self.wfile.write(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's name)
        pass

    def _found(self, path: str, query: dict[str, str], data: bytes) -> tuple[int, bytes, int]:
        if path in {"/b", "/storage/v1/b"} and self.command == "POST":
            return self._make(json.loads(data))
        if match := UPLOAD.fullmatch(path):
            return self._upload(match[1], query, data)
        if match := OBJECT.fullmatch(path):
            return self._object(match[1], unquote(match[2]), query)
        if match := LISTING.fullmatch(path):
            names = sorted(self._bucket(match[1]).objects)
            items = [self._attributes(match[1], name) for name in names if name.startswith(query.get("prefix", ""))]
            return 200, json.dumps({"kind": "storage#objects", "items": items}).encode(), 0
        if match := BUCKET.fullmatch(path):
            return self._settings(match[1], data)
        bucket, _, name = path.removeprefix("/").partition("/")  # the XML API, which reads objects
        return self._object(bucket, unquote(name), {**query, "alt": "media"})

    def _bucket(self, name: str) -> Bucket:
        if name in self.gcs.forbidden:
            raise _Refused(403, "forbidden")
        if name not in self.gcs.buckets:
            raise _Refused(404, "The specified bucket does not exist.")
        return self.gcs.buckets[name]

    def _make(self, told: dict[str, Any]) -> tuple[int, bytes, int]:
        made = self.gcs.buckets[told["name"]] = Bucket({"projectNumber": "42", **told})
        return 200, json.dumps(made.settings).encode(), 0

    def _settings(self, name: str, data: bytes) -> tuple[int, bytes, int]:
        bucket = self._bucket(name)
        if self.command == "PATCH":
            bucket.settings.update(json.loads(data))
        return 200, json.dumps(bucket.settings).encode(), 0

    def _upload(self, bucket: str, query: dict[str, str], data: bytes) -> tuple[int, bytes, int]:
        name = query.get("name", "")
        if query["uploadType"] == "multipart":
            told, data = PART.findall(data)[:2]
            name = json.loads(told)["name"]
        self._matches(bucket, name, query)
        made = self.gcs.put(bucket, name, data)
        return 200, json.dumps(self._attributes(bucket, name)).encode(), made.generation

    def _object(self, bucket: str, name: str, query: dict[str, str]) -> tuple[int, bytes, int]:
        found = self._bucket(bucket).objects.get(name)
        if found is None:
            raise _Refused(404, f"No such object: {bucket}/{name}")
        self._matches(bucket, name, query)
        if self.command == "DELETE":
            del self.gcs.buckets[bucket].objects[name]
            self.gcs.buckets[bucket].removed += 1
            return 204, b"", 0
        if query.get("alt") == "media":
            return 200, found.data, found.generation
        return 200, json.dumps(self._attributes(bucket, name)).encode(), 0

    def _matches(self, bucket: str, name: str, query: dict[str, str]) -> None:
        found = self._bucket(bucket).objects.get(name)
        wanted = query.get("ifGenerationMatch")
        if wanted is not None and int(wanted) != (found.generation if found else 0):
            raise _Refused(412, "conditionNotMet")

    def _attributes(self, bucket: str, name: str) -> dict[str, Any]:
        kept = self.gcs.buckets[bucket].objects[name]
        return {
            "kind": "storage#object", "bucket": bucket, "name": name, "generation": str(kept.generation),
            "metageneration": "1", "size": str(len(kept.data)),
        }  # fmt: skip


@contextmanager
def served() -> Iterator[Gcs]:
    made = Gcs()
    verbs = {f"do_{verb}": _Handler.answer for verb in ("GET", "POST", "PUT", "DELETE", "PATCH")}
    handler = type("Handler", (_Handler,), {"gcs": made, **verbs})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        made.port = server.server_port
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield made
        server.shutdown()
