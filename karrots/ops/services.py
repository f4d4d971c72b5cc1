"""`karrots services …`: the core services of a cluster directory, in cluster.yaml and as what Flux applies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic_core import PydanticUndefined

from karrots import files, places
from karrots.adapters.git_names import quoted
from karrots.errors import Refused, UsageError
from karrots.fleet.workspace import CLUSTER_FILE, Workspace
from karrots.render import services as rendering
from karrots.render import terraform
from karrots.render.files import compare, write
from karrots.spec import splice
from karrots.spec.cluster import read_cluster
from karrots.spec.services import CATALOGUE, CUSTOM, SETS, Services, flaws, why_not
from karrots.spec.suggest import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pydantic.fields import FieldInfo

    from karrots.ops.settings import Settings
    from karrots.spec.cluster import ClusterSpec
    from karrots.spec.services import Entry

LIST_FILE = "kustomization.yaml"
SYNC_FILE = "flux/services.yaml"


@dataclass(frozen=True)
class ServiceRow:
    """`why_not` says why it is not for this directory's provider; `version` is that of its last chart, '' for none."""

    name: str
    on: bool
    version: str
    needs: tuple[str, ...]
    sets: tuple[str, ...]
    what: str
    why_not: str


@dataclass(frozen=True)
class ServiceList:
    directory: str
    services: tuple[ServiceRow, ...]


@dataclass(frozen=True)
class ChartDetail:
    """`requests` is what its pods ask for by default, '' where that is not known."""

    name: str
    address: str
    version: str
    requests: str
    values: dict[str, str]


