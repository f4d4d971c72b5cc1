"""The one door to Azure, with the extra `azure`: AKS through its SDK, everything else by Resource Manager's REST.

Both log in as one (azure_login), each request is one effect, and a Retry-After is waited for; that has an end. Other
modules named azure_… say in plain dataclasses what the answers mean.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode

from karrots.adapters import azure_login, rest
from karrots.adapters.azure_errors import (
    AzureCloudUnknown,
    AzureDenied,
    AzureExtraMissing,
    AzureGarbled,
    AzureLoginNeeded,
    AzureRejected,
    AzureThrottled,
    garbled,
    refusal,
    retry_after,
    told_apart,
)
from karrots.adapters.tokens import Tokens
from karrots.effects import effect
from karrots.errors import TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from karrots.adapters.azure_login import Login
    from karrots.adapters.rest import Reply
    from karrots.adapters.tokens import Token

Answer = dict[str, Any]
T = TypeVar("T")

MANAGEMENT = "https://management.azure.com"
ENDPOINT = "KARROTS_AZURE_ENDPOINT"  # another address of it, for tests: on loopback alone, as it is given tokens
ATTEMPTS = 6
# A server that asks for a longer pause than this is not waited for: the command says so and ends.
PATIENCE_SECONDS = 30.0
# A role that was given just now is known everywhere after some minutes.
SETTLING_SECONDS = 300.0
LOOK_SECONDS = 10.0
GOING_SECONDS = 30 * 60.0
MOST_PAGES = 1000
DONE = "Succeeded"
BADLY = ("Failed", "Canceled")


def endpoint() -> str:
    """Where Resource Manager is."""
    other = os.environ.get(ENDPOINT, "")
    return other if other.startswith("http://127.0.0.1:") else MANAGEMENT


class Azure:
    """The log-in of one person to one subscription. Shared between threads."""

    def __init__(self, subscription: str, tenant: str = "") -> None:
        """Raises AzureExtraMissing and AzureCloudUnknown. Nobody is asked yet."""
        _needs_extra()
        _needs_public_cloud()
        self.subscription = subscription
        self.login: Login = azure_login.chosen(tenant)
        self.path = f"/subscriptions/{subscription}"
        self._tokens: dict[str, Tokens] = {}
        self._no_login: AzureLoginNeeded | None = None
        self._one = threading.RLock()

    def tokens(self, scope: str = f"{MANAGEMENT}/.default") -> Tokens:
        with self._one:
            return self._tokens.setdefault(scope, Tokens(lambda: self._token(scope)))

    def get(self, path: str, version: str, **query: str) -> Answer:
        """Raises the kinds of azure_errors."""
        return dict(self._ask("GET", _url(path, version, query)).body)

    def find(self, path: str, version: str) -> Answer | None:
        """None for what is not there."""
        try:
            return self.get(path, version)
        except AzureRejected as error:
            if error.is_gone:
                return None
            raise

    def pages(self, path: str, version: str, **query: str) -> Iterator[Answer]:
        """The items of every page. One effect for each page."""
        url = _url(path, version, query)
        for _ in range(MOST_PAGES):
            answer = self._ask("GET", url).body
            yield from items(answer, path)
            if not answer.get("nextLink"):
                return
            url = str(answer["nextLink"])
        raise AzureGarbled(f"Azure GET {path} has no end", why=f"more than {MOST_PAGES} pages")

    def delete(self, path: str, version: str, headers: Mapping[str, str] | None = None) -> None:
        """Waits until it is done; fine when it is gone. Raises TimedOut."""
        try:
            self._follow(self._ask("DELETE", _url(path, version, {}), headers))
        except AzureRejected as error:
            if not error.is_gone:
                raise

    def aks(self, ask: Callable[[Any], T]) -> T:
        """`ask` is given the client of azure-mgmt-containerservice. Raises the kinds of azure_errors."""

        def asked() -> T:
            try:
                return ask(self._client)
            except Exception as error:
                raise told_apart(error, "Microsoft.ContainerService") from error

        return _patiently(asked)

    def settled(self, ask: Callable[[], T]) -> T:
        """For what may be refused only because the right to it is new."""
        end = time.monotonic() + SETTLING_SECONDS
        while True:
            try:
                return ask()
            except AzureDenied:
                if time.monotonic() > end:
                    raise
            time.sleep(LOOK_SECONDS)

    # Inside

    def _token(self, scope: str) -> Token:
        """Who is not logged in is told so once: `az` takes a second to say it, and a dozen questions wait."""
        if self._no_login is not None:
            raise self._no_login
        try:
            return azure_login.token(self._credential, scope)
        except AzureLoginNeeded as error:
            self._no_login = error
            raise

    def _ask(self, method: str, url: str, headers: Mapping[str, str] | None = None) -> Reply:
        _look_at(method, url)

        def asked() -> Reply:
            token = self.tokens().now()
            reply = rest.ask("azure", method, url, token.text, None, headers)
            if reply.status == 401:  # it may have ended sooner than our clock says
                self.tokens().refused(token)
                reply = rest.ask("azure", method, url, self.tokens().now().text, None, headers)
            if reply.status >= 400:
                raise refusal(reply, method, url)
            return reply

        return _patiently(asked)

    def _follow(self, reply: Reply) -> None:
        """Azure goes on with it on its own, and says under a link of the answer how far it is."""
        link = reply.headers.get("azure-asyncoperation") or reply.headers.get("location") or ""
        end = time.monotonic() + GOING_SECONDS
        while link and not _is_over(reply):
            if time.monotonic() > end:
                raise TimedOut(f"Azure did not finish within {GOING_SECONDS / 60:.0f} minutes", why=link)
            time.sleep(min(_or(retry_after(reply), LOOK_SECONDS), PATIENCE_SECONDS))
            reply = self._ask("GET", link)

    @cached_property
    def _credential(self) -> Any:
        with self._one:
            return self.login.credential()

    @property
    def _client(self) -> Any:
        with self._one:
            return self._made_client

    @cached_property
    def _made_client(self) -> Any:
        from azure.core.pipeline.policies import ContentDecodePolicy, RequestIdPolicy, UserAgentPolicy
        from azure.mgmt.containerservice import ContainerServiceClient

        # None of the SDK's own: they register resource providers unasked, and try again for as long as a server says.
        policies = [RequestIdPolicy(), UserAgentPolicy("karrots"), ContentDecodePolicy(), _door(self)]
        return ContainerServiceClient(
            self._credential, self.subscription, base_url=endpoint(), policies=policies, polling_interval=LOOK_SECONDS
        )


def _url(path: str, version: str, query: Mapping[str, str]) -> str:
    return f"{endpoint()}{path}?{urlencode({**query, 'api-version': version}, quote_via=quote)}"


def _look_at(method: str, url: str) -> None:
    """Raises AzureGarbled for a link that leads elsewhere: it would be given the token."""
    if not url.startswith(f"{endpoint()}/"):
        raise garbled(method, f"a link to {url.partition('?')[0]}")


def _or(found: float | None, otherwise: float) -> float:
    return otherwise if found is None else found


def _door(azure: Azure) -> Any:
    """Puts the token on the SDK's requests and makes each an effect."""
    from azure.core.pipeline.policies import HTTPPolicy

    class Door(HTTPPolicy[Any, Any]):
        def send(self, request: Any) -> Any:
            asked = request.http_request
            _look_at(asked.method, asked.url)
            with effect("azure", f"{asked.method} {asked.url.partition('?')[0]}", whole=asked.method != "GET"):
                token = azure.tokens().now()
                asked.headers["Authorization"] = f"Bearer {token.text}"
                answer = self.next.send(request)
                if answer.http_response.status_code == 401:
                    azure.tokens().refused(token)
                    asked.headers["Authorization"] = f"Bearer {azure.tokens().now().text}"
                    answer = self.next.send(request)
                return answer

    return Door()


