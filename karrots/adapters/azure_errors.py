"""What can go wrong with Azure, as kinds with a documented exit status; one function tells them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from karrots.adapters.rest import Reply, Unreachable
from karrots.errors import Failed, KarrotsError, LoginNeeded, PreflightFailed, Refused, ToolMissing

if TYPE_CHECKING:
    from typing import Any

EXTRA_HINT = "pip install 'karrots[azure]'"
LOGIN_HINT = "az login   (or: export ARM_TENANT_ID, ARM_CLIENT_ID and ARM_CLIENT_SECRET)"

EXPIRED = {"ExpiredAuthenticationToken", "AuthenticationFailedExpired"}
OTHER_TENANT = "InvalidAuthenticationTokenTenant"
NO_SUBSCRIPTION = {"SubscriptionNotFound", "InvalidSubscriptionId"}
NO_REGION = {"LocationNotAvailableForResourceType", "NoRegisteredProviderFound", "InvalidLocation"}
# Other refusals with status 403 are no matter of rights: a policy, or a subscription that is switched off.
DENIED = {
    "AuthorizationFailed", "LinkedAuthorizationFailed", "AuthorizationPermissionMismatch", "Forbidden",
    "DenyAssignmentAuthorizationFailed", "",
}  # fmt: skip
BUSY = (429, 503)
GONE = {
    "NotFound", "ResourceNotFound", "ResourceGroupNotFound", "ParentResourceNotFound", "RoleAssignmentNotFound",
}  # fmt: skip


class AzureExtraMissing(ToolMissing):
    def __init__(self) -> None:
        super().__init__(
            "the Azure SDK is not installed",
            why="azure-identity or azure-mgmt-containerservice cannot be imported",
            hint=EXTRA_HINT,
        )


class AzureCloudUnknown(PreflightFailed):
    """Azure's clouds of governments and countries are other places, with other names for everything."""

    def __init__(self, named: str) -> None:
        super().__init__(
            "karrots knows Azure's public cloud only",
            why=f"ARM_ENVIRONMENT is '{named}'",
            hint="unset ARM_ENVIRONMENT",
        )


class AzureLoginNeeded(LoginNeeded):
    """Nobody is logged in to Azure, or Azure does not know who."""


class AzureExpired(AzureLoginNeeded):
    pass


class AzureWrongSubscription(LoginNeeded):
    """The log-in does not see the subscription, or sees it in another tenant."""


class AzureThrottled(Failed):
    """Azure asked to slow down; `seconds` is for how long, None where it does not say."""

    def __init__(self, message: str, *, why: str, seconds: float | None) -> None:
        super().__init__(message, why=why, hint="run the same command again in a minute")
        self.seconds = seconds


class AzureDenied(Refused):
    """The log-in may not do it; `action` is the right that is missing, as a role definition names it."""

    def __init__(self, message: str, *, action: str, why: str) -> None:
        super().__init__(message, why=why, hint=f"have somebody allow {action} (docs/providers.md has the whole role)")
        self.action = action

    code = Failed.code


class AzureGarbled(Failed):
    """What answers is not Azure, or does not speak as it should."""


class AzureRejected(Failed):
    """Azure said no for a reason of its own; `reason` is its code."""

    def __init__(self, message: str, *, status: int, reason: str, why: str) -> None:
        super().__init__(message, why=why)
        self.status = status
        self.reason = reason

    @property
    def is_gone(self) -> bool:
        return self.status == 404


VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete", "POST": "action"}


def action_of(method: str, path: str) -> str:
    """As a role definition names it: GET …/providers/Microsoft.Network/loadBalancers/x is
    Microsoft.Network/loadBalancers/read.
    """
    parts = path.partition("?")[0].strip("/").split("/")
    marks = [at for at, part in enumerate(parts) if part.lower() == "providers"]
    after = parts[marks[-1] + 1 :] if marks else []
    what = [after[0], *after[1::2]] if len(after) > 1 else ["Microsoft.Resources", *parts[0::2]]
    return "/".join([*what, VERBS[method]])


def refusal(reply: Reply, method: str, url: str) -> KarrotsError:
    """Our own kind of an answer that is a refusal."""
    path = urlsplit(url).path
    what = f"Azure {method} {path}"
    said = _said(reply)
    code, why = str(said.get("code") or ""), reply.why
    if reply.status == 401:
        return _unknown_login(code, why)
    if reply.status in BUSY:
        return AzureThrottled(f"{what}: Azure asks to slow down", why=why, seconds=retry_after(reply))
    if code in NO_SUBSCRIPTION:
        return _wrong_subscription(path, why)
    if reply.status == 403 and code in DENIED:
        action = action_of(method, path)
        return AzureDenied(f"the log-in at Azure may not {action}", action=action, why=why)
    if not code:
        return AzureGarbled(f"{what} was answered with what is no answer", why=why)
    return AzureRejected(f"{what} was refused", status=reply.status, reason=code, why=why)


def _said(reply: Reply) -> Any:
    error = reply.body.get("error")
    return error if isinstance(error, dict) else reply.body


def _unknown_login(code: str, why: str) -> KarrotsError:
    if code in EXPIRED:
        return AzureExpired("the log-in at Azure has ended", why=why, hint=LOGIN_HINT)
    if code == OTHER_TENANT:
        return AzureWrongSubscription(
            "the log-in at Azure is for another tenant",
            why=why,
            hint="az login --tenant …   (the tenant of the subscription)\nor set providers.aks.tenant in karrots.yaml",
        )
    return AzureLoginNeeded("Azure does not take the log-in", why=why, hint=LOGIN_HINT)


def _wrong_subscription(path: str, why: str) -> KarrotsError:
    named = path.split("/")[2] if path.startswith("/subscriptions/") else "?"
    return AzureWrongSubscription(
        f"the log-in at Azure does not see the subscription {named}",
        why=why,
        hint="az login --tenant …   (the tenant of the subscription)\n"
        "or correct providers.aks.subscription in karrots.yaml",
    )


def retry_after(reply: Reply) -> float | None:
    asked = reply.headers.get("retry-after", "")
    return float(asked) if asked.isdecimal() else None


def garbled(what: str, why: str) -> AzureGarbled:
    return AzureGarbled(f"Azure {what} was answered with what is no answer", why=why[:400])


def told_apart(error: Exception, what: str) -> KarrotsError:
    """Our own kind of what the SDKs raised."""
    from azure.core import exceptions as raised

    if isinstance(error, KarrotsError):
        return error
    if isinstance(error, raised.DecodeError):
        return garbled(what, str(error))
    if isinstance(error, raised.HttpResponseError) and error.response is not None:
        return _of_response(error)
    if isinstance(error, raised.ClientAuthenticationError):  # no answer of Azure's own: nobody is logged in
        return AzureLoginNeeded("you are not logged in to Azure", why=str(error)[:400], hint=LOGIN_HINT)
    if isinstance(error, (raised.ServiceRequestError, raised.ServiceResponseError, OSError)):
        return Unreachable("azure cannot be reached", why=f"{what}: {error}"[:400])
    return garbled(what, f"{type(error).__name__}: {error}")


def _of_response(error: Any) -> KarrotsError:
    """The SDK's error as the answer that it was."""
    response = error.response
    said = {"code": getattr(error.error, "code", None) or "", "message": getattr(error.error, "message", "") or ""}
    if not said["code"] and response.status_code not in (401, 403, *BUSY):
        said["message"] = str(error)[:400]
    headers = {str(name).lower(): str(value) for name, value in response.headers.items()}
    request = response.request
    return refusal(Reply(response.status_code, {"error": said}, headers), request.method, request.url)
