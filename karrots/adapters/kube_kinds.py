"""Which kinds an API server has, and all objects of one: for whoever looks at a whole cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from karrots.adapters.kube import group as part
from karrots.adapters.kube import parts, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from karrots.adapters.kube import Kube, Object

# All groups in one answer (https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery).
WHOLE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
WHOLE_KIND = "APIGroupDiscoveryList"


@dataclass(frozen=True, order=True)
class Kind:
    """A kind whose objects can be listed; `versions` with the one that the server prefers first."""

    group: str
    name: str
    plural: str
    namespaced: bool
    versions: tuple[str, ...]

    def path(self, version: str) -> str:
        return f"/apis/{self.group}/{version}/{self.plural}" if self.group else f"/api/{version}/{self.plural}"


def kinds(kube: Kube) -> tuple[list[Kind], list[str]]:
    """All of them, sorted, and the groups whose own servers do not answer."""
    found: dict[tuple[str, str], Kind] = {}
    silent: list[str] = []
    for name, version, resources in _versions(kube):
        if resources is None:
            silent.append(f"{name}/{version}")
            continue
        for plural, kind, namespaced in resources:
            known = found.get((name, plural))
            versions = (*known.versions, version) if known else (version,)
            found[name, plural] = Kind(name, kind, plural, namespaced, versions)
    return sorted(found.values()), silent


Resources = list[tuple[str, str, bool]]


def _versions(kube: Kube) -> Iterator[tuple[str, str, Resources | None]]:
    """Group, version and what can be listed there; None where its server is silent."""
    for root in ("/api", "/apis"):
        answer = kube.get(root, accept=WHOLE) or {}
        if answer.get("kind") == WHOLE_KIND:
            yield from _whole(parts(answer.get("items")))
        elif root == "/api":
            yield "", "v1", _one_by_one(kube, "/api/v1")
        else:
            for each in parts(answer.get("groups")):
                name = text(each.get("name"))
                for version in _preferred_first(each):
                    yield name, version, _one_by_one(kube, f"/apis/{name}/{version}")


def _whole(items: Iterable[Object]) -> Iterator[tuple[str, str, Resources | None]]:
    for each in items:
        name = text(part(each, "metadata").get("name"))
        for version in parts(each.get("versions")):
            stale = version.get("freshness") == "Stale"
            yield name, text(version.get("version")), None if stale else _resources(version)


def _resources(version: Object) -> Resources:
    return [
        (text(each.get("resource")), text(part(each, "responseKind").get("kind")), each.get("scope") == "Namespaced")
        for each in parts(version.get("resources"))
        if _is_listed(each)
    ]


def _one_by_one(kube: Kube, path: str) -> Resources | None:
    """As servers before 1.30 tell it."""
    from karrots.adapters.kube import ApiRefused

    try:
        answer = kube.get(path)
    except ApiRefused:
        return None
    if answer is None:
        return None
    return [
        (text(each.get("name")), text(each.get("kind")), bool(each.get("namespaced")))
        for each in parts(answer.get("resources"))
        if _is_listed(each) and "/" not in text(each.get("name"))
    ]


def _preferred_first(group: Object) -> list[str]:
    preferred = text(part(group, "preferredVersion").get("version"))
    served = [text(each.get("version")) for each in parts(group.get("versions"))]
    return sorted(served, key=lambda version: version != preferred)


def _is_listed(resource: Any) -> bool:
    verbs = resource.get("verbs")
    return isinstance(verbs, list) and {"list", "get"} <= set(map(str, verbs))
