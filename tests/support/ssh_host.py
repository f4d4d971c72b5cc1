"""A git host on loopback that is reached over SSH, with one host key and one key that may read.

It runs as a process of its own: `python -m tests.support.ssh_host FOLDER`. FOLDER holds the bare repositories, and in
`.ssh-host` its keys and a line for each command that somebody logged in for.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import asyncssh

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "git"
OWN = ".ssh-host"


@dataclass(frozen=True)
class SshHost:
    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"ssh://{USER}@127.0.0.1:{self.port}/shared.git"

    @property
    def known_hosts(self) -> str:
        public = asyncssh.read_private_key(self.folder / OWN / "host").export_public_key().decode()
        return f"[127.0.0.1]:{self.port} {public}"

    @property
    def asked(self) -> list[str]:
        """User and command, of all who were let in."""
        log = self.folder / OWN / "log"
        return log.read_text().splitlines() if log.exists() else []


def private_key() -> str:
    return asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()


def public_key(private: str) -> str:
    return asyncssh.import_private_key(private).export_public_key().decode()


@contextmanager
def ssh_host(folder: Path, may_read: str) -> Iterator[SshHost]:
    """Serve the bare repositories in `folder` to whom the private key `may_read` is given."""
    own = folder / OWN
    own.mkdir(mode=0o700)
    (own / "host").write_text(private_key())
    (own / "readers").write_text(public_key(may_read))
    argv = [sys.executable, "-m", "tests.support.ssh_host", str(folder)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield SshHost(folder, int(server.stdout.readline()))
        finally:
            server.kill()


async def serve(folder: Path) -> None:
    own = folder / OWN

    async def session(process: asyncssh.SSHServerProcess[bytes]) -> None:
        command = process.command or ""
        with (own / "log").open("a") as log:
            log.write(f"{process.get_extra_info('username')} {command}\n")
        words = command.replace("'", "").split(" ")
        if words[0] != "git-upload-pack":
            process.exit(1)
            return
        git = await asyncio.create_subprocess_exec(
            "git", "upload-pack", str(folder / words[1].lstrip("/")),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        await process.redirect(stdin=git.stdin, stdout=git.stdout)
        process.exit(await git.wait())

    acceptor = await asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[str(own / "host")], process_factory=session, encoding=None,
        authorized_client_keys=str(own / "readers"), password_auth=False,
    )  # fmt: skip
    sys.stdout.write(f"{acceptor.get_port()}\n")
    sys.stdout.flush()
    await acceptor.wait_closed()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
