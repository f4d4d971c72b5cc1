"""The core services of cluster.yaml as what Flux applies: pure, from a specification and templates to texts by path.

Each service is a folder below flux/services/: `install/` with where its chart is had and the release, and `config/`
with objects of the kinds that the release brings, which come after it. Only then it has Flux Kustomizations of its own
(`sync.yaml`): each that waits takes one of Flux's four workers, so all else is waited for by the one above.
"""

from __future__ import annotations

import hashlib
import textwrap
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from karrots.errors import UsageError
from karrots.files import content
from karrots.render.template import SUFFIX, rendered_file
from karrots.spec import loading, yaml_file
from karrots.spec.identity import NAMESPACE
from karrots.spec.services import CATALOGUE, COMMAND, CustomService, Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from karrots.spec.cluster import ClusterSpec

FOLDER = "flux/services"
TEMPLATES = "services"
TABLE = "charts.yaml"
OCI = "oci://"
# Made by whoever made the cluster.
GIVEN_NAMESPACES = ("kube-system",)
# Where a fleet has services of its own, and what says of each what it is.
OWN_FOLDER = "services"
OWN_FILE = "service.yaml"
NOTHING: Mapping[str, bytes] = MappingProxyType({})
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
    """`crds_elsewhere` are providers on which another chart, or the provider, brings its definitions.

    `requests` is what its pods ask for by default, '' where that was not looked up.
    """

    name: str
    service: str
    address: str
    version: str
    providers: tuple[str, ...]
    crds_elsewhere: tuple[str, ...]
    places: tuple[Place, ...]
    requests: str = ""

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
        str(told.get("requests", "")),
    )


def charts_of(name: str, provider: str, templates: Path) -> list[Chart]:
    return [
        chart
        for chart in charts(templates)
        if chart.service == name and (not chart.providers or provider in chart.providers)
    ]


@dataclass(frozen=True)
class Release:
    name: str
    namespace: str


@dataclass(frozen=True)
class Parts:
    """What a service is made of: texts by chart's name, and by file's name."""

    charts: tuple[Chart, ...]
    values: Mapping[str, str]
    install: Mapping[str, str]
    config: Mapping[str, str]


def render(spec: ClusterSpec, directory: str, templates: Path, own: Mapping[str, bytes] = NOTHING) -> dict[str, str]:
    """Texts by path below the cluster directory, which is `directory` in the repository.

    `own` are the files below services/ of the repository, for what `custom` names. Raises UsageError for one that is
    not there, or not what it should be.
    """
    theirs = [read(name, own) for name in spec.services.custom]
    busy = {CATALOGUE[name].namespace for name in spec.services.on} | {entry.namespace for entry, _ in theirs}
    made = [_made(CATALOGUE[name], spec, templates, busy) for name in spec.services.on] + theirs
    last = {entry.name: Release(parts.charts[-1].name, entry.namespace) for entry, parts in made if parts.charts}
    files: dict[str, str] = {}
    for entry, parts in made:
        first = tuple(last[other] for other in (*entry.needs, *entry.after) if other in last)
        below = _service(
            entry, parts, spec.provider, first, templates / TEMPLATES, f"{directory}/{FOLDER}/{entry.name}"
        )
        files |= {f"{FOLDER}/{entry.name}/{path}": stamped(text) for path, text in below.items()}
    return dict(sorted(files.items()))


def _made(entry: Entry, spec: ClusterSpec, templates: Path, busy: set[str]) -> tuple[Entry, Parts]:
    """One of the catalogue, from its templates. `busy` are the namespaces of all services that are on."""
    told = {
        "told": spec.services.on[entry.name],
        "on": set(spec.services.on),
        "provider": spec.provider,
        "auto_mode": spec.eks.auto_mode,
        "kubernetes": spec.kubernetes,
        "namespaces": sorted({*busy, *GIVEN_NAMESPACES, NAMESPACE}),
    }
    folder = templates / TEMPLATES / entry.name
    found = tuple(charts_of(entry.name, spec.provider, templates))
    values = {chart.name: _values(folder, chart, told) for chart in found}
    return entry, Parts(found, values, _manifests(folder / "install", told), _manifests(folder / "config", told))


def _values(folder: Path, chart: Chart, told: Mapping[str, Any]) -> str:
    found = sorted(folder.glob(f"{chart.name}.values.yaml*"))
    return rendered_file(found[0], told) if found else ""


