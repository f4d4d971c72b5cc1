"""How git is started: absolute program, argument lists, fixed settings, a chosen environment."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from karrots.adapters import git_locks, git_login, process
from karrots.errors import Failed, KarrotsError, LoginNeeded, TimedOut, ToolFailed, ToolMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

Answer = TypeVar("Answer")

OBJECT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
NETWORK_SECONDS = 120.0
FATAL = 128
NO_SUCH_REVISION = re.compile(rb"fatal: (?:no upstream|no such branch|no such ref|no push)", re.IGNORECASE)
NO_SUCH_TREE = re.compile(rb"not a valid object name|does not exist in|not a tree object", re.IGNORECASE)
# What moves refs, here or elsewhere. Objects that nothing names yet are harmless, however far they came.
CHANGING = frozenset({"update-ref", "push", "fetch", "add", "commit", "merge"})

# Set for every call, so that no setting of a repository that somebody else wrote runs a program or changes a result.
SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.filesRefLockTimeout=2000",  # ms; somebody else's karrots holds a ref for some ms only
    "core.quotePath=false",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "push.recurseSubmodules=no",
    "push.followTags=false",
    "push.gpgSign=false",
    "transfer.fsckObjects=true",
    "gc.auto=0",
    "maintenance.auto=false",
    "i18n.commitEncoding=UTF-8",
    "user.useConfigOnly=true",  # never a guessed name such as root@localhost in an audit trail
)

# The user's global configuration stays in force: credential helpers, url.insteadOf, proxies and the identity live
# there, and without them no private remote can be reached. So do the variables that log-ins are handed over by.
INHERITED = (
    *(f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL", "DATE")),
    "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT", "GIT_ASKPASS", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE",
    "SSH_AUTH_SOCK", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_ALLOW_PROTOCOL",
    "GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "GNUPGHOME",
    "GH_TOKEN", "GH_CONFIG_DIR", "GITHUB_TOKEN",
    "CLOUDSDK_CONFIG", "AWS_PROFILE", "AWS_CONFIG_FILE", "AZURE_CONFIG_DIR",
)  # fmt: skip

LOGIN_SIGNS = (
    "Authentication failed",
    "could not read Username",
    "could not read Password",
    "terminal prompts disabled",
    "Permission denied (",
    "Host key verification failed",
)


def environment() -> dict[str, str]:
    configuration = [name for name in os.environ if name.startswith("GIT_CONFIG")]
    fixed = {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "LC_ALL": "C",  # the few words of git that are read are English
    }
    defaults = {"GIT_ALLOW_PROTOCOL": "https:ssh:file"}
    return defaults | process.environment(fixed, inherit=(*INHERITED, *configuration))


@dataclass(frozen=True)
class Git:
    """The git program, run in one folder."""

    program: str
    folder: Path

    @classmethod
    def located(cls, folder: Path) -> Git:
        program = process.find("git")
        if program is None:
            raise ToolMissing("git is not on this computer", why="it was looked for on PATH", hint="karrots doctor")
        return cls(os.path.abspath(program), folder)  # noqa: PTH100  (resolve() would follow a wrapper's link)

    def run(
        self,
        *words: str,
        stdin: bytes = b"",
        timeout: float = 60.0,
        check: bool = True,
        more: Mapping[str, str] | None = None,
    ) -> process.Completed:
        """`more` is added to git's environment."""
        settings = [word for setting in SETTINGS for word in ("-c", setting)]
        return process.run(
            [self.program, *settings, *words],
            cwd=self.folder, env=environment() | dict(more or {}), stdin=stdin, timeout=timeout, check=check,
            whole=words[0] in CHANGING,
        )  # fmt: skip

    def line(self, *words: str, stdin: bytes = b"") -> str:
        return os.fsdecode(self.run(*words, stdin=stdin).stdout).removesuffix("\n")

    def lookup(self, *words: str, none: int = 1) -> str | None:
        """The one line git answers with; None when it says there is no such thing, by the status `none`.

        A git that ended in any other way (killed, no memory, a broken repository) has not said so: ToolFailed.
        """
        done = self.run(*words, check=False)
        if done.status not in (0, none) and not _names_nothing(done):
            raise process.failed(done)
        return os.fsdecode(done.stdout).removesuffix("\n") or None if done.status == 0 else None

    def object_id(self, *words: str) -> str | None:
        """A lookup whose answer is the id of an object."""
        found = self.lookup(*words)
        return None if found is None else understood(words[0], lambda: checked_id(found))

    def listing(self, *words: str) -> bytes:
        """Of ls-tree; empty when git says that there is no such tree."""
        done = self.run("ls-tree", "-z", *words, check=False)
        if done.status != 0 and NO_SUCH_TREE.search(done.stderr) is None:
            raise process.failed(done)
        return done.stdout if done.status == 0 else b""

    def over_network(self, remote: str, *words: str, accept: Iterable[int] = (0,)) -> process.Completed:
        """Run what talks to a remote; raises LoginNeeded, TimedOut or ToolFailed that name the remote."""
        try:
            done = self.run(*words, timeout=NETWORK_SECONDS, check=False, more=self._login(remote, words[0]))
        except TimedOut as error:
            raise TimedOut(
                f"the git remote '{remote}' did not answer within {NETWORK_SECONDS:.0f} s",
                why=words[0],
                hint=f"git ls-remote {remote}",
            ) from error
        if done.status not in accept:
            raise unreachable(remote, done)
        return done

    def _login(self, remote: str, verb: str) -> dict[str, str]:
        deciding = os.fsdecode(self.run("config", "-z", "--get-regexp", git_login.DECIDING, check=False).stdout)
        return git_login.hidden(deciding, remote, push=verb == "push", environment=environment())


