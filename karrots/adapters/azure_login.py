"""Who is logged in to Azure: in the ways, the order and the variables of Terraform's azurerm provider.

So karrots and Terraform are never two different people. A variable may also have the name that Azure's SDKs know it by
(AZURE_CLIENT_ID for ARM_CLIENT_ID); Terraform is then given its own. azure-identity is imported when it is used.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karrots.adapters.azure_errors import LOGIN_HINT, AzureExtraMissing, AzureLoginNeeded, told_apart
from karrots.adapters.tokens import Token
from karrots.effects import effect

if TYPE_CHECKING:
    from collections.abc import Callable

# Terraform's variables by the name that the SDKs have for them.
NAMES = {
    "ARM_TENANT_ID": "AZURE_TENANT_ID",
    "ARM_CLIENT_ID": "AZURE_CLIENT_ID",
    "ARM_CLIENT_SECRET": "AZURE_CLIENT_SECRET",
    "ARM_CLIENT_CERTIFICATE_PATH": "AZURE_CLIENT_CERTIFICATE_PATH",
    "ARM_CLIENT_CERTIFICATE_PASSWORD": "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "ARM_OIDC_TOKEN_FILE_PATH": "AZURE_FEDERATED_TOKEN_FILE",
}
AZ_SECONDS = 30  # it begins slowly where it was not used for a while


@dataclass(frozen=True)
class Login:
    """One way to log in. `renewed`: without our doing, for as long as anybody wants."""

    way: str
    renewed: bool
    make: Callable[[], Any]

    def credential(self) -> Any:
        """The SDK's own. Raises AzureExtraMissing, and AzureLoginNeeded where something of it is not set."""
        logging.getLogger("azure").addHandler(logging.NullHandler())  # what it warns of is in its errors too
        try:
            return self.make()
        except ImportError as error:
            raise AzureExtraMissing from error
        except (ValueError, OSError) as error:
            raise AzureLoginNeeded("you are not logged in to Azure", why=str(error), hint=LOGIN_HINT) from error


def chosen(tenant: str = "") -> Login:
    """As the environment says; else whoever is logged in with `az`. `tenant` where no variable names one."""
    tenant = _set("ARM_TENANT_ID") or tenant
    client = _set("ARM_CLIENT_ID")
    if _set("ARM_CLIENT_CERTIFICATE_PATH"):
        return Login("a certificate", renewed=True, make=partial(_certificate, tenant, client))
    if _set("ARM_CLIENT_SECRET"):
        return Login("a client secret", renewed=True, make=partial(_secret, tenant, client))
    if _set("ARM_OIDC_TOKEN_FILE_PATH") or _set("ARM_OIDC_TOKEN"):
        renewed = not _set("ARM_OIDC_TOKEN")  # a file is written anew by whoever put it there
        return Login("a federated token", renewed=renewed, make=partial(_federated, tenant, client))
    if _set("ARM_USE_MSI").lower() == "true":
        return Login("a managed identity", renewed=True, make=partial(_managed, client))
    return Login("az login", renewed=True, make=partial(_az, tenant))


def _set(name: str) -> str:
    return os.environ.get(name) or os.environ.get(NAMES.get(name, ""), "")


def _certificate(tenant: str, client: str) -> Any:
    from azure.identity import CertificateCredential

    password = _set("ARM_CLIENT_CERTIFICATE_PASSWORD") or None
    return CertificateCredential(tenant, client, _set("ARM_CLIENT_CERTIFICATE_PATH"), password=password)


def _secret(tenant: str, client: str) -> Any:
    from azure.identity import ClientSecretCredential

    return ClientSecretCredential(tenant, client, _set("ARM_CLIENT_SECRET"))


def _federated(tenant: str, client: str) -> Any:
    from azure.identity import ClientAssertionCredential

    def assertion() -> str:
        given = _set("ARM_OIDC_TOKEN")
        return given or Path(_set("ARM_OIDC_TOKEN_FILE_PATH")).read_text("utf-8").strip()

    return ClientAssertionCredential(tenant, client, assertion)


def _managed(client: str) -> Any:
    from azure.identity import ManagedIdentityCredential

    return ManagedIdentityCredential(client_id=client or None)


def _az(tenant: str) -> Any:
    from azure.identity import AzureCliCredential

    return AzureCliCredential(tenant_id=tenant, process_timeout=AZ_SECONDS)


def token(credential: Any, scope: str) -> Token:
    """A new one. Raises AzureLoginNeeded."""
    try:
        with effect("azure", f"token for {scope}", whole=False):
            found = credential.get_token(scope)
    except Exception as error:
        raise told_apart(error, "log-in") from error
    return Token(str(found.token), float(found.expires_on))


def environment(subscription: str, tenant: str) -> dict[str, str]:
    """For Terraform: what the fleet says of whom to ask, and the log-in by Terraform's names.

    A subscription is the cluster's for good; a tenant that the person has set counts before the fleet's.
    """
    found = {name: _set(name) for name in NAMES if _set(name)}
    found |= {"ARM_SUBSCRIPTION_ID": subscription} if subscription else {}
    if tenant and "ARM_TENANT_ID" not in found:
        found["ARM_TENANT_ID"] = tenant
    if "ARM_OIDC_TOKEN_FILE_PATH" in found or _set("ARM_OIDC_TOKEN"):
        found["ARM_USE_OIDC"] = "true"
    return found
