"""The one door to Google Cloud, with the extra `gcp`: GKE through its SDK, everything else by its REST interface.

Both ask over HTTP with google-auth's log-in, each attempt is one effect, and an answer is read in one place. Other
modules named google_… say in plain dataclasses what the answers mean.
"""

from __future__ import annotations

import json
import os
import threading
import time
import warnings
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from karrots.adapters.google_errors import (
    Call,
    GoogleExtraMissing,
    GoogleGarbled,
    GoogleRejected,
    GoogleThrottled,
    GoogleUnreachable,
    garbled,
    no_of,
    refusal,
    retry_after,
    told_apart,
)
from karrots.effects import effect
from karrots.errors import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from karrots.adapters.google_errors import No

Answer = dict[str, Any]
T = TypeVar("T")

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
ATTEMPTS = 6
SECONDS = 30
# A server that asks for a longer pause than this is not waited for: the command says so and ends.
PATIENCE_SECONDS = 30.0
MOST_PAGES = 1000
MOST_THREADS = 32  # that ask side by side, each with a connection of its own
NOTHING_TO_SAY = 204
# Where each interface is, and the variable that Terraform's provider for Google takes another place from.
ENDPOINTS = {
    "container": ("GOOGLE_CONTAINER_CUSTOM_ENDPOINT", "https://container.googleapis.com/v1/"),
    "compute": ("GOOGLE_COMPUTE_CUSTOM_ENDPOINT", "https://compute.googleapis.com/compute/v1/"),
    "dns": ("GOOGLE_DNS_CUSTOM_ENDPOINT", "https://dns.googleapis.com/dns/v1/"),
    "iam": ("GOOGLE_IAM_CUSTOM_ENDPOINT", "https://iam.googleapis.com/v1/"),
    "resourcemanager": (
        "GOOGLE_RESOURCE_MANAGER_CUSTOM_ENDPOINT",
        "https://cloudresourcemanager.googleapis.com/v1/",
    ),
    "serviceusage": ("GOOGLE_SERVICE_USAGE_CUSTOM_ENDPOINT", "https://serviceusage.googleapis.com/v1/"),
    "oauth2": ("GOOGLE_OAUTH2_CUSTOM_ENDPOINT", "https://oauth2.googleapis.com/"),  # Terraform never asks it
}
TOKEN = "GOOGLE_OAUTH_ACCESS_TOKEN"  # noqa: S105  (the name of Terraform's variable for a log-in of an hour)