def _names_nothing(done: process.Completed) -> bool:
    """By `BRANCH@{u}` and `REF@{N}` git says it in this way."""
    return done.status == FATAL and (not done.stderr.strip() or NO_SUCH_REVISION.search(done.stderr) is not None)


def understood(verb: str, read: Callable[[], Answer]) -> Answer:
    """What `read` makes of git's answer; ToolFailed when it has another form than git gives it."""
    try:
        return read()
    except (ValueError, IndexError) as error:
        why = f"it is cut short or garbled: {error}"
        raise ToolFailed(
            f"the answer of git {verb} is not understood", argv=("git", verb), status=0, why=why
        ) from error


def is_object_id(text: str) -> bool:
    return OBJECT_ID.fullmatch(text) is not None


def checked_id(text: str) -> str:
    """Raises ValueError for what is no id of an object."""
    if not is_object_id(text):
        raise ValueError(f"{text[:80]!r} is not the id of an object")
    return text


def unreachable(remote: str, done: process.Completed) -> KarrotsError:
    hint = f"git ls-remote {remote}"
    login = next((line for line in _lines(done) if any(sign in line for sign in LOGIN_SIGNS)), None)
    if login is not None:
        return LoginNeeded(f"the git remote '{remote}' wants a log-in", why=login, hint=hint)
    return ToolFailed(
        f"the git remote '{remote}' could not be used",
        argv=done.argv, status=done.status, why=cause(done), hint=hint,
    )  # fmt: skip


def cause(done: process.Completed) -> str:
    """What git said first as an error, without its prefix."""
    lines = _lines(done)
    errors = [line for line in lines if line.startswith(("fatal: ", "error: ", "remote: "))] or lines
    return errors[0].partition(": ")[2] or errors[0] if errors else f"git ended with status {done.status}"


def _lines(done: process.Completed) -> list[str]:
    return done.stderr.decode("utf-8", "replace").splitlines()


def held(done: process.Completed, git_dir: Path) -> Failed:
    """A ref could not be moved though nobody moved it: a lock is left, or the disk is full."""
    met = [lock for path in git_locks.named_in(done.stderr, git_dir) if (lock := git_locks.examine(path, git_dir))]
    doubts = [f"{lock.path.name}: {lock.reason}" for lock in met]
    removal = [f"{lock.command}  # when no git works in {git_dir} any more" for lock in met]
    return ToolFailed(
        "git could not move a ref",
        argv=done.argv, status=done.status, why="\n".join([cause(done), *doubts]),
        hint="\n".join(removal) or "karrots doctor",
    )  # fmt: skip
