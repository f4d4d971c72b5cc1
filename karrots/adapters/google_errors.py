"""What can go wrong with Google Cloud, as kinds with a documented exit status; two functions tell them apart."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots.errors import Failed, KarrotsError, LoginNeeded, PreflightFailed, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

EXTRA_HINT = "pip install 'karrots[gcp]'"
LOGIN_HINT = "gcloud auth application-default login   (or: export GOOGLE_APPLICATION_CREDENTIALS=…)"
BUSY_STATUS = (429, 503)
BUSY = {"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"}
SWITCHED_OFF = {"SERVICE_DISABLED", "accessNotConfigured"}


class GoogleExtraMissing(PreflightFailed):
    def __init__(self) -> None:
        super().__init__(
            "the Google Cloud SDK is not installed", why="google-cloud-container cannot be imported", hint=EXTRA_HINT
        )


class GoogleLoginNeeded(LoginNeeded):
    """Nobody is logged in to Google Cloud, or it does not know who."""


class GoogleExpired(GoogleLoginNeeded):
    pass


class GoogleWrongProject(LoginNeeded):
    def __init__(self, project: str, why: str) -> None:
        super().__init__(
            f"the log-in at Google Cloud cannot use the project '{project}'",
            why=why,
            hint=f"gcloud projects describe {project}\nor correct providers.gke.project in karrots.yaml",
        )


class GoogleApiOff(PreflightFailed):
    """`api` is not switched on in the project."""

    def __init__(self, api: str, project: str, why: str) -> None:
        super().__init__(
            f"{api} is not switched on in the project '{project}'",
            why=why,
            hint=f"gcloud services enable {api} --project {project}   (takes some minutes)",
        )


class GoogleThrottled(Failed):
    """Google asked to slow down for longer than we wait."""


class GoogleDenied(Refused):
    """The log-in may not do it; `permission` is what it lacks, as a role names it."""

    def __init__(self, permission: str, why: str) -> None:
        super().__init__(
            f"the log-in at Google Cloud lacks {permission}",
            why=why,
            hint=f"have somebody grant {permission} (docs/providers.md has the whole role)",
        )
        self.permission = permission

    code = Failed.code


class GoogleGarbled(Failed):
    """What answers is not Google, or does not speak as it should."""


class GoogleUnreachable(Failed):
    pass


class GoogleRejected(Failed):
    """Google said no for a reason of its own; `status` is that of HTTP, `reason` Google's word."""

    def __init__(self, message: str, *, status: int, reason: str, why: str) -> None:
        super().__init__(message, why=why)
        self.status = status
        self.reason = reason


# Rights that a call needs beside the one it is named after.
ALSO = {
    "compute.firewalls.delete": ("compute.networks.updatePolicy",),
    "compute.routers.delete": ("compute.networks.updatePolicy",),
    "container.clusters.list": ("container.clusters.getCredentials",),  # without it the authority is left out
    "dns.changes.create": ("dns.resourceRecordSets.delete",),
}


@dataclass(frozen=True)
class Call:
    """One question: `action` in the words of its REST reference, `permission` in those of IAM."""

    service: str
    action: str
    project: str
    permission: str = ""

    def __str__(self) -> str:
        return f"{self.service} {self.action}"

    @property
    def needs(self) -> str:
        return self.permission or f"{self.service}.{self.action}"

    @property
    def rights(self) -> tuple[str, ...]:
        """All that it takes."""
        return (self.needs, *ALSO.get(self.needs, ()))


def told_apart(error: Exception, call: Call) -> KarrotsError:
    """Our own kind of what the SDK raised before there was an answer, or instead of reading it."""
    from google.auth import exceptions as auth
    from requests.exceptions import RequestException

    if isinstance(error, KarrotsError):
        return error
    if isinstance(error, (auth.DefaultCredentialsError, auth.MalformedError)):
        return GoogleLoginNeeded("you are not logged in to Google Cloud", why=str(error), hint=LOGIN_HINT)
    if isinstance(error, (auth.RefreshError, auth.ReauthFailError, auth.OAuthError)):
        return GoogleExpired("the log-in at Google Cloud has ended", why=str(error)[:400], hint=LOGIN_HINT)
    if isinstance(error, (auth.TransportError, auth.TimeoutError, RequestException, OSError)):
        return GoogleUnreachable(f"Google {call} was not answered", why=str(error), hint="look at your network")
    if isinstance(error, auth.GoogleAuthError):
        return GoogleLoginNeeded("the log-in at Google Cloud failed", why=str(error), hint=LOGIN_HINT)
    return garbled(call, f"{type(error).__name__}: {error}")


def garbled(call: Call, why: str) -> GoogleGarbled:
    return GoogleGarbled(f"Google {call} was answered with what is no answer", why=why[:400])


@dataclass(frozen=True)
class No:
    """A refusal as Google words it; `reasons` are all its codes, `service` the API it is about."""

    status: int
    reasons: frozenset[str]
    message: str
    service: str = ""

    @property
    def is_busy(self) -> bool:
        return self.status in BUSY_STATUS or (self.status == 403 and bool(BUSY & self.reasons))


def no_of(status: int, body: bytes, call: Call) -> No:
    """Raises GoogleGarbled for what is no refusal of Google's."""
    try:
        said = json.loads(body)["error"]
        message = str(said["message"])[:400]
        reasons = {str(said.get("status", "")), *(str(it.get("reason", "")) for it in said.get("errors") or ())}
        details = [it for it in said.get("details") or () if "reason" in it]
    except (ValueError, KeyError, TypeError, AttributeError):
        if status in BUSY_STATUS:
            return No(status, frozenset(), body[:200].decode("utf-8", "replace"))
        raise garbled(call, f"status {status}: {body[:200].decode('utf-8', 'replace')}") from None
    api = next((str((it.get("metadata") or {}).get("service", "")) for it in details), "")
    return No(status, frozenset({*reasons, *(str(it["reason"]) for it in details)} - {""}), message, api)


def refusal(no: No, call: Call) -> KarrotsError:
    """Our own kind of what Google said no to."""
    if no.status == 401:
        return GoogleExpired("Google does not take this log-in, or it has ended", why=no.message, hint=LOGIN_HINT)
    if no.is_busy:
        return GoogleThrottled(
            f"Google {call}: asks to slow down", why=no.message, hint="run the same command again in a minute"
        )
    if SWITCHED_OFF & no.reasons:
        return GoogleApiOff(no.service or f"{call.service}.googleapis.com", call.project, no.message)
    if no.status == 403:
        return GoogleDenied(call.needs, no.message)
    return GoogleRejected(
        f"Google {call} was refused", status=no.status, reason=_reason(no.reasons), why=f"{no.status}: {no.message}"
    )


def _reason(reasons: frozenset[str]) -> str:
    """The narrower one: compute says `resourceInUseByAnotherResource` beside a general word in capitals."""
    return min(reasons, key=lambda it: (it.isupper(), it), default="")


def retry_after(headers: Mapping[str, Any]) -> float | None:
    asked = str(headers.get("Retry-After", ""))
    return float(asked) if asked.isdecimal() else None