def _needs_extra() -> None:
    from importlib.util import find_spec

    try:
        if find_spec("azure.identity") and find_spec("azure.mgmt.containerservice"):
            return
    except (ImportError, ValueError) as error:
        raise AzureExtraMissing from error
    raise AzureExtraMissing


def _needs_public_cloud() -> None:
    """Terraform would make the cluster in another one, where we do not look."""
    named = os.environ.get("ARM_ENVIRONMENT", "public")
    if named.lower() != "public":
        raise AzureCloudUnknown(named)


def _patiently(ask: Callable[[], T]) -> T:
    for left in range(ATTEMPTS - 1, -1, -1):
        try:
            return ask()
        except AzureThrottled as error:
            pause = _or(error.seconds, 2.0 ** (ATTEMPTS - 1 - left))
            if not left or pause > PATIENCE_SECONDS:
                raise
            time.sleep(pause)
    raise AssertionError("the last attempt raises")


def _is_over(reply: Reply) -> bool:
    """Raises AzureRejected where it ended badly."""
    status = str(reply.body.get("status") or "")
    if status in BADLY:
        error = reply.body.get("error")
        reason = str(error.get("code")) if isinstance(error, dict) else status
        raise AzureRejected("Azure began and could not finish", status=reply.status, reason=reason, why=reply.why)
    return status == DONE if status else reply.status != 202


def items(answer: Mapping[str, Any], what: str) -> list[Answer]:
    """The list of objects in an answer. Raises AzureGarbled for anything else."""
    found = answer.get("value")
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise garbled(f"GET {what}", str(answer)[:200])
    return found


@contextmanager
def understood(what: str) -> Iterator[None]:
    """What lacks in an answer is an error of the answer, not of ours."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise garbled(what, f"{type(error).__name__}: {error}") from error


def tags_of(found: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in (found.get("tags") or {}).items()}


def tagged(name: str, value: str) -> dict[str, str]:
    """The question for what bears a tag."""
    quoted = value.replace("'", "''")
    return {"$filter": f"tagName eq '{name}' and tagValue eq '{quoted}'"}