@dataclass(frozen=True)
class ServiceDetail:
    """`options` are as they are in cluster.yaml or by default; `values` of a chart say where each was looked up."""

    name: str
    on: bool
    what: str
    why_not: str
    needs: tuple[str, ...]
    permission: str
    makes: str
    differs: str
    namespace: str
    options: dict[str, str]
    charts: tuple[ChartDetail, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class ServicesChanged:
    """`files` by path below the directory: created, changed, same, removed, or kept for a change by hand."""

    directory: str
    files: dict[str, str]

    @property
    def changed(self) -> bool:
        return any(outcome not in ("same", KEPT) for outcome in self.files.values())

    @property
    def kept(self) -> list[str]:
        return [path for path, outcome in self.files.items() if outcome == KEPT]


@dataclass(frozen=True)
class Outdated:
    """Charts whose version in the files is another than this karrots would render."""

    directory: str
    charts: tuple[OutdatedChart, ...]


@dataclass(frozen=True)
class OutdatedChart:
    service: str
    chart: str
    rendered: str
    known: str


KEPT = "kept"


@dataclass(frozen=True)
class Directory:
    """The cluster directory a command stands in, with its cluster.yaml as text and as read."""

    root: Path
    path: str
    text: str
    spec: ClusterSpec
    own: Mapping[str, bytes]
    backend: str

    @classmethod
    def open(cls, settings: Settings) -> Directory:
        workspace = Workspace.open(settings.start, settings.warn)
        path = workspace.directory()
        root = workspace.repo.root / path
        text = files.content(root / CLUSTER_FILE).decode("utf-8-sig")
        own = rendering.own_on_disk(workspace.repo.root)
        spec = read_cluster(text, f"{path}/{CLUSTER_FILE}", {})
        return cls(root, path, text, spec, own, workspace.backend(spec.provider))

    @property
    def on(self) -> set[str]:
        return {*self.spec.services.on, *self.spec.services.custom}

    def entries(self) -> dict[str, Entry]:
        """The catalogue, and then what the fleet has of its own."""
        split = (path.split("/") for path in self.own)
        names = [parts[0] for parts in split if parts[1:] == [rendering.OWN_FILE]]
        return {**CATALOGUE, **{name: rendering.read(name, self.own)[0] for name in sorted(names)}}

    def known(self, name: str) -> Entry:
        found = self.entries()
        if name not in found:
            raise UsageError(f"there is no service {quoted(name)}{suggestion(name, found)}", hint="karrots services ls")
        return found[name]

    def charts(self, name: str) -> Sequence[rendering.Chart]:
        if name in CATALOGUE:
            return rendering.charts_of(name, self.spec.provider, places.templates())
        return rendering.read(name, self.own)[1].charts

    def rendered(self, spec: ClusterSpec) -> dict[str, str]:
        return rendering.render(spec, self.path, places.templates(), self.own)

    def rights(self, spec: ClusterSpec) -> dict[str, str]:
        """What of terraform/ would be another text with `spec`: some services ask for rights in the cloud."""
        if spec.terraform != "rendered" or not (self.root / "terraform").is_dir():
            return {}
        templates = places.templates() / spec.provider
        before, after = (terraform.render(each, templates, self.backend) for each in (self.spec, spec))
        return {f"terraform/{path}": text for path, text in after.items() if before.get(path) != text}

    def read(self, path: str) -> str | None:
        file = self.root / path
        return files.content(file).decode("utf-8-sig") if file.is_file() else None


def ls(settings: Settings) -> ServiceList:
    here = Directory.open(settings)
    return ServiceList(here.path, tuple(_row(entry, here) for entry in here.entries().values()))


def _row(entry: Entry, here: Directory) -> ServiceRow:
    charts = here.charts(entry.name)
    return ServiceRow(
        entry.name,
        entry.name in here.on,
        charts[-1].version if charts else "",
        entry.needs,
        entry.sets,
        entry.what,
        why_not(entry, here.spec),
    )


def show(settings: Settings, name: str) -> ServiceDetail:
    here = Directory.open(settings)
    entry = here.known(name)
    below = f"{rendering.FOLDER}/{name}/"
    return ServiceDetail(
        name,
        name in here.on,
        entry.what,
        why_not(entry, here.spec),
        entry.needs,
        entry.permission,
        entry.makes,
        entry.differs,
        entry.namespace,
        _options(name, here.spec),
        tuple(_chart_detail(chart) for chart in here.charts(name)),
        tuple(path for path in _rendered_or_nothing(here) if path.startswith(below)),
    )


def _rendered_or_nothing(here: Directory) -> dict[str, str]:
    """Services that do not go together may have nothing to render."""
    return {} if flaws(here.spec) else here.rendered(here.spec)


def _options(name: str, spec: ClusterSpec) -> dict[str, str]:
    told = spec.services.on.get(name)
    options = _options_of(name)
    values = {key: getattr(told, key) if told else field.get_default() for key, field in options.items()}
    return {key: "" if value in (None, PydanticUndefined) else str(value) for key, value in values.items()}


def _options_of(name: str) -> Mapping[str, FieldInfo]:
    """One of a team's own is told nothing: it stands in its folder as it is."""
    return Services.options(name) if name in CATALOGUE else {}


def _chart_detail(chart: rendering.Chart) -> ChartDetail:
    looked_up = {
        value: f"{place.repository} {place.file} @ {place.commit[:10]}"
        for place in chart.places
        for value in place.values
    }
    return ChartDetail(chart.name, chart.address, chart.version, chart.requests, looked_up)


def enable(settings: Settings, names: Sequence[str], chosen: str | None, options: Mapping[str, str]) -> ServicesChanged:
    """Switch on those named and those of the set that this provider has; what is on already stays as it is."""
    here = Directory.open(settings)
    wanted = [here.known(name).name for name in names] + (members(chosen, here.spec) if chosen else [])
    if not wanted or (options and len(wanted) != 1):
        raise UsageError(
            "an option needs one service to belong to" if options else "no service is named",
            hint="karrots services enable external-dns --option policy=upsert-only"
            if options
            else "karrots services ls",
        )
    text = here.text
    for name in dict.fromkeys(wanted):
        text = _switched_on(text, here, name, options)
    return _written(here, text)


def _switched_on(text: str, here: Directory, name: str, options: Mapping[str, str]) -> str:
    from karrots.spec.edit import set_key

    unknown = next((key for key in options if key not in _options_of(name)), None)
    if unknown is not None:
        near = suggestion(unknown, _options_of(name))
        raise UsageError(f"'{name}' has no option {quoted(unknown)}{near}", hint=f"karrots services show {name}")
    if name not in here.on:
        _refuse_untold(name, options)
        return splice.add_key(text, _place(name), options)
    for key, value in options.items():
        path = ("services", name, key)
        text = set_key(text, ".".join(path), value) if splice.has(text, path) else splice.add_key(text, path, value)
    return text


def _place(name: str) -> tuple[str, ...]:
    return ("services", name) if name in CATALOGUE else ("services", CUSTOM, name)


def _refuse_untold(name: str, options: Mapping[str, str]) -> None:
    for key, field in _options_of(name).items():
        if field.is_required() and key not in options:
            raise UsageError(
                f"'{name}' must be told its {key}",
                why=(field.description or "").rstrip("."),
                hint=f"karrots services enable {name} --option {key}=…",
            )


def disable(settings: Settings, names: Sequence[str]) -> ServicesChanged:
    """Only what karrots rendered and nobody changed since is removed."""
    here = Directory.open(settings)
    text = here.text
    for name in dict.fromkeys(names):
        if name in here.on:
            text = splice.drop_key(text, _place(name))
        else:
            here.known(name)
    return _written(here, text, off=names)


def outdated(settings: Settings) -> Outdated:
    here = Directory.open(settings)
    found = []
    for name in sorted(here.on):
        for chart in here.charts(name):
            text = here.read(f"{rendering.FOLDER}/{name}/install/{chart.name}.yaml")
            pinned = rendering.pinned(text) if text else ""
            if pinned != chart.version:
                found.append(OutdatedChart(name, chart.name, pinned, chart.version))
    return Outdated(here.path, tuple(found))


def members(chosen: str, spec: ClusterSpec) -> list[str]:
    """Of a set, what is for this provider; where something has a part already, not a second one for it."""
    if chosen not in SETS:
        raise UsageError(f"there is no set {quoted(chosen)}{suggestion(chosen, SETS)}", hint=f"--set {'|'.join(SETS)}")
    taken = {CATALOGUE[name].part for name in spec.services.on} - {""}
    return [
        entry.name
        for entry in CATALOGUE.values()
        if chosen in entry.sets and not why_not(entry, spec) and entry.part not in taken
    ]


def _written(here: Directory, text: str, off: Sequence[str] = ()) -> ServicesChanged:
    """Everything is looked at before the first file is written. Raises UsageError for what would not go together."""
    spec = read_cluster(text, f"{here.path}/{CLUSTER_FILE}", {})
    _refuse_new_flaws(here.spec, spec)
    wanted = here.rendered(spec)
    kept = _changed_by_hand(here.root, wanted)
    wanted = {path: text for path, text in wanted.items() if path not in kept}
    wanted |= {CLUSTER_FILE: text, **_listed(here, spec, off), **here.rights(spec)}
    gone = _left_over(here.root, off)
    compare(wanted, here.root)
    done: dict[str, str] = {each.path: each.outcome for each in write(wanted, here.root)}
    done |= _removed(here.root, gone) | dict.fromkeys(kept, KEPT)
    return ServicesChanged(here.path, dict(sorted(done.items())))


def _refuse_new_flaws(before: ClusterSpec, after: ClusterSpec) -> None:
    old = {flaw.text for flaw in flaws(before)}
    for flaw in flaws(after):
        if flaw.text not in old:
            raise UsageError(flaw.text, why="nothing was changed", hint=flaw.command)


def _changed_by_hand(root: Path, wanted: Mapping[str, str]) -> list[str]:
    return [path for path in wanted if rendering.is_changed(root / path)]


def _left_over(root: Path, off: Iterable[str]) -> list[str]:
    """The files of services that are off."""
    folders = (root / rendering.FOLDER / name for name in off)
    return [
        file.relative_to(root).as_posix()
        for folder in folders
        if folder.is_dir()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    ]


def _removed(root: Path, paths: Iterable[str]) -> dict[str, str]:
    outcomes: dict[str, str] = {}
    for path in paths:
        ours = rendering.is_rendered(files.content(root / path))
        if ours:
            files.remove(root / path)
        outcomes[path] = "removed" if ours else KEPT
    return outcomes


def _listed(here: Directory, spec: ClusterSpec, off: Iterable[str]) -> dict[str, str]:
    """The files of the fleet's own that say which services Flux finds, as they should be."""
    path = f"{rendering.FOLDER}/{LIST_FILE}"
    text = here.read(path)
    if text is None:
        raise Refused(
            f"there is no '{here.path}/{path}'",
            why="without it Flux takes every file below that folder as it finds it",
            hint=f"write one that lists what is in {here.path}/{rendering.FOLDER}",
        )
    named = splice.items(text, "resources")
    for name in (*spec.services.on, *spec.services.custom):
        text = text if name in named else splice.add_item(text, "resources", name)
    for name in off:
        text = splice.drop_item(text, "resources", name)
    return {path: text, **_waiting(here)}


def _waiting(here: Directory) -> dict[str, str]:
    """Applications come after the services: so the Kustomization that they depend on is Ready when all of those are."""
    text = here.read(SYNC_FILE)
    if text is None or not splice.is_one_document(text) or splice.has(text, ("spec", "wait")):
        return {}
    return {SYNC_FILE: splice.add_key(text, ("spec", "wait"), "true")} if splice.has(text, ("spec", "path")) else {}
