"""The one door to API servers: raw JSON through the official client's connection layer.

Typed models of the client are not used: they cost five times the memory and fail on the null lists that custom
resources return (https://github.com/kubernetes-client/python/issues/1921). Objects are plain dicts as the API server
sends them.
"""

from __future__ import annotations

import base64
import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from karrots import clock
from karrots.adapters.kube_answers import MOST_PAGES, Watched, decoded, is_object, warned, whole
from karrots.effects import effect
from karrots.errors import Failed, LoginNeeded

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from karrots.adapters.tokens import Token, Tokens

Object = dict[str, Any]

FIELD_MANAGER = "karrots"
JSON = "application/json"
CREDENTIAL = "client.authentication.k8s.io/v1"
PAGE = 500


@dataclass(frozen=True)
class Access:
    """How to reach one API server. `ca` is PEM, '' for one that the computer itself trusts.

    Certificate and key are files of mode 0600; or there are short-lived tokens.
    """

    server: str
    ca: str
    certificate: Path | None = None
    key: Path | None = None
    tokens: Tokens | None = None


class ApiUnreachable(Failed):
    """The API server did not answer, or not as one."""


class ApiRefused(Failed):
    """The API server answered with an error status."""

    def __init__(self, message: str, *, status: int, reason: str = "", why: str = "") -> None:
        super().__init__(message, why=why)
        self.status = status
        self.reason = reason


def warm() -> None:
    """Import the client (a quarter of a second) now: beside a wait, or before threads would import it all at once,
    which fails on half-made modules.
    """
    import kubernetes.client  # noqa: F401


class Kube:
    """One API server. Not shared between threads. `warnings` are those of its last answer."""

    def __init__(self, access: Access, *, timeout: float = 30.0) -> None:
        from kubernetes.client import ApiClient, Configuration

        settings = Configuration(
            host=access.server,
            ca_cert_data=access.ca,
            cert_file=str(access.certificate) if access.certificate else None,
            key_file=str(access.key) if access.key else None,
        )
        settings.retries = False
        settings.proxy = None
        self.access = access
        self._timeout = timeout
        self._client = ApiClient(settings)
        self._watched = Watched(self._client.rest_client.pool_manager)
        self.warnings: tuple[str, ...] = ()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """No answer is waited for longer than this while the block runs."""
        before, self._timeout = self._timeout, min(self._timeout, seconds)
        try:
            yield
        finally:
            self._timeout = before

    def close(self) -> None:
        self._client.rest_client.pool_manager.clear()

    def request(
        self, method: str, path: str, body: object = None, content_type: str = JSON, accept: str = JSON
    ) -> tuple[int, Any]:
        """One request; answers (status, decoded JSON or text). Raises ApiUnreachable, or what making a token raises.

        A token that is refused is made anew once: it may have ended sooner than our clock says.
        """
        if self.access.tokens is None:
            return self._asked(method, path, body, content_type, accept)
        token = self.access.tokens.now()
        status, answer = self._asked(method, path, body, content_type, accept, token)
        if status == 401:
            self.access.tokens.refused(token)
            return self._asked(method, path, body, content_type, accept, self.access.tokens.now())
        return status, answer

    def _asked(
        self, method: str, path: str, body: object, content_type: str, accept: str, token: Token | None = None
    ) -> tuple[int, Any]:
        headers = {"Accept": accept, "Content-Type": content_type}
        if token is not None:
            headers["Authorization"] = f"Bearer {token.text}"
        # the client encodes what it takes for JSON itself, and wants text for everything else
        payload = body if body is None or content_type.endswith("json") else json.dumps(body)
        answer, data = self._call(method, path, headers, payload)
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        try:
            return int(answer.status), decoded(data) if is_json and data else data.decode("utf-8", "replace")
        except ValueError as error:
            raise self._strange(f"what it says is no JSON: {error}") from error

    def _call(self, method: str, path: str, headers: dict[str, str], payload: object) -> tuple[Any, bytes]:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            with effect(method, path, whole=method != "GET") as asking, self._watched.within(self._timeout):
                end = time.monotonic() + self._timeout
                answer = self._client.call_api(
                    method, self.access.server + path, headers, payload, _request_timeout=self._timeout
                )
                self.warnings = warned(answer.headers.getlist("Warning"))
                return answer, asking.garbled(whole(answer.response, end))
        except (HTTPError, HTTPException, ApiException, OSError) as error:
            raise ApiUnreachable(f"the API server at {self.access.server} does not answer", why=str(error)) from error

    def _strange(self, why: str) -> ApiUnreachable:
        return ApiUnreachable(
            f"what answers at {self.access.server} is no API server", why=why, hint="look for a proxy or a log-in page"
        )

    def _expect(self, method: str, path: str, body: object = None, content_type: str = JSON, accept: str = JSON) -> Any:
        status, answer = self.request(method, path, body, content_type, accept)
        if status < 300:
            if not isinstance(answer, dict):
                raise self._strange(f"{method} {path} was answered with: {str(answer)[:200]!r}")
            return answer
        why = str(answer.get("message", "") if isinstance(answer, dict) else answer)[:400]
        if status == 401:
            raise LoginNeeded(f"the API server at {self.access.server} does not know us", why=why)
        reason = str(answer.get("reason", "")) if isinstance(answer, dict) else ""
        raise ApiRefused(f"{method} {path} was refused with {status}", status=status, reason=reason, why=why)

    def get(self, path: str, accept: str = JSON) -> Object | None:
        """The object, or None where there is none (or no such kind). `accept` asks for another form of it."""
        try:
            found: Object = self._expect("GET", path, accept=accept)
        except ApiRefused as error:
            if error.status == 404:
                return None
            raise
        return found

    def _page(self, path: str) -> tuple[Sequence[Object], str] | None:
        """Its items and where the next one begins; None where the kind is not served."""
        page = self.get(path)
        if page is None:
            return None
        meta, items = page.get("metadata") or {}, page.get("items") or []
        following = meta.get("continue") or "" if isinstance(meta, dict) else None
        if not isinstance(items, (list, tuple)) or not all(map(is_object, items)) or not isinstance(following, str):
            raise self._strange(f"GET {path} was answered with something else than a list of objects")
        return items, following

    def list(self, path: str, **query: str) -> Iterator[Object]:
        """All items of a collection, page by page; empty where the kind is not served."""
        following = ""
        for _ in range(MOST_PAGES):
            asked = {"limit": str(PAGE), **query} | ({"continue": following} if following else {})
            page = self._page(f"{path}?{urlencode(asked)}")
            if page is None:
                return
            items, following = page
            yield from items
            if not following:
                return
        raise self._strange(f"the list {path} has no end")

    def create(self, collection: str, obj: Mapping[str, Any]) -> bool:
        """Make it unless it is there; True when it was made."""
        try:
            self._expect("POST", collection, dict(obj))
        except ApiRefused as error:
            if error.status == 409 and error.reason == "AlreadyExists":
                return False
            raise
        return True

    def apply(self, collection: str, obj: Mapping[str, Any]) -> Object:
        """Server-side apply, as field manager `karrots`, taking over fields that others set."""
        path = f"{collection}/{obj['metadata']['name']}?fieldManager={FIELD_MANAGER}&force=true"
        applied: Object = self._expect("PATCH", path, dict(obj), "application/apply-patch+yaml")
        return applied

    def merge(self, path: str, patch: Mapping[str, Any]) -> Object | None:
        """JSON merge patch; None where there is no such object."""
        try:
            merged: Object = self._expect("PATCH", path, dict(patch), "application/merge-patch+json")
        except ApiRefused as error:
            if error.status == 404:
                return None
            raise
        return merged

    def delete(self, path: str, propagation: str = "Background") -> bool:
        """True when there was something to delete."""
        try:
            self._expect("DELETE", path, {"propagationPolicy": propagation})
        except ApiRefused as error:
            if error.status == 404:
                return False
            raise
        return True


