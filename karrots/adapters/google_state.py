"""The Cloud Storage bucket that Terraform states are kept in, by its JSON interface, with the log-in of the door.

A lock there is an object that is made on the condition that there is none, which every bucket can.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

from karrots.adapters import rest
from karrots.adapters.google import Google
from karrots.adapters.process import shell_line
from karrots.adapters.state_bucket import Fact
from karrots.errors import Failed, LoginNeeded

LOGIN = "gcloud auth application-default login"
EMULATOR = "STORAGE_EMULATOR_HOST"  # of Google's own clients, which then do not log in
PROBE = "karrots/lock-probe-"
FIT: dict[str, dict[str, Any]] = {
    "versioning": {"versioning": {"enabled": True}},
    "public access": {
        "iamConfiguration": {"publicAccessPrevention": "enforced", "uniformBucketLevelAccess": {"enabled": True}}
    },
}
FLAGS = {
    "versioning": ["--versioning"],
    "public access": ["--public-access-prevention", "--uniform-bucket-level-access"],
}
MENDING = {"versioning": "versions are kept from now on", "public access": "public access is prevented"}


@dataclass(frozen=True)
class GcsBucket:
    """`project` must own it; `location` is where it is made."""

    name: str
    project: str
    location: str

    @property
    def place(self) -> str:
        return f"gs://{self.name}"

    def facts(self, *, thorough: bool) -> tuple[Fact, ...]:
        found = self._ask("GET", f"/b/{self.name}", {"projection": "noAcl"})
        if found.status != 200:
            return (self._not_there(found),)
        there = [Fact("bucket", ok=True, found=f"{self.place} in {found.body.get('location', '?')}".lower())]
        there += [self._setting(what, found.body) for what in FIT]
        there.append(Fact("encryption", ok=True, found="always, by Google"))
        return tuple([*there, self._lock()] if thorough else there)

    def mend(self, what: str) -> None:
        if what == "bucket":
            made = {"name": self.name, "location": self.location, **FIT["versioning"], **FIT["public access"]}
            self._do("POST", "/b", {"project": self.project}, made)
        else:
            self._do("PATCH", f"/b/{self.name}", {}, FIT[what])

    def holds(self, key: str) -> bool:
        found = self._ask("GET", self._object(key))
        if found.status not in {200, 404}:
            raise self._failed(found)
        return found.status == 200

    def remove(self, key: str) -> None:
        done = self._ask("DELETE", self._object(key))
        if done.status not in {200, 204, 404}:
            raise self._failed(done)

    # Inside

    def _not_there(self, found: rest.Reply) -> Fact:
        if found.status == 404:
            flags = [flag for kind in FLAGS for flag in FLAGS[kind] if kind != "versioning"]
            words = ["create", self.place, "--project", self.project, "--location", self.location, *flags]
            command = f"{self._command(words)}\n{self._command(['update', self.place, *FLAGS['versioning']])}"
            mending = "it is made, with versions and closed to the public"
            return Fact("bucket", ok=False, found=f"{self.place} does not exist", command=command, mending=mending)
        if found.status != 403:
            raise self._failed(found)
        no = f"{self.place} is not ours, or this login may not use it"
        return Fact("bucket", ok=False, found=no, command="choose another bucket in karrots.yaml")

    def _setting(self, what: str, settings: Any) -> Fact:
        if _holds(settings, FIT[what]):
            return Fact(what, ok=True, found="on")
        command = self._command(["update", self.place, *FLAGS[what]])
        return Fact(what, ok=False, found="off", command=command, mending=MENDING[what])

    def _lock(self) -> Fact:
        """Tried with an object that is deleted again."""
        name = PROBE + secrets.token_hex(8)
        query = {"uploadType": "media", "name": name, "ifGenerationMatch": "0"}
        tries = [self._ask("POST", f"/b/{self.name}/o", query, {}, upload=True).status for _ in range(2)]
        gone = self._ask("DELETE", self._object(name)).status
        if tries == [200, 412] and gone in {200, 204}:
            return Fact("lock", ok=True, found="possible")
        found = f"an object could not be made once and deleted: {tries[0]}, {tries[1]}, {gone}"
        return Fact("lock", ok=False, found=found, command=f"allow it to this login, for {self.place}")

    def _object(self, key: str) -> str:
        return f"/b/{self.name}/o/{quote(key, safe='')}"

    def _command(self, words: list[str]) -> str:
        return shell_line(["gcloud", "storage", "buckets", *words])

    def _do(self, method: str, path: str, query: dict[str, str], document: Any) -> None:
        done = self._ask(method, path, query, document)
        if done.status != 200:
            raise self._failed(done)

    def _ask(
        self, method: str, path: str, query: dict[str, str] | None = None, document: Any = None, *, upload: bool = False
    ) -> rest.Reply:
        base = f"{_host()}{'/upload' if upload else ''}/storage/v1"
        reply = rest.ask("google", method, f"{base}{path}?{urlencode(query or {})}", self._token, document)
        if reply.status == 401:
            raise LoginNeeded("Google does not take this login", why=reply.why, hint=LOGIN)
        return reply

    def _failed(self, reply: rest.Reply) -> Failed:
        return Failed(f"the bucket {self.place} does not answer as it should", why=reply.why, hint="karrots doctor")

    @cached_property
    def _token(self) -> str:
        if EMULATOR in os.environ:
            return ""
        google = Google(self.project)
        if google.is_renewed:
            google.log_in()
        return str(google.credentials.token)


def _host() -> str:
    host = os.environ.get(EMULATOR, "https://storage.googleapis.com")
    return host if "://" in host else f"http://{host}"


def _holds(settings: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(settings, dict) and all(_holds(settings.get(name), value) for name, value in wanted.items())
    return bool(settings == wanted)
