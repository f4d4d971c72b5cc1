"""What kustomization files do to the objects that pass through them.

Each change knows by an object's head whether it concerns it, so that objects nobody changes are never read. What is
not followed (replacements, plugins, remote bases) is named in `NOT_FOLLOWED`; references to names with a prefix stay as
they are written, on both sides alike.
"""

from __future__ import annotations

import base64
import json
import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from karrots.diff import heads
from karrots.diff.merging import BadPatch, json_patch, strategic
from karrots.diff.shapes import Kind
from karrots.lint.tree import inside, is_remote
from karrots.spec import yaml_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from karrots.diff.heads import Heads
    from karrots.lint.build import Layer, Object

    Value = dict[str, Any]

NOT_FOLLOWED = (
    "replacements", "vars", "generators", "transformers", "validators", "helmCharts", "helmChartInflationGenerator",
)  # fmt: skip
# Kinds without a namespace; of others it is only known that they may have one.
CLUSTER_WIDE = frozenset({
    "Namespace", "Node", "PersistentVolume", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition",
    "StorageClass", "IngressClass", "PriorityClass", "RuntimeClass", "CSIDriver", "CSINode", "APIService",
    "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding",
    "CertificateSigningRequest", "FlowSchema", "PriorityLevelConfiguration", "VolumeAttachment", "ClusterIssuer",
    "GatewayClass", "ClusterSecretStore", "VolumeSnapshotClass",
})  # fmt: skip
DELETED = "deleted"
_UNNAMED = frozenset({"Namespace", "CustomResourceDefinition", "APIService"})
_SCALED = frozenset({"Deployment", "ReplicaSet", "StatefulSet", "ReplicationController"})


@dataclass(frozen=True)
class Head:
    """What an object is called when a change looks at it; `whole` reads its labels and annotations."""

    group: str
    version: str
    kind: str
    namespace: str
    name: str
    whole: Callable[[], Value] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Change:
    """One thing that a kustomization does. `said` tells it from others; `path` and `line` are where it is written."""

    said: str
    concerns: Callable[[Head], bool] = field(repr=False, compare=False)
    apply: Callable[[Value], Value] = field(repr=False, compare=False)
    path: str = ""
    line: int = 0


@dataclass(frozen=True)
class Trouble:
    path: str
    line: int
    message: str


