"""What `kustomize build` of a folder is made of: objects, and other texts that end up in them."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from karrots.lint import substitution
from karrots.lint.finding import Finding
from karrots.lint.tree import Tree, inside, is_remote
from karrots.spec.flux_components import is_component

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from karrots.lint.substitution import Path
    from karrots.spec.yaml_file import Document


MAX_DEPTH = 64  # kustomizations
MAX_LAYERS = 10_000


@dataclass(frozen=True)
class Layer:
    """A kustomization file that objects pass through, and `folder` it stands in."""

    file: str
    folder: str
    document: Document


@dataclass(frozen=True, slots=True)
class Object:
    """One Kubernetes object of a manifest; `at` leads to it in a List, `through` are kustomizations, outer first."""

    path: str
    document: Document
    value: dict[str, Any]
    at: Path = ()
    forced_namespace: str = ""
    through: tuple[Layer, ...] = field(default=(), repr=False, compare=False)

    @property
    def kind(self) -> str:
        return str(self.value.get("kind", ""))

    @property
    def group(self) -> str:
        return str(self.value.get("apiVersion", "")).rpartition("/")[0]

    @property
    def name(self) -> str:
        return str(self._metadata.get("name", ""))

    @property
    def namespace(self) -> str:
        return self.forced_namespace or str(self._metadata.get("namespace") or "")

    @property
    def label(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def _metadata(self) -> dict[str, Any]:
        metadata = self.value.get("metadata")
        return metadata if isinstance(metadata, dict) else {}

    def spec(self, *path: str) -> Any:
        """The part of the spec at `path`, None where there is none."""
        value: Any = self.value.get("spec")
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        return value

    def line(self, *path: str | int) -> int:
        return self.document.position((*self.at, *path))[0]


@dataclass(frozen=True)
class Text:
    """A `${…}` that may be substituted, and where it stands."""

    path: str
    line: int
    use: substitution.Use
    object: str


@dataclass(frozen=True)
class Generated:
    """A Secret that kustomize makes of files below the directory, or of what stands in the text itself (`literal`)."""

    path: str
    line: int
    name: str
    namespace: str
    files: tuple[str, ...]
    literal: bool


@dataclass
class Build:
    """`layers` is every kustomization file that was passed through, as a chain, outer first."""

    objects: list[Object] = field(default_factory=list)
    secrets: list[Generated] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    layers: list[tuple[Layer, ...]] = field(default_factory=list)


def build(tree: Tree, folders: Sequence[str], *, every_way: bool = False) -> Build:
    """Everything of these folders, each through its kustomization file when it has one.

    A folder that is named more than once is looked at once, or `every_way` as often as kustomize would build it; the
    texts, which are lint's, are left out then.
    """
    collector = _Collector(tree, every_way=every_way)
    for folder in folders:
        collector.folder(folder, "", ())
    return collector.result


class _Collector:
    def __init__(self, tree: Tree, *, every_way: bool) -> None:
        self.tree = tree
        self.every_way = every_way
        self.result = Build()
        self.entered: set[str] = set()

    def folder(self, folder: str, namespace: str, through: tuple[Layer, ...]) -> None:
        if not self._may_enter(folder, through):
            return
        self.entered.add(folder)
        file = self.tree.kustomization_file(folder)
        if file is None:
            for path in self.tree.manifests(folder):
                self._resource(path, namespace, through)
            return
        if len(through) >= MAX_DEPTH:
            self._report(file, 1, "too-deep", f"stands below {MAX_DEPTH} kustomizations, each of which names the next")
            return
        for document in self.tree.documents(file)[:1]:
            if isinstance(document.value, dict):
                self._kustomization(Layer(file, folder, document), namespace, through)

    def _may_enter(self, folder: str, through: tuple[Layer, ...]) -> bool:
        """Kustomize refuses a cycle; here it only has to end."""
        if not self.every_way:
            return folder not in self.entered
        looping = next((layer for layer in through if layer.folder == folder), None)
        if looping is not None:
            last = through[-1].file
            self._report(looping.file, 1, "loop", f"is built of itself by way of '{last}', which kustomize refuses")
        elif len(self.result.layers) >= MAX_LAYERS:
            self._report(
                through[-1].file, 1, "too-many", f"is one of more than {MAX_LAYERS} ways through kustomizations"
            )
        return looping is None and len(self.result.layers) < MAX_LAYERS

    def _resource(self, path: str, namespace: str, through: tuple[Layer, ...]) -> None:
        if path in self.tree.folders:
            self.folder(path, namespace, through)
        else:
            self._manifest(path, namespace, through)

    def _manifest(self, path: str, namespace: str, through: tuple[Layer, ...]) -> None:
        for document in self.tree.documents(path):
            for at, value in _objects(document.value):
                if _is_object(value):
                    self._object(Object(path, document, value, at, namespace, through))
                else:
                    self._not_an_object(path, document, at)

    def _object(self, found: Object) -> None:
        self.result.objects.append(found)
        # Flux's components are dropped before anything is substituted; their schemas' prose is full of ${…}.
        left_alone = substitution.is_disabled(found.value.get("metadata")) or is_component(found.value)
        if not self.every_way and not left_alone:
            self._texts(found.path, found.document, found.value, found.at, found.label)

    def _texts(self, path: str, document: Document, value: Any, at: Path, label: str) -> None:
        for where, text in substitution.strings(value, at):
            for use in substitution.uses(text):
                line = document.scalar_line(where, use.offset)
                self.result.texts.append(Text(path, line, use, label))

    def _not_an_object(self, path: str, document: Document, at: Path) -> None:
        message = "is not a Kubernetes object: apiVersion, kind and metadata.name are needed"
        self._report(path, document.position(at)[0], "not-an-object", message)

    def _report(self, path: str, line: int, rule: str, message: str, hint: str = "") -> None:
        self.result.findings.append(Finding(path, line, rule, "error", "", message, hint))

    def _kustomization(self, layer: Layer, namespace: str, outer: tuple[Layer, ...]) -> None:
        """`namespace` is what an outer kustomization forces; it wins over our own."""
        file, folder, document = layer.file, layer.folder, layer.document
        value = document.value
        through = (*outer, layer)
        self.result.layers.append(through)
        forced = namespace or str(value.get("namespace") or "")
        for at, reference in _references(value, ("resources", "bases", "components")):
            target = self._target(file, folder, document, at, reference)
            if target is not None:
                self._resource(target, forced, through)
        for at, reference in _patch_files(value):
            target = self._target(file, folder, document, at, reference)
            if target is not None and target in self.tree.files:
                for patch in self.tree.documents(target):
                    self._texts(target, patch, patch.value, (), "")
        self._generated(file, folder, document)
        self._secrets(file, folder, document, forced)
        for key in ("patches", "patchesStrategicMerge", "patchesJson6902"):
            self._texts(file, document, value.get(key), (key,), "")

    def _generated(self, file: str, folder: str, document: Document) -> None:
        """ConfigMaps only: values of generated Secrets are encoded before Flux substitutes."""
        everywhere = substitution.is_disabled(document.value.get("generatorOptions"))
        for number, generator in enumerate(_list(document.value.get("configMapGenerator"))):
            if not isinstance(generator, dict):
                continue
            at = ("configMapGenerator", number)
            disabled = everywhere or substitution.is_disabled(generator.get("options"))
            if not disabled:
                self._texts(file, document, generator.get("literals"), (*at, "literals"), "")
            for where, reference in _references(generator, ("files", "envs")):
                path = reference.split("=", 1)[-1]
                target = self._target(file, folder, document, (*at, *where), path)
                if target is not None and target in self.tree.files and not disabled:
                    self._plain(target)

    def _secrets(self, file: str, folder: str, document: Document, namespace: str) -> None:
        for number, generator in enumerate(_list(document.value.get("secretGenerator"))):
            if not isinstance(generator, dict):
                continue
            named = (reference.split("=", 1)[-1] for _, reference in _references(generator, ("files", "envs")))
            below = (inside(posixpath.join(folder, path)) for path in named)
            files = tuple(path for path in below if path in self.tree.files and path is not None)
            line = document.position(("secretGenerator", number))[0]
            name, own = str(generator.get("name", "")), str(generator.get("namespace") or "")
            literal = bool(_list(generator.get("literals")))
            self.result.secrets.append(Generated(file, line, name, namespace or own, files, literal))

    def _plain(self, path: str) -> None:
        text = self.tree.files[path].decode("utf-8", "replace")
        for use in substitution.uses(text):
            self.result.texts.append(Text(path, text.count("\n", 0, use.offset) + 1, use, ""))

    def _target(self, file: str, folder: str, document: Document, at: Path, reference: str) -> str | None:
        """The file or folder a kustomization file names; None, with a finding, when it cannot be looked at."""
        if is_remote(reference):
            return None
        line = document.position(at)[0]
        target = inside(posixpath.join(folder, reference))
        if target is None:
            self.result.findings.append(outside(self.tree, file, line, "", reference))
        elif target not in self.tree.files and target not in self.tree.folders:
            self._report(file, line, "missing-resource", f"names '{reference}', which does not exist")
            return None
        return target


def outside(tree: Tree, path: str, line: int, label: str, reference: str) -> Finding:
    message = f"'{reference}' lies outside '{tree.directory}', where lint does not look and the ledger keeps no copy"
    return Finding(path, line, "outside-path", "warning", label, message)


def _objects(value: Any) -> Iterator[tuple[Path, Any]]:
    """The objects of one document: itself, or the items of a List."""
    if isinstance(value, dict) and str(value.get("kind", "")).endswith("List") and isinstance(value.get("items"), list):
        for index, item in enumerate(value["items"]):
            yield ("items", index), item
    else:
        yield (), value


def _is_object(value: Any) -> bool:
    if not isinstance(value, dict) or not value.get("apiVersion") or not value.get("kind"):
        return False
    metadata = value.get("metadata")
    return isinstance(metadata, dict) and bool(metadata.get("name"))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _references(value: dict[str, Any], keys: Sequence[str]) -> Iterator[tuple[Path, str]]:
    for key in keys:
        for index, reference in enumerate(_list(value.get(key))):
            if isinstance(reference, str):
                yield (key, index), reference


def _patch_files(value: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    for key in ("patches", "patchesJson6902", "replacements"):
        for index, patch in enumerate(_list(value.get(key))):
            if isinstance(patch, dict) and isinstance(patch.get("path"), str):
                yield (key, index, "path"), patch["path"]
    # Each of these is a file's name or a patch itself, which has lines.
    for at, patch in _references(value, ("patchesStrategicMerge",)):
        if "\n" not in patch:
            yield at, patch
