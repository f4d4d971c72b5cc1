"""Which computer this is, and which process: what survives a new name, a restart, and a process id used again.

The id of a computer is made of a random text kept in the state folder and of what the system calls the machine. So a
renamed computer is the same one, and two computers that share a home are two.
"""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from pathlib import Path

from karrots import places
from karrots.effects import effect
from karrots.errors import Failed

MACHINE_FILES = ("/etc/machine-id", "/var/lib/dbus/machine-id")
BOOT_FILE = "/proc/sys/kernel/random/boot_id"
START_TIME = 18  # place of `starttime` in /proc/PID/stat, after the name and the status
ENDED = ("Z", "X")  # what a status says of a process that nobody has waited for


def name() -> str:
    """For people; the id tells computers apart."""
    return platform.node()


def host_id() -> str:
    """Made and kept when there is none yet."""
    found = known_id()
    if found is None:
        _make()
        found = known_id()
    if found is None:
        raise Failed(f"{_file()} does not hold this computer's id", hint=f"rm {_file()}")
    return found


def known_id() -> str | None:
    """None on a computer, or in a home, that karrots made nothing in yet; nothing is written."""
    import hashlib

    kept = _text(_file())
    return hashlib.sha256(f"{kept}:{_machine()}".encode()).hexdigest()[:26] if kept else None


def is_this(host: str, host_id: str) -> bool:
    """Whether a name and an id from a record mean this computer; records from before there were ids have none."""
    return host_id == known_id() if host_id else host == name()


def described(host: str, host_id: str) -> str:
    """A computer in words: another one may have the same name."""
    if is_this(host, host_id) or host != name():
        return host
    return f"another {host} (this one has a new state folder, or another home: {places.state()})"


def born(pid: int, *, ended_too: bool = False) -> str:
    """Text that no other process of this computer ever has: its boot, its world of ids, and when in them it began.

    '' when there is none of that id, or only a dead one that nobody has waited for yet and `ended_too` is not said.
    """
    if not Path("/proc/self/stat").exists():
        return _born_elsewhere(pid, ended_too=ended_too)
    try:
        # The name, in brackets, may hold anything.
        status, *rest = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(") ")[2].split()
    except OSError:
        return ""
    return "" if status in ENDED and not ended_too else f"{_boot()}/{_ids()}/{rest[START_TIME]}"


def is_gone(pid: int, began: str) -> bool:
    """Whether the process of this computer that `born` told of is gone.

    Never said of one in another container: its ids are not ours to look up.
    """
    boot, _, rest = began.partition("/")
    if boot != _boot():
        return True
    return rest.partition("/")[0] == _ids() and born(pid) != began


def _boot() -> str:
    """Another text after each restart; '' where the system tells none."""
    return _text(Path(BOOT_FILE))


def _ids() -> str:
    """Which process ids are seen from here: a container has its own."""
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return ""


def _born_elsewhere(pid: int, *, ended_too: bool = False) -> str:
    """Where there is no /proc, the time of day it began at; the system keeps it as it was."""
    import psutil

    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE and not ended_too else f"//{process.create_time():.6f}"
    except psutil.Error:
        return ""


def _text(file: Path) -> str:
    try:
        return file.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


def _file() -> Path:
    return places.state() / "host"


def _machine() -> str:
    return next(filter(None, (_text(Path(file)) for file in MACHINE_FILES)), "")


def _make() -> None:
    """Of many who do it at once, one wins: a link does not replace what is there."""
    import secrets

    file = _file()
    places.private_folder(file.parent)
    new = file.with_name(f".host.{os.getpid()}.{secrets.token_hex(4)}")
    with effect("create", file):
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as sink:
                sink.write(secrets.token_hex(16) + "\n")
                sink.flush()
                os.fsync(sink.fileno())
            with suppress(FileExistsError):
                os.link(new, file)
        finally:
            new.unlink(missing_ok=True)