@dataclass
class Kustomizations:
    """The changes of each kustomization file, made once."""

    tree: Heads
    troubles: list[Trouble] = field(default_factory=list)
    _made: dict[str, list[Change]] = field(default_factory=dict)

    def of(self, layer: Layer, came_by: Layer | None) -> Iterator[Change]:
        """For an object that came by a layer further in: its siblings that are components change it too."""
        for component in self._components(layer):
            if came_by is None or component.folder != came_by.folder:
                yield from self.of(component, None)
        yield from self.changes(layer)

    def changes(self, layer: Layer) -> list[Change]:
        if layer.file not in self._made:
            self._made[layer.file] = list(self._read(layer, layer.document.value))
        return self._made[layer.file]

    def _components(self, layer: Layer) -> Iterator[Layer]:
        from karrots.lint.build import Layer as Made

        for reference in _list(layer.document.value.get("components")):
            folder = inside(posixpath.join(layer.folder, str(reference)))
            file = self.tree.kustomization_file(folder) if folder is not None else None
            if file is not None and folder is not None and folder != layer.folder:
                yield from (Made(file, folder, each) for each in self.tree.documents(file)[:1])

    def _read(self, layer: Layer, value: Value) -> Iterator[Change]:
        """In kustomize's own order (api/internal/target/kusttarget.go)."""
        for name in NOT_FOLLOWED:
            if value.get(name):
                self._trouble(layer, f"'{name}' is not followed, so what it changes is not compared", name)
        for key in ("resources", "bases", "components"):
            for at, reference in enumerate(_list(value.get(key))):
                if isinstance(reference, str) and is_remote(reference):
                    self._trouble(layer, f"'{reference}' is elsewhere, and not compared", key, at)
        yield from self._patches(layer, value)
        yield from named_changes(value, layer.file)
        yield from _labels(value, layer.file)
        yield from _numbers(value, layer.file)

    def _trouble(self, layer: Layer, message: str, *at: str | int) -> None:
        self.troubles.append(Trouble(layer.file, heads.line_of(layer.document, at), message))

    def _patches(self, layer: Layer, value: Value) -> Iterator[Change]:
        for at, reference in enumerate(_list(value.get("patchesStrategicMerge"))):
            patch = {"patch" if "\n" in str(reference) else "path": reference}
            yield from self._patch(layer, patch, "patchesStrategicMerge", at)
        for key in ("patches", "patchesJson6902"):
            for at, patch in enumerate(_list(value.get(key))):
                if isinstance(patch, dict):
                    yield from self._patch(layer, patch, key, at)

    def _patch(self, layer: Layer, patch: Value, *at: str | int) -> Iterator[Change]:
        line = heads.line_of(layer.document, at)
        path, text = layer.file, patch.get("patch")
        if text is None:
            found = inside(posixpath.join(layer.folder, str(patch.get("path"))))
            data = self.tree.files.get(found or "")
            if found is None or data is None:
                self._trouble(layer, f"names '{patch.get('path')}', which does not exist", *at)
                return
            path, line, text = found, 1, data
        yield from self.patch_changes(text, patch.get("target"), path, line)

    def patch_changes(self, text: str | bytes, target: Any, path: str, line: int) -> Iterator[Change]:
        try:
            documents = yaml_file.documents(text, path)
        except yaml_file.YamlProblem as problem:
            self.troubles.append(Trouble(path, problem.line or line, problem.problem))
            return
        for document in documents:
            if isinstance(document.value, list):
                yield _json_change(document.value, target, path, line, self.troubles)
            elif isinstance(document.value, dict):
                yield _strategic_change(document.value, target, path, line)


def _strategic_change(patch: Value, target: Any, path: str, line: int) -> Change:
    kind = Kind(str(patch.get("apiVersion", "")).rpartition("/")[0], str(patch.get("kind", "")))
    chosen = _target(target) if isinstance(target, dict) and target else _of_patch(patch)

    def apply(value: Value) -> Value:
        own = Kind(str(value.get("apiVersion", "")).rpartition("/")[0], str(value.get("kind", "")))
        kept = {key: part for key, part in patch.items() if key not in {"apiVersion", "kind"}}
        metadata = kept.get("metadata")
        if isinstance(metadata, dict):
            kept["metadata"] = {key: part for key, part in metadata.items() if key not in {"name", "namespace"}}
        merged = strategic(value, kept, own)
        return merged if isinstance(merged, dict) else value

    what = DELETED if patch.get("$patch") == "delete" else "patch"
    return Change(_said(what, [patch, target, kind.name]), chosen, apply, path, line)


def _json_change(operations: list[Any], target: Any, path: str, line: int, troubles: list[Trouble]) -> Change:
    def apply(value: Value) -> Value:
        try:
            made = json_patch(value, operations)
        except BadPatch as error:
            trouble = Trouble(path, line, f"a patch does not fit {value.get('kind')}: {error}")
            if trouble not in troubles:
                troubles.append(trouble)
            return value
        return made if isinstance(made, dict) else value

    return Change(_said("json", [operations, target]), _target(target), apply, path, line)


def _of_patch(patch: Value) -> Callable[[Head], bool]:
    metadata = _map(patch.get("metadata"))
    group = str(patch.get("apiVersion", "")).rpartition("/")[0]
    name, namespace = str(metadata.get("name", "")), str(metadata.get("namespace") or "")

    def concerns(head: Head) -> bool:
        same = (head.group, head.kind, head.name) == (group, patch.get("kind"), name)
        return same and namespace in {"", head.namespace}

    return concerns


