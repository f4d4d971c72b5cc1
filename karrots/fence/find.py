"""The walk: everything in a cluster directory that would act on the outside world in a copy, with its reason.

It sees what content shows, at any depth of Kustomizations. What charts make is seen when it is admitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from karrots.fence import literals
from karrots.fence.kinds import (
    DNS_WRITER,
    GIT_WRITERS,
    LABEL,
    MAKERS,
    SWITCHES,
    WORKLOADS,
    Hold,
)
from karrots.fence.selection import Decisions, words_for
from karrots.lint.walk import is_sync
from karrots.spec.flux_components import is_component

if TYPE_CHECKING:
    from collections.abc import Iterator

    from karrots.lint.build import Object
    from karrots.lint.walk import Scope, Walk

MOST_NAMED = 3


@dataclass(frozen=True, order=True)
class Find:
    """`path` is below the cluster directory, '' for what only the cluster knows; `hold` is how a copy's fence holds it.

    `nothing` holds what cannot be held: it is an error before a copy is made.
    """

    kind: str
    namespace: str
    name: str
    path: str
    line: int
    reason: str
    hold: Hold

    @property
    def label(self) -> str:
        return "/".join(filter(None, (self.kind, self.namespace, self.name)))


@dataclass(frozen=True)
class Owner:
    """A cluster that a copy is not: what bears its domain or account is its own."""

    name: str
    domain: str
    account: str = ""


@dataclass(frozen=True)
class Sought:
    """`variables` are content's own; `addresses` are ranges that copies do not reach; `domain` is the copy's own."""

    variables: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[Owner, ...] = ()
    addresses: tuple[str, ...] = ()
    decisions: Decisions = field(default_factory=Decisions)
    domain: str = ""


def find(walked: Walk, sought: Sought) -> list[Find]:
    """Sorted, each once."""
    found: set[Find] = set()
    patterns = literals.Patterns.of(sought.variables, sought.owners, sought.addresses)
    for scope in walked.scopes:
        for each in scope.build.objects:
            if not is_sync(each):
                found.update(_finds(each, scope, sought, patterns))
    return sorted(found)


def namespaces(walked: Walk) -> list[str]:
    """Those that content makes itself, as far as their names are known before anything is substituted."""
    objects = (each for scope in walked.scopes for each in scope.build.objects)
    return sorted({each.name for each in objects if each.kind == "Namespace" and "${" not in each.name})


def _finds(each: Object, scope: Scope, sought: Sought, patterns: literals.Patterns) -> Iterator[Find]:
    namespace = scope.namespace_of(each)
    for reason, hold in acts(each.kind, each.group, namespace, each.value, sought):
        yield Find(each.kind, namespace, each.name, each.path, each.line(), reason, hold)
    if is_component(each.value):
        return
    for what, texts in patterns.of_object(each.kind, each.value).items():
        named = ", ".join(f"'{text}'" for text in texts[:MOST_NAMED]) + (" …" if len(texts) > MOST_NAMED else "")
        reason = what.reason.format(named)
        yield Find(each.kind, namespace, each.name, each.path, each.line(), reason, what.hold)


def acts(kind: str, group: str, namespace: str, value: Mapping[str, Any], sought: Sought) -> Iterator[tuple[str, Hold]]:
    """Why an object acts by itself, by its kind or by what it runs, and how it is held."""
    for maker in MAKERS:
        if (maker.kind.name, maker.kind.group) == (kind, group):
            yield maker.reason, "denied"
    for switch in SWITCHES:
        if (switch.kind.name, switch.kind.group) == (kind, group) and switch.kind not in _MAKING:
            yield switch.reason, "suspended"
    runs = runs_outside(value, sought.domain) if kind in (*WORKLOADS, "Job") else ""
    if not runs and kind in WORKLOADS and _is_named(value, kind, namespace, sought.decisions):
        runs = "somebody said that it is closed"
    if runs:
        yield runs, "suspended" if kind == "Job" else "not started"


_MAKING = {maker.kind for maker in MAKERS}


def _is_named(value: Mapping[str, Any], kind: str, namespace: str, decisions: Decisions) -> bool:
    name = str(_group(value, "metadata").get("name"))
    return bool(decisions.closed_by_name.intersection(words_for(kind, namespace, name)))


def runs_outside(value: Mapping[str, Any], domain: str) -> str:
    """Why the pods of a workload act on the outside world; '' when nothing says so."""
    template = _group(_group(value, "spec"), "template")
    labels = [_group(_group(part, "metadata"), "labels").get(LABEL) for part in (value, template)]
    said = next((label for label in labels if label is not None), None)
    if said is not None:
        return f"its label {LABEL} says that it acts outside: {said}"
    for container in _list(_group(template, "spec").get("containers")):
        program = _program(container)
        if program in GIT_WRITERS:
            return f"{program} commits to git as the parent's does"
        if program == DNS_WRITER and not _keeps_to(container, domain):
            return "external-dns is not kept to the cluster's own sub-domain by --domain-filter"
    return ""


def _program(container: Any) -> str:
    image = str(container.get("image", "")) if isinstance(container, dict) else ""
    return image.rpartition("/")[2].partition("@")[0].partition(":")[0]


def _keeps_to(container: Any, domain: str) -> bool:
    args = [str(arg) for arg in _list(container.get("args"))]
    filters = [arg.removeprefix("--domain-filter=") for arg in args if arg.startswith("--domain-filter=")]
    own = tuple(part for part in ("${cluster_domain}", domain) if part)
    return bool(filters) and all(each in own or each.endswith(tuple(f".{part}" for part in own)) for each in filters)


def _group(value: Any, key: str) -> Mapping[str, Any]:
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
