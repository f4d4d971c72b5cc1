"""`karrots init`: a fleet repository with one cluster directory, ready to commit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
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
    from karrots.render.fleet import FleetOptions


@dataclass(frozen=True)
class Initialised:
    root: str
    directory: str
    files: dict[str, str]
    commit: str | None
    provider: str


def init(settings: Settings, options: FleetOptions, *, commit: bool) -> Initialised:
    """`options.cluster` names the cluster directory; with `commit` what was written is committed too."""
    check_name(options.cluster)
    files = rendered(options)
    repo = repository(settings.start)
    files = without_shared(repo.root, files)
    refuse_overwrite(repo.root, files)
    written: dict[str, str] = {done.path: done.outcome for done in write(files, repo.root)}
    fresh = [path for path, outcome in written.items() if outcome != "same"]
    made = first_commit(repo, fresh, options) if commit and fresh else None
    return Initialised(str(repo.root), f"clusters/{options.cluster}", written, made, options.provider)


def rendered(options: FleetOptions) -> dict[str, str]:
    """Raises UsageError for an option that does not fit, before anything is made."""
    try:
        return new_fleet.render(options, places.templates())
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


def without_shared(root: Path, files: dict[str, str]) -> dict[str, str]:
    """A further cluster directory leaves what the fleet shares (karrots.yaml, .gitignore, schemas) as it stands."""
    own = {path: text for path, text in files.items() if len(PurePosixPath(path).parts) > 2}
    return own | {path: text for path, text in files.items() if path not in own and not (root / path).exists()}


def refuse_overwrite(root: Path, files: dict[str, str]) -> None:
    """Existing files are never written over, unless they say the same already."""
    clash = [done.path for done in compare(files, root) if done.outcome == "changed"]
    if clash:
        raise Refused(
            f"'{clash[0]}' exists in '{root}'",
            why="init writes only new files",
            hint="choose another directory with --cluster, or remove what is there",
        )


def first_commit(repo: Repository, paths: list[str], options: FleetOptions) -> str | None:
    """Only the new files, and only where git knows who commits."""
    if repo.identity() is None:
        return None
    return repo.commit_paths(paths, f"Add the cluster directory clusters/{options.cluster}")
