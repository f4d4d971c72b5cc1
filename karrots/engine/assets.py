"""What a cluster needs besides programs: Flux's custom resource definitions and kwok's stages.

Taken from the modules in Go's cache when the programs are built, so that no copy of them is in the repository, and
stored beside the programs in a form that is quick to read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karrots.adapters import process
from karrots.engine import recipe
from karrots.errors import PreflightFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from karrots.engine.toolchain import Go

CRDS = "crds.json"
STAGES = "stages.yaml"
VERSIONS = "versions.json"
FILES = (CRDS, STAGES, VERSIONS)

CONTROLLERS = ("source-controller", "kustomize-controller", "helm-controller", "notification-controller")

# The fast stages, and the node heartbeat that goes by the lease: it writes the Node every ten minutes, the plain one
# every twenty seconds.
STAGE_FILES = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
)

# The labels that Flux's own manifests carry, by which its tools find what belongs to it.
LABELS = {"app.kubernetes.io/part-of": "flux", "app.kubernetes.io/instance": "flux-system"}


@dataclass(frozen=True)
class Assets:
    """`crds` are ready to be posted; `stages` is a file for kwok's `--config`."""

    crds: tuple[dict[str, Any], ...]
    stages: Path
    versions: dict[str, str]


def load(folder: Path) -> Assets:
    try:
        crds = json.loads((folder / CRDS).read_bytes())
        manifest = json.loads((folder / VERSIONS).read_bytes())
        return Assets(tuple(crds), folder / STAGES, dict(manifest["versions"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PreflightFailed(
            f"the engine's folder {folder} is damaged",
            why=str(error),
            hint="remove the folder and run the command again",
        ) from error


def write(go: Go, modules: Path, folder: Path) -> None:
    """Write CRDs and stages; the modules must be in Go's cache, nothing is downloaded."""
    folders = module_folders(go, modules)
    crds = [crd for name in CONTROLLERS if name in folders for crd in _crds(folders[name])]
    (folder / CRDS).write_text(json.dumps(crds, separators=(",", ":")), "utf-8")
    (folder / STAGES).write_text(_stages(folders["kwok"]) if "kwok" in folders else "", "utf-8")


def module_folders(go: Go, modules: Path) -> dict[str, Path]:
    """Where Go keeps the sources of the modules whose versions `recipe.versions` knows, by the same names."""
    wanted = {recipe.MODULES[name]: name for name in recipe.versions(modules)}
    listing = process.run(
        [go.program, "list", "-m", "-f", "{{.Path}}\t{{.Dir}}", *wanted],
        cwd=modules,
        env=go.environment(("-mod=readonly",), offline=True),
    )
    found = (line.split("\t", 1) for line in listing.text.splitlines())
    return {wanted[module]: Path(folder) for module, folder in found if module in wanted}


def _crds(module: Path) -> list[dict[str, Any]]:
    import yaml

    files = sorted((module / "config" / "crd" / "bases").glob("*.yaml"))
    documents = (document for path in files for document in yaml.safe_load_all(path.read_text("utf-8")))
    return [slim(document) for document in documents if document]


def _stages(kwok: Path) -> str:
    stages = kwok / "kustomize" / "stage"
    return "---\n".join(f"{(stages / name).read_text('utf-8').strip()}\n" for name in STAGE_FILES)


def slim(crd: Mapping[str, Any]) -> dict[str, Any]:
    """The definition with Flux's labels and without the schema's prose, which is two thirds of its bytes."""
    metadata = crd["metadata"] | {"labels": crd["metadata"].get("labels", {}) | LABELS}
    versions = [_slim_version(version) for version in crd["spec"]["versions"]]
    return {**crd, "metadata": metadata, "spec": crd["spec"] | {"versions": versions}}


def _slim_version(version: dict[str, Any]) -> dict[str, Any]:
    schema = version.get("schema", {}).get("openAPIV3Schema")
    return version | {"schema": {"openAPIV3Schema": without_prose(schema)}} if schema else version


def without_prose(schema: Any) -> Any:
    """An OpenAPI v3 schema without its `description` keywords; a *property* of that name stays."""
    if not isinstance(schema, dict):
        return schema
    return {key: _part(key, value) for key, value in schema.items() if key != "description"}


def _part(keyword: str, value: Any) -> Any:
    """Only keywords that hold schemas are looked into: a `default` or an `enum` holds the user's data."""
    if keyword in {"properties", "patternProperties", "definitions"}:
        return {name: without_prose(schema) for name, schema in value.items()}
    if keyword in {"items", "additionalProperties", "not"} and isinstance(value, dict):
        return without_prose(value)
    if keyword in {"items", "allOf", "anyOf", "oneOf"} and isinstance(value, list):
        return [without_prose(schema) for schema in value]
    return value
