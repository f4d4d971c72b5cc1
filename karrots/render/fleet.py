"""A new fleet repository: pure, from a few options to texts by path."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args, get_origin

from karrots.errors import UsageError
from karrots.render import terraform
from karrots.render.template import rendered
from karrots.spec import cluster as cluster_spec
from karrots.spec import fleet as fleet_spec
from karrots.spec.model import Model
from karrots.spec.schema import json_schema

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic.fields import FieldInfo

FLEET_FILE = "karrots.yaml"
CLUSTER_FILE = "cluster.yaml"
# Where the first line of cluster.yaml and karrots.yaml points editors to.
SCHEMAS = {"clusters/cluster.schema.json": "cluster", "clusters/fleet.schema.json": "fleet"}


@dataclass(frozen=True)
class FleetOptions:
    """What `init` asks. `cluster` names the first directory.

    `settings` are keys of the provider's section in karrots.yaml: region, state.bucket …
    """

    cluster: str = "qa"
    domain: str = "example.com"
    provider: str = "local"
    pool: str = "10.64.0.0/10"
    prefix: int = 20
    remote: str = "origin"
    ttl: str = "7d"
    kubernetes: str = "1.36"
    flux: str = "2.9"
    nodes: int = 2
    size: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


def render(options: FleetOptions, templates: Path) -> dict[str, str]:
    """Texts by path below the repository. Raises UsageError for an option its schema does not allow."""
    directory = f"clusters/{options.cluster}"
    folder = templates / "fleet"
    if options.provider == "local" and options.settings:
        raise UsageError("the provider 'local' has nothing to set", why=f"--set {next(iter(options.settings))}")
    section = keys(fleet_spec.SECTIONS.get(options.provider), options.settings)
    texts = rendered(folder, {"options": options, "directory": directory, "section": section})
    files = {_path(path, directory): text for path, text in texts.items()}
    backend = fleet_spec.load_fleet(files[FLEET_FILE], FLEET_FILE).providers.backend(options.provider)
    files |= cluster_files(files[f"{directory}/{CLUSTER_FILE}"], directory, templates, backend)
    files |= schemas()
    return dict(sorted(files.items()))


@dataclass(frozen=True)
class Key:
    """A key of a provider's section; `values` are None for a group, and a list for a list. One not given is shown."""

    depth: int
    name: str
    comment: str
    values: str | list[str] | None
    given: bool


def keys(model: type[Model] | None, settings: Mapping[str, str], prefix: str = "") -> list[Key]:
    """What the section may hold, in its order, and then what it may not: the schema will say so."""
    fields = model.model_fields if model else {}
    found: list[Key] = []
    for name, field_ in fields.items():
        found += _keys_of(name, field_, settings, prefix)
    depth = prefix.count(".")
    others = {path: value for path, value in settings.items() if path.startswith(prefix)}
    unknown = [path.removeprefix(prefix) for path in others if path.removeprefix(prefix).split(".")[0] not in fields]
    return [*found, *(Key(depth, name, "", settings[prefix + name], given=True) for name in unknown)]


def _keys_of(name: str, known: FieldInfo, settings: Mapping[str, str], prefix: str) -> list[Key]:
    path, depth, comment = prefix + name, prefix.count("."), known.description or ""
    below = _model_in(known.annotation)
    if below is None:
        is_list, value = get_origin(known.annotation) is list, settings.get(path, "")
        values = value.split(",") if is_list and value else [] if is_list else value
        return [Key(depth, name, comment, values, given=path in settings)] if is_list or path in settings else []
    if any(other.startswith(f"{path}.") for other in settings):
        return [Key(depth, name, comment, None, given=True), *keys(below, settings, f"{path}.")]
    shown = [
        Key(depth + 1, each, inner.description or "", "", given=False) for each, inner in below.model_fields.items()
    ]
    return [Key(depth, name, comment, None, given=False), *shown]


def _model_in(annotation: Any) -> type[Model] | None:
    return next((each for each in get_args(annotation) if isinstance(each, type) and issubclass(each, Model)), None)


def cluster_files(cluster_yaml: str, directory: str, templates: Path, backend: str = "http") -> dict[str, str]:
    """The rendered terraform/ of one cluster directory, by path below the repository."""
    spec = cluster_spec.load_cluster(cluster_yaml, f"{directory}/{CLUSTER_FILE}")
    return {
        f"{directory}/terraform/{path}": text
        for path, text in terraform.render(spec, templates / spec.provider, backend).items()
    }


def schemas() -> dict[str, str]:
    return {path: json.dumps(json_schema(kind), indent=2) + "\n" for path, kind in SCHEMAS.items()}


def _path(path: str, directory: str) -> str:
    return path.replace("cluster/", f"{directory}/", 1) if path.startswith("cluster/") else path
