"""`karrots render`, `eject`, `identity` and `lint`: the files of one cluster directory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots import places
from karrots.adapters.git_names import quoted
from karrots.errors import NotFound, UsageError
from karrots.fence import Decisions, Find, Owner, Sought, find
from karrots.files import content as content_of
from karrots.fleet.workspace import CLUSTER_FILE, Workspace
from karrots.lint import Finding
from karrots.lint.tree import Tree
from karrots.lint.walk import walk
from karrots.render import services
from karrots.render import terraform as rendering
from karrots.render.files import compare, write
from karrots.secrets import Kept, kept
from karrots.steps import content

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from karrots.lint.walk import Walk
    from karrots.ops.settings import Settings
    from karrots.spec.cluster import ClusterSpec


@dataclass(frozen=True)
class Rendered:
    """`files` maps each path below the directory to created, changed, same or removed."""

    directory: str
    files: dict[str, str]

    @property
    def changed(self) -> bool:
        return any(what != "same" for what in self.files.values())


@dataclass(frozen=True)
class Linted:
    directory: str
    findings: tuple[Finding, ...]
    fixed: tuple[str, ...] = ()

    @property
    def errors(self) -> int:
        return len(content.errors_of(self.findings))


@dataclass(frozen=True)
class Identity:
    """The variables that tell this cluster apart, as Terraform gets them."""

    cluster: str
    path: str
    variables: dict[str, object]


def present_spec(workspace: Workspace, directory: str) -> ClusterSpec:
    """cluster.yaml as it stands in the working tree."""
    from karrots.spec.cluster import load_cluster

    file = workspace.repo.root / directory / CLUSTER_FILE
    return load_cluster(content_of(file), f"{directory}/{CLUSTER_FILE}", {})


def render(settings: Settings, *, check: bool) -> Rendered:
    """Write terraform/ and the services from cluster.yaml; with `check` only say what would change."""
    workspace = Workspace.open(settings.start, settings.warn)
    directory = workspace.directory()
    spec = present_spec(workspace, directory)
    files = {**_terraform(workspace, directory, spec), **_services(workspace, directory, spec)}
    act = compare if check else write
    done = act(files, workspace.repo.root / directory)  # which looks at every folder below it, terraform/ included
    return Rendered(directory, {written.path: written.outcome for written in done})


def _services(workspace: Workspace, directory: str, spec: ClusterSpec) -> dict[str, str]:
    """Without those that were changed by hand since: lint tells them."""
    root = workspace.repo.root / directory
    own = services.own_on_disk(workspace.repo.root)
    wanted = services.render(spec, directory, places.templates(), own)
    return {path: text for path, text in wanted.items() if not services.is_changed(root / path)}


def _terraform(workspace: Workspace, directory: str, spec: ClusterSpec) -> dict[str, str]:
    """Nothing where it is kept by hand and there are services to render. Raises UsageError where there are none."""
    if spec.terraform == "ejected" and (spec.services.on or spec.services.custom):
        return {}
    if spec.terraform == "ejected":
        raise UsageError(
            f"'{directory}' is ejected",
            why="its terraform/ is kept by hand, karrots does not write it",
            hint=f"set 'terraform: rendered' in {directory}/{CLUSTER_FILE} to let karrots write it again",
        )
    templates = places.templates() / spec.provider
    if not templates.is_dir():
        raise UsageError(
            f"this version of karrots has no templates for provider '{spec.provider}'",
            why="there is nothing to render",
            hint="karrots create --on local   (the same directory on the local engine)",
        )
    backend = workspace.backend(spec.provider)
    return {f"terraform/{path}": text for path, text in rendering.render(spec, templates, backend).items()}


def eject(settings: Settings) -> Rendered:
    """The last rendering; from here on terraform/ belongs to the user."""
    from karrots.spec.edit import set_key

    workspace = Workspace.open(settings.start, settings.warn)
    directory = workspace.directory()
    if present_spec(workspace, directory).terraform == "ejected":
        raise UsageError(f"'{directory}' is ejected already", hint=f"edit {directory}/terraform/ by hand")
    done = render(settings, check=False)
    folder = workspace.repo.root / directory
    text = content_of(folder / CLUSTER_FILE).decode("utf-8-sig")
    write({CLUSTER_FILE: set_key(text, "terraform", "ejected")}, folder)
    return Rendered(directory, {**done.files, CLUSTER_FILE: "changed"})


def identity(settings: Settings, name: str | None, *, save: bool) -> Identity:
    """What belongs to one cluster alone; `save` puts it beside the root, for `terraform plan` by hand."""
    from karrots.ops.apply import named
    from karrots.providers import provider
    from karrots.steps.infrastructure import identity_text, identity_variables

    workspace, record = named(settings, name, fresh=False)
    place = provider(record.provider)
    spec = workspace.spec_at(record.branch, record.directory, record.overrides)
    path = f"{record.directory}/terraform/{rendering.IDENTITY_FILE}"
    if save:
        if not (workspace.repo.root / path).parent.is_dir():
            raise UsageError(f"there is no '{record.directory}/terraform'", hint="karrots render")
        write({path: identity_text(record, place, workspace, spec)}, workspace.repo.root)
    return Identity(record.name, path, identity_variables(record, place, workspace, spec))


def lint(settings: Settings, *, fix: bool, ref: str | None) -> Linted:
    """The working tree, or with `ref` a commit."""
    workspace = Workspace.open(settings.start, settings.warn)
    directory = workspace.directory()
    fixed: tuple[str, ...] = ()
    if ref is not None:
        if workspace.repo.resolve(ref) is None:
            raise NotFound(f"git knows no commit {quoted(ref)}", hint="git branch --all")
        spec = workspace.spec_at(ref, directory, {})
        files = content.committed(workspace.repo, ref, directory)
        own = content.own_committed(workspace.repo, ref, spec)
        return Linted(directory, tuple(findings(workspace, files, directory, spec, own)))
    if fix:
        fixed = mend(workspace, directory)
    spec = present_spec(workspace, directory)
    files = content.on_disk(workspace.repo.root, directory)
    own = services.own_on_disk(workspace.repo.root)
    return Linted(directory, tuple(findings(workspace, files, directory, spec, own)), fixed)


def findings(
    workspace: Workspace, files: Mapping[str, bytes], directory: str, spec: ClusterSpec, own: Mapping[str, bytes]
) -> Iterable[Finding]:
    found = content.findings(files, directory, spec, workspace.backend(spec.provider), own)
    content_walk = walk(Tree(files, directory))
    return [*found, *fenced(workspace, content_walk, directory, spec), *exposed(content_walk)]


def exposed(walked: Walk) -> list[Finding]:
    """Secrets that stand in git as they are, and those that Flux will not decrypt."""
    return [finding for each in kept(walked) if (finding := _of_secret(each)) is not None]


def _of_secret(each: Kept) -> Finding | None:
    label = f"{each.kind}/{each.name}"
    if each.way == "plain":
        message = "stands in git as it is: who reads the repository reads it"
        hint = "seal it (kubeseal), encrypt it (sops), or keep it in a store; and change what was in it"
        return Finding(each.path, each.line, "plain-secret", "warning", label, message, hint)
    if each.way == "sops" and not each.decrypted_by:
        message = "is encrypted with SOPS, and its Kustomization does not decrypt"
        hint = "spec: {decryption: {provider: sops, secretRef: {name: sops-age}}} in the Flux Kustomization"
        return Finding(each.path, each.line, "not-decrypted", "error", label, message, hint)
    return None


def fenced(workspace: Workspace, walked: Walk, directory: str, spec: ClusterSpec) -> list[Finding]:
    """What a fence would hold in copies, and what it cannot; the same walk as before a copy is made."""
    owners = [Owner(each.name, each.domain, each.account) for each in workspace.known.records()]
    decisions = Decisions.of(spec.fence.open, spec.fence.closed, {})
    sought = Sought(spec.variables, (*owners, *_first(workspace, directory)), tuple(spec.fence.addresses), decisions)
    found = find(walked, sought)
    return [_of_fence(each) for each in found if decisions.held(each.kind, each.namespace, each.name)]


def _first(workspace: Workspace, directory: str) -> list[Owner]:
    """The cluster that `create` makes in the directory when no name is given, also before it is there."""
    name = directory.rpartition("/")[2]
    try:
        return [Owner(name, f"{name}.{workspace.settings.domain}")]
    except NotFound:
        return []


def _of_fence(each: Find) -> Finding:
    if each.hold == "nothing":
        own = "write it with ${cluster_domain} or ${cluster_name}"
        hint = f"{own}, or in cluster.yaml: fence: {{open: [{each.label}]}}"
        return Finding(each.path, each.line, "not-for-copies", "error", f"{each.kind}/{each.name}", each.reason, hint)
    message = f"{each.reason}; a copy's fence holds it ({each.hold})"
    return Finding(each.path, each.line, "held-in-copies", "warning", f"{each.kind}/{each.name}", message)


def mend(workspace: Workspace, directory: str) -> tuple[str, ...]:
    from karrots.lint import fix

    files = content.on_disk(workspace.repo.root, directory)
    changed = fix(files, directory)
    write({path: data.decode() for path, data in changed.items()}, workspace.repo.root / directory)
    return tuple(sorted(changed))
