"""A new fleet repository: pure, from a few options to texts by path."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from karrots.render import terraform
from karrots.render.template import rendered
from karrots.spec import cluster as cluster_spec
from karrots.spec import fleet as fleet_spec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FLEET_FILE = "karrots.yaml"
CLUSTER_FILE = "cluster.yaml"
SCHEMAS = {
    "clusters/cluster.schema.json": cluster_spec.json_schema,
    "clusters/fleet.schema.json": fleet_spec.json_schema,
}


@dataclass(frozen=True)
class FleetOptions:
    """What `init` asks. `cluster` names the first directory; `settings` are the provider's keys in karrots.yaml."""

    domain: str
    cluster: str = "qa"
    provider: str = "local"
    settings: Mapping[str, str] = field(default_factory=dict)
    size: str = ""
    nodes: int = 2
    kubernetes: str = "1.36"
    flux: str = "2.9"
    remote: str = "origin"
    pool: str = "10.64.0.0/10"
    prefix: int = 16
    ttl: str = "7d"


def render(options: FleetOptions, templates: Path) -> dict[str, str]:
    """Texts by path below the repository. Raises UsageError for an option its schema does not allow."""
    directory = f"clusters/{options.cluster}"
    folder = templates / "fleet"
    texts = rendered(folder, {"options": options, "directory": directory})
    files = {_path(path, directory): text for path, text in texts.items()}
    fleet_spec.load_fleet(files[FLEET_FILE], FLEET_FILE)
    files |= cluster_files(files[f"{directory}/{CLUSTER_FILE}"], directory, templates)
    files |= schemas()
    return dict(sorted(files.items()))


def cluster_files(cluster_yaml: str, directory: str, templates: Path) -> dict[str, str]:
    """The rendered terraform/ of one cluster directory, by path below the repository."""
    spec = cluster_spec.load_cluster(cluster_yaml, f"{directory}/{CLUSTER_FILE}")
    return {f"{directory}/terraform/{path}": text for path, text in terraform.render(spec, templates).items()}


def schemas() -> dict[str, str]:
    """The JSON Schemas that the first line of cluster.yaml and karrots.yaml points editors to."""
    return {path: json.dumps(schema(), indent=2) + "\n" for path, schema in SCHEMAS.items()}


def _path(path: str, directory: str) -> str:
    return path.replace("cluster/", f"{directory}/", 1) if path.startswith("cluster/") else path
