"""The lint rules on the files of one commit (or of the working tree), and whether the rendered Terraform is fresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from karrots import places
from karrots.files import content
from karrots.lint import Finding, lint
from karrots.render import services
from karrots.render import terraform as rendering
from karrots.spec import flux_components
from karrots.spec.identity import IDENTITY_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from karrots.adapters.git import Repository
    from karrots.spec.cluster import ClusterSpec

TERRAFORM = "terraform/"
REGULAR_MODES = (0o100644, 0o100755)


def committed(repo: Repository, rev: str, directory: str) -> dict[str, bytes]:
    """The regular files of the directory at that commit."""
    return {path: f.data for path, f in repo.files(rev, directory).items() if f.mode in REGULAR_MODES}


def own_committed(repo: Repository, rev: str, spec: ClusterSpec) -> Mapping[str, bytes]:
    """The fleet's services of its own at that commit; nothing is read where none is on."""
    return committed(repo, rev, services.OWN_FOLDER) if spec.services.custom else services.NOTHING


def on_disk(root: Path, directory: str) -> dict[str, bytes]:
    """The regular files of the directory in the working tree, hidden Terraform folders left out."""
    top = root / directory
    files = (p for p in top.rglob("*") if p.is_file() and not p.is_symlink() and ".terraform" not in p.parts)
    return {p.relative_to(top).as_posix(): content(p) for p in files}


def findings(
    files: Mapping[str, bytes],
    directory: str,
    spec: ClusterSpec,
    backend: str = "http",
    own: Mapping[str, bytes] = services.NOTHING,
) -> list[Finding]:
    """`backend` is where the fleet keeps the states of this provider's clusters; `own` are its files in services/."""
    known = {*IDENTITY_VARIABLES, *spec.variables}
    return [
        *lint(files, directory, known, spec.kubernetes),
        *stale_terraform(files, spec, backend),
        *stale_services(files, directory, spec, own),
        *other_flux(files, spec),
    ]


def stale_services(
    files: Mapping[str, bytes], directory: str, spec: ClusterSpec, own: Mapping[str, bytes]
) -> list[Finding]:
    """What Flux finds must be what cluster.yaml says; what somebody changed on purpose is told, and left to them."""
    wanted = services.render(spec, directory, places.templates(), own)
    found = [_stale_service(path, files.get(path)) for path, text in wanted.items() if files.get(path) != text.encode()]
    names = {
        path.removeprefix(f"{services.FOLDER}/").split("/")[0] for path, data in files.items() if _is_ours(path, data)
    }
    return [*found, *(_left_over(name) for name in sorted(names - {*spec.services.on, *spec.services.custom}))]


def _is_ours(path: str, data: bytes) -> bool:
    return path.startswith(f"{services.FOLDER}/") and services.is_rendered(data)


def _stale_service(path: str, data: bytes | None) -> Finding:
    if data is not None and not services.is_rendered(data):
        message = "was changed by hand and stays so, whatever cluster.yaml says"
        hint = f"rm {path} && karrots render   (to have it rendered again)"
        return Finding(path, 1, "changed-service", "warning", "", message, hint)
    message = "is missing" if data is None else "is not what cluster.yaml renders to"
    return Finding(path, 1, "stale-service", "error", "", message, "karrots render && git commit")


def _left_over(name: str) -> Finding:
    path, message = f"{services.FOLDER}/{name}", f"cluster.yaml does not switch '{name}' on"
    return Finding(path, 1, "stale-service", "error", "", message, f"karrots services disable {name}")


def stale_terraform(files: Mapping[str, bytes], spec: ClusterSpec, backend: str = "http") -> list[Finding]:
    """What stands in terraform/ must be what cluster.yaml renders to, else a reviewer reads what is not applied."""
    if spec.terraform != "rendered" or not (places.templates() / spec.provider).is_dir():
        return []
    wanted = rendering.render(spec, places.templates() / spec.provider, backend)
    have = {path.removeprefix(TERRAFORM): data for path, data in files.items() if path.startswith(TERRAFORM)}
    if not have:
        return []
    differing = sorted(path for path, text in wanted.items() if have.get(path) != text.encode())
    return [_stale(path, missing=path not in have) for path in differing]


def _stale(path: str, *, missing: bool) -> Finding:
    return Finding(
        rule="stale-terraform",
        severity="error",
        path=f"{TERRAFORM}{path}",
        line=1,
        object="",
        message="is missing" if missing else "is not what cluster.yaml renders to",
        fix_hint="karrots render && git commit",
    )


def other_flux(files: Mapping[str, bytes], spec: ClusterSpec) -> list[Finding]:
    """cluster.yaml names the version that the committed components are of."""
    data = files.get(flux_components.FILE)
    said = flux_components.stated_version(data) if data else ""
    if not said or flux_components.fits(said, spec.flux.version):
        return []
    return [
        Finding(
            rule="other-flux",
            severity="error",
            path=flux_components.FILE,
            line=1,
            object="",
            message=f"is Flux {said}, and cluster.yaml says {spec.flux.version}",
            fix_hint=f"karrots flux pin {said}   (or the version that is meant)",
        )
    ]


def errors_of(found: Iterable[Finding]) -> list[Finding]:
    return [f for f in found if f.severity == "error"]
