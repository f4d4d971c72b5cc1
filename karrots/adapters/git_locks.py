"""Lock files that a killed git left: which are provably nobody's, and their removal.

git makes `NAME.lock` before it changes NAME and knows no way to tell a lock that is held from one that was left. One
is nobody's when it is old, ours, on a disk of this computer alone, and no process that could have made it still runs.
Each doubt means that it stays, and that the command to type is said.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from karrots import clock, files
from karrots.adapters.process import shell_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import psutil

AGE = 60.0  # seconds; what karrots and people start holds a lock for much less
PATIENCE = 2.0  # seconds, for a git that works here just now to end
NAMED = re.compile(r"[Uu]nable to create (?:'|file )(.+?\.(?:lock|new))'?: File exists")
# Loose and packed objects are never locked, and there may be a million of them.
OBJECTS = re.compile(r"[0-9a-f]{2}|pack|info")
# Only this computer writes to these. Anything else may be shared: a holder elsewhere cannot be seen.
OWN_DISKS = frozenset(
    ("apfs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "hfs", "jfs", "overlay", "tmpfs", "xfs", "zfs")
)
# Of those, the ones that no other container of this computer has mounted too.
PRIVATE_TO_A_CONTAINER = frozenset(("overlay", "tmpfs"))
FIRST_PID_NAMESPACE = "pid:[4026531836]"
ENVIRONMENT = ("GIT_DIR", "GIT_COMMON_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")


@dataclass(frozen=True)
class Lock:
    """`doubt` says why somebody may hold it; '' when it is provably nobody's."""

    path: Path
    age: float
    doubt: str

    @property
    def command(self) -> str:
        """What removes it by hand."""
        return shell_line(["rm", str(self.path)])

    @property
    def reason(self) -> str:
        return self.doubt or f"it is {self.age:.0f} s old, and no process of this computer holds it or runs git here"


def every(git_dir: Path) -> list[Path]:
    """Each lock file of the repository, and `packed-refs.new`, which stops git the same way."""
    found = []
    for folder, below, names in os.walk(git_dir):
        if Path(folder).name == "objects":
            below[:] = [name for name in below if not OBJECTS.fullmatch(name)]
        found += [Path(folder) / name for name in names if name.endswith(".lock") or name == "packed-refs.new"]
    return sorted(found)


def named_in(said: bytes, git_dir: Path) -> list[Path]:
    """The locks of this repository that git says are in its way."""
    paths = [Path(name) for name in NAMED.findall(said.decode("utf-8", "surrogateescape"))]
    return [path for path in paths if path.is_absolute() and path.is_relative_to(git_dir)]


def examine(path: Path, git_dir: Path) -> Lock | None:
    """None when it is gone. The one function that decides whether a lock is provably nobody's."""
    try:
        seen = path.lstat()
    except OSError:
        return None
    age = max(0.0, clock.seconds() - max(seen.st_mtime, seen.st_ctime))
    doubt = _of_the_file(seen, age) or _of_the_disk(path) or _of_processes(path, git_dir)
    return Lock(path, age, doubt) if _is(path, seen) else None


def _of_the_file(seen: os.stat_result, age: float) -> str:
    if not stat.S_ISREG(seen.st_mode):
        return "it is not a plain file, and git did not make it"
    if seen.st_uid != os.geteuid():
        return "another user made it"
    if age < AGE:
        return f"it is {age:.0f} s old, and may be held for {AGE:.0f} s"
    return ""


def _of_the_disk(path: Path) -> str:
    kind = file_system(path)
    if kind not in OWN_DISKS:
        return f"it is on a file system ({kind or 'unknown'}) that other computers may use too"
    if not _sees_all_processes() and kind not in PRIVATE_TO_A_CONTAINER:
        return "karrots runs in a container here, and does not see who else works on that disk"
    return ""


def file_system(path: Path) -> str:
    import psutil

    mounts = {Path(each.mountpoint): each.fstype for each in psutil.disk_partitions(all=True)}
    real = path.parent.resolve()
    return next((mounts[folder] for folder in (real, *real.parents) if folder in mounts), "")


def _sees_all_processes() -> bool:
    """Not in a container on Linux; elsewhere there is no other view."""
    if sys.platform != "linux":
        return True
    with suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink()) == FIRST_PID_NAMESPACE
    return False


def _of_processes(path: Path, git_dir: Path) -> str:
    """Whoever made the lock ran already when we first look: it is enough that these end, whoever comes after."""
    import psutil

    suspects = [found for found in psutil.process_iter(["name", "cmdline"]) if _suspect(found, path, git_dir)]
    _, left = psutil.wait_procs(suspects, timeout=PATIENCE)
    if not left:
        return ""
    line = shell_line(left[0].info["cmdline"] or [left[0].info["name"] or "?"])
    return f"process {left[0].pid} ({line}) runs in this repository or holds it open"


def _suspect(found: psutil.Process, path: Path, git_dir: Path) -> bool:
    import psutil

    if found.pid == os.getpid():
        return False
    is_git = (found.info["name"] or "").startswith("git")
    try:
        if found.status() == psutil.STATUS_ZOMBIE:
            return False
        return (is_git and _works_here(found, git_dir)) or any(str(path) == each.path for each in found.open_files())
    except psutil.NoSuchProcess:
        return False
    except (psutil.AccessDenied, OSError):
        # The lock is a file of ours. A git of ours that does not let itself be looked at may be the one.
        return is_git


def _works_here(found: psutil.Process, git_dir: Path) -> bool:
    told = [found.environ().get(name, "") for name in ENVIRONMENT]
    named = any(str(git_dir) in word or str(git_dir.parent) in word for word in (*found.cmdline(), *told))
    return named or belongs(Path(found.cwd()), git_dir)


def belongs(folder: Path, git_dir: Path) -> bool:
    """Whether git, started in `folder`, would work on that repository: one of its work trees, or inside it."""
    for above in (folder, *folder.parents):
        if above == git_dir:
            return True
        link = above / ".git"
        if link.is_dir():
            return link.resolve() == git_dir.resolve()
        if link.is_file():
            target = link.read_text("utf-8", "surrogateescape").removeprefix("gitdir:").strip()
            return (above / target).resolve().is_relative_to(git_dir.resolve())
    return False


def clear(paths: Iterable[Path], git_dir: Path, say: Callable[[str], None]) -> list[Path]:
    """Remove those that are provably nobody's, each after saying so; names them."""
    with _alone(git_dir):
        return [path for path in paths if _cleared(path, git_dir, say)]


def _cleared(path: Path, git_dir: Path, say: Callable[[str], None]) -> bool:
    with suppress(OSError):
        seen = path.lstat()
        lock = examine(path, git_dir)
        if lock is not None and not lock.doubt:
            say(f"git left the lock {path}: {lock.reason}; it is removed")
            if _is(path, seen):
                files.remove(path)
                return True
    return False


def _is(path: Path, seen: os.stat_result) -> bool:
    """Still the same file: another may have been made under the name meanwhile."""
    try:
        now = path.lstat()
    except OSError:
        return False
    return os.path.samestat(now, seen) and now.st_ctime_ns == seen.st_ctime_ns


@contextmanager
def _alone(git_dir: Path) -> Iterator[None]:
    """Two that clear at once could remove what somebody made in between. The folder itself is the lock: no file."""
    handle = os.open(git_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