def _target(target: Any) -> Callable[[Head], bool]:
    """https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/patches/ : names are whole patterns."""
    wanted = target if isinstance(target, dict) else {}
    patterns = {key: re.compile(str(wanted[key])) for key in ("name", "namespace") if wanted.get(key)}
    exact = {key: str(wanted[key]) for key in ("group", "version", "kind") if wanted.get(key)}
    words = (("labels", "labelSelector"), ("annotations", "annotationSelector"))
    selectors = {key: str(wanted[word]) for key, word in words if wanted.get(word)}

    def concerns(head: Head) -> bool:
        if any(re.fullmatch(text, str(getattr(head, key))) is None for key, text in exact.items()):
            return False
        if any(pattern.fullmatch(str(getattr(head, key))) is None for key, pattern in patterns.items()):
            return False
        return all(_selects(text, _map(_map(head.whole().get("metadata")).get(key))) for key, text in selectors.items())

    return concerns


def _selects(selector: str, labels: Mapping[str, Any]) -> bool:
    return all(_holds(term.strip(), labels) for term in re.split(r",(?![^(]*\))", selector) if term.strip())


def _holds(term: str, labels: Mapping[str, Any]) -> bool:
    listed = re.fullmatch(r"(\S+)\s+(in|notin)\s+\(([^)]*)\)", term)
    if listed:
        values = {each.strip() for each in listed[3].split(",")}
        return (str(labels.get(listed[1], "")) in values) == (listed[2] == "in")
    for sign, wanted in (("!=", False), ("==", True), ("=", True)):
        if sign in term:
            key, _, value = term.partition(sign)
            return (labels.get(key.strip()) == value.strip()) == wanted
    return (term[1:].strip() not in labels) if term.startswith("!") else term in labels


def named_changes(value: Value, path: str) -> Iterator[Change]:
    """Namespace, prefix and suffix: these change what an object is called, too."""
    namespace = value.get("namespace")
    if namespace:
        yield Change(_said("namespace", namespace), lambda head: head.kind not in CLUSTER_WIDE or bool(_subjects(head)),
                     lambda each: _in_namespace(each, str(namespace)), path, 1)  # fmt: skip
    prefix, suffix = str(value.get("namePrefix") or ""), str(value.get("nameSuffix") or "")
    if prefix or suffix:
        yield Change(_said("name", [prefix, suffix]), lambda head: head.kind not in _UNNAMED,
                     lambda each: _with_metadata(each, name=f"{prefix}{_name(each)}{suffix}"), path, 1)  # fmt: skip


def _subjects(head: Head) -> bool:
    return head.kind == "ClusterRoleBinding"


def _in_namespace(value: Value, namespace: str) -> Value:
    made = value if value.get("kind") in CLUSTER_WIDE else _with_metadata(value, namespace=namespace)
    if made.get("kind") in {"RoleBinding", "ClusterRoleBinding"} and isinstance(made.get("subjects"), list):
        moved = [
            {**each, "namespace": namespace} if isinstance(each, dict) and each.get("name") == "default" else each
            for each in made["subjects"]
        ]
        return {**made, "subjects": moved}
    return made


def _with_metadata(value: Value, **more: str) -> Value:
    return {**value, "metadata": {**_map(value.get("metadata")), **more}}


def _name(value: Value) -> str:
    return str(_map(value.get("metadata")).get("name", ""))


def other_changes(value: Value, path: str, annotations: Any) -> Iterator[Change]:
    """What is done under the same names in a Flux Kustomization."""
    yield from _labels(value, path)
    if isinstance(annotations, dict) and annotations:
        yield Change(_said("annotations", annotations), _any,
                     lambda each: _added(each, ("metadata", "annotations"), annotations), path, 1)  # fmt: skip
    yield from _numbers(value, path)


