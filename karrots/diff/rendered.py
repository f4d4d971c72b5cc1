"""The rendered level: every Flux Kustomization of a cluster directory built as Flux builds it, as items.

The walk is lint's own. An item's digest is of the text it is written in and of all that is done to it, so what two
sides have the same is never read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from sys import intern
from typing import TYPE_CHECKING, Any

from karrots.diff import heads, kustomize
from karrots.diff.heads import Heads
from karrots.diff.kustomize import CLUSTER_WIDE, Change, Kustomizations
from karrots.diff.model import Item, ObjectKey, Origin, Problem
from karrots.diff.substitute import Values
from karrots.diff.tokens import plain
from karrots.errors import Failed
from karrots.lint.substitution import is_disabled
from karrots.lint.walk import HELM_GROUP, SYNC_NAME, Scope, is_sync, walk
from karrots.spec.flux_components import is_component
from karrots.spec.identity import CONFIG_MAP, IDENTITY_VARIABLES, NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from karrots.lint.build import Layer, Object

    Value = dict[str, Any]

# A HelmRelease and the path of its chart below the cluster directory -> the objects it renders to. Raises KarrotsError.
Template = Callable[[Mapping[str, Any], str], Iterable[Mapping[str, Any]]]


@dataclass(frozen=True)
class Directory:
    """One side's files (paths below `name`, which is clusters/qa or so), identity and content variables.

    `template` renders charts that stand in the repository; without it a HelmRelease is compared as the object it is.
    """

    files: Mapping[str, bytes]
    name: str
    identity: Mapping[str, str]
    variables: Mapping[str, str] = field(default_factory=dict)
    template: Template | None = None

    def items(self, problems: list[Problem]) -> Iterator[Item]:
        """As `Side.items` wants them."""
        yield from _Rendering(self).items(problems)


@dataclass(frozen=True, slots=True)
class _Written:
    """An object of a file, or one that a kustomization file makes (`made`), and all that is done to it."""

    key: ObjectKey
    digests: tuple[bytes, ...]
    found: Object
    changes: tuple[Change, ...]
    values: Values | None
    scope: str
    made: Mapping[str, Any] | None = None

    def value(self) -> Value:
        """Raises KarrotsError where its text does not parse."""
        value = self._base()
        for change in self.changes:
            value = change.apply(value)
        return self._substituted(value)

    def _base(self) -> Value:
        if self.made is not None:
            return dict(self.made)
        value = heads.whole(self.found.document)
        for step in self.found.at:
            value = value[step]
        if not isinstance(value, dict):
            raise Failed(f"{self.found.path}: no object stands there")
        return value

    def _substituted(self, value: Value) -> Value:
        made = self.values.of(value) if self.values is not None else value
        return made if isinstance(made, dict) else value

    def origin(self, path: tuple[str | int, ...] = ()) -> Origin:
        """The last change that made the setting what it is, else the line in the manifest."""
        release = f"{self.key.namespace}/{self.key.name}" if self.found.group == HELM_GROUP else ""
        for change in self._decisive(path):
            return Origin(change.path, change.line, self.scope, release)
        line = heads.line_of(self.found.document, (*self.found.at, *path))
        return Origin(self.found.path, line, self.scope, release)

    def _decisive(self, path: tuple[str | int, ...]) -> Iterator[Change]:
        if not path or not self.changes:
            return
        value, last = self._base(), None
        for change in self.changes:
            made = change.apply(value)
            if _at(made, path) != _at(value, path):
                last = change
            value = made
        if last is not None:
            yield last


def _of(
    found: Object, changes: tuple[Change, ...], values: Values | None, scope: str, made: Mapping[str, Any] | None = None
) -> _Written:
    digest = blake2b(b"\0".join(_parts(found, changes, values, made)), digest_size=16).digest()
    return _Written(_called(found, changes, values), (digest,), found, changes, values, scope, made)


def _called(found: Object, changes: Sequence[Change], values: Values | None) -> ObjectKey:
    value: Value = {"kind": found.kind, "metadata": dict(found.value.get("metadata") or {})}
    for change in changes:
        if change.said.startswith(("namespace", "name ")):
            value = change.apply(value)
    metadata = value["metadata"]
    name, namespace = str(metadata.get("name", "")), str(metadata.get("namespace") or "")
    if values is not None:
        name, namespace = values.text(name), values.text(namespace)
    namespace = "" if found.kind in CLUSTER_WIDE else intern(plain(namespace))
    return ObjectKey(intern(found.group), intern(found.kind), namespace, plain(name))


def _parts(
    found: Object, changes: Sequence[Change], values: Values | None, made: Mapping[str, Any] | None
) -> Iterator[bytes]:
    """All that the object is made of."""
    document = found.document
    if made is not None:
        yield repr(made).encode()
    elif isinstance(document, heads.Head):
        yield document.chunk.digest
        yield repr(found.at).encode()
    for change in changes:
        yield change.said.encode()
    if values is not None:
        used = made is not None or (isinstance(document, heads.Head) and document.chunk.substitutes)
        yield values.digest if used or any("${" in change.said for change in changes) else b"substituted"


def _at(value: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        if isinstance(value, dict):
            value = value.get(str(step))
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


@dataclass(frozen=True)
class _Templated:
    """An object of a chart; its lines are the chart's, so it is located by its release."""

    key: ObjectKey
    rendered: Mapping[str, Any]
    release: Origin

    @property
    def digests(self) -> tuple[bytes, ...]:
        return (blake2b(repr(self.rendered).encode(), digest_size=16).digest(),)

    def value(self) -> Mapping[str, Any]:
        return self.rendered

    def origin(self, path: tuple[str | int, ...] = ()) -> Origin:  # noqa: ARG002
        return self.release


