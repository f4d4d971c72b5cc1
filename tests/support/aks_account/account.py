"""A subscription of Azure in memory, and what Resource Manager says of it: its documents, errors and long operations.

What it answers has the names of Azure's published REST interfaces; AKS's are read by Microsoft's own SDK in the tests.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
TENANT = "00000000-0000-4000-8000-00000000000a"
PERSON = "00000000-0000-4000-8000-00000000000c"
REGION = "westeurope"
HOME = f"/subscriptions/{SUBSCRIPTION}"
MANAGEMENT = "https://management.azure.com"
AKS = "6dae42f8-4368-4678-94ff-3960e28e3630"
HEADER = "of-a-test"
CA = "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n"
CA_DATA = base64.b64encode(CA.encode()).decode()
PAGE = 7
# What is deleted at once, everything else in its own time.
AT_ONCE = ("microsoft.managedidentity", "microsoft.authorization", "microsoft.network/dnszones")
PROVIDERS = ("Compute", "ContainerService", "ManagedIdentity", "Network", "Storage", "Authorization")

Document = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Said:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def said(document: Any, status: int = 200, **headers: str) -> Said:
    return Said(status, json.dumps(document).encode(), {name.replace("_", "-"): it for name, it in headers.items()})


def refused(code: str, status: int = 400, message: str = "by the test", **headers: str) -> Said:
    return said({"error": {"code": code, "message": message}}, status, **headers)


def denied(action: str) -> Said:
    message = f"The client 'x' does not have authorization to perform action '{action}'"
    return refused("AuthorizationFailed", 403, message)


def usage(name: str, used: int, most: int) -> Document:
    return {"name": {"value": name, "localizedValue": name}, "currentValue": used, "limit": most, "unit": "Count"}


def size(name: str, family: str, cores: int, zones: str = "123", **more: Any) -> Document:
    return {
        "resourceType": "virtualMachines", "name": name, "family": family, "locations": [REGION],
        "locationInfo": [{"location": REGION, "zones": list(zones)}],
        "capabilities": [{"name": "vCPUs", "value": str(cores)}], "restrictions": [], **more,
    }  # fmt: skip


def role(*actions: str, without: Iterable[str] = ()) -> Document:
    return {"actions": list(actions), "notActions": list(without), "dataActions": [], "notDataActions": []}


@dataclass
class Account:
    """`script` is asked first: it gives an answer, or None to let the account answer.

    `polls` is how often a long operation says that it still goes on. `kept` are all resources by id in small letters.
    """

    url: str = ""
    logged_in: bool = True
    polls: int = 2
    token_seconds: int = 3600
    script: Callable[[Asked], Said | None] = field(default=lambda _: None)
    asked: list[Asked] = field(default_factory=list)
    kept: dict[str, Document] = field(default_factory=dict)
    groups: dict[str, Document] = field(default_factory=dict)
    state: str = "Enabled"
    tenant: str = TENANT
    registered: dict[str, bool] = field(default_factory=lambda: {f"Microsoft.{it}": True for it in PROVIDERS})
    roles: list[Document] = field(default_factory=lambda: [role("*")])
    sizes: list[Document] = field(
        default_factory=lambda: [
            size("Standard_D4s_v5", "standardDSv5Family", 4),
            size("Standard_D2s_v5", "standardDSv5Family", 2, "12"),
            size("Standard_F1s", "standardFSFamily", 1),
        ]
    )
    compute: list[Document] = field(
        default_factory=lambda: [
            usage("cores", 10, 100),
            usage("lowPriorityCores", 0, 100),
            usage("standardDSv5Family", 4, 100),
        ]
    )
    network: list[Document] = field(
        default_factory=lambda: [
            usage("VirtualNetworks", 1, 1000),
            usage("NatGateways", 0, 100),
            usage("IPv4StandardSkuPublicIpAddresses", 1, 20),
        ]
    )
    versions: list[Document] = field(
        default_factory=lambda: [
            {"version": "1.36", "isDefault": True, "capabilities": {"supportPlan": ["KubernetesOfficial"]}},
            {"version": "1.35", "capabilities": {"supportPlan": ["KubernetesOfficial", "AKSLongTermSupport"]}},
            {"version": "1.31", "capabilities": {"supportPlan": ["AKSLongTermSupport"]}},
            {"version": "1.37", "isPreview": True},
        ]
    )
    operations: dict[str, tuple[int, Callable[[], None]]] = field(default_factory=dict)
    aks_places: list[str] = field(default_factory=lambda: ["West Europe", "East US"])
    locked: set[str] = field(default_factory=set)
    ghosts: list[Document] = field(default_factory=list)
    one: threading.RLock = field(default_factory=threading.RLock)

    # What is there

    def put(self, key: str, **document: Any) -> str:
        """A resource of the type that its id says; gives the id."""
        parts = key.rsplit("/providers/", maxsplit=1)[-1].split("/")
        kind = "/".join([parts[0], *parts[1::2]])
        made = {"id": key, "name": parts[-1], "type": kind, "location": REGION, **document}
        self.kept[key.lower()] = made
        return key

    def group(self, name: str, **document: Any) -> str:
        key = f"{HOME}/resourceGroups/{name}"
        kind = "Microsoft.Resources/resourceGroups"
        self.groups[name.lower()] = {
            "id": key, "name": name, "type": kind, "location": REGION,
            "properties": {"provisioningState": "Succeeded"}, **document,
        }  # fmt: skip
        return key

    def of_kind(self, kind: str) -> list[Document]:
        return [it for it in self.kept.values() if it["type"].lower() == kind.lower()]

    # Answering

    def answer(self, method: str, target: str, headers: dict[str, str]) -> Said:
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        asked = Asked(method, unquote(url.path), query, {name.lower(): it for name, it in headers.items()})
        with self.one:
            if url.path == "/msi/token":
                return self._token(asked)
            self.asked.append(asked)
            return self.script(asked) or self._unfit(asked) or self._found(asked)

    def _token(self, asked: Asked) -> Said:
        """As a managed identity of App Service is given one."""
        if not self.logged_in or asked.headers.get("x-identity-header") != HEADER:
            return said({"error": "invalid_request", "error_description": "no identity"}, 400)
        now = int(time.time())
        claims = {"aud": asked.query["resource"], "tid": TENANT, "oid": PERSON, "upn": "ada@example.com",
                  "exp": now + self.token_seconds}  # fmt: skip
        text = jwt(claims)
        ends = str(now + self.token_seconds)
        return said({"access_token": text, "expires_on": ends, "resource": claims["aud"], "token_type": "Bearer"})

    def _unfit(self, asked: Asked) -> Said | None:
        scheme, _, token = asked.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or claims_of(token).get("aud", "").rstrip("/") != MANAGEMENT:
            return refused("AuthenticationFailed", 401, "there is no token, or it is for something else")
        if not re.fullmatch(r"20\d\d-\d\d-\d\d", asked.query.get("api-version", "")):
            return refused("MissingApiVersionParameter", 400)
        if not asked.path.lower().startswith(HOME.lower()):
            return refused("SubscriptionNotFound", 404)
        return None

    def _found(self, asked: Asked) -> Said:
        path = asked.path[len(HOME) :]
        for pattern, answer in ROUTES:
            match = re.fullmatch(pattern, path, re.IGNORECASE)
            if match:
                return answer(self, asked, *match.groups())
        return self._resource(asked)

    def _resource(self, asked: Asked) -> Said:
        key = asked.path.lower()
        found = self.kept.get(key)
        if found is None:
            status = 204 if asked.method == "DELETE" else 404
            return refused("ResourceNotFound", status) if status == 404 else Said(204, b"")
        if asked.method == "GET":
            return said(found)
        if asked.method == "DELETE":
            return self._delete(asked, found)
        return refused("MethodNotAllowed", 405)

    def _delete(self, asked: Asked, found: Document) -> Said:
        if asked.path.lower() in self.locked:
            return refused("ScopeLocked", 409)
        if asked.headers.get("if-match", found.get("etag")) != found.get("etag"):
            return refused("PreconditionFailed", 412)
        key = asked.path.lower()
        if found["type"].lower().startswith(AT_ONCE):
            self._forget(key)
            return Said(200, b"")
        return self._begin(lambda: self._forget(key), found["type"].partition("/")[0])

    def _forget(self, key: str) -> None:
        for each in [it for it in self.kept if it == key or it.startswith(f"{key}/")]:
            del self.kept[each]

    def _begin(self, act: Callable[[], None], namespace: str = "") -> Said:
        """With a document that says how far it is; groups of resources have nothing but a status for that."""
        number = str(uuid.uuid4())
        self.operations[number] = (self.polls, act)
        place = f"{self.url}{HOME}/providers/{namespace}/locations/{REGION}"
        link = f"{place}/operations/{number}?api-version=2024-05-01"
        plain = f"{self.url}{HOME}/operationresults/{number}?api-version=2021-04-01"
        headers = {"Retry_After": "0", "Location": plain}
        return said(None, 202, **({**headers, "Azure_AsyncOperation": link} if namespace else headers))

    def _goes_on(self, number: str) -> bool:
        """One look at an operation; what it is for happens when it ends."""
        left, act = self.operations[number]
        self.operations[number] = (left - 1, act)
        if left == 0:
            act()
        return left > 0

    def operation(self, asked: Asked, number: str) -> Said:
        status = "InProgress" if self._goes_on(number) else "Succeeded"
        return said({"name": number, "status": status}, 200, Retry_After="0")

    def operation_result(self, asked: Asked, number: str) -> Said:
        if self._goes_on(number):
            return said(None, 202, Retry_After="0", Location=f"{self.url}{asked.path}?api-version=2021-04-01")
        return Said(200, b"")

    def listed(self, asked: Asked, found: Iterable[Document]) -> Said:
        """In pages, each with a link to the next."""
        rows = list(found)
        start = int(asked.query.get("$skiptoken", "0"))
        answer: Document = {"value": rows[start : start + PAGE]}
        if start + PAGE < len(rows):
            query = urlencode({**asked.query, "$skiptoken": str(start + PAGE)})
            answer["nextLink"] = f"{self.url}{asked.path}?{query}"
        return said(answer)

    # One of each question

    def subscription(self, asked: Asked) -> Said:
        return said(
            {"subscriptionId": SUBSCRIPTION, "displayName": "fleet", "tenantId": self.tenant, "state": self.state}
        )

    def locations(self, asked: Asked) -> Said:
        names = {"westeurope": "Physical", "westus": "Physical", "europe": "Logical"}
        return self.listed(asked, [{"name": it, "metadata": {"regionType": kind}} for it, kind in names.items()])

    def providers(self, asked: Asked) -> Said:
        rows = [{"namespace": it, "registrationState": "Registered" if yes else "NotRegistered"}
                for it, yes in self.registered.items()]  # fmt: skip
        clusters = {"resourceType": "managedClusters", "locations": self.aks_places}
        types = {"Microsoft.ContainerService": [{"resourceType": "locations"}, clusters]}
        return self.listed(asked, [{**row, "resourceTypes": types.get(str(row["namespace"]), [])} for row in rows])

    def permissions(self, asked: Asked) -> Said:
        return self.listed(asked, self.roles)

    def skus(self, asked: Asked) -> Said:
        assert asked.query["$filter"] == f"location eq '{REGION}'"
        return self.listed(asked, [{"resourceType": "disks", "name": "Premium_LRS"}, *self.sizes])

    def usages(self, asked: Asked, kind: str) -> Said:
        return self.listed(asked, self.compute if kind.lower() == "compute" else self.network)

    def kubernetes_versions(self, asked: Asked) -> Said:
        return said({"values": self.versions})

    def resources(self, asked: Asked) -> Said:
        return self.listed(asked, filter(_by_tag(asked), [*self._top_level(), *self.ghosts]))

    def _top_level(self) -> Iterator[Document]:
        """Record sets, credentials and roles are not in Resource Manager's lists."""
        for found in self.kept.values():
            if found["type"].count("/") == 1 and not found["type"].startswith("Microsoft.Authorization"):
                yield {name: it for name, it in found.items() if name not in ("properties", "etag")}

    def resource_groups(self, asked: Asked) -> Said:
        return self.listed(asked, filter(_by_tag(asked), self.groups.values()))

    def resource_group(self, asked: Asked, name: str) -> Said:
        found = self.groups.get(name.lower())
        if found is None:
            return refused("ResourceGroupNotFound", 404)
        if asked.method == "GET":
            return said(found)
        if asked.path.lower() in self.locked:
            return refused("ScopeLocked", 409)
        return self._begin(lambda: self._forget_group(name))

    def _forget_group(self, name: str) -> None:
        """With what is in it, clusters' own groups, and the roles at all of that."""
        self.groups.pop(name.lower(), None)
        prefix = f"{HOME}/resourceGroups/{name}".lower()
        for found in [it for key, it in self.kept.items() if key.startswith(f"{prefix}/")]:
            if found["type"] == "Microsoft.ContainerService/managedClusters":
                self._forget_group(found["properties"]["nodeResourceGroup"])
            self._forget(found["id"].lower())
        for key, found in list(self.kept.items()):
            if str((found.get("properties") or {}).get("scope", "")).lower().startswith(f"{prefix}/"):
                self._forget(key)

    def in_group(self, asked: Asked, name: str) -> Said:
        if name.lower() not in self.groups:
            return refused("ResourceGroupNotFound", 404)
        prefix = f"{HOME}/resourceGroups/{name}/".lower()
        return self.listed(asked, [it for it in self._top_level() if it["id"].lower().startswith(prefix)])

    def of_type(self, asked: Asked, kind: str) -> Said:
        return self.listed(asked, self.of_kind(kind))

    def children(self, asked: Asked, parent: str, kind: str) -> Said:
        """Parts of a resource, of one kind or of all."""
        prefix = f"{HOME}{parent}/".lower()
        if f"{HOME}{parent}".lower() not in self.kept:
            return refused("ParentResourceNotFound", 404)
        wanted = "" if kind.lower() == "recordsets" else f"{kind.lower()}/"
        found = [it for key, it in self.kept.items() if key.startswith(prefix + wanted)]
        return self.listed(asked, [it for it in found if not it["type"].startswith("Microsoft.Authorization")])

    def cluster(self, asked: Asked, group: str, name: str) -> Said:
        key = asked.path.lower()
        found = self.kept.get(key)
        if found is None or asked.method == "GET":
            return self._resource(asked)
        node_group = found["properties"]["nodeResourceGroup"]

        def end() -> None:
            self._forget_group(node_group)
            self._forget(key)

        return self._begin(end, "Microsoft.ContainerService")

    def credential(self, asked: Asked, group: str, name: str) -> Said:
        found = self.kept.get(
            f"{HOME}/resourceGroups/{group}/providers/Microsoft.ContainerService/managedClusters/{name}".lower()
        )
        if found is None:
            return refused("ResourceNotFound", 404)
        server = f"https://{found['properties']['fqdn']}:443"
        text = json.dumps(
            {"clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": CA_DATA}}]}
        )
        return said({"kubeconfigs": [{"name": "clusterUser", "value": base64.b64encode(text.encode()).decode()}]})


