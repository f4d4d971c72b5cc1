"""One address for a whole cloud: EKS is answered here, everything else by moto; who asked for what is noted.

What a call is comes from its signature and form, as the real service reads it
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html). An action can be denied, to see what a policy
without it would do.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tests.support.aws import QUOTAS
from tests.support.eks_account.rest_json import Answer, RestJson
from tests.support.eks_account.server import Server

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.eks_account.eks_service import Eks

SCOPE = re.compile(r"(?:Credential=|X-Amz-Credential=)[^/]+(?:/|%2F)\d{8}(?:/|%2F)[^/%]+(?:/|%2F)([a-z0-9-]+)")
FORWARDED_NOT = frozenset({"host", "connection", "transfer-encoding", "content-length"})
PATIENCE_SECONDS = 60.0
# By service; '' stands for those that speak JSON (https://docs.aws.amazon.com/eks/latest/APIReference/CommonErrors.html).
XML = ("ec2", "iam", "sts", "s3", "autoscaling", "elasticloadbalancing")
DENIED = {"": "AccessDeniedException", **dict.fromkeys(XML, "AccessDenied"), "ec2": "UnauthorizedOperation"}
EXPIRED = {"": "ExpiredTokenException", **dict.fromkeys(XML, "ExpiredToken"), "ec2": "RequestExpired"}
BUSY = {"": "ThrottlingException", **dict.fromkeys(XML, "Throttling"), "ec2": "RequestLimitExceeded", "s3": "SlowDown"}
BUSY_STATUS = {"ec2": 503, "s3": 503, "eks": 429}


@dataclass
class Calls:
    """How often each action was asked for, as policies name it: `eks:CreateCluster`.

    `expired`: to these services every log-in has ended. `busy`: so many calls of a service are refused as too many.
    """

    seen: Counter[str] = field(default_factory=Counter)
    denied: set[str] = field(default_factory=set)
    expired: frozenset[str] = frozenset()
    busy: Counter[str] = field(default_factory=Counter)


class Front(Server):
    def __init__(self, eks: Eks, moto: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.eks = RestJson("eks", eks)
        self.moto = moto
        self.calls = Calls()
        # One account's control planes are one thing; the service's own threads are not imitated.
        self.turn = threading.Lock()


class _Request(BaseHTTPRequestHandler):
    server: Front
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class names it)
        """Nothing on the terminal."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        service = self._service()
        action = f"{service}:{self._action(service, body)}"
        self.server.calls.seen[action] += 1
        if service in self.server.calls.expired:
            self._send(_refused(service, EXPIRED, "The security token included in the request is expired"))
        elif self.server.calls.busy[service] > 0:
            self.server.calls.busy[service] -= 1
            self._send(_refused(service, BUSY, "Rate exceeded", status=BUSY_STATUS.get(service, 400)))
        elif action in self.server.calls.denied:
            self._send(_refused(service, DENIED, f"User is not authorized to perform: {action}"))
        elif service == "servicequotas":
            self._send(_quota(body))
        elif service == "eks":
            with self.server.turn:
                self._send(self.server.eks.serve(self.command, self.path, body))
        else:
            self._send(self._forwarded(body))

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer  # noqa: N815  (the base class looks for these)

    def _service(self) -> str:
        found = SCOPE.search(self.headers.get("Authorization", "") + self.path)
        return found[1] if found else "unsigned"

    def _action(self, service: str, body: bytes) -> str:
        if service == "eks":
            return self.server.eks.operation(self.command, self.path) or self.path
        if "X-Amz-Target" in self.headers:
            return str(self.headers["X-Amz-Target"]).rpartition(".")[2]
        query = parse_qs(urlsplit(self.path).query) | parse_qs(body.decode("latin-1") if len(body) < 1 << 20 else "")
        return query.get("Action", [f"{self.command} {urlsplit(self.path).path}"])[0]

    def _forwarded(self, body: bytes) -> Answer:
        upstream = http.client.HTTPConnection(*self.server.moto, timeout=PATIENCE_SECONDS)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in FORWARDED_NOT}
        # moto reads buckets and services out of the name that was asked for
        upstream.request(self.command, self.path, body, {**headers, "Host": self.headers["Host"]})
        answer = upstream.getresponse()
        data = answer.read()
        upstream.close()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in FORWARDED_NOT}
        return Answer(answer.status, data, kept)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        length = answer.headers.get("content-length") if self.command == "HEAD" else None
        self.send_header("Content-Length", length or str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)


def _quota(body: bytes) -> Answer:
    """moto has none of these."""
    code = json.loads(body)["QuotaCode"]
    return Answer(200, json.dumps({"Quota": {"QuotaCode": code, "Value": QUOTAS[code]}}).encode(), {})


def _refused(service: str, codes: Mapping[str, str], text: str, *, status: int = 403) -> Answer:
    code = codes.get(service, codes[""])
    if service in XML:
        error = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>"
        root = {"ec2": "Response", "s3": ""}.get(service, "ErrorResponse")
        whole = f"<Errors>{error}</Errors>" if service == "ec2" else error
        body = f"<{root}>{whole}<RequestID>0</RequestID></{root}>" if root else whole
        return Answer(status, body.encode(), {"Content-Type": "text/xml"})
    body = f'{{"__type": "{code}", "message": "{text}"}}'
    return Answer(status, body.encode(), {"x-amzn-ErrorType": code})
