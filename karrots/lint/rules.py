"""The rules. Each looks at the walk and says what Flux, or a branch, would stumble over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots.lint.finding import Finding
from karrots.lint.order import order
from karrots.lint.served import served
from karrots.lint.tree import Tree
from karrots.lint.walk import Scope, Walk, is_sync, walk
from karrots.spec.flux_components import is_component
from karrots.spec.identity import CONFIG_MAP, NAMESPACE
from karrots.spec.suggest import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from karrots.lint.build import Object, Text


def lint(files: Mapping[str, bytes], directory: str, variables: Iterable[str], kubernetes: str = "") -> list[Finding]:
    """All findings, sorted by place.

    `files` are those of one cluster directory by path below it, `directory` its path in the repository, `variables` the
    names of identity and content variables, `kubernetes` the version that serves it, '' for any.
    """
    tree = Tree(files, directory)
    walked = walk(tree)
    known = frozenset(variables)
    findings = [*walked.findings, *tree.broken.values(), *_sync_objects(walked), *_components(walked)]
    findings += served(_objects(walked), tree.files, kubernetes)
    defined = _defined(walked)
    for scope in walked.scopes:
        findings += _scope(scope, known, defined)
    return sorted({*findings, *order(walked)})


def _objects(walked: Walk) -> list[Object]:
    """Each once, whoever builds it; Flux's own components are karrots' business."""
    found = {(each.path, each.line()): each for scope in walked.scopes for each in scope.build.objects}
    return [each for each in found.values() if not is_component(each.value)]


@dataclass(frozen=True)
class Gap:
    """A Kustomization whose manifests use identity that it does not name."""

    owner: Object
    names: tuple[str, ...]


def gaps(walked: Walk, known: frozenset[str]) -> list[Gap]:
    defined = _defined(walked)
    found = (_gap(scope, known, defined) for scope in walked.scopes)
    return [gap for gap in found if gap]


def _gap(scope: Scope, known: frozenset[str], defined: Mapping[str, set[str]]) -> Gap | None:
    if scope.owner is None or scope.names_identity:
        return None
    given, _ = _given(scope, known, defined)
    names = sorted({text.use.name for text in scope.build.texts} & known - given)
    return Gap(scope.owner, tuple(names)) if names else None


def _defined(walked: Walk) -> dict[str, set[str]]:
    """Keys of each ConfigMap in the directory, by its name."""
    result: dict[str, set[str]] = {}
    for scope in walked.scopes:
        for each in scope.build.objects:
            data = each.value.get("data")
            if each.kind == "ConfigMap" and isinstance(data, dict):
                result.setdefault(each.name, set()).update(data)
    return result


def _given(scope: Scope, known: frozenset[str], defined: Mapping[str, set[str]]) -> tuple[set[str], bool]:
    """Names that have a value in this scope, and whether there may be more that only the cluster knows."""
    given, more = set(scope.inline), False
    for kind, name in scope.sources:
        if (kind, name) == ("ConfigMap", CONFIG_MAP):
            given |= known
        elif kind == "ConfigMap" and name in defined:
            given |= defined[name]
        else:
            more = True
    return given, more


def _scope(scope: Scope, known: frozenset[str], defined: Mapping[str, set[str]]) -> list[Finding]:
    findings = [*_missing_identity(scope, known, defined), *_identity_elsewhere(scope)]
    given, more = _given(scope, known, defined)
    for text in scope.build.texts:
        finding = _text(scope, text, known, given, more=more)
        if finding:
            findings.append(finding)
    return findings


def _missing_identity(scope: Scope, known: frozenset[str], defined: Mapping[str, set[str]]) -> list[Finding]:
    gap = _gap(scope, known, defined)
    if gap is None:
        return []
    owner = gap.owner
    names = ", ".join(f"${{{name}}}" for name in gap.names)
    message = f"its manifests use {names}, but its postBuild.substituteFrom does not name ConfigMap '{CONFIG_MAP}'"
    line = owner.line("spec", "postBuild")
    return [Finding(owner.path, line, "missing-identity", "error", owner.label, message, "karrots lint --fix")]


def _identity_elsewhere(scope: Scope) -> list[Finding]:
    """Flux looks beside the Kustomization, because substituteFrom has no namespace of its own."""
    owner = scope.owner
    if owner is None or not scope.names_identity or owner.namespace == NAMESPACE:
        return []
    where = f"namespace '{owner.namespace}'" if owner.namespace else "no namespace"
    message = (
        f"names ConfigMap '{CONFIG_MAP}' but stands in {where}; Flux looks for it there, and it is in '{NAMESPACE}'"
    )
    hint = f"move the Kustomization to namespace {NAMESPACE} and set targetNamespace"
    return [Finding(owner.path, owner.line("metadata"), "identity-namespace", "error", owner.label, message, hint)]


def _text(scope: Scope, text: Text, known: frozenset[str], given: set[str], *, more: bool) -> Finding | None:
    use = text.use
    if not scope.substitutes:
        return _nearly_known(scope, text, known)
    if not use.name:
        message = f"'{use.text}' is not a variable Flux can read; write '$${use.text[1:]}' to keep it as text"
        return Finding(text.path, text.line, "bad-substitution", "error", text.object, message)
    if use.has_default or more or use.name in given | known:
        return None
    message = f"nobody defines '${{{use.name}}}'{suggestion(use.name, known | given)}"
    hint = "add it to variables in cluster.yaml, or write $${…} to keep it as text"
    return Finding(text.path, text.line, "unknown-variable", "error", text.object, message, hint)


def _nearly_known(scope: Scope, text: Text, known: frozenset[str]) -> Finding | None:
    """Nothing is substituted here, so `${…}` of scripts is fine; a slip of a known name is not."""
    near = suggestion(text.use.name, known) if text.use.name and text.use.name not in known else ""
    if not near or scope.owner is None:
        return None
    message = f"'${{{text.use.name}}}' stays as it is{near}"
    return Finding(text.path, text.line, "unknown-variable", "warning", text.object, message)


def _sync_objects(walked: Walk) -> list[Finding]:
    message = "is ignored: karrots makes this object itself, on the cluster's own branch"
    return [
        Finding(each.path, each.line(), "sync-object", "warning", each.label, message, "delete it from the repository")
        for scope in walked.scopes
        for each in scope.build.objects
        if is_sync(each)
    ]


def _components(walked: Walk) -> list[Finding]:
    """One for each file: it holds dozens."""
    message = "is ignored by Flux: karrots applies Flux's components itself, before there is a Flux"
    hint = "take it out of the kustomization; karrots finds it where it is"
    paths = {each.path: each for scope in walked.scopes for each in scope.build.objects if is_component(each.value)}
    return [Finding(path, 1, "flux-components", "warning", "", message, hint) for path in paths]