def kubeconfig(name: str, access: Access, login: Sequence[str] = ()) -> Object:
    """A kubeconfig document with one context called `name`.

    Of a key it only says in which file it is, and of a token by which command (`login`) it is made.
    """
    user: Object = {"exec": _login(login)} if access.tokens and login else {}
    if access.certificate and access.key:
        user = {"client-certificate": str(access.certificate), "client-key": str(access.key)}
    ca = {"certificate-authority-data": base64.b64encode(access.ca.encode()).decode()} if access.ca else {}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": access.server, **ca}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}],
    }


def _login(argv: Sequence[str]) -> Object:
    return {
        "apiVersion": CREDENTIAL,
        "command": argv[0],
        "args": list(argv[1:]),
        "interactiveMode": "Never",
        "provideClusterInfo": False,
        "installHint": "pip install karrots",
    }


def credential(token: Token) -> Object:
    """What such a command prints (https://kubernetes.io/docs/reference/access-authn-authz/authentication)."""
    ends = clock.stamp(datetime.fromtimestamp(token.expires, UTC))
    return {
        "apiVersion": CREDENTIAL,
        "kind": "ExecCredential",
        "status": {"token": token.text, "expirationTimestamp": ends},
    }


def condition(obj: Object, kind: str) -> Object | None:
    """The condition of that type, when it speaks of the object's present generation."""
    generation = group(obj, "metadata").get("generation")
    for found in parts(group(obj, "status").get("conditions")):
        if found.get("type") == kind and found.get("observedGeneration", generation) == generation:
            return dict(found)
    return None


def group(obj: Any, key: str) -> Object:
    """The group of keys at `key`, empty when there is none or something else stands there."""
    found = obj.get(key) if isinstance(obj, dict) else None
    return found if isinstance(found, dict) else {}


def parts(found: Any) -> Sequence[Object]:
    """Those of a list that are groups of keys."""
    return [each for each in found if isinstance(each, dict)] if isinstance(found, (list, tuple)) else []


def text(found: Any) -> str:
    """What stands there, as text; '' for nothing."""
    return found if isinstance(found, str) else "" if found is None else str(found)
