"""What EKS puts beside an API server: a webhook that turns a presigned question to STS into a user.

The token is checked as the real one checks it: form, signature, age, the cluster it was made for
(https://github.com/kubernetes-sigs/aws-iam-authenticator/blob/master/pkg/token/token.go). Who it is, STS says; what
they may do, the cluster's access entries.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hmac
import json
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.support.eks_account.server import Server

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.eks_account.account import Account

PREFIX = "k8s-aws-v1."
HEADER = "x-k8s-aws-id"
MOST_CHARACTERS = 4096
LIFE = dt.timedelta(minutes=15)


class Unbelievable(Exception):
    """A token that proves nothing; says why."""


def asked_for(token: str) -> str:
    """The question to STS that a token carries, as a URL."""
    if not token.startswith(PREFIX) or len(token) > MOST_CHARACTERS:
        raise Unbelievable("it is no token of this kind")
    text = token.removeprefix(PREFIX)
    if "=" in text:
        raise Unbelievable("it is padded")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Unbelievable(str(error)) from error


def check(url: str, cluster: str, secrets: Mapping[str, str], now: dt.datetime) -> None:
    """Raises Unbelievable. `secrets` by access key."""
    query = dict(parse_qsl(urlsplit(url).query))
    if query.get("Action") != "GetCallerIdentity" or HEADER not in query.get("X-Amz-SignedHeaders", "").split(";"):
        raise Unbelievable(f"it asks something else, or not for a cluster: {sorted(query)}")
    made = dt.datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    if not made - LIFE / 3 <= now <= made + LIFE:
        raise Unbelievable(f"it was made at {made}")
    if not hmac.compare_digest(_signature(url, query, cluster, secrets), query["X-Amz-Signature"]):
        raise Unbelievable("its signature is not right")


def _signature(url: str, query: dict[str, str], cluster: str, secrets: Mapping[str, str]) -> str:
    key, _, region, service, _ = query["X-Amz-Credential"].split("/")
    if key not in secrets:
        raise Unbelievable(f"nobody has the key {key}")
    unsigned = {name: value for name, value in query.items() if name != "X-Amz-Signature"}
    question = AWSRequest(
        "GET", f"{url.partition('?')[0]}?{urlencode(unsigned)}", headers={HEADER: cluster, "host": urlsplit(url).netloc}
    )
    question.context["timestamp"] = query["X-Amz-Date"]
    signer = SigV4QueryAuth(Credentials(key, secrets[key]), service, region)
    return str(signer.signature(signer.string_to_sign(question, signer.canonical_request(question)), question))


class Authenticator(Server):
    def __init__(self, aws: Account, secrets: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Review)
        self.aws, self.secrets = aws, secrets

    def write_config(self, cluster: str, file: Path) -> None:
        """For --authentication-token-webhook-config-file of that cluster's API server."""
        where = f"{self.address}/{cluster}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "iam", "cluster": {"server": where}}],
            "users": [{"name": "api-server", "user": {}}],
            "contexts": [{"name": "webhook", "context": {"cluster": "iam", "user": "api-server"}}],
            "current-context": "webhook",
        }
        file.write_text(json.dumps(config))

    def review(self, cluster: str, token: str) -> dict[str, Any]:
        """The status of a TokenReview."""
        try:
            check(asked_for(token), cluster, self.secrets, dt.datetime.now(dt.UTC))
        except (Unbelievable, LookupError, ValueError) as error:
            return {"authenticated": False, "error": str(error)}
        arn = str(self.aws.client("sts").get_caller_identity()["Arn"])
        groups = self.aws.eks.groups_of(cluster, arn)
        if groups is None:
            return {"authenticated": False, "error": f"{arn} has no access entry"}
        user = {"username": arn, "uid": f"aws:{arn}", "groups": [*groups, "system:authenticated"]}
        return {"authenticated": True, "user": user}


class _Review(BaseHTTPRequestHandler):
    server: Authenticator

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class names it)
        """Nothing on the terminal."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.server.review(urlsplit(self.path).path.strip("/"), asked["spec"]["token"])
        body = json.dumps({**asked, "status": status}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