class Google:
    """The log-in of one person, for one project. Shared between threads."""

    def __init__(self, project: str) -> None:
        """Raises GoogleExtraMissing. Nobody is asked yet, and no log-in is looked for."""
        _needs_extra()
        self.project = project
        self._one = threading.RLock()
        self._asking = threading.local()

    @property
    def credentials(self) -> Any:
        """The SDK's own. Raises GoogleLoginNeeded when there are none."""
        with self._one:
            return self._credentials

    @property
    def is_renewed(self) -> bool:
        """Whether the log-in can get itself a new token, as all can but one that is no more than a token."""
        return getattr(self.credentials, "refresh_token", "") is not None

    def log_in(self) -> None:
        """Get a new token now. Raises GoogleExpired and its like."""
        from google.auth.transport.requests import Request

        call = Call("credentials", "refresh", self.project)
        try:
            with self._one, effect("google", str(call), whole=False):
                self._credentials.refresh(Request())
        except Exception as error:
            raise told_apart(error, call) from error

    def call(
        self, service: str, action: str, method: str, path: str, *, permission: str = "", document: Any = None,
        form: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """One request to a REST interface. `action` as its reference names it. Raises the kinds of google_errors.

        `document` goes along as JSON, `form` as a form's fields: what is secret has no place in a query.
        """
        call = Call(service, action, self.project, permission)
        url = endpoint(service) + path
        body = self._answered(call, method, lambda: self._sent(method, url, query or {}, json=document, data=form))
        return _object(body, call)

    def pages(
        self, service: str, action: str, path: str, key: str, *, permission: str = "", **query: str
    ) -> Iterator[Answer]:
        """The objects below `key` of every page. One effect for each page."""
        for answer in self._pages(service, action, path, permission, query):
            yield from items(answer, key)

    def everywhere(self, collection: str) -> Iterator[Answer]:
        """All of a kind that Compute has in the project: in its zones, its regions, and global ones.

        Raises GoogleUnreachable when Google could not look everywhere: what is not listed is taken to be gone.
        """
        path = f"projects/{self.project}/aggregated/{collection}"
        for answer in self._pages("compute", f"{collection}.aggregatedList", path, f"compute.{collection}.list", {}):
            everywhere(f"compute {collection}", answer.get("unreachables") or ())
            with understood("compute aggregatedList"):
                places = list(answer.get("items", {}).values())
            for place in places:
                yield from items(place, collection)

    def clusters(self, action: str, ask: Callable[[Any], T], *, permission: str = "") -> T:
        """One question to GKE by its SDK's client."""
        call = Call("container", action, self.project, permission or f"container.clusters.{action}")
        with self._one:
            client = self._client
        return self._answered(call, action, lambda: ask(client))

    # Inside

    @cached_property
    def _credentials(self) -> Any:
        import google.auth
        from google.oauth2.credentials import Credentials

        given = os.environ.get(TOKEN, "")
        call = Call("credentials", "load", self.project)
        try:
            with effect("google", str(call), whole=False), warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # that a person's log-in has no project of its own to bill
                return Credentials(given) if given else google.auth.default(scopes=[SCOPE])[0]
        except Exception as error:
            raise told_apart(error, call) from error

    @cached_property
    def _session(self) -> Any:
        from google.auth.transport.requests import AuthorizedSession

        return self._heard(AuthorizedSession(self._logged_in))

    @cached_property
    def _logged_in(self) -> Any:
        """Once, and not by each of the threads that start side by side."""
        if not self._credentials.valid:
            self.log_in()
        return self._credentials

    @cached_property
    def _client(self) -> Any:
        from google.cloud.container_v1 import ClusterManagerClient
        from google.cloud.container_v1.services.cluster_manager.transports import ClusterManagerRestTransport

        place = urlsplit(endpoint("container"))
        transport = ClusterManagerRestTransport(host=place.netloc, url_scheme=place.scheme, credentials=self._logged_in)
        self._heard(transport._session)  # noqa: SLF001  (a fault plan has no other way in)
        return ClusterManagerClient(transport=transport)

    def _heard(self, session: Any) -> Any:
        from requests.adapters import HTTPAdapter

        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=MOST_THREADS))
        session.hooks["response"].append(self._hear)
        return session

    def _hear(self, response: Any, **_: Any) -> None:
        """As a fault plan wants the answer to look. The SDK would take a list for an answer that holds nothing."""
        content = self._asking.effect.garbled(response.content)
        if response.is_redirect:  # a log-in goes nowhere else
            raise ValueError(f"it points to {response.headers['Location']}")
        if response.ok and response.status_code != NOTHING_TO_SAY and not content.lstrip().startswith(b"{"):
            raise ValueError(content[:200].decode("utf-8", "replace"))
        response._content = content  # noqa: SLF001  (of requests, which has no setter)

    def _pages(
        self, service: str, action: str, path: str, permission: str, query: Mapping[str, str]
    ) -> Iterator[Answer]:
        more: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            answer = self.call(service, action, "GET", path, permission=permission, query={**query, **more})
            yield answer
            if not answer.get("nextPageToken"):
                return
            more = {"pageToken": str(answer["nextPageToken"])}
        raise GoogleGarbled(f"Google {service} {action} has no end", why=f"more than {MOST_PAGES} pages")

    def _sent(self, method: str, url: str, query: Mapping[str, str], **body: Any) -> bytes:
        with self._one:
            session = self._session
        answer = session.request(method, url, params=query, timeout=SECONDS, **body)
        if answer.status_code >= 300:
            raise _Refused(answer)
        return b"{}" if answer.status_code == NOTHING_TO_SAY else bytes(answer.content)

    def _answered(self, call: Call, method: str, ask: Callable[[], T]) -> T:
        """Asks again while Google wants it slower, as long as that has an end."""
        for attempt in range(1, ATTEMPTS + 1):
            answer, refused = self._asked(call, method, ask)
            if refused is None:
                return answer  # type: ignore[return-value]
            no = no_of(refused.status_code, refused.content, call)
            pause(no, refused.headers, attempt, call)
        raise AssertionError

    def _asked(self, call: Call, method: str, ask: Callable[[], T]) -> tuple[T | None, Any]:
        from google.api_core.exceptions import GoogleAPICallError

        try:
            with effect("google", call, whole=method not in {"GET", "get", "list"}) as asking:
                self._asking.effect = asking
                return ask(), None
        except _Refused as refused:
            return None, refused.answer
        except GoogleAPICallError as error:
            if error.response is None:
                raise garbled(call, str(error)) from error
            return None, error.response
        except Exception as error:
            raise told_apart(error, call) from error


