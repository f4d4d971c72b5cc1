"""`karrots rehearse --terraform`: a root's whole life, with recorded providers in place of the clouds'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots import clock, files, places
from karrots.adapters import terraform
from karrots.adapters.terraform_events import DiagnosticSeen
from karrots.errors import KarrotsError, ToolFailed
from karrots.fleet.addresses import lease
from karrots.fleet.record import Record, State, new_id
from karrots.fleet.workspace import Workspace
from karrots.pipeline import Pipeline
from karrots.providers import local, provider
from karrots.render import terraform as rendering
from karrots.replay import folder as folders
from karrots.replay import mirror, program, schemas
from karrots.report.events import OperationFinished, OperationStarted
from karrots.report.text import count_text
from karrots.steps.infrastructure import identity_text, is_rendered
from karrots.steps.rehearsal import Stage, Stand, stages

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from karrots.adapters.terraform_events import Event
    from karrots.errors import Diagnostic
    from karrots.ops.settings import Settings
    from karrots.pipeline import Run
    from karrots.replay.schemas import Recorded
    from karrots.spec.cluster import ClusterSpec


@dataclass(frozen=True)
class Found:
    """Something Terraform said about the root. `severity` is error or warning."""

    severity: str
    summary: str
    detail: str
    address: str
    file: str
    line: int


@dataclass(frozen=True)
class Rehearsed:
    """`schemas` are those that there were to choose from; `next` is what helps when none of them would do."""

    root: str
    tool: str
    schemas: tuple[str, ...]
    stages: tuple[Stage, ...]
    findings: tuple[Found, ...]
    seconds: float
    next: str = ""

    @property
    def errors(self) -> int:
        return sum(1 for each in self.findings if each.severity == "error")


@dataclass(frozen=True)
class Options:
    """`root` is a folder with Terraform in it; without one a cluster directory is rehearsed."""

    root: Path | None = None
    schemas: Sequence[Path] = ()
    variables: Sequence[Path] = ()


def rehearse(settings: Settings, options: Options) -> Rehearsed:
    """Raises what stands in the way; what is wrong with the root is in the result."""
    recorded = chosen(options.schemas)
    if options.root is not None:
        return of_folder(settings, options.root, recorded, options.variables)
    return of_directory(settings, recorded, options.variables)


def chosen(own: Iterable[Path]) -> list[Recorded]:
    """The user's recordings, and those of karrots for the other providers."""
    mine = [each for file in own for each in schemas.of_file(file)]
    named = {each.address for each in mine}
    return [*mine, *(each for each in schemas.shipped() if each.address not in named)]


def of_folder(settings: Settings, root: Path, recorded: Sequence[Recorded], variables: Sequence[Path]) -> Rehearsed:
    root = settings.start / root
    run = settings.run("rehearse", root.name)
    made = folders.linked(root, run.folder / "root", variables)
    return played(settings, run, str(root), made, recorded)


def of_directory(settings: Settings, recorded: Sequence[Recorded], variables: Sequence[Path]) -> Rehearsed:
    """A cluster directory as it stands in the working tree, with the identity of a cluster that does not exist."""
    from karrots.ops.content import present_spec

    workspace = Workspace.open(settings.start, settings.warn)
    directory = workspace.directory()
    spec = present_spec(workspace, directory)
    record = imagined(workspace, directory, spec.provider)
    identity = identity_text(record, provider(spec.provider), workspace, spec)
    run = settings.run("rehearse", directory)
    source = places.private_folder(run.folder / "source")
    if is_rendered(spec, provider(spec.provider)):
        _lay_out(spec, source)
    else:
        source = workspace.repo.root / directory / "terraform"
    made = folders.linked(source, run.folder / "root", variables)
    _identify(made, identity)
    return played(settings, run, directory, made, recorded)


def at_commit(settings: Settings, workspace: Workspace, commit: str, spec: ClusterSpec, record: Record) -> Rehearsed:
    """The root as it is at a commit, with the identity of that record."""
    run = settings.run("rehearse", record.directory)
    source = places.private_folder(run.folder / "source")
    if is_rendered(spec, provider(spec.provider)):
        _lay_out(spec, source)
    else:
        workspace.repo.export(commit, f"{record.directory}/terraform", source)
    made = folders.linked(source, run.folder / "root", ())
    _identify(made, identity_text(record, provider(spec.provider), workspace, spec))
    return played(settings, run, record.directory, made, chosen(()))


