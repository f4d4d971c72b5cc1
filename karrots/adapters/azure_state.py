"""The blob container that Terraform states are kept in, by Azure's REST interfaces; azure_login logs in.

A lock there is the lease of the state's blob, which every storage account knows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from karrots.adapters import azure_login, rest
from karrots.adapters.azure import MANAGEMENT, endpoint
from karrots.adapters.process import shell_line
from karrots.adapters.state_bucket import Fact
from karrots.errors import Failed, LoginNeeded

API = "api-version=2023-05-01"
BLOBS = "2023-11-03"
LOGIN = "az login"
TOKENS = {"management": f"{MANAGEMENT}/.default", "storage": "https://storage.azure.com/.default"}


@dataclass(frozen=True)
class BlobContainer:
    """`hosts` are other addresses of `management` and `storage`, with tokens of their own, for servers on loopback."""

    subscription: str
    group: str
    account: str
    container: str
    hosts: dict[str, str] = field(default_factory=dict)
    tenant: str = ""

    @property
    def place(self) -> str:
        return f"https://{self.account}.blob.core.windows.net/{self.container}"

    def facts(self, *, thorough: bool) -> tuple[Fact, ...]:  # noqa: ARG002  (a lease needs no trial)
        account = self._manage("GET", "")
        if account.status != 200:
            return (self._not_there("storage account", account, self._making()),)
        container = self._manage("GET", f"/blobServices/default/containers/{self.container}")
        if container.status != 200:
            return (self._not_there("container", container, self._container()),)
        location = account.body.get("location", "?")
        there = Fact("container", ok=True, found=f"{self.place} in {location}")
        encrypted = Fact("encryption", ok=True, found="always, by Azure")
        return (there, self._versioning(), self._closed(account.body), encrypted)

    def mend(self, what: str) -> None:
        """The storage account itself is made by hand: who may use it is decided with it."""
        if what == "container":
            self._do("PUT", f"/blobServices/default/containers/{self.container}", {"properties": {}})
        elif what == "versioning":
            self._do("PUT", "/blobServices/default", {"properties": {"isVersioningEnabled": True}})
        else:
            self._do("PATCH", "", {"properties": {"allowBlobPublicAccess": False}})

    def holds(self, key: str) -> bool:
        found = self._blob("HEAD", key)
        if found.status not in {200, 404}:
            raise self._failed(found)
        return found.status == 200

    def remove(self, key: str) -> None:
        done = self._blob("DELETE", key)
        if done.status not in {202, 404}:
            raise self._failed(done)

    # Inside

    def _not_there(self, what: str, reply: rest.Reply, command: str) -> Fact:
        if reply.status == 404:
            mending = "it is made, closed to the public" if what == "container" else ""
            return Fact(
                what, ok=False, found=f"{self.place}: the {what} does not exist", command=command, mending=mending
            )
        if reply.status != 403:
            raise self._failed(reply)
        no = f"{self.place}: the {what} is not ours, or this login may not use it"
        return Fact(what, ok=False, found=no, command="choose another one in karrots.yaml")

    def _versioning(self) -> Fact:
        service = self._manage("GET", "/blobServices/default")
        if service.status != 200:
            raise self._failed(service)
        ok = bool((service.body.get("properties") or {}).get("isVersioningEnabled"))
        command = self._az("account", "blob-service-properties", "update", "--enable-versioning", "true")
        return self._fact("versioning", "on" if ok else "off", command, "versions are kept from now on", ok=ok)

    def _closed(self, account: Any) -> Fact:
        ok = (account.get("properties") or {}).get("allowBlobPublicAccess") is False
        command = self._az("account", "update", "--allow-blob-public-access", "false")
        found = "not allowed" if ok else "allowed"
        return self._fact("public access", found, command, "public access is not allowed any more", ok=ok)

    def _fact(self, what: str, found: str, command: str, mending: str, *, ok: bool) -> Fact:
        return (
            Fact(what, ok=True, found=found)
            if ok
            else Fact(what, ok=False, found=found, command=command, mending=mending)
        )

    def _making(self) -> str:
        made = self._az("account", "create", "--allow-blob-public-access", "false", "--min-tls-version", "TLS1_2")
        versions = self._az("account", "blob-service-properties", "update", "--enable-versioning", "true")
        return f"{made}\n{versions}\n{self._container()}"

    def _container(self) -> str:
        where = ["--account-name", self.account, "--auth-mode", "login"]
        return shell_line(["az", "storage", "container", "create", "--name", self.container, *where])

    def _az(self, noun: str, *words: str) -> str:
        name = "--account-name" if "blob-service-properties" in words else "--name"
        where = ["--resource-group", self.group, name, self.account, "--subscription", self.subscription]
        at = next((i for i, word in enumerate(words) if word.startswith("--")), len(words))
        return shell_line(["az", "storage", noun, *words[:at], *where, *words[at:]])

    def _manage(self, method: str, path: str, document: Any = None) -> rest.Reply:
        group = f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
        account = f"{group}/providers/Microsoft.Storage/storageAccounts/{self.account}"
        return self._ask("management", method, f"{endpoint()}{account}{path}?{API}", document)

    def _blob(self, method: str, key: str) -> rest.Reply:
        return self._ask("storage", method, f"{self.place}/{key}", None)

    def _do(self, method: str, path: str, document: Any) -> None:
        done = self._manage(method, path, document)
        if done.status not in {200, 201}:
            raise self._failed(done)

    def _ask(self, kind: str, method: str, url: str, document: Any) -> rest.Reply:
        if kind in self.hosts:
            url = f"{self.hosts[kind]}/{url.split('/', 3)[3]}"
        version = {"x-ms-version": BLOBS} if kind == "storage" else {}
        reply = rest.ask("azure", method, url, self._token(kind), document, version)
        if reply.status == 401:
            raise LoginNeeded("Azure does not take this login", why=reply.why, hint=LOGIN)
        return reply

    def _failed(self, reply: rest.Reply) -> Failed:
        return Failed(f"the container {self.place} does not answer as it should", why=reply.why, hint="karrots doctor")

    def _token(self, kind: str) -> str:
        if kind in self.hosts:
            return ""
        return azure_login.token(self._credential, TOKENS[kind]).text

    @cached_property
    def _credential(self) -> Any:
        return azure_login.chosen(self.tenant).credential()