class _Rendering:
    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self.tree = Heads(directory.files, directory.name)
        self.kustomizations = Kustomizations(self.tree)
        self.walked = walk(self.tree, every_way=True)

    def items(self, problems: list[Problem]) -> Iterator[Item]:
        for scope in self.walked.scopes:
            yield from self._scope(scope, problems)
        problems += [Problem("", each.message, each.path, each.line) for each in self._troubles()]

    def _troubles(self) -> Iterator[kustomize.Trouble]:
        for finding in [*self.walked.findings, *self.tree.broken.values()]:
            label = f"{finding.object}: " if finding.object else ""
            yield kustomize.Trouble(finding.path, finding.line, f"{label}{finding.message}")
        yield from self.kustomizations.troubles

    def _scope(self, scope: Scope, problems: list[Problem]) -> Iterator[Item]:
        label = _label(scope)
        values = self._values(scope)
        outermost = tuple(self._flux_changes(scope))
        written = [each for each in self._written(scope, outermost, values, label) if not self._is_dropped(scope, each)]
        for each in _merged(written):
            yield each
            if each.found.group == HELM_GROUP and self.directory.template is not None:
                yield from self._templated(each, self.directory.template, problems)

    def _is_dropped(self, scope: Scope, each: _Written) -> bool:
        """What a patch takes away: the root's own patches, and those of content."""
        if any(change.said.startswith(kustomize.DELETED) for change in each.changes):
            return True
        return scope.is_root and (is_component(each.found.value) or is_sync(each.found))

    def _written(
        self, scope: Scope, outermost: tuple[Change, ...], values: Values | None, label: str
    ) -> Iterator[_Written]:
        chains: dict[tuple[int, ...], list[Change]] = {}
        for found in scope.build.objects:
            disabled = is_disabled(found.value.get("metadata"))
            changes = tuple(self._concerning(found, chains, outermost))
            yield _of(found, changes, None if disabled else values, label)
        for through in scope.build.layers:
            for value, path, line in kustomize.generated(self.tree, through[-1]):
                yield self._generated(through, value, path, line, outermost, values, label)

    def _generated(
        self, through: tuple[Layer, ...], value: Value, path: str, line: int, outermost: tuple[Change, ...],
        values: Values | None, label: str,
    ) -> _Written:  # fmt: skip
        from karrots.lint.build import Object as Found

        layer = through[-1]
        behaves = kustomize.behaviour(layer, value["kind"], value["metadata"]["name"])
        metadata = {**value["metadata"], "karrots": behaves} if behaves != "create" else value["metadata"]
        found = Found(path, heads.nothing(path, line), {**value, "metadata": metadata}, (), "", through)
        changes = tuple(self._concerning(found, {}, outermost))
        disabled = is_disabled(value["metadata"])
        return _of(found, changes, None if disabled else values, label, value)

    def _concerning(
        self, found: Object, chains: dict[tuple[int, ...], list[Change]], outermost: tuple[Change, ...]
    ) -> Iterator[Change]:
        """From the innermost kustomization outwards; each sees the object as those before left it."""
        chain = chains.get(tuple(map(id, found.through)))
        if chain is None:
            chain = chains[tuple(map(id, found.through))] = [*self._chain(found.through), *outermost]
        if not chain:
            return
        value: Value = {key: found.value[key] for key in ("apiVersion", "kind") if key in found.value}
        value["metadata"] = dict(found.value.get("metadata") or {})
        for change in chain:
            head = kustomize.head_of(replace(found, value=value), lambda: _whole(found))
            if change.concerns(head):
                yield change
                if change.said.startswith(("namespace", "name ")):
                    value = change.apply(value)

    def _chain(self, through: tuple[Layer, ...]) -> Iterator[Change]:
        came_by: Layer | None = None
        for layer in reversed(through):
            yield from self.kustomizations.of(layer, came_by)
            came_by = layer

    def _flux_changes(self, scope: Scope) -> Iterator[Change]:
        """What a Flux Kustomization adds to the kustomization file it builds."""
        owner = scope.owner
        if owner is None:
            return
        for at, patch in enumerate(owner.spec("patches") or ()):
            if isinstance(patch, dict) and isinstance(patch.get("patch"), str):
                line = heads.line_of(owner.document, (*owner.at, "spec", "patches", at))
                yield from self.kustomizations.patch_changes(patch["patch"], patch.get("target"), owner.path, line)
        said = {key: owner.spec(key) for key in ("namePrefix", "nameSuffix")} | {
            "namespace": owner.spec("targetNamespace")
        }
        yield from kustomize.named_changes(said, owner.path)
        common = owner.spec("commonMetadata") or {}
        numbers: Value = {"images": owner.spec("images")}
        if isinstance(common, dict):
            pairs = common.get("labels")
            numbers |= {"labels": [{"pairs": pairs}] if pairs else None}
        yield from kustomize.other_changes(
            numbers, owner.path, common.get("annotations") if isinstance(common, dict) else None
        )

    def _values(self, scope: Scope) -> Values | None:
        if not scope.substitutes:
            return None
        others: dict[str, str] = {}
        identity: Mapping[str, str] = {}
        for kind, name in scope.sources:
            if (kind, name) == ("ConfigMap", CONFIG_MAP):
                others |= self.directory.variables
                identity = {key: text for key, text in self.directory.identity.items() if key in IDENTITY_VARIABLES}
            elif kind == "ConfigMap":
                others |= self._config_map(name, scope)
        inline = scope.owner.spec("postBuild", "substitute") if scope.owner else None
        if isinstance(inline, dict):
            others |= {key: _word(text) for key, text in inline.items()}
            identity = {key: text for key, text in identity.items() if key not in inline}
        return Values(identity, others)

    def _config_map(self, name: str, scope: Scope) -> dict[str, str]:
        """The data of a ConfigMap that content holds itself."""
        namespace = scope.owner.namespace if scope.owner else NAMESPACE
        for other in self.walked.scopes:
            for found in other.build.objects:
                if (found.kind, found.name) == ("ConfigMap", name) and found.namespace in {"", namespace}:
                    data = _whole(found).get("data")
                    return {key: _word(text) for key, text in data.items()} if isinstance(data, dict) else {}
        return {}

    def _templated(self, release: _Written, template: Template, problems: list[Problem]) -> Iterator[Item]:
        from karrots.errors import KarrotsError

        if release.found.kind != "HelmRelease":
            return
        at = release.origin()
        try:
            value = release.value()
            chart = self._chart(release)
            for each in template(value, chart) if chart else ():
                yield _Templated(_key(each, value), each, Origin(at.path, at.line, at.kustomization, str(release.key)))
        except KarrotsError as error:
            problems.append(Problem("", f"{release.key}: {error.message}", at.path, at.line, error.hint))

    def _chart(self, release: _Written) -> str:
        chart = release.found.spec("chart", "spec", "chart")
        source = release.found.spec("chart", "spec", "sourceRef")
        if not isinstance(chart, str) or not isinstance(source, dict) or source.get("name") != SYNC_NAME:
            return ""
        return self.tree.from_repository(chart) or ""


