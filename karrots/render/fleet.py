"""A new fleet repository: pure, from a few options to texts by path."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from karrots.render import terraform
from karrots.render.template import rendered
from karrots.spec import cluster as cluster_spec
from karrots.spec import fleet as fleet_spec
from karrots.spec.schema import json_schema

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FLEET_FILE = "karrots.yaml"
CLUSTER_FILE = "cluster.yaml"
# Where the first line of cluster.yaml and karrots.yaml points editors to.
SCHEMAS = {"clusters/cluster.schema.json": "cluster", "clusters/fleet.schema.json": "fleet"}


@dataclass(frozen=True)
class FleetOptions:
    """What `init` asks. `cluster` names the first directory; `settings` are the provider's keys in karrots.yaml."""

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
    texts = rendered(folder, {"options": options, "directory": directory})
    files = {_path(path, directory): text for path, text in texts.items()}
    backend = fleet_spec.load_fleet(files[FLEET_FILE], FLEET_FILE).providers.backend(options.provider)
    files |= cluster_files(files[f"{directory}/{CLUSTER_FILE}"], directory, templates, backend)
    files |= schemas()
    return dict(sorted(files.items()))


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
