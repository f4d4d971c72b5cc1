"""The one door to git (docs/decisions/0004).

Everything is written by fixed argument lists and by plumbing that knows neither work tree nor index, so that the
user's checkout is never disturbed and the cost does not grow with the fleet; commits are read through GitPython.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from karrots import files
from karrots.adapters import git_locks, process
from karrots.adapters.git_command import Git, cause, checked_id, held, understood
from karrots.adapters.git_history import Commit
from karrots.adapters.git_names import check_branch_name, check_remote_name, clean_path, quoted
from karrots.adapters.git_objects import (
    EXECUTABLE,
    GITLINK,
    SYMLINK,
    Entry,
    Nested,
    Tree,
    TreeFile,
    batch,
    checked_tree,
    entries,
    lines_of_tree,
    nested,
)
from karrots.errors import Failed, KarrotsError, Locked, PreflightFailed, Refused, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = [
    "BranchExists",
    "Commit",
    "Head",
    "Repository",
    "Tip",
    "Tree",
    "TreeFile",
    "check_branch_name",
    "check_remote_name",
    "global_identity",
    "init_repository",
    "installed_version",
]

LARGEST_FILE = 1 << 20  # bytes; content is text that people write
LARGEST_EXPORT = 64 << 20  # bytes; an ejected Terraform root may hold archives
FETCH_ATTEMPTS = 5


# Exit statuses by which git says that there is no such thing.
NO_REMOTE = 2
NO_IDENTITY = 128


@dataclass(frozen=True)
class Head:
    """`branch` is None when detached, `commit` None when nothing was committed yet."""

    branch: str | None
    commit: str | None


@dataclass(frozen=True)
class Tip:
    """What a branch points to; `folder` is the work tree that has it checked out."""

    commit: str
    tree: str
    folder: Path | None


class BranchExists(Locked):
    """Somebody has the branch name; `commit` is what it points to, where that is known here."""

    def __init__(self, branch: str, commit: Commit | None, *, where: str) -> None:
        since = f", last commit {commit.id[:12]} by {commit.author}, {commit.when:%Y-%m-%d %H:%M} UTC" if commit else ""
        super().__init__(
            f"the branch '{branch}' exists already",
            why=f"it is {where}{since}",
            hint=f"git log {branch}" if commit else "git fetch",
        )
        self.branch = branch
        self.commit = commit


def _tips(fields: Sequence[str]) -> dict[str, Tip]:
    """Of four fields each, and the end of the last line."""
    *rows, _ = (fields[at : at + 4] for at in range(0, len(fields), 4))
    return {
        ref.lstrip("\n"): Tip(checked_id(commit), checked_id(tree) if tree else "", Path(at) if at else None)
        for ref, commit, tree, at in rows
    }


def installed_version() -> tuple[int, ...]:
    """Raises ToolMissing when there is no git."""
    said = Git.located(Path("/")).line("version")
    found = re.search(r"\d+(?:\.\d+)+", said)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def global_identity() -> tuple[str, str] | None:
    """As `Repository.identity`, for commits in a repository that has no settings of its own."""
    return _identity(Git.located(Path("/")))


def _identity(git: Git) -> tuple[str, str] | None:
    for variable in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
        ident = git.lookup("var", variable, none=NO_IDENTITY)
        if ident is None:
            return None
        found = understood("var", partial(_person, ident))
    return found


def _person(ident: str) -> tuple[str, str]:
    """Raises ValueError for what is no identity: who owns a cluster would be nobody."""
    found = re.fullmatch(r"(.+) <(.*)> \d+ \S+", ident)
    if found is None or not found[2].isprintable():
        raise ValueError(f"{ident[:80]!r} is no identity")
    return found[1], found[2]


def init_repository(folder: Path, branch: str | None = None) -> None:
    """A new git repository with nothing in it; `folder` is made when it is not there, `branch` may name the first."""
    first = [f"--initial-branch={branch}"] if branch else []
    Git.located(Path("/")).run("init", "--quiet", *first, "--", str(folder.absolute()))


class Repository:
    """`root` is the top of the work tree, `git_dir` the absolute folder shared by all of its work trees.

    `say` is told of a lock before it is removed; while nobody listens, none is.
    """

    def __init__(self, root: Path, git_dir: Path, say: Callable[[str], None] | None = None) -> None:
        self.root = root
        self.git_dir = git_dir
        self.say = say
        self._git = Git.located(root)

    @classmethod
    def discover(cls, start: Path, say: Callable[[str], None] | None = None) -> Repository:
        """The repository `start` lies in; raises UsageError, also for a bare one."""
        if not start.is_dir():
            raise UsageError(f"'{start}' is not a folder", hint="git clone …, then cd into it")
        done = Git.located(start).run(
            "rev-parse", "--is-bare-repository", "--is-inside-git-dir",
            "--path-format=absolute", "--git-common-dir", "--show-toplevel", check=False,
        )  # fmt: skip
        answers = os.fsdecode(done.stdout).splitlines()
        if done.status == 0 and len(answers) == 4:
            return cls(Path(answers[3]), Path(answers[2]), say)
        raise _not_usable(start, done, answers)

    def version(self) -> tuple[int, ...]:
        return installed_version()

    def identity(self) -> tuple[str, str] | None:
        """Name and e-mail address the user's commits carry, None when git was not told."""
        return _identity(self._git)

    # Reading

    def head(self) -> Head:
        ref = self._git.lookup("symbolic-ref", "--quiet", "HEAD") or ""
        branch = ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else None
        return Head(branch, self.resolve("HEAD"))

    def resolve(self, rev: str) -> str | None:
        """Full id of the commit, None when there is no such one."""
        if not rev or "\0" in rev or "\n" in rev:
            return None
        return self._git.object_id("rev-parse", "--quiet", "--verify", "--end-of-options", rev + "^{commit}")

    def branch_commit(self, branch: str) -> str | None:
        return self.resolve(f"refs/heads/{branch}")

    def refs(self, *prefixes: str) -> dict[str, str]:
        """Full ref name to object id, of refs that are named or lie below (`refs/heads/`)."""
        told = self._git.line("for-each-ref", "--format=%(refname) %(objectname)", "--end-of-options", *prefixes)
        pairs = (line.rpartition(" ") for line in told.splitlines())
        return understood("for-each-ref", lambda: {name: checked_id(identity) for name, _, identity in pairs})

    def tips(self, *refs: str) -> dict[str, Tip]:
        """By full ref name, of those refs to commits that are there."""
        form = "%(refname)%00%(objectname)%00%(tree)%00%(worktreepath)%00"
        fields = self._git.line("for-each-ref", f"--format={form}", "--end-of-options", *refs).split("\0")
        return understood("for-each-ref", lambda: _tips(fields))

    def tree_id(self, rev: str, path: str = "") -> str | None:
        """Id of the directory `path` at `rev`, None when either is not there."""
        kept = clean_path(path)
        if not kept:
            return self._git.object_id("rev-parse", "--quiet", "--verify", "--end-of-options", rev + "^{tree}")
        found = self._entries("-d", "--long", "--full-tree", "--end-of-options", rev, kept)
        return found[0].id if found and found[0].kind == "tree" else None

    def names(self, treeish: str) -> dict[str, str]:
        """File name to object id of what lies directly in a tree; empty when there is none."""
        listing = self._git.listing("--full-tree", "--end-of-options", treeish)
        lines = understood("ls-tree", lambda: lines_of_tree(listing))
        return {os.fsdecode(name): os.fsdecode(facts.rpartition(b" ")[2]) for name, facts in lines.items()}

    def _entries(self, *words: str) -> list[Entry]:
        listing = self._git.listing(*words)
        return understood("ls-tree", lambda: list(entries(listing)))

    def read(self, rev: str, path: str) -> bytes | None:
        """One regular file, None when it is not there; UsageError for a symlink or one above 1 MiB."""
        found = self._entries("--long", "--full-tree", "--end-of-options", rev, clean_path(path))
        if not found or found[0].kind == "tree":
            return None
        if found[0].mode in {SYMLINK, GITLINK}:
            raise UsageError(f"'{path}' is a link in git, and a file is needed", hint=f"git ls-tree HEAD {path}")
        _check_size(found, LARGEST_FILE)
        return self.contents([found[0].id])[0]

    def contents(self, objects: Sequence[str]) -> list[bytes | None]:
        """Of many objects at once (ids, or `ID:path` without line breaks), in their order; None where missing."""
        stdin = os.fsencode("".join(f"{name}\n" for name in objects))
        answer = self._git.run("cat-file", "--batch", "--buffer", stdin=stdin).stdout
        return understood("cat-file", lambda: batch(answer, len(objects)))

    def files(self, rev: str, prefix: str = "", *, largest: int = LARGEST_FILE) -> dict[str, TreeFile]:
        """Every file below `prefix`, by its path from there; empty when there is no such directory.

        Links come with their mode. UsageError names a file of more than `largest` bytes.
        """
        kept = clean_path(prefix)
        treeish = f"{rev}:{kept}" if kept else rev
        found = self._entries("-r", "--long", "--full-tree", "--end-of-options", treeish)
        _check_size(found, largest)
        blobs = [entry.id for entry in found if entry.kind == "blob"]
        data = dict(zip(blobs, self.contents(blobs), strict=True))
        return {entry.path: TreeFile(entry.mode, data.get(entry.id) or b"") for entry in found}

    def changed(self, path: str = "") -> list[str]:
        """What is not committed at or below `path`, untracked files included; paths from the root."""
        words = ("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=dirty")
        told = self._git.run(*words, "--", clean_path(path) or ".").stdout
        return [os.fsdecode(line[3:]) for line in told.split(b"\0") if line]

    def diff(self, old: str | None, new: str | None, *, stat: bool = False, context: int = 3) -> str:
        """Git's diff of two trees (`REV`, `REV:path` or an id); None is a tree with nothing in it."""
        form = ["--stat=100", "--summary"] if stat else ["--patch", f"--unified={context}"]
        words = ["-r", "-M", "--no-ext-diff", "--no-textconv", *form]
        return self._diff_tree(words, old, new).decode("utf-8", "replace")

    def changed_paths(self, old: str | None, new: str | None) -> list[tuple[str, str]]:
        """Pairs of A, M, D or T and a path."""
        fields = os.fsdecode(self._diff_tree(["-r", "-z", "--name-status", "--no-renames"], old, new)).split("\0")
        return list(zip(fields[0::2], fields[1::2], strict=False))

    def _diff_tree(self, words: Sequence[str], old: str | None, new: str | None) -> bytes:
        trees = [tree if tree is not None else self._make_tree({}) for tree in (old, new)]
        return self._git.run("diff-tree", *words, "--end-of-options", *trees).stdout

    def merge_base(self, one: str, other: str) -> str | None:
        return self._git.object_id("merge-base", "--end-of-options", one, other)

    def is_ancestor(self, old: str, new: str) -> bool:
        done = self._git.run("merge-base", "--is-ancestor", "--end-of-options", old, new, check=False)
        if done.status not in (0, 1):
            raise process.failed(done)
        return done.status == 0

    def commit(self, rev: str) -> Commit | None:
        from karrots.adapters.git_history import commits

        identity = self.resolve(rev)
        return commits(self.git_dir, identity, None, 1)[0] if identity else None

    def commits_between(
        self, base: str | None, head: str, path: str | None = None, *, most: int = 1000, first_parent: bool = False
    ) -> list[Commit]:
        """Newest first; all that `head` has when `base` is None; empty when `head` is not there.

        `first_parent`: a merge counts as one change of the branch.
        """
        from karrots.adapters.git_history import commits

        end = self.resolve(head)
        start = self.resolve(base) if base else None
        if end is None:
            return []
        revision = f"{start}..{end}" if start else end
        return commits(self.git_dir, revision, path and clean_path(path), most, first_parent=first_parent)

    def export(self, rev: str, path: str, into: Path) -> list[Path]:
        """Write a directory of git below `into`; other files that are there already stay.

        Raises UsageError, before anything is written, for a symlink, a submodule or a name that leads elsewhere.
        """
        found = self.files(rev, path, largest=LARGEST_EXPORT)
        for name, file in found.items():
            _check_exportable(name, file)
        files.make_folders(into)
        return [_write_file(into, name, file) for name, file in found.items()]

    # Refs

    def create_branch(self, name: str, commit: str) -> None:
        """Raises BranchExists when somebody has the name, also when it points to the same commit."""
        ref = f"refs/heads/{check_branch_name(name)}"
        done = self._move([(ref, commit, None)])
        if done.status == 0:
            return
        if self.resolve(ref):
            raise BranchExists(name, self.commit(ref), where="in this repository")
        if neighbour := self._in_the_way(name):
            raise UsageError(
                f"the branch '{name}' cannot be made",
                why=f"git keeps no branch below another one, and '{neighbour}' exists",
                hint=f"choose a name that does not start with '{neighbour}/' and is not a part of it",
            )
        raise held(done, self.git_dir)

    def _in_the_way(self, name: str) -> str | None:
        parts = name.split("/")
        above = {"refs/heads/" + "/".join(parts[:length]) for length in range(1, len(parts))}
        found = self.refs(f"refs/heads/{name}/", *above)
        clashing = (ref for ref in found if ref in above or ref.startswith(f"refs/heads/{name}/"))
        return next((ref.removeprefix("refs/heads/") for ref in clashing), None)

    def delete_branch(self, name: str, expect: str) -> bool:
        """False when it does not point to `expect` any more; raises Refused when it is checked out."""
        ref = f"refs/heads/{check_branch_name(name)}"
        tip = self.tips(ref).get(ref)
        if tip is not None and tip.folder is not None:
            raise Refused(f"the branch '{name}' is checked out in {tip.folder}", hint=f"git -C {tip.folder} switch -")
        return self.update_ref(ref, None, expect)

    def update_ref(self, ref: str, new: str | None, old: str | None) -> bool:
        """Move a ref from `old` to `new` (None: not there); False when somebody was first."""
        done = self._move([(ref, new, old)])
        if done.status == 0:
            return True
        if self.refs(ref).get(ref) != old:
            return False
        raise held(done, self.git_dir)

    def update_refs(self, moves: Mapping[str, tuple[str | None, str | None]]) -> bool:
        """Move refs to the first of each pair from the second, all or none; False when one was elsewhere or held."""
        return self._move([(ref, *move) for ref, move in moves.items()]).status == 0

    def set_refs(self, refs: Mapping[str, str | None]) -> bool:
        """Set or delete refs whatever they were; for what can be derived again. False when one was held."""
        lines = (f"update {ref} {new}\n" if new else f"delete {ref}\n" for ref, new in refs.items())
        return self._update("".join(lines)).status == 0

    def _move(self, moves: Iterable[tuple[str, str | None, str | None]]) -> process.Completed:
        return self._update("".join(_update_line(*move) for move in moves))

    def _update(self, lines: str) -> process.Completed:
        """All of it or nothing; once more for each lock in the way that is provably nobody's: git names one a time."""
        while True:
            done = self._git.run("update-ref", "--stdin", stdin=lines.encode(), check=False)
            if not self._cleared(done):
                return done

    def _cleared(self, done: process.Completed) -> bool:
        """Whether all locks that git met are out of the way now; each was there before, so this comes to an end."""
        if done.status == 0 or self.say is None:
            return False
        met = git_locks.named_in(done.stderr, self.git_dir)
        return bool(met) and len(git_locks.clear(met, self.git_dir, self.say)) == len(met)

    # Remotes

    def has_remote(self, name: str | None) -> bool:
        return name is not None and self.remote(name) is not None

    def remote(self, name: str) -> str | None:
        """Its address, as the user's url.insteadOf rewrites it."""
        return self._git.lookup("remote", "get-url", "--", check_remote_name(name), none=NO_REMOTE)

    def remote_branch_commit(self, remote: str, branch: str) -> str | None:
        return self.remote_ref(remote, f"refs/heads/{branch}")

    def remote_ref(self, remote: str, ref: str) -> str | None:
        words = ("ls-remote", "--end-of-options", check_remote_name(remote), ref)
        told = self._git.over_network(remote, *words).text
        pairs = (line.partition("\t") for line in told.splitlines())
        return next((identity for identity, _, name in pairs if name == ref), None)

    def fetch(self, remote: str, *refspecs: str, prune: bool = False) -> None:
        """Fetch exactly these; no tags, no submodules, FETCH_HEAD left as it is."""
        words = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"]
        pruning = ["--prune"] if prune else ["--no-prune"]
        named = ["--end-of-options", check_remote_name(remote), *refspecs]
        for attempt in range(FETCH_ATTEMPTS):
            # Status 1: a ref moved under us because somebody fetches here at the same time.
            last = attempt == FETCH_ATTEMPTS - 1
            done = self._git.over_network(remote, *words, *pruning, *named, accept=(0,) if last else (0, 1))
            if done.status == 0:
                return
            self._cleared(done)

    def push_branch(self, remote: str, name: str, commit: str) -> None:
        """Make the branch at the remote; already there at this commit is fine, elsewhere is BranchExists."""
        ref = f"refs/heads/{check_branch_name(name)}"
        if self.push_swap(remote, ref, commit, None):
            return
        there = self.remote_ref(remote, ref)
        raise BranchExists(name, self.commit(there) if there else None, where=f"at the remote '{remote}'")

    def push_swap(self, remote: str, ref: str, new: str | None, old: str | None) -> bool:
        """Move a ref of the remote from `old` to `new` (None: not there); False when somebody was first.

        Raises Refused when the remote forbids it, LoginNeeded, TimedOut or ToolFailed when it cannot be reached.
        """
        words = ("push", "--porcelain", "--no-verify", f"--force-with-lease={ref}:{old or ''}")
        spec = f"{new or ''}:{ref}"
        named = ("--end-of-options", check_remote_name(remote), spec)
        done = self._git.over_network(remote, *words, *named, accept=(0, 1))
        if done.status == 0:
            return True
        reason = _push_refusal(done)
        if "stale info" in reason or "lock" in reason or self.remote_ref(remote, ref) != old:
            return False
        raise Refused(
            f"the git remote '{remote}' does not take '{ref.removeprefix('refs/heads/')}'",
            why=reason or cause(done),
            hint=f"ask who looks after '{remote}' to let you push this branch",
        )

    # Objects

    def write_blob(self, data: bytes) -> str:
        return self._made("hash-object", "-w", "--no-filters", "--stdin", stdin=data)

    def edit_tree(self, base_tree: str | None, edits: Mapping[str, bytes | Tree | None]) -> str:
        """A tree like `base_tree` but for the paths in `edits`: a file, a tree, or None to remove.

        Reads and writes only the trees on those paths; folders that become empty go.
        """
        return self._edit(base_tree, nested(edits)) or self._make_tree({})

    def _edit(self, treeish: str | None, changes: Nested) -> str | None:
        lines = self._lines(treeish) if treeish else {}
        for name, change in changes.items():
            key = os.fsencode(name)
            line = self._changed_line(lines.get(key), change)
            if line is None:
                lines.pop(key, None)
            else:
                lines[key] = line
        return self._make_tree(lines) if lines else None

    def _changed_line(self, line: bytes | None, change: bytes | Tree | Nested | None) -> bytes | None:
        if isinstance(change, dict):
            below = line.split()[2].decode() if line and line.startswith(b"040000 ") else None
            made = self._edit(below, change)
            return checked_tree(Tree(made)) if made else None
        if isinstance(change, Tree):
            return checked_tree(change)
        return None if change is None else b"100644 blob " + self.write_blob(change).encode()

    def _lines(self, treeish: str) -> dict[bytes, bytes]:
        listing = self._git.run("ls-tree", "-z", "--full-tree", "--end-of-options", treeish).stdout
        return understood("ls-tree", lambda: lines_of_tree(listing))

    def _make_tree(self, lines: Mapping[bytes, bytes]) -> str:
        stdin = b"".join(facts + b"\t" + name + b"\0" for name, facts in lines.items())
        # --missing: entries are not looked up, which in a partial clone would fetch each of them.
        return self._made("mktree", "-z", "--missing", stdin=stdin)

    def _made(self, *words: str, stdin: bytes) -> str:
        """The id of a new object."""
        told = self._git.line(*words, stdin=stdin)
        return understood(words[0], lambda: checked_id(told))

    def commit_tree(self, tree: str, parents: Sequence[str], message: str) -> str:
        """Raises PreflightFailed when git does not know whose name the commit is to carry."""
        above = [word for parent in parents for word in ("-p", parent)]
        done = self._git.run("commit-tree", *above, "-F", "-", tree, stdin=message.encode(), check=False)
        if done.status != 0:
            raise self._not_committed(done)
        return understood("commit-tree", lambda: checked_id(done.text.strip()))

    def commit_paths(self, paths: Sequence[str], message: str) -> str:
        """Commit files of the work tree on the present branch, and nothing else that is staged; gives its id.

        The one thing here that uses the user's index: a new fleet's first files are theirs. They are added even when
        an ignore rule covers them, because many people ignore *.tfvars everywhere.
        """
        self._git.run("add", "--force", "--", *paths)
        done = self._git.run("commit", "--quiet", "-F", "-", "--", *paths, stdin=message.encode(), check=False)
        commit = self.resolve("HEAD")
        if done.status != 0 or commit is None:
            raise self._not_committed(done)
        return commit

    def _not_committed(self, done: process.Completed) -> KarrotsError:
        if self.identity() is not None:
            return process.failed(done)
        return PreflightFailed(
            "git does not know who you are",
            why="commits carry a name and an e-mail address, and user.name or user.email is not set",
            hint='git config --global user.name "Your Name" && git config --global user.email you@example.com',
        )


