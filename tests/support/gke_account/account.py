"""A project of Google Cloud on loopback, as far as karrots asks it.

GKE's answers are made from the SDK's own messages, so that they cannot hold what the real one has no word for. Compute,
Cloud DNS and the others have no model here; their forms are those of their REST references. Whoever asks has to bring a
token that this project gave out for a log-in signed with its key.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from google.auth import jwt
from google.cloud import container_v1

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROJECT = "fleet-dev"
PROJECT_NUMBER = "123456789012"
REGION = "europe-west3"
ZONES = tuple(f"{REGION}-{letter}" for letter in "abc")
HOST = "https://www.googleapis.com/compute/v1/"
MACHINES = {"e2-standard-4": 4, "n2-standard-8": 8, "e2-standard-2": 2}
SCARCE = {"n2-standard-8": ZONES[:1]}
APIS = ("container", "compute", "iam", "dns", "cloudresourcemanager", "serviceusage", "storage")
VERSIONS = {
    "RAPID": ("1.37.1-gke.1000", "1.36.4-gke.1391000"),
    "REGULAR": ("1.36.2-gke.1004000", "1.36.2-gke.1004000", "1.35.6-gke.1020000"),
    "STABLE": ("1.35.5-gke.1000000", "1.34.9-gke.1000000"),
}
QUOTAS = {
    "CPUS": (72, 0), "N2_CPUS": (72, 0), "IN_USE_ADDRESSES": (8, 0), "SSD_TOTAL_GB": (500, 0),
    "PREEMPTIBLE_CPUS": (0, 0),
}  # fmt: skip
GLOBAL_QUOTAS = {"NETWORKS": (15, 1), "SUBNETWORKS": (275, 3), "FIREWALLS": (200, 4)}


@dataclass(frozen=True)
class Asked:
    service: str
    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.service} {self.method} {self.path}"


@dataclass(frozen=True)
class Said:
    status: int
    body: bytes
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


def said(answer: Any, status: int = 200, **headers: str) -> Said:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Said(status, json.dumps(answer).encode(), headers=named)


def refused(status: int, message: str, reason: str = "", *, details: Any = (), **headers: str) -> Said:
    """As all of Google's interfaces refuse."""
    words = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
             409: "ALREADY_EXISTS", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}  # fmt: skip
    error: dict[str, Any] = {"code": status, "message": message, "status": words[status]}
    error |= {"errors": [{"message": message, "domain": "global", "reason": reason}]} if reason else {}
    return said({"error": {**error, **({"details": details} if details else {})}}, status, **headers)


def switched_off(api: str) -> Said:
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED", "domain": "googleapis.com",
        "metadata": {"service": f"{api}.googleapis.com", "consumer": f"projects/{PROJECT_NUMBER}"},
    }  # fmt: skip
    return refused(
        403, f"{api} has not been used in project {PROJECT_NUMBER} before or it is disabled.", details=[info]
    )


class _No(Exception):
    def __init__(self, answer: Said) -> None:
        self.answer = answer


def not_found(what: str) -> _No:
    return _No(refused(404, f"The resource '{what}' was not found", "notFound"))