def not_here(where: str) -> str:
    """Why a provider's root is not rehearsed on this computer; '' where it can be."""
    if where == local.NAME:
        return "its root does nothing but start the engine, which was done"
    if not program.is_built():
        return "the program that plays recorded providers is not built: karrots rehearse --terraform builds it"
    try:
        terraform.locate()
    except KarrotsError as error:
        return f"{error.message}: {error.hint}"
    return ""


def _lay_out(spec: ClusterSpec, source: Path) -> None:
    for path, text in rendering.render(spec, places.templates() / spec.provider).items():
        places.private_folder((source / path).parent)
        files.write(source / path, text, durable=False)


def _identify(made: Path, identity: str) -> None:
    files.remove(made / rendering.IDENTITY_FILE)  # a link to what somebody wrote by hand
    files.write(made / rendering.IDENTITY_FILE, identity, durable=False)


def imagined(workspace: Workspace, directory: str, where: str) -> Record:
    fleet = workspace.settings
    section = fleet.providers.cloud(where)
    identity = workspace.repo.identity()
    cluster_id = new_id()
    return Record(
        id=cluster_id,
        state=State(backend="local", key=cluster_id),
        name="rehearsal",
        directory=directory,
        branch=workspace.repo.head().branch or "rehearsal",
        provider=where,
        region=section.region if section else "",
        account=section.account_id if section else "",
        domain=f"rehearsal.{fleet.domain}",
        network=lease(fleet.addresses.pool, fleet.addresses.prefix, ()),
        owner=identity[1] if identity else "",
        created=clock.stamp(clock.now()),
    )


def played(settings: Settings, run: Run, root: str, made: Path, recorded: Sequence[Recorded]) -> Rehearsed:
    tool = terraform.locate()
    warnings: list[Diagnostic] = []
    settings.reporter.emit(OperationStarted("rehearse", root, f"{tool.kind} {tool.version}", run.id))
    stand = Stand(
        run, run.folder, recorded, list(folders.constraints(made)),
        lambda environment: terraform.Root(made, tool, environment, hear),
    )  # fmt: skip

    def hear(event: Event) -> None:
        """What init warns of is our own: it is the mirror that is not a registry."""
        if isinstance(event, DiagnosticSeen) and event.severity == "warning" and stand.stages:
            warnings.append(event.diagnostic)

    errors: Sequence[Diagnostic] = ()
    try:
        Pipeline(stages(), run).execute(stand)
    except ToolFailed as error:
        if not error.diagnostics:
            raise
        errors = error.diagnostics
    finally:
        tidy(run)
    result = Rehearsed(
        root, f"{tool.kind} {tool.version}", tuple(each.label for each in recorded), tuple(stand.stages),
        (*_found("error", errors), *_found("warning", dict.fromkeys(warnings))), round(run.seconds, 3), _next(stand),
    )  # fmt: skip
    summary = f"{root}: {count_text(result.errors, 'error')}"
    settings.reporter.emit(OperationFinished("rehearse", root, run.seconds, run.expected, summary))
    return result


def tidy(run: Run) -> None:
    """Logs and the root stay in the run's folder; a megabyte of schemas need not."""
    for name in mirror.FOLDERS:
        files.remove_tree(run.folder / name, whatever=True)


def _found(severity: str, diagnostics: Iterable[Diagnostic]) -> list[Found]:
    return [Found(severity, d.summary, d.detail, d.address, d.file, d.line) for d in diagnostics]


def _next(stand: Stand) -> str:
    """A failed init is mostly a provider, or a version of one, that nobody has recorded."""
    last = stand.stages[-1] if stand.stages else None
    if last is None or (last.name, last.outcome) != ("init", "failed"):
        return ""
    return f"{schemas.HOW_TO_RECORD}\nkarrots rehearse --terraform --root FOLDER --schema schema.json"
