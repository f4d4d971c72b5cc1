"""Orders that cannot work: Kustomizations, or HelmReleases, that wait for each other or for what is not there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from karrots.lint.finding import Finding
from karrots.lint.walk import HELM_GROUP, KUSTOMIZE_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from karrots.lint.build import Object
    from karrots.lint.walk import Walk

GROUPS = {"Kustomization": KUSTOMIZE_GROUP, "HelmRelease": HELM_GROUP}
LOOP = "dependency-loop"
MISSING = "missing-dependency"


def order(walked: Walk) -> list[Finding]:
    """A loop is an error. What is not in the directory may be made by something else, and is a warning."""
    graph = Graph.of(walked)
    return [*map(graph.of_loop, graph.loops()), *graph.missing()]


@dataclass(frozen=True)
class Graph:
    """Who waits for whom, by kind, namespace and name, of what is known before anything is substituted."""

    objects: dict[tuple[str, str, str], Object] = field(default_factory=dict)

    @classmethod
    def of(cls, walked: Walk) -> Graph:
        found = (each for scope in walked.scopes for each in scope.build.objects)
        return cls({key(each): each for each in found if GROUPS.get(each.kind) == each.group})

    def waits_for(self, waiting: tuple[str, str, str]) -> list[tuple[str, str, str]]:
        return [target for target, _ in _depends(self.objects[waiting])] if waiting in self.objects else []

    def loops(self) -> list[tuple[tuple[str, str, str], ...]]:
        """Each once, from its first name on; depth first, without recursion, as content is of any depth."""
        found: dict[frozenset[tuple[str, str, str]], tuple[tuple[str, str, str], ...]] = {}
        done: set[tuple[str, str, str]] = set()
        for start in sorted(self.objects):
            path: list[tuple[str, str, str]] = []
            pending = [(start, 0)]
            while pending:
                at, depth = pending.pop()
                del path[depth:]
                if at in path:
                    loop = path[path.index(at) :]
                    first = loop.index(min(loop))
                    found.setdefault(frozenset(loop), (*loop[first:], *loop[:first]))
                elif at not in done:
                    done.add(at)
                    path.append(at)
                    pending += [(target, depth + 1) for target in reversed(self.waits_for(at))]
        return [found[names] for names in sorted(found, key=sorted)]

    def of_loop(self, loop: tuple[tuple[str, str, str], ...]) -> Finding:
        first = self.objects[loop[0]]
        names = " → ".join(_name(each) for each in (*loop, loop[0]))
        message = f"waits for itself, so it never becomes Ready: {names}"
        return Finding(first.path, _line(first), LOOP, "error", first.label, message, "take one of these dependsOn out")

    def missing(self) -> Iterator[Finding]:
        for waiting in self.objects.values():
            for number, (target, plain) in enumerate(_depends(waiting)):
                if plain and target not in self.objects:
                    message = f"waits for {_name(target)}, which this directory does not have"
                    line = waiting.line("spec", "dependsOn", number)
                    hint = "name one that is there, or take this dependsOn out"
                    yield Finding(waiting.path, line, MISSING, "warning", waiting.label, message, hint)


def key(each: Object) -> tuple[str, str, str]:
    return each.kind, each.namespace, each.name


def _depends(waiting: Object) -> list[tuple[tuple[str, str, str], bool]]:
    """Whom it waits for, and whether that name is known as it stands."""
    listed = waiting.spec("dependsOn")
    entries = [entry if isinstance(entry, dict) else {} for entry in listed] if isinstance(listed, list) else []
    named = [(str(e.get("namespace") or waiting.namespace), str(e.get("name", ""))) for e in entries]
    return [((waiting.kind, *name), "${" not in "".join(name)) for name in named]


def _name(target: tuple[str, str, str]) -> str:
    kind, namespace, name = target
    return f"{kind}/{namespace}/{name}" if namespace else f"{kind}/{name}"


def _line(waiting: Object) -> int:
    return waiting.line("spec", "dependsOn")
