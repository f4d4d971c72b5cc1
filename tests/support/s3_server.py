"""moto's S3 on a port of loopback, as a program: it says its port and serves until its input ends.

Two things of S3 that moto does not do are done in front of it: a bucket is refused to who expects another owner, and,
for tests, what `POST /front/deny` names (method and end of the path) is refused until `POST /front/allow`.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ACCOUNT = "123456789012"  # moto's own
DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>'
)


class Front:
    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.denied: list[tuple[str, str]] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path.startswith("/front/"):
            return self._told(path, environ["QUERY_STRING"], start)
        owner = environ.get("HTTP_X_AMZ_EXPECTED_BUCKET_OWNER", ACCOUNT)
        if owner != ACCOUNT or any(method == which and path.endswith(end) for which, end in self.denied):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start("403 Forbidden", [("Content-Type", "application/xml"), ("Content-Length", str(len(DENIED)))])
            return [] if method == "HEAD" else [DENIED]
        answer: Iterable[bytes] = self.inner(environ, start)
        return answer

    def _told(self, path: str, query: str, start: Callable[..., Any]) -> Iterable[bytes]:
        if path == "/front/allow":
            self.denied.clear()
        else:
            asked = parse_qs(query, keep_blank_values=True)
            self.denied.append((asked["method"][0], asked["end"][0]))
        start("204 No Content", [])
        return []


def main() -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, Front(DomainDispatcherApplication(create_backend_app)), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.port, flush=True)  # noqa: T201
    sys.stdin.read()


if __name__ == "__main__":
    main()