def _by_tag(asked: Asked) -> Callable[[Document], bool]:
    match = re.fullmatch(r"tagName eq '(.*)' and tagValue eq '(.*)'", asked.query.get("$filter", ""))
    return lambda it: match is None or (it.get("tags") or {}).get(match[1]) == match[2]


def jwt(claims: Document) -> str:
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "x"])


def claims_of(token: str) -> Document:
    try:
        body = token.split(".")[1]
        return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))
    except (IndexError, ValueError):
        return {}


CONTAINER = "/providers/Microsoft.ContainerService"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
ROUTES: list[tuple[str, Callable[..., Said]]] = [
    ("", Account.subscription),
    ("/locations", Account.locations),
    ("/providers", Account.providers),
    ("/resources", Account.resources),
    ("/resourceGroups", Account.resource_groups),
    ("/resourceGroups/([^/]+)", Account.resource_group),
    ("/resourceGroups/([^/]+)/resources", Account.in_group),
    ("/operationresults/([^/]+)", Account.operation_result),
    (r"/providers/Microsoft\.\w+/locations/[^/]+/operations/([^/]+)", Account.operation),
    ("/providers/Microsoft.Authorization/permissions", Account.permissions),
    ("/providers/(Microsoft.Authorization/roleAssignments)", Account.of_type),
    ("/providers/Microsoft.Compute/skus", Account.skus),
    ("/providers/Microsoft.(Compute|Network)/locations/[^/]+/usages", Account.usages),
    ("/providers/(Microsoft.Network/dnsZones)", Account.of_type),
    (f"/providers/({IDENTITY})", Account.of_type),
    ("/providers/(Microsoft.ContainerService/managedClusters)", Account.of_type),
    (f"{CONTAINER}/locations/[^/]+/kubernetesVersions", Account.kubernetes_versions),
    (f"/resourceGroups/([^/]+){CONTAINER}/managedClusters/([^/]+)", Account.cluster),
    (f"/resourceGroups/([^/]+){CONTAINER}/managedClusters/([^/]+)/listClusterUserCredential", Account.credential),
    (f"(/resourceGroups/[^/]+{CONTAINER}/managedClusters/[^/]+)/(agentPools)", Account.children),
    (f"(/resourceGroups/[^/]+/providers/{IDENTITY}/[^/]+)/(federatedIdentityCredentials)", Account.children),
    ("(/resourceGroups/[^/]+/providers/Microsoft.Network/dnsZones/[^/]+)/(recordsets)", Account.children),
]