def _labels(value: Value, path: str) -> Iterator[Change]:
    common = _map(value.get("commonLabels"))
    if common:
        yield _labelled(common, path, selectors=True, templates=True)
    for entry in _list(value.get("labels")):
        pairs = _map(_map(entry).get("pairs"))
        if pairs:
            selectors = bool(entry.get("includeSelectors"))
            templates = selectors or bool(entry.get("includeTemplates"))
            yield _labelled(pairs, path, selectors=selectors, templates=templates)
    annotations = _map(value.get("commonAnnotations"))
    if annotations:
        yield Change(_said("annotations", annotations), _any, lambda each: _annotated(each, annotations), path, 1)


def _labelled(pairs: Mapping[str, Any], path: str, *, selectors: bool, templates: bool) -> Change:
    def apply(value: Value) -> Value:
        made = _added(value, ("metadata", "labels"), pairs)
        kind = Kind(str(made.get("apiVersion", "")).rpartition("/")[0], str(made.get("kind", "")))
        if templates and len(kind.pod_path) > 1:
            made = _added(made, (*kind.pod_path[:-1], "metadata", "labels"), pairs)
        return _selected(made, kind, pairs) if selectors else made

    return Change(_said("labels", [dict(pairs), selectors, templates]), _any, apply, path, 1)


def _selected(value: Value, kind: Kind, pairs: Mapping[str, Any]) -> Value:
    """Made where one is needed, else only when it is there (api/konfig/builtinpluginconsts/commonlabels.go)."""
    if kind.name in {"Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"}:
        return _added(value, ("spec", "selector", "matchLabels"), pairs)
    spec = _map(value.get("spec"))
    if kind.name == "Service":
        return _added(value, ("spec", "selector"), pairs)
    if kind.name == "PodDisruptionBudget" and "matchLabels" in _map(spec.get("selector")):
        return _added(value, ("spec", "selector", "matchLabels"), pairs)
    if kind.name == "NetworkPolicy" and "matchLabels" in _map(spec.get("podSelector")):
        return _added(value, ("spec", "podSelector", "matchLabels"), pairs)
    return value


def _annotated(value: Value, annotations: Mapping[str, Any]) -> Value:
    made = _added(value, ("metadata", "annotations"), annotations)
    path = Kind(str(made.get("apiVersion", "")).rpartition("/")[0], str(made.get("kind", ""))).pod_path
    return _added(made, (*path[:-1], "metadata", "annotations"), annotations) if len(path) > 1 else made


def _added(value: Value, path: Sequence[str], pairs: Mapping[str, Any]) -> Value:
    if not path:
        return {**value, **pairs}
    return {**value, path[0]: _added(_map(value.get(path[0])), path[1:], pairs)}


def _numbers(value: Value, path: str) -> Iterator[Change]:
    for entry in map(_map, _list(value.get("replicas"))):
        yield _scaled(str(entry.get("name")), entry.get("count"), path)
    for entry in map(_map, _list(value.get("images"))):
        yield Change(_said("image", dict(entry)), _runs, lambda each, entry=entry: _imaged(each, entry), path, 1)  # type: ignore[misc]


def _scaled(name: str, count: Any, path: str) -> Change:
    return Change(_said("replicas", [name, count]), lambda head: head.kind in _SCALED and head.name == name,
                  lambda each: _added(each, ("spec",), {"replicas": count}), path, 1)  # fmt: skip


def _runs(head: Head) -> bool:
    return bool(Kind(head.group, head.kind).pod_path) or not Kind(head.group, head.kind).is_built_in


def _imaged(value: Any, entry: Mapping[str, Any]) -> Any:
    """Containers are looked for at any depth."""
    if isinstance(value, list):
        return [_imaged(part, entry) for part in value]
    if not isinstance(value, dict):
        return value
    made = {key: _imaged(part, entry) for key, part in value.items()}
    for key in ("containers", "initContainers"):
        if isinstance(made.get(key), list):
            made[key] = [_container(each, entry) for each in made[key]]
    return made


