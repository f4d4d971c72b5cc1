"""The core services of cluster.yaml as what Flux applies: pure, from a specification and templates to texts by path.

Each service is a folder below flux/services/: `sync.yaml` with its Flux Kustomizations, `install/` with where its chart
is had and the release, and `config/` with objects of the kinds that the release brings, which come after it.
"""

from __future__ import annotations

import hashlib
import textwrap
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from karrots.files import content
from karrots.render.template import SUFFIX, rendered_file
from karrots.spec import yaml_file
from karrots.spec.services import CATALOGUE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from karrots.spec.cluster import ClusterSpec
    from karrots.spec.services import Entry

FOLDER = "flux/services"
TEMPLATES = "services"
TABLE = "charts.yaml"
OCI = "oci://"
# Made by whoever made the cluster.
GIVEN_NAMESPACES = ("kube-system",)
MARK = "# Rendered by karrots from cluster.yaml, which is the place for changes. sha256 of the rest: "
DIGITS = 16


@dataclass(frozen=True)
class Place:
    """Where values of a chart were looked up: a file of its repository at a commit, and the version it says it is."""

    repository: str
    file: str
    commit: str
    seen: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Chart:
    """`crds_elsewhere` are providers on which another chart, or the provider, brings its definitions."""

    name: str
    service: str
    address: str
    version: str
    providers: tuple[str, ...]
    crds_elsewhere: tuple[str, ...]
    places: tuple[Place, ...]

    @property
    def is_oci(self) -> bool:
        return self.address.startswith(OCI)


@cache
def charts(templates: Path) -> tuple[Chart, ...]:
    """The table, in its order; of one service, what comes first is installed first."""
    file = templates / TEMPLATES / TABLE
    return tuple(_chart(name, told) for name, told in yaml_file.load_text(file.read_bytes(), TABLE).value.items())


def _chart(name: str, told: Mapping[str, Any]) -> Chart:
    places = tuple(Place(**{**place, "values": tuple(place["values"])}) for place in told["places"])
    return Chart(
        name,
        told["service"],
        told["chart"],
        told["version"],
        tuple(told.get("providers", ())),
        tuple(told.get("crds_elsewhere", ())),
        places,
    )


def charts_of(name: str, provider: str, templates: Path) -> list[Chart]:
    return [
        chart
        for chart in charts(templates)
        if chart.service == name and (not chart.providers or provider in chart.providers)
    ]


def render(spec: ClusterSpec, directory: str, templates: Path) -> dict[str, str]:
    """Texts by path below the cluster directory, which is `directory` in the repository."""
    files: dict[str, str] = {}
    for name in spec.services.on:
        below = _service(CATALOGUE[name], spec, f"{directory}/{FOLDER}/{name}", templates / TEMPLATES)
        files |= {f"{FOLDER}/{name}/{path}": stamped(text) for path, text in below.items()}
    return dict(sorted(files.items()))


def _service(entry: Entry, spec: ClusterSpec, path: str, templates: Path) -> dict[str, str]:
    values = {
        "entry": entry,
        "told": spec.services.on[entry.name],
        "on": set(spec.services.on),
        "provider": spec.provider,
        "auto_mode": spec.eks.auto_mode,
        "namespace": entry.namespace,
    }
    install = {**_releases(entry, spec, values, templates), **_own(entry, "install", values, templates)}
    config = _own(entry, "config", values, templates)
    files = {
        "sync.yaml": _sync(entry, spec, path, templates, has_config=bool(config)),
        "kustomization.yaml": _listed(["sync.yaml"], templates),
        **_folder("install", install, templates),
    }
    return files | (_folder("config", config, templates) if config else {})


def _folder(name: str, files: Mapping[str, str], templates: Path) -> dict[str, str]:
    below = {f"{name}/{path}": text for path, text in files.items()}
    return {**below, f"{name}/kustomization.yaml": _listed(files, templates)}


def _listed(files: Iterable[str], templates: Path) -> str:
    return _form("kustomization.yaml", {"files": list(files)}, templates)


def _releases(entry: Entry, spec: ClusterSpec, values: Mapping[str, Any], templates: Path) -> dict[str, str]:
    files: dict[str, str] = {}
    if entry.namespace not in GIVEN_NAMESPACES:
        files["namespace.yaml"] = _form("namespace.yaml", values, templates)
    after = ""
    for chart in charts_of(entry.name, spec.provider, templates.parent):
        told = {
            **values,
            "chart": chart,
            "after": after,
            "crds": "Skip" if spec.provider in chart.crds_elsewhere else "CreateReplace",
            "values": textwrap.indent(_values(entry, chart, values, templates), "    ").rstrip(),
        }
        parts = (_form("source.yaml", told, templates), _form("release.yaml", told, templates))
        files[f"{chart.name}.yaml"] = "---\n".join(parts)
        after = chart.name
    return files


def _values(entry: Entry, chart: Chart, values: Mapping[str, Any], templates: Path) -> str:
    found = sorted((templates / entry.name).glob(f"{chart.name}.values.yaml*"))
    return rendered_file(found[0], values) if found else ""


def _own(entry: Entry, part: str, values: Mapping[str, Any], templates: Path) -> dict[str, str]:
    """The service's own manifests; one that has nothing to say for this provider is not written."""
    files = sorted((templates / entry.name / part).glob("*.yaml*"))
    texts = {file.name.removesuffix(SUFFIX): rendered_file(file, values) for file in files}
    return {name: text for name, text in texts.items() if text.strip()}


def _sync(entry: Entry, spec: ClusterSpec, path: str, templates: Path, *, has_config: bool) -> str:
    name = kustomization(entry.name)
    before = [kustomization(other) for other in (*entry.needs, *entry.after) if other in spec.services.on]
    told: list[dict[str, object]] = [{"name": name, "after": before, "path": f"{path}/install", "wait": True}]
    if has_config:
        # What it holds may never be ready where nobody answers a challenge, and nothing comes after it.
        told.append({"name": f"{name}-config", "after": [name], "path": f"{path}/config", "wait": False})
    return "---\n".join(_form("sync.yaml", each, templates) for each in told)


def kustomization(service: str) -> str:
    """What its Flux Kustomization is called."""
    return f"service-{service}"


def _form(name: str, values: Mapping[str, Any], templates: Path) -> str:
    return rendered_file(templates / "form" / f"{name}{SUFFIX}", values)


def pinned(text: str) -> str:
    """The chart's version in a rendered release, '' where it names none."""
    for document in yaml_file.documents(text, "the release"):
        spec = document.value.get("spec", {})
        told = spec.get("ref", {}).get("tag") or spec.get("chart", {}).get("spec", {}).get("version")
        if told:
            return str(told)
    return ""


def stamped(text: str) -> str:
    return f"{MARK}{_digest(text.encode())}\n{text}"


def is_rendered(data: bytes) -> bool:
    """Whether it is as some karrots wrote it, and nobody changed it since."""
    head, _, rest = data.partition(b"\n")
    return head == f"{MARK}{_digest(rest)}".encode()


def is_changed(file: Path) -> bool:
    """Whether somebody changed it by hand; what is not there is not changed."""
    return file.is_file() and not is_rendered(content(file))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:DIGITS]
