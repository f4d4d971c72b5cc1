"""A process that may die: cases run in a forked child with little memory and little time, one after the other.

The child is forked once and used again, so that a case costs no start of Python; which case ended it is known, because
each is asked for by itself. A signal, too much memory or too much time is a broken promise like any other.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from karrots.errors import ExitCode
from tests.support import environment
from tests.support.command_line import Outcome
from tests.torture.frame import Wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MEMORY = 3 << 30  # bytes of address space above what the child begins with; each thread alone takes 128 MiB of it
SECONDS = 20.0  # for one case, by the clock; those that wait on purpose say so
PROCESSOR_SECONDS = 15
DOCUMENTED = frozenset(int(code) for code in ExitCode if code is not ExitCode.BUG)
MAX_SHOWN = 600


class Cage:
    """Runs `case(seed)` in the child. `settle` is called in each new child before its first case."""

    def __init__(
        self, case: Callable[[int], None], settle: Callable[[], None] = lambda: None, *, seconds: float = SECONDS
    ) -> None:
        self._case = case
        self._settle = settle
        self._seconds = seconds
        self._pid = 0
        self._to: IO[bytes] | None = None
        self._from: IO[bytes] | None = None

    def __call__(self, seed: int) -> None:
        """Raises Wrong."""
        self._begin()
        assert self._to is not None
        assert self._from is not None
        self._to.write(b"%d\n" % seed)
        self._to.flush()
        if not select.select([self._from], [], [], self._seconds)[0]:
            self.end()
            raise Wrong(f"took more than {self._seconds:.0f} s")
        answer = self._from.readline()
        if not answer:
            raise Wrong(self._last_words())
        wrong = json.loads(answer)
        if wrong:
            raise Wrong(wrong)

    def end(self) -> None:
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._last_words()

    def _begin(self) -> None:
        if self._pid:
            return
        asks, answers = os.pipe(), os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(asks[1])
            os.close(answers[0])
            self._live(asks[0], answers[1])
        os.close(asks[0])
        os.close(answers[1])
        self._to, self._from = os.fdopen(asks[1], "wb"), os.fdopen(answers[0], "rb")

    def _live(self, asks: int, answers: int) -> None:
        """In the child, to its end; nothing of the parent's clean-up may run here."""
        try:
            _bound_memory()
            _close_terminal()
            self._settle()
            with os.fdopen(asks, "rb") as questions, os.fdopen(answers, "wb") as told:
                for line in questions:
                    _bound_time()
                    told.write(json.dumps(self._one(int(line))).encode() + b"\n")
                    told.flush()
        except BaseException:  # noqa: BLE001  (the child must end here)
            os.write(2, traceback.format_exc().encode("utf-8", "replace"))
        finally:
            os._exit(0)

    def _one(self, seed: int) -> str:
        try:
            self._case(seed)
        except Wrong as wrong:
            return shortened(str(wrong))
        except BaseException as error:  # noqa: BLE001  (whatever it is, it is what was looked for)
            return shortened(f"{type(error).__name__}: {error}\n{_innermost(error)}")
        return ""

    def _last_words(self) -> str:
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        for end in (self._to, self._from):
            if end is not None:
                with contextlib.suppress(OSError):
                    end.close()
        if os.WIFSIGNALED(status):
            return f"ended by {signal.Signals(os.WTERMSIG(status)).name}"
        return f"ended with status {os.waitstatus_to_exitcode(status)}"


@contextlib.contextmanager
def caged(
    case: Callable[[int], None], settle: Callable[[], None] = lambda: None, *, seconds: float = SECONDS
) -> Iterator[Cage]:
    cage = Cage(case, settle, seconds=seconds)
    try:
        yield cage
    finally:
        cage.end()


def _close_terminal() -> None:
    """Programs that a case starts read nothing and write to nobody."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nowhere, descriptor)


def _bound_memory() -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _bound_time() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (spent + PROCESSOR_SECONDS, hard))


def _innermost(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames[-4:]))


def shortened(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def at_home(home: Path) -> None:
    """In the child: an environment of its own, as tests have it; nothing of the user's is in reach."""
    home.mkdir(parents=True, exist_ok=True)
    kept = environment.inherited()
    folders = {f"XDG_{kind}_HOME": str(home / f".{kind.lower()}") for kind in ("CONFIG", "STATE", "CACHE")}
    settings = {**environment.settings(home), **folders}
    os.environ.clear()
    os.environ.update({**kept, **settings})


def karrots(*words: str, cwd: Path) -> Outcome:
    """The command line in this process; raises Wrong for what no user may ever see."""
    from karrots import app

    out, err = _stream(), _stream()
    before = sys.stdout, sys.stderr, sys.argv
    os.chdir(cwd)
    sys.stdout, sys.stderr, sys.argv = out, err, ["karrots", *words]
    try:
        status = int(app.run(list(words)))
    except SystemExit as end:
        raise Wrong(f"{words}: left by SystemExit {end.code}") from end
    finally:
        sys.stdout, sys.stderr, sys.argv = before
    outcome = Outcome(status, _told(out), _told(err))
    _refuse_undocumented(words, outcome)
    return outcome


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")


def _told(stream: io.TextIOWrapper) -> str:
    stream.flush()
    data: bytes = stream.buffer.getvalue()  # type: ignore[attr-defined]
    return data.decode("utf-8", "replace")


def _refuse_undocumented(words: Sequence[str], outcome: Outcome) -> None:
    if "Traceback (most recent call last)" in outcome.err and not is_loud(words):
        raise Wrong(f"{words}: a traceback: {outcome.err[-MAX_SHOWN:]}")
    if outcome.status not in DOCUMENTED and words[:1] != ("run",):
        raise Wrong(f"{words}: exit {outcome.status}: {outcome.err[-300:]} {_bug()}")


def is_loud(words: Sequence[str]) -> bool:
    return any(word == "--verbose" or (word.startswith("-") and "v" in word) for word in words)


def _bug() -> str:
    """What the report of a bug says in the end."""
    file = Path(os.environ.get("KARROTS_HOME", "/nonexistent")) / "state" / "bug.log"
    if not file.is_file():
        return ""
    lines = [line.strip() for line in file.read_text("utf-8", "replace").splitlines() if line.strip()]
    return " | ".join([*(line for line in lines if line.startswith("File"))][-3:] + lines[-1:])[-MAX_SHOWN:]


@dataclass(frozen=True)
class Picture:
    """Everything below some folders, to be compared: kind, mode, size and content of each entry."""

    entries: dict[str, tuple[int, int, bytes]]

    @classmethod
    def of(cls, *folders: Path, leave_out: Sequence[str] = ()) -> Picture:
        entries: dict[str, tuple[int, int, bytes]] = {}
        for folder in folders:
            for path in (folder, *folder.rglob("*")):
                if not any(part in path.as_posix() for part in leave_out):
                    entries[str(path)] = _entry(path)
        return cls(entries)

    def changes(self, other: Picture) -> list[str]:
        both = sorted({*self.entries, *other.entries})
        return [path for path in both if self.entries.get(path) != other.entries.get(path)]


def _entry(path: Path) -> tuple[int, int, bytes]:
    found = path.lstat()
    if path.is_symlink():
        return found.st_mode, 0, os.fsencode(path.readlink())
    return found.st_mode, found.st_size, path.read_bytes() if path.is_file() else b""


def emptied(folder: Path) -> Path:
    """An empty folder of that name."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def waited(look: Callable[[], Any], seconds: float = 5.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.01)
    return found


__all__ = ["Cage", "Picture", "at_home", "caged", "emptied", "is_loud", "karrots", "shortened", "waited"]