def _container(container: Any, entry: Mapping[str, Any]) -> Any:
    if not isinstance(container, dict) or not isinstance(container.get("image"), str):
        return container
    name, tag, digest = _split_image(container["image"])
    if name != entry.get("name"):
        return container
    name = str(entry.get("newName") or name)
    if entry.get("newTag") is not None:
        tag, digest = str(entry["newTag"]), "" if not entry.get("digest") else digest
    if entry.get("digest"):
        digest, tag = str(entry["digest"]), tag if entry.get("newTag") is not None else ""
    return {**container, "image": f"{name}{f':{tag}' if tag else ''}{f'@{digest}' if digest else ''}"}


def _split_image(image: str) -> tuple[str, str, str]:
    rest, _, digest = image.partition("@")
    folder, slash, last = rest.rpartition("/")
    last, _, tag = last.partition(":")
    return f"{folder}{slash}{last}", tag, digest


def _any(_: Head) -> bool:
    return True


def generated(tree: Heads, layer: Layer) -> Iterator[tuple[Value, str, int]]:
    """ConfigMaps and Secrets that a kustomization file makes, under their plain names, with where they are written.

    The hash that kustomize appends says only that the content differs, which is seen anyway.
    """
    value = layer.document.value
    options = _map(value.get("generatorOptions"))
    for key, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
        for at, entry in enumerate(map(_map, _list(value.get(key)))):
            line = heads.line_of(layer.document, (key, at))
            yield _generated(tree, layer.folder, entry, kind, options), layer.file, line


def _generated(tree: Heads, folder: str, entry: Mapping[str, Any], kind: str, everywhere: Mapping[str, Any]) -> Value:
    options = {**everywhere, **_map(entry.get("options"))}
    metadata = {"name": str(entry.get("name", ""))}
    if entry.get("namespace"):
        metadata["namespace"] = entry["namespace"]
    data = dict(_data(tree, folder, entry))
    made: Value = {"apiVersion": "v1", "kind": kind, "metadata": dict[str, Any](metadata)}
    for key in ("labels", "annotations"):
        if _map(options.get(key)):
            made["metadata"][key] = dict(options[key])
    if kind == "Secret":
        made["type"] = str(entry.get("type") or "Opaque")
        made["data"] = {key: base64.b64encode(part).decode() for key, part in data.items()}
    else:
        made["data"] = {key: part.decode() for key, part in data.items() if _is_text(part)}
        made["binaryData"] = {key: base64.b64encode(part).decode() for key, part in data.items() if not _is_text(part)}
    return made


def _data(tree: Heads, folder: str, entry: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    for text in _list(entry.get("literals")):
        key, _, value = str(text).partition("=")
        yield key, _unquoted(value).encode()
    for reference in map(str, _list(entry.get("files"))):
        key, sign, path = reference.partition("=")
        target = inside(posixpath.join(folder, path if sign else key))
        yield (key if sign else posixpath.basename(key)), tree.files.get(target or "", b"")
    for reference in map(str, [*_list(entry.get("envs")), *([entry["env"]] if entry.get("env") else [])]):
        target = inside(posixpath.join(folder, reference))
        for line in tree.files.get(target or "", b"").decode("utf-8", "replace").splitlines():
            if line.strip() and not line.lstrip().startswith("#") and "=" in line:
                key, _, value = line.partition("=")
                yield key.strip(), value.encode()


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def behaviour(layer: Layer, kind: str, name: str) -> str:
    """create, merge or replace, as the generator of that name says."""
    key = "configMapGenerator" if kind == "ConfigMap" else "secretGenerator"
    entries = map(_map, _list(layer.document.value.get(key)))
    return next((str(each.get("behavior") or "create") for each in entries if each.get("name") == name), "create")


def head_of(found: Object, whole: Callable[[], Value]) -> Head:
    group, _, version = str(found.value.get("apiVersion", "")).rpartition("/")
    metadata = _map(found.value.get("metadata"))
    return Head(group, version, found.kind, str(metadata.get("namespace") or ""), found.name, whole)


def _said(what: str, value: Any) -> str:
    return f"{what} {json.dumps(value, sort_keys=True, default=str)}"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
