"""From the root Kustomization that karrots makes through all that content adds, at any depth."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from karrots.lint.build import Build, Object, build, outside
from karrots.lint.finding import Finding
from karrots.lint.tree import inside
from karrots.spec.identity import CONFIG_MAP, NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from karrots.lint.tree import Tree

FLUX_FOLDER = "flux"
SYNC_NAME = "flux-system"
KUSTOMIZE_GROUP = "kustomize.toolkit.fluxcd.io"
SOURCE_GROUP = "source.toolkit.fluxcd.io"
HELM_GROUP = "helm.toolkit.fluxcd.io"


@dataclass
class Scope:
    """One Flux Kustomization and what it builds; `owner` is None for the root, which karrots makes itself."""

    owner: Object | None
    build: Build

    @property
    def is_root(self) -> bool:
        return self.owner is None

    def namespace_of(self, each: Object) -> str:
        """A Kustomization's targetNamespace wins over what the manifest and its kustomizations say."""
        target = self.owner.spec("targetNamespace") if self.owner else None
        return target if isinstance(target, str) and target else each.namespace

    @cached_property
    def inline_values(self) -> dict[str, str]:
        """Names that the Kustomization gives values itself."""
        values = self.owner.spec("postBuild", "substitute") if self.owner else None
        return {str(name): str(value) for name, value in values.items()} if isinstance(values, dict) else {}

    @property
    def inline(self) -> set[str]:
        return set(self.inline_values)

    @cached_property
    def sources(self) -> list[tuple[str, str]]:
        """Kind and name of each substituteFrom."""
        if self.owner is None:
            return [("ConfigMap", CONFIG_MAP)]
        listed = self.owner.spec("postBuild", "substituteFrom")
        entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
        return [(str(entry.get("kind")), str(entry.get("name"))) for entry in entries]

    @property
    def names_identity(self) -> bool:
        return ("ConfigMap", CONFIG_MAP) in self.sources

    @property
    def substitutes(self) -> bool:
        """Without any variable Flux leaves every `${…}` as it stands."""
        always = self.owner is not None and self.owner.spec("postBuild", "substituteStrategy") == "Always"
        return bool(self.inline or self.sources or always)


@dataclass
class Walk:
    """`files` are those of the directory, by path below it."""

    scopes: list[Scope] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    files: Mapping[str, bytes] = field(default_factory=dict)


def walk(tree: Tree, *, every_way: bool = False) -> Walk:
    """`every_way` as in `build`."""
    result = Walk(files=tree.files)
    if FLUX_FOLDER not in tree.folders:
        message = f"there is no '{FLUX_FOLDER}/', so Flux has nothing to apply"
        result.findings.append(Finding(FLUX_FOLDER, 1, "missing-path", "error", "", message))
        return result
    builds: dict[tuple[str, ...], Build] = {}
    pending: list[tuple[Object | None, str]] = [(None, FLUX_FOLDER)]
    seen: set[tuple[str, str, str]] = set()
    while pending:
        owner, folder = pending.pop(0)
        folders = (folder, *_components(tree, owner, folder))
        if folders not in builds:
            builds[folders] = build(tree, folders, every_way=every_way)
        scope = Scope(owner, builds[folders])
        result.scopes.append(scope)
        for child in _kustomizations(scope.build.objects):
            target = _target(tree, child, result.findings)
            key = (child.namespace, child.name, target or "")
            if target is not None and key not in seen:
                seen.add(key)
                pending.append((child, target))
    result.findings += [finding for each in builds.values() for finding in each.findings]
    result.findings += [finding for each in builds.values() for finding in _charts(tree, each.objects)]
    return result


def _kustomizations(objects: Iterable[Object]) -> list[Object]:
    found = (each for each in objects if each.kind == "Kustomization" and each.group == KUSTOMIZE_GROUP)
    return [each for each in found if not is_sync(each)]


def is_sync(found: Object) -> bool:
    """A sync object as `flux bootstrap` commits it; the root Kustomization's patches drop it."""
    if found.name != SYNC_NAME or found.namespace != NAMESPACE:
        return False
    return (found.kind, found.group) in (("GitRepository", SOURCE_GROUP), ("Kustomization", KUSTOMIZE_GROUP))


def _components(tree: Tree, owner: Object | None, folder: str) -> list[str]:
    """Folders that spec.components adds, relative to spec.path."""
    listed = owner.spec("components") if owner else None
    paths = [inside(posixpath.join(folder, str(each))) for each in listed] if isinstance(listed, list) else []
    return [path for path in paths if path is not None and path in tree.folders]


def _target(tree: Tree, owner: Object, findings: list[Finding]) -> str | None:
    """The folder a Kustomization builds; None when it is not in this directory."""
    path = owner.spec("path") or "./"
    if not _from_fleet(owner.spec("sourceRef"), owner) or not isinstance(path, str) or "${" in path:
        return None
    return _folder(tree, owner, path, ("spec", "path"), findings)


def _folder(tree: Tree, owner: Object, path: str, at: tuple[str, ...], findings: list[Finding]) -> str | None:
    target = tree.from_repository(path)
    line = owner.line(*at)
    if target is None:
        findings.append(outside(tree, owner.path, line, owner.label, path))
    elif target not in tree.folders:
        message = f"names the folder '{path}', which does not exist"
        findings.append(Finding(owner.path, line, "missing-path", "error", owner.label, message))
        return None
    return target


def _from_fleet(source: Any, owner: Object) -> bool:
    """Whether the source is the fleet repository, under the name karrots gives it."""
    if not isinstance(source, dict) or source.get("kind") != "GitRepository" or source.get("name") != SYNC_NAME:
        return False
    return (source.get("namespace") or owner.namespace) == NAMESPACE


def _charts(tree: Tree, objects: Iterable[Object]) -> list[Finding]:
    findings: list[Finding] = []
    for release in objects:
        if release.kind != "HelmRelease" or release.group != HELM_GROUP:
            continue
        chart = release.spec("chart", "spec", "chart")
        source = release.spec("chart", "spec", "sourceRef")
        if isinstance(chart, str) and "${" not in chart and _from_fleet(source, release):
            _folder(tree, release, chart, ("spec", "chart", "spec", "chart"), findings)
    return findings
