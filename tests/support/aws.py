"""AWS on loopback: moto's real server, with a front that answers what a test wants to be answered otherwise.

The front also answers the few questions that moto does not know, in the forms of the SDK's own models.
"""

from __future__ import annotations

import http.client
import io
import json
import logging
import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

ACCOUNT = "123456789012"
REGION = "eu-central-1"
SCOPE = re.compile(r"Credential=([^/]+)/[0-9]{8}/([^/]+)/([^/]+)/aws4_request")
JSON = "application/x-amz-json-1.1"
XML = "text/xml"


@dataclass(frozen=True)
class Asked:
    """One request: `action` as query and JSON protocols name it, else method and path."""

    service: str
    action: str
    region: str
    key: str
    body: bytes
    query: str = ""

    def __str__(self) -> str:
        return f"{self.service} {self.action}"


@dataclass(frozen=True)
class Said:
    status: int
    body: bytes
    kind: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


def json_said(answer: Any, status: int = 200, **headers: str) -> Said:
    return Said(status, json.dumps(answer).encode(), JSON, tuple((k.replace("_", "-"), v) for k, v in headers.items()))


def refused(code: str, message: str = "no", status: int = 400, **headers: str) -> Said:
    """As services that speak JSON refuse."""
    kind = {"x-amzn-ErrorType": code, **headers}
    return json_said({"__type": code, "message": message}, status, **kind)


def refused_xml(code: str, message: str = "no", status: int = 400) -> Said:
    """As EC2, STS, IAM and ELB refuse: all of them read this form."""
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    text = f"<ErrorResponse>{error}<Errors>{error}</Errors><RequestId>x</RequestId></ErrorResponse>"
    ec2 = f"<Response><Errors>{error}</Errors><RequestID>x</RequestID></Response>"
    return Said(status, (ec2 if code.startswith("ec2:") else text).encode(), XML)


VERSIONS = {
    "clusterVersions": [
        {"clusterVersion": "1.36", "defaultVersion": True, "versionStatus": "STANDARD_SUPPORT"},
        {"clusterVersion": "1.35", "defaultVersion": False, "versionStatus": "STANDARD_SUPPORT"},
        {"clusterVersion": "1.33", "defaultVersion": False, "versionStatus": "EXTENDED_SUPPORT"},
        {"clusterVersion": "1.29", "defaultVersion": False, "versionStatus": "UNSUPPORTED"},
    ]
}
PIECES = {"addons": "addons", "access-entries": "accessEntries", "pod-identity-associations": "associations"}
QUOTAS = {"L-F678F1CE": 5, "L-0263D0A3": 5, "L-FE5A380F": 5, "L-1216C47A": 32, "L-1194D53C": 100}


@dataclass
class Front:
    """`script` is asked first: it gives an answer, or None to let moto answer. `pause` is in seconds, before each."""

    moto: Any
    script: Callable[[Asked], Said | None] = field(default=lambda _: None)
    quotas: dict[str, float] = field(default_factory=lambda: dict(QUOTAS))
    asked: list[Asked] = field(default_factory=list)
    pause: float = 0.0
    one: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        request = asked_of(environ)
        if self.pause:
            time.sleep(self.pause)
        with self.one:
            self.asked.append(request)
            said = self.script(request) or self.unknown_to_moto(request)
        if said is None:
            answer: Iterable[bytes] = self.moto(environ, start)
            return answer
        start(f"{said.status} X", [("Content-Type", said.kind), ("Content-Length", str(len(said.body))), *said.headers])
        return [said.body]

    def unknown_to_moto(self, request: Asked) -> Said | None:
        if request.service == "servicequotas":
            code = json.loads(request.body)["QuotaCode"]
            return json_said({"Quota": {"QuotaCode": code, "Value": self.quotas[code]}})
        if request.service == "eks" and request.action.startswith("GET /cluster-versions"):
            return json_said(VERSIONS)
        listed = re.fullmatch(r"GET /clusters/[^/]+/([a-z-]+)", request.action)
        if request.service == "eks" and listed and listed[1] in PIECES:
            return json_said({PIECES[listed[1]]: []})
        return None

    def actions(self, service: str) -> list[str]:
        return [each.action for each in self.asked if each.service == service]


def asked_of(environ: dict[str, Any]) -> Asked:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    scope = SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    key, region, service = scope.groups() if scope else ("", "", "")
    named = re.search(rb"(?:^|&)Action=([A-Za-z0-9]+)", body)
    target = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
    action = named[1].decode() if named else target or f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    return Asked(service, action, region, key, body, str(environ.get("QUERY_STRING", "")))


class Cloud:
    """The server, on a free port of loopback, for as long as the `with` block runs."""

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        self.front = Front(DomainDispatcherApplication(create_backend_app))
        self.server = make_server("127.0.0.1", 0, self.front, threaded=True)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def reset(self) -> None:
        self.front.script = lambda _: None
        self.front.quotas = dict(QUOTAS)
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port)
        connection.request("POST", "/moto-api/reset")
        connection.getresponse().read()
        connection.close()
        self.front.asked.clear()


def environment(address: str) -> dict[str, str]:
    """What the SDK is told by."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }


def opened() -> Iterator[Cloud]:
    cloud = Cloud()
    try:
        yield cloud
    finally:
        cloud.close()
