"""`karrots init`: a fleet repository with one cluster directory, ready to commit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from karrots import places
from karrots.adapters.git import Repository, init_repository
from karrots.errors import Refused, UsageError
from karrots.fleet.names import check_name
from karrots.render import fleet as new_fleet
from karrots.render.files import compare, write

if TYPE_CHECKING:
    from pathlib import Path

    from karrots.ops.settings import Settings


@dataclass(frozen=True)
class InitOptions:
    """`cluster` names the first cluster directory, `commit` makes the first commit too."""

    cluster: str = "qa"
    domain: str = "example.com"
    provider: str = "local"
    pool: str = "10.64.0.0/10"
    prefix: int = 20
    commit: bool = True


@dataclass(frozen=True)
class Initialised:
    root: str
    directory: str
    files: dict[str, str]
    commit: str | None


def init(settings: Settings, options: InitOptions) -> Initialised:
    check_name(options.cluster)
    files = rendered(options)
    repo = repository(settings.start)
    refuse_overwrite(repo.root, files)
    written: dict[str, str] = {done.path: done.outcome for done in write(files, repo.root)}
    commit = first_commit(repo, list(files), options) if options.commit else None
    return Initialised(str(repo.root), f"clusters/{options.cluster}", written, commit)


def rendered(options: InitOptions) -> dict[str, str]:
    """Raises UsageError for an option that does not fit, before anything is made."""
    wanted = new_fleet.FleetOptions(
        cluster=options.cluster,
        domain=options.domain,
        provider=options.provider,
        pool=options.pool,
        prefix=options.prefix,
    )
    try:
        return new_fleet.render(wanted, places.templates())
    except UsageError as error:
        error.hint = "karrots init --help"
        raise


def repository(start: Path) -> Repository:
    """The repository we stand in, or a new one here. Raises UsageError inside a bare one or a .git folder."""
    try:
        return Repository.discover(start)
    except UsageError:
        above = (start.absolute(), *start.absolute().parents)
        if any((folder / ".git").exists() or (folder / "HEAD").is_file() for folder in above):
            raise
        init_repository(start)
        return Repository.discover(start)


def refuse_overwrite(root: Path, files: dict[str, str]) -> None:
    """Existing files are never written over, unless they say the same already."""
    clash = [done.path for done in compare(files, root) if done.outcome == "changed"]
    if clash:
        raise Refused(
            f"'{clash[0]}' exists in '{root}'",
            why="init writes only new files",
            hint="choose another directory with --cluster, or remove what is there",
        )


def first_commit(repo: Repository, paths: list[str], options: InitOptions) -> str | None:
    """Only the new files, and only where git knows who commits."""
    if repo.identity() is None:
        return None
    return repo.commit_paths(paths, f"Add the cluster directory clusters/{options.cluster}")