def _merged(written: Sequence[_Written]) -> Iterator[_Written]:
    """A generator may add to, or replace, what one further in has made."""
    by_key: dict[ObjectKey, int] = {}
    kept: list[_Written] = []
    for each in sorted(written, key=_depth):
        behaves = str((each.found.value.get("metadata") or {}).get("karrots") or "")
        at = by_key.get(each.key) if behaves else None
        if at is not None:
            kept[at] = _combined(kept[at], each, behaves)
        else:
            by_key.setdefault(each.key, len(kept))
            kept.append(each)
    yield from kept


def _depth(each: _Written) -> int:
    behaves = (each.found.value.get("metadata") or {}).get("karrots")
    return 1000 - len(each.found.through) if behaves else 0


def _combined(base: _Written, more: _Written, behaves: str) -> _Written:
    if base.made is None or more.made is None:
        return base
    made = {**base.made, **{key: part for key, part in more.made.items() if key not in {"data", "binaryData"}}}
    for key in ("data", "binaryData"):
        made[key] = {**(base.made.get(key) or {} if behaves == "merge" else {}), **(more.made.get(key) or {})}
    return _of(base.found, base.changes, base.values, base.scope, made)


def _whole(found: Object) -> Value:
    from karrots.errors import KarrotsError

    try:
        value = heads.whole(found.document)
    except KarrotsError:
        return found.value
    for step in found.at:
        value = value[step]
    return value if isinstance(value, dict) else {}


def _key(value: Mapping[str, Any], release: Mapping[str, Any]) -> ObjectKey:
    metadata = value.get("metadata") or {}
    spec = release.get("spec") or {}
    home = spec.get("targetNamespace") or (release.get("metadata") or {}).get("namespace") or ""
    kind = str(value.get("kind", ""))
    namespace = "" if kind in CLUSTER_WIDE else plain(str(metadata.get("namespace") or home))
    return ObjectKey(
        str(value.get("apiVersion", "")).rpartition("/")[0], kind, namespace, plain(str(metadata.get("name", "")))
    )


def _label(scope: Scope) -> str:
    return f"{NAMESPACE}/{SYNC_NAME}" if scope.owner is None else f"{scope.owner.namespace}/{scope.owner.name}"


def _word(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