@dataclass
class Account:
    """`script` is asked first: it gives an answer, or None. `page` is how many things one answer holds at most."""

    public_key: str
    script: Callable[[Asked], Said | None] = field(default=lambda _: None)
    page: int = 100
    lasts: int = 3600
    state: str = "ACTIVE"
    apis: set[str] = field(default_factory=lambda: set(APIS))
    quotas: dict[str, tuple[float, float]] = field(default_factory=lambda: dict(QUOTAS))
    global_quotas: dict[str, tuple[float, float]] = field(default_factory=lambda: dict(GLOBAL_QUOTAS))
    compute: dict[str, dict[str, Any]] = field(default_factory=dict)
    clusters: dict[str, container_v1.Cluster] = field(default_factory=dict)
    zones: dict[str, dict[str, Any]] = field(default_factory=dict)
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    asked: list[Asked] = field(default_factory=list)
    one: threading.RLock = field(default_factory=threading.RLock)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(4_000_000_000_000_000_000))

    # What tests put in and look at

    def make(self, path: str, **fields: Any) -> str:
        """Below the project: `global/networks/x`, `zones/z/disks/y`. Gives the whole path."""
        whole = f"projects/{PROJECT}/{path}"
        own = {"name": path.rpartition("/")[2], "id": str(next(self.numbers)), "selfLink": HOST + whole}
        self.compute[whole] = {**own, **fields}
        return whole

    def cluster(self, name: str, location: str = ZONES[0], **fields: Any) -> container_v1.Cluster:
        number = f"{next(self.numbers):064x}"[::-1]
        made = container_v1.Cluster({"name": name, "location": location, "id": number, "status": "RUNNING", **fields})
        self.clusters[f"projects/{PROJECT}/locations/{location}/clusters/{name}"] = made
        return made

    def managed_zone(self, name: str, domain: str) -> None:
        soa = {"name": f"{domain}.", "type": "SOA", "ttl": 21600, "rrdatas": ["ns.example.com. admin.example.com. 1"]}
        self.zones[name] = {"name": name, "dnsName": f"{domain}.", "rrsets": [soa]}

    def inventory(self) -> dict[str, int]:
        kinds = Counter(path.split("/")[-2] for path in self.compute)
        records = sum(len(zone["rrsets"]) for zone in self.zones.values())
        return {**kinds, "clusters": len(self.clusters), "records": records, "serviceAccounts": len(self.accounts)}

    # What is asked

    def answer(self, asked: Asked, token: str, body: bytes) -> Said:
        with self.one:
            self.asked.append(asked)
            scripted = self.script(asked)
            if scripted is not None:
                return scripted
            if asked.service != "oauth2" and token not in self.tokens:
                return refused(401, "Request had invalid authentication credentials.", "authError")
            try:
                return self._ways[asked.service](self, asked, body)
            except _No as no:
                return no.answer

    def _login(self, asked: Asked, body: bytes) -> Said:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if asked.path == "tokeninfo":
            known = form["access_token"] in self.tokens
            return said({"expires_in": str(self.lasts)}) if known else said({"error": "invalid_token"}, 400)
        try:
            jwt.decode(form["assertion"], certs=self.public_key)
        except ValueError as error:
            return said({"error": "invalid_grant", "error_description": str(error)}, 400)
        token = f"ya29.{next(self.numbers)}"
        self.tokens.add(token)
        return said({"access_token": token, "expires_in": self.lasts, "token_type": "Bearer"})

    def _projects(self, asked: Asked, body: bytes) -> Said:
        if asked.path != f"projects/{PROJECT}":
            raise _No(refused(403, "The caller does not have permission", "forbidden"))
        return said({"projectId": PROJECT, "projectNumber": PROJECT_NUMBER, "lifecycleState": self.state})

    def _services(self, asked: Asked, body: bytes) -> Said:
        there = [{"config": {"name": f"{api}.googleapis.com"}, "state": "ENABLED"} for api in sorted(self.apis)]
        return self._paged(asked, "services", there)

    def _iam(self, asked: Asked, body: bytes) -> Said:
        if asked.method == "DELETE":
            if self.accounts.pop(asked.path, None) is None:
                raise not_found(asked.path)
            return said({})
        return self._paged(asked, "accounts", list(self.accounts.values()))

    def _dns(self, asked: Asked, body: bytes) -> Said:
        _, _, rest = asked.path.partition("/managedZones")
        if not rest:
            shown = [{key: zone[key] for key in ("name", "dnsName")} for zone in self.zones.values()]
            return self._paged(asked, "managedZones", shown)
        _, name, what = rest.split("/")
        zone = self.zones[name]
        if what == "rrsets":
            return self._paged(asked, "rrsets", zone["rrsets"])
        for wanted in json.loads(body)["deletions"]:
            if wanted not in zone["rrsets"]:
                raise _No(refused(404, "The 'entity.change.deletions[0]' resource does not exist.", "notFound"))
            zone["rrsets"].remove(wanted)
        return said({"kind": "dns#change", "status": "pending"})

    def _paged(self, asked: Asked, key: str, things: list[Any]) -> Said:
        start = int(asked.query.get("pageToken", "0"))
        more = {"nextPageToken": str(start + self.page)} if len(things) > start + self.page else {}
        return said({key: things[start : start + self.page], **more})

    # GKE

    def _container(self, asked: Asked, body: bytes) -> Said:
        if match := re.fullmatch(r"projects/[^/]+/locations/[^/]+/serverConfig", asked.path):
            return _message(_server_config())
        if match := re.fullmatch(r"(projects/[^/]+)/locations/-/clusters", asked.path):
            mine = [it for path, it in self.clusters.items() if path.startswith(f"{match[1]}/")]
            return _message(container_v1.ListClustersResponse({"clusters": mine}))
        if asked.path not in self.clusters:
            raise _No(refused(404, f"Not found: {asked.path}."))
        return self._end(asked.path)

    def _end(self, path: str) -> Said:
        """With the machines and firewall rules that GKE made itself."""
        gone = self.clusters.pop(path)
        digits = f"gke-{gone.name}-{gone.id[:8]}-"
        groups = {"projects/" + url.partition("projects/")[2] for pool in gone.node_pools
                  for url in pool.instance_group_urls}  # fmt: skip
        for group in groups:
            self._drop_group(group)
        for rule in [it for it in self.compute if it.rpartition("/")[2].startswith(digits)]:
            del self.compute[rule]
        return _message(container_v1.Operation({"name": "operation-1", "status": "RUNNING"}))

    def _drop_group(self, path: str) -> None:
        self.compute.pop(path, None)
        prefix = path.rpartition("/")[2].removesuffix("-grp")
        for it in [it for it in self.compute if it.rpartition("/")[2].startswith(f"{prefix}-")]:
            del self.compute[it]

    # Compute

    def _compute(self, asked: Asked, body: bytes) -> Said:
        inside = asked.path.removeprefix(f"projects/{PROJECT}").removeprefix("/")
        if asked.path.split("/")[1] != PROJECT:
            raise not_found(asked.path)
        if asked.method == "DELETE":
            return self._delete(asked.path)
        if not inside:
            return said({"name": PROJECT, "quotas": _quotas(self.global_quotas)})
        if inside == "regions":
            return self._paged(asked, "items", self._regions())
        if match := re.fullmatch(r"zones/([^/]+)/machineTypes/([^/]+)", inside):
            return self._machine(match[1], match[2], asked.path)
        if match := re.fullmatch(r"aggregated/([^/]+)", inside):
            return self._aggregated(asked, match[1])
        if match := re.fullmatch(r"global/([^/]+)", inside):
            prefix = f"projects/{PROJECT}/global/{match[1]}/"
            return self._paged(asked, "items", [it for path, it in self.compute.items() if path.startswith(prefix)])
        if asked.path not in self.compute:
            raise not_found(asked.path)
        return said(self.compute[asked.path])

    def _regions(self) -> list[dict[str, Any]]:
        own = {"name": REGION, "status": "UP", "zones": [f"{HOST}projects/{PROJECT}/zones/{zone}" for zone in ZONES]}
        other = {"name": "europe-west4", "status": "DOWN", "zones": [], "quotas": []}
        return [{**own, "quotas": _quotas(self.quotas)}, other]

    def _machine(self, zone: str, size: str, path: str) -> Said:
        if zone not in SCARCE.get(size, ZONES) or size not in MACHINES:
            raise not_found(path)
        return said({"name": size, "guestCpus": MACHINES[size], "memoryMb": MACHINES[size] * 4096, "zone": zone})

    def _aggregated(self, asked: Asked, collection: str) -> Said:
        """By place; a place with nothing says so with a warning."""
        places = ["global", f"regions/{REGION}", *(f"zones/{zone}" for zone in ZONES)]
        start = int(asked.query.get("pageToken", "0"))
        held: dict[str, Any] = {}
        for place in places[start : start + self.page]:
            prefix = f"projects/{PROJECT}/{place}/{collection}/"
            mine = [it for path, it in self.compute.items() if path.startswith(prefix)]
            held[place] = {collection: mine} if mine else {"warning": {"code": "NO_RESULTS_ON_PAGE"}}
        more = {"nextPageToken": str(start + self.page)} if len(places) > start + self.page else {}
        return said({"items": held, **more})

    def _delete(self, path: str) -> Said:
        if path not in self.compute:
            raise not_found(path)
        user = next((other for other, it in self.compute.items() if other != path and _uses(it, path)), None)
        if user is not None:
            message = f"The resource '{path}' is already being used by '{user}'"
            raise _No(refused(400, message, "resourceInUseByAnotherResource"))
        collection, name = path.split("/")[-2:]
        gone = self.compute.pop(path)
        if collection == "instanceGroupManagers":
            self._drop_group(f"{path}")
        for disk in gone.get("disks") or ():
            self.compute.pop("projects/" + disk["source"].partition("projects/")[2], None)
        return said({"kind": "compute#operation", "name": f"operation-{name}", "status": "RUNNING"})

    _ways: dict[str, Callable[[Account, Asked, bytes], Said]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        kind = type(self)
        self._ways = {
            "oauth2": kind._login, "resourcemanager": kind._projects, "serviceusage": kind._services, "iam": kind._iam,
            "dns": kind._dns, "container": kind._container, "compute": kind._compute,
        }  # fmt: skip


def _uses(thing: dict[str, Any], path: str) -> bool:
    """A target pool lets its machines go, and a snapshot its disk."""
    free = {"selfLink", "instances", "metadata", "sourceDisk"}
    kept = {key: value for key, value in thing.items() if key not in free}
    return f'{HOST}{path}"' in json.dumps(kept)


def _quotas(known: dict[str, tuple[float, float]]) -> list[dict[str, Any]]:
    return [{"metric": metric, "limit": most, "usage": used} for metric, (most, used) in known.items()]


def _server_config() -> container_v1.ServerConfig:
    return container_v1.ServerConfig({
        "channels": [
            {"channel": channel, "default_version": versions[0], "valid_versions": versions}
            for channel, versions in VERSIONS.items()
        ]
    })  # fmt: skip


def _message(message: Any) -> Said:
    text = type(message).to_json(message, preserving_proto_field_name=False, use_integers_for_enums=False)
    return Said(200, text.encode())


def asked_of(method: str, target: str) -> Asked:
    """GKE's client knows its own paths and takes no prefix; the others are below their names."""
    path, _, query = target.partition("?")
    named = re.match(r"/(oauth2|resourcemanager|serviceusage|iam|dns|compute)/(?:dns/|compute/)?(?:v1/)?(.*)", path)
    values = {name: texts[0] for name, texts in parse_qs(query).items()}
    if named:
        return Asked(named[1], method, unquote(named[2]), values)
    return Asked("container", method, unquote(path.removeprefix("/v1/")), values)