def _manifests(folder: Path, told: Mapping[str, Any]) -> dict[str, str]:
    """One that has nothing to say for this provider is not written."""
    texts = {file.name.removesuffix(SUFFIX): rendered_file(file, told) for file in sorted(folder.glob("*.yaml*"))}
    return {name: text for name, text in texts.items() if text.strip()}


def read(name: str, own: Mapping[str, bytes]) -> tuple[Entry, Parts]:
    """One of a team's own: its files as they stand, since a template of somebody's branch could do anything here."""
    place = f"{OWN_FOLDER}/{name}"
    if f"{name}/{OWN_FILE}" not in own:
        raise UsageError(
            f"there is no '{place}/{OWN_FILE}'",
            why=f"services.custom names '{name}', which has its folder there",
            hint=f"{COMMAND} disable {name}",
        )
    told = loading.load(CustomService, own[f"{name}/{OWN_FILE}"], f"{place}/{OWN_FILE}", {})
    found = tuple(Chart(key, name, chart.chart, chart.version, (), (), ()) for key, chart in told.charts.items())
    values = {chart.name: _own_text(own, f"{name}/{chart.name}.values.yaml") for chart in found}
    entry = Entry(name, told.what or "one of your own", told.namespace, after=tuple(told.after))
    return entry, Parts(found, values, _own_texts(own, f"{name}/install/"), _own_texts(own, f"{name}/config/"))


def own_on_disk(root: Path) -> dict[str, bytes]:
    """Those files of the repository's services/ that are part of a service; the folder may hold other things."""
    top = root / OWN_FOLDER
    folders = (file.parent for file in sorted(top.glob(f"*/{OWN_FILE}")))
    files = (path for folder in folders for path in sorted(folder.rglob("*.yaml")) if path.is_file())
    return {path.relative_to(top).as_posix(): content(path) for path in files}


def _own_texts(own: Mapping[str, bytes], folder: str) -> dict[str, str]:
    names = sorted(path.removeprefix(folder) for path in own if path.startswith(folder) and path.endswith(".yaml"))
    return {name: _own_text(own, f"{folder}{name}") for name in names if "/" not in name}


def _own_text(own: Mapping[str, bytes], path: str) -> str:
    """What is no YAML is said here, by its place, and not by Flux."""
    data = own.get(path, b"")
    yaml_file.documents(data, f"{OWN_FOLDER}/{path}")
    return data.decode("utf-8-sig")


def _service(
    entry: Entry, parts: Parts, provider: str, first: tuple[Release, ...], templates: Path, path: str
) -> dict[str, str]:
    install = {**_releases(entry, parts, provider, first, templates), **parts.install}
    files = _folder("install", install, templates)
    if not parts.config:
        return {**files, "kustomization.yaml": _listed(["install"], templates)}
    return {
        **files,
        **_folder("config", parts.config, templates),
        "sync.yaml": _sync(entry.name, path, templates),
        "kustomization.yaml": _listed(["sync.yaml"], templates),
    }


def _folder(name: str, files: Mapping[str, str], templates: Path) -> dict[str, str]:
    below = {f"{name}/{path}": text for path, text in files.items()}
    return {**below, f"{name}/kustomization.yaml": _listed(files, templates)}


def _listed(files: Iterable[str], templates: Path) -> str:
    return _form("kustomization.yaml", {"files": list(files)}, templates)


def _releases(entry: Entry, parts: Parts, provider: str, first: tuple[Release, ...], templates: Path) -> dict[str, str]:
    """Each after the one before it, the first one after those of other services."""
    files: dict[str, str] = {}
    if entry.namespace not in GIVEN_NAMESPACES:
        files["namespace.yaml"] = _form("namespace.yaml", {"namespace": entry.namespace}, templates)
    after = first
    for chart in parts.charts:
        told = {
            "chart": chart,
            "namespace": entry.namespace,
            "after": after,
            "crds": "Skip" if provider in chart.crds_elsewhere else "CreateReplace",
            "values": textwrap.indent(parts.values.get(chart.name, ""), "    ").rstrip(),
        }
        texts = (_form("source.yaml", told, templates), _form("release.yaml", told, templates))
        files[f"{chart.name}.yaml"] = "---\n".join(texts)
        after = (Release(chart.name, entry.namespace),)
    return files


def _sync(service: str, path: str, templates: Path) -> str:
    name = kustomization(service)
    install = {"name": name, "after": [], "path": f"{path}/install", "wait": True}
    # What it holds may never be ready where nobody answers a challenge, and nothing comes after it.
    config = {"name": f"{name}-config", "after": [name], "path": f"{path}/config", "wait": False}
    return "---\n".join(_form("sync.yaml", told, templates) for told in (install, config))


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
