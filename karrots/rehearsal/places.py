"""Where things stand in a cluster directory: file and line of Flux's objects, of what they build, and of kinds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from karrots.lint.walk import FLUX_FOLDER, SYNC_NAME
from karrots.spec.identity import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from karrots.lint import Finding
    from karrots.lint.build import Object
    from karrots.lint.walk import Scope, Walk

Key = tuple[str, str, str]
NOWHERE = ("", 0)
CRD = "CustomResourceDefinition"


@dataclass(frozen=True)
class Places:
    """One directory as it was walked, with what lint says of it."""

    directory: str
    walked: Walk
    findings: Sequence[Finding]
    _objects: dict[Key, tuple[Object, Scope]] = field(default_factory=dict)
    _owned: dict[tuple[str, str], Scope] = field(default_factory=dict)

    @classmethod
    def of(cls, directory: str, walked: Walk, findings: Sequence[Finding]) -> Places:
        made = cls(directory, walked, findings)
        for scope in walked.scopes:
            owner = scope.owner
            made._owned[(owner.namespace, owner.name) if owner else (NAMESPACE, SYNC_NAME)] = scope
            for each in scope.build.objects:
                made._objects.setdefault((each.kind, scope.namespace_of(each), each.name), (each, scope))
        return made

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """Also one whose namespace nobody has said, which Flux or the API server fills in."""
        found = self._objects.get((kind, namespace, name)) or self._objects.get((kind, "", name))
        return found[0] if found else None

    def place(self, kind: str, namespace: str, name: str) -> tuple[str, int]:
        found = self.find(kind, namespace, name)
        return (found.path, found.line()) if found else NOWHERE

    def scope(self, namespace: str, name: str) -> Scope | None:
        """What the Kustomization of that name builds."""
        return self._owned.get((namespace, name))

    def owner_place(self, scope: Scope, *at: str) -> tuple[str, int]:
        """Where the Kustomization itself stands; the root's is the folder's own file."""
        if scope.owner is None:
            return f"{FLUX_FOLDER}/kustomization.yaml", 1
        return scope.owner.path, scope.owner.line(*at)

    def errors_of(self, namespace: str, name: str) -> list[Finding]:
        """What lint found in what the Kustomization of that name builds, and on itself; first what breaks the rest."""
        owned, own = self.scope(namespace, name), self.find("Kustomization", namespace, name)
        wrong = [each for each in self.findings if each.severity == "error"]
        return [
            each
            for each in wrong
            if (own is not None and (each.path, each.object) == (own.path, own.label))
            or (owned is not None and self._builder(each.path) is owned and not self._is_an_owner(each))
        ]

    def _is_an_owner(self, finding: Finding) -> bool:
        kind, _, name = finding.object.partition("/")
        return kind == "Kustomization" and any(owner == name for _, owner in self._owned)

    def _builder(self, path: str) -> Scope | None:
        """The scope of the deepest folder that the file is in."""
        found = [scope for scope in self.walked.scopes if path.startswith(self.folder(scope))]
        return max(found, key=lambda scope: len(self.folder(scope)), default=None)

    def folder(self, scope: Scope) -> str:
        """Below the cluster directory, with its last slash."""
        path = scope.owner.spec("path") if scope.owner else None
        if not isinstance(path, str):
            return f"{FLUX_FOLDER}/"
        return path.removeprefix("./").strip("/").removeprefix(f"{self.directory}/") + "/"

    def kinds(self) -> dict[tuple[str, str], tuple[Object, Scope]]:
        """Group and kind to the definition in the directory that brings it."""
        found = {}
        for each, scope in self.everything():
            names = each.spec("names")
            if each.kind == CRD and isinstance(names, dict):
                found[str(each.spec("group")), str(names.get("kind"))] = (each, scope)
        return found

    def everything(self) -> Iterator[tuple[Object, Scope]]:
        for scope in self.walked.scopes:
            for each in scope.build.objects:
                yield each, scope


def owner_label(scope: Scope) -> str:
    owner = scope.owner
    return f"Kustomization/{owner.namespace}/{owner.name}" if owner else f"Kustomization/{NAMESPACE}/{SYNC_NAME}"