class _Refused(Exception):
    def __init__(self, answer: Any) -> None:
        super().__init__(str(answer.status_code))
        self.answer = answer


def pause(no: No, headers: Mapping[str, Any], attempt: int, call: Call) -> None:
    """Waits as long as Google asks; raises what it says where waiting is of no use, or asked for too long."""
    error = refusal(no, call)
    if not isinstance(error, GoogleThrottled) or attempt == ATTEMPTS:
        raise error
    asked = retry_after(headers)
    seconds = 2.0 ** (attempt - 1) if asked is None else asked
    if seconds > PATIENCE_SECONDS:
        raise error
    time.sleep(seconds)


def _needs_extra() -> None:
    from importlib.util import find_spec

    try:
        found = find_spec("google.auth") and find_spec("google.cloud.container_v1")
    except (ImportError, ValueError) as error:
        raise GoogleExtraMissing from error
    if not found:
        raise GoogleExtraMissing


def endpoint(service: str) -> str:
    """Ends in a slash. Raises Failed for a place that a token must not be sent to."""
    variable, public = ENDPOINTS[service]
    place = os.environ.get(variable, public)
    if not place.startswith(("https://", "http://127.0.0.1:")):
        raise Failed("Google is asked by https only", why=f"{variable}={place}", hint=f"unset {variable}")
    return place if place.endswith("/") else f"{place}/"


def _object(body: bytes, call: Call) -> Answer:
    try:
        found = json.loads(body)
    except ValueError as error:
        raise garbled(call, body[:200].decode("utf-8", "replace")) from error
    if not isinstance(found, dict):
        raise garbled(call, str(found))
    return found


def everywhere(what: str, unreachable: Iterable[str]) -> None:
    """Raises GoogleUnreachable for an answer that says it knows nothing of some places."""
    places = ", ".join(str(place) for place in unreachable)
    if places:
        hint = "run the same command again in a minute"
        raise GoogleUnreachable(f"Google {what}: not all places could be looked at", why=places, hint=hint)


def items(answer: Answer, key: str) -> list[Answer]:
    """The list of objects below `key`. Raises GoogleGarbled for anything else."""
    found = answer.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise GoogleGarbled("Google answered with something else than a list of objects", why=f"{key}: {found}"[:200])
    return found


@contextmanager
def understood(what: str) -> Iterator[None]:
    """What lacks in an answer is an error of the answer, not of ours."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise GoogleGarbled(
            f"Google {what} was answered with what is no answer", why=f"{type(error).__name__}: {error}"
        ) from error


@contextmanager
def unless(*statuses: int) -> Iterator[None]:
    """Passes over what Google says no to with these statuses, as 404 is no failure of a deletion."""
    try:
        yield
    except GoogleRejected as error:
        if error.status not in statuses:
            raise
