"""An API server of lists on loopback: discovery in both forms, pages, refusals, and objects that a test puts there."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

Object = dict[str, Any]


@dataclass
class Served:
    """One kind; `versions` with the preferred one first, `status` what a list of it is answered with."""

    kind: str
    plural: str
    group: str = ""
    versions: tuple[str, ...] = ("v1",)
    namespaced: bool = True
    status: int = 200
    verbs: tuple[str, ...] = ("get", "list", "create")
    objects: list[Object] = field(default_factory=list)

    def put(self, name: str, namespace: str = "", **parts: Any) -> Object:
        metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **parts.pop("metadata", {})}
        made = {"metadata": metadata, **parts}
        self.objects.append(made)
        return made


@dataclass
class ApiServer:
    """`whole` discovery is that of servers since 1.30; `stale` are groups whose own servers are away."""

    kinds: list[Served]
    whole: bool = True
    stale: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)
    address: str = ""

    def answer(self, target: str, accept: str) -> tuple[int, Object]:
        self.asked.append(target)
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if path in {"/api", "/apis"}:
            whole = self.whole and "APIGroupDiscoveryList" in accept
            return 200, self._whole(path == "/api") if whole else self._groups(path == "/api")
        for served in self.kinds:
            for version in served.versions:
                root = f"/apis/{served.group}/{version}" if served.group else f"/api/{version}"
                if path == root:
                    return (503, {}) if served.group in self.stale else (200, self._resources(root, version))
                if path == f"{root}/{served.plural}":
                    return self._page(served, query)
        return 404, {"kind": "Status", "reason": "NotFound", "message": "the server has no such thing"}

    def _of(self, core: bool) -> dict[str, list[Served]]:
        found: dict[str, list[Served]] = {}
        for served in self.kinds:
            if core == (not served.group):
                found.setdefault(served.group, []).append(served)
        return found

    def _whole(self, core: bool) -> Object:
        items = []
        for group, kinds in self._of(core).items():
            versions = list(dict.fromkeys(version for served in kinds for version in served.versions))
            told = [
                {
                    "version": version,
                    "freshness": "Stale" if group in self.stale else "Current",
                    "resources": [_whole(served) for served in kinds if version in served.versions],
                }
                for version in versions
            ]
            items.append({"metadata": {"name": group} if group else {}, "versions": told})
        return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items}

    def _groups(self, core: bool) -> Object:
        if core:
            return {"kind": "APIVersions", "versions": ["v1"]}
        told = []
        for group, kinds in self._of(core).items():
            versions = sorted({version for served in kinds for version in served.versions})
            preferred = kinds[0].versions[0]
            told.append(
                {
                    "name": group,
                    "versions": [{"version": v} for v in versions],
                    "preferredVersion": {"version": preferred},
                }
            )
        return {"kind": "APIGroupList", "groups": told}

    def _resources(self, root: str, version: str) -> Object:
        group = root.split("/")[2] if root.startswith("/apis/") else ""
        listed = [s for s in self.kinds if s.group == group and version in s.versions]
        resources: list[Object] = []
        for served in listed:
            resources.append(
                {
                    "name": served.plural,
                    "kind": served.kind,
                    "namespaced": served.namespaced,
                    "verbs": list(served.verbs),
                }
            )
            resources.append({"name": f"{served.plural}/status", "kind": served.kind, "verbs": ["get", "list"]})
        return {"kind": "APIResourceList", "resources": resources}

    def _page(self, served: Served, query: dict[str, list[str]]) -> tuple[int, Object]:
        if served.status != 200:
            return served.status, {"kind": "Status", "reason": "Forbidden", "message": f"{served.plural} is forbidden"}
        limit, start = int(query.get("limit", ["1000000"])[0]), int(query.get("continue", ["0"])[0])
        end = start + limit
        more = {"continue": str(end)} if end < len(served.objects) else {}
        items = served.objects[start:end]
        return 200, {"kind": f"{served.kind}List", "metadata": {"resourceVersion": "7", **more}, "items": items}


def _whole(served: Served) -> Object:
    return {
        "resource": served.plural,
        "responseKind": {"group": "", "version": "", "kind": served.kind},
        "scope": "Namespaced" if served.namespaced else "Cluster",
        "verbs": list(served.verbs),
        "subresources": [{"subresource": "status", "verbs": ["get"]}],
    }


@contextmanager
def running(server: ApiServer) -> Iterator[ApiServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, document = server.answer(self.path, self.headers.get("Accept", ""))
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,))
    thread.start()
    server.address = f"http://127.0.0.1:{listener.server_port}"
    try:
        yield server
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
