"""Asks a git host as Flux will: at that address, with that log-in, and with nothing of the user's own.

No configuration, no agent, no other key and no other known host counts, so that what works here works there.
"""

from __future__ import annotations

import shlex
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from karrots import files
from karrots.adapters import git_login, process
from karrots.adapters.git_command import LOGIN_SIGNS, SETTINGS
from karrots.errors import Failed, LoginNeeded, TimedOut, ToolFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from karrots.adapters.flux import GitAccess

SECONDS = 20.0
CONNECT_SECONDS = 10
HOST_KEY_SIGN = "Host key verification failed"
OPTIONS = (
    "IdentitiesOnly=yes", "IdentityAgent=none", "PreferredAuthentications=publickey", "BatchMode=yes",
    "StrictHostKeyChecking=yes", "GlobalKnownHostsFile=/dev/null", "UpdateHostKeys=no",
    f"ConnectTimeout={CONNECT_SECONDS}",
)  # fmt: skip


class OtherHostKey(LoginNeeded):
    """The host shows a key that is not among those that were given."""


@dataclass(frozen=True)
class Seen:
    """`commit` of the branch at the host, None when it has no such branch."""

    commit: str | None


def look(access: GitAccess, branch: str, folder: Path) -> Seen:
    """`folder` is private; what is put there is gone when this returns.

    Raises LoginNeeded (OtherHostKey), TimedOut and Failed.
    """
    with _environment(access, folder) as environment:
        settings = [word for setting in SETTINGS for word in ("-c", setting)]
        argv = ["git", *settings, "ls-remote", "--refs", "--end-of-options", access.url, f"refs/heads/{branch}"]
        try:
            done = process.run(argv, cwd=folder, env=environment, timeout=SECONDS)
        except ToolFailed as error:
            raise _refusal(access, error) from error
        except TimedOut as error:
            raise TimedOut(f"{access.url} did not answer within {SECONDS:.0f} s") from error
    return Seen(done.text.split()[0] if done.text.strip() else None)


@contextmanager
def _environment(access: GitAccess, folder: Path) -> Iterator[dict[str, str]]:
    own = {
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
        "GIT_ALLOW_PROTOCOL": urlsplit(access.url).scheme,
        "LC_ALL": "C",
    }
    secret = access.tried or access.secret
    if "password" in secret:
        user, password = secret["username"], secret["password"]
        own |= git_login.answered(access.url, user, password)
    kept = {name: text for name, text in secret.items() if name in ("identity", "known_hosts")}
    try:
        for name, text in kept.items():
            files.write(folder / name, text, durable=False)
        if kept:
            own["GIT_SSH_COMMAND"] = ssh_command(folder)
        yield process.environment(own, inherit=("GIT_SSL_CAINFO", "GIT_SSL_CAPATH"))
    finally:
        for name in kept:
            files.remove(folder / name)


def ssh_command(folder: Path) -> str:
    """Git hands it to a shell, and ssh reads quotes and %-letters in paths once more."""
    paths = {name: str(folder / name).replace("%", "%%") for name in ("identity", "known_hosts")}
    options = [*OPTIONS, f'UserKnownHostsFile="{paths["known_hosts"]}"', f'IdentityFile="{paths["identity"]}"']
    return shlex.join(["ssh", "-F", "/dev/null", *(word for option in options for word in ("-o", option))])


def _refusal(access: GitAccess, error: ToolFailed) -> Failed | LoginNeeded:
    why = _plain(error.tail)
    if HOST_KEY_SIGN in error.tail:
        return OtherHostKey(f"{access.url} shows another host key than the known one", why=why)
    if any(sign in error.tail for sign in LOGIN_SIGNS):
        return LoginNeeded(f"{access.url} does not let Flux's log-in in", why=why)
    return Failed(f"{access.url} cannot be read", why=why)


def _plain(said: str) -> str:
    """Git's last words, without the advice that follows them."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith(("@", "hint:"))]
    return "; ".join(lines[:3])