def _not_usable(start: Path, done: process.Completed, answers: Sequence[str]) -> UsageError:
    if answers[:1] == ["true"]:
        return UsageError(
            f"'{start}' is a bare git repository", why="cluster directories need a work tree", hint=f"git clone {start}"
        )  # fmt: skip
    if answers[1:2] == ["true"]:
        return UsageError(f"'{start}' lies inside a .git folder", hint="cd to the work tree")
    if b"dubious ownership" in done.stderr:
        return UsageError(
            f"the git repository at '{start}' belongs to another user",
            why="git does not trust its settings",
            hint=f"git config --global --add safe.directory {start}",
        )
    return UsageError(
        f"'{start}' is not in a git repository",
        why=cause(done) if done.stderr else "",
        hint="git init, or cd to the fleet repository",
    )


def _check_size(found: Iterable[Entry], largest: int) -> None:
    for entry in found:
        if entry.size > largest:
            raise UsageError(
                f"{quoted(entry.path)} is too large",
                why=f"it has {entry.size:,} bytes, {largest:,} are allowed",
                hint="keep large files out of the cluster directory",
            )


def _check_exportable(name: str, file: TreeFile) -> None:
    parts = name.split("/")
    escapes = any(part in {"", ".", ".."} or part.lower() == ".git" for part in parts)
    if escapes or not file.regular:
        what = "leads out of its folder" if escapes else "is a symlink or a submodule"
        raise UsageError(
            f"{quoted(name)} {what}",
            why="only regular files of a cluster directory are written to a run's folder",
            hint=f"git rm --cached {quoted(name)}",
        )


def _write_file(into: Path, name: str, file: TreeFile) -> Path:
    target = into / name
    for folder in reversed(target.relative_to(into).parents[:-1]):
        if (into / folder).is_symlink():
            raise Failed(f"{into / folder} is a symlink", why="files would be written to where it leads")
        files.make_folder(into / folder, mode=0o755)
    if target.is_dir() and not target.is_symlink():
        files.remove_tree(target)
    files.remove(target)
    files.create(target, file.data, mode=0o755 if file.mode == EXECUTABLE else 0o644)
    return target


def _update_line(ref: str, new: str | None, old: str | None) -> str:
    if new is None:
        return f"delete {ref} {old or ''}\n"
    return f"update {ref} {new} {old or '0' * len(new)}\n"


def _push_refusal(done: process.Completed) -> str:
    lines: Iterator[str] = (line for line in done.text.splitlines() if line.startswith("!\t"))
    return next((line.rpartition("\t")[2] for line in lines), "")
