"""One run of Terraform from its start to its end, whatever happens to us in between.

Its output goes to a file, which we read along, and not through a pipe: when we are killed, Terraform is told to stop
and has to write a few more lines while it saves the state, and a Go program that writes to a closed pipe is killed at
once (https://pkg.go.dev/os/signal#hdr-SIGPIPE).

It must never run unwatched: a shell takes its place first, under its process id, and becomes it at our word. Before
that word `on_start` has noted the id, and another shell watches for our death. Whenever we die, there is either no
Terraform yet or one that is known and told to stop.

It is told to stop once, whoever wishes it how often: a second SIGINT makes Terraform exit at once and may cost it the
state. So the one SIGINT is always the watching shell's, which says it when our end of its pipe is closed: by our death
or by our hand. When we end at once, Terraform saves its state without us, and the next run brings it home.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import TimeoutExpired
from typing import IO, TYPE_CHECKING, Self

from karrots.adapters import process
from karrots.adapters.terraform_events import Stopping

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from subprocess import Popen

POLL_SECONDS = 0.02
READ_BYTES = 1024 * 1024
LONGEST_LINE = 16 * 1024 * 1024
# Both read from a pipe that only we can write to: they get a line at our word, and its end at our death.
GATE = 'read -r _ && exec "$@" </dev/null'
WATCH = 'read -r _ || kill -INT "$1"'


def follow(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    on_start: Callable[[int], None],
    on_line: Callable[[str], None],
    on_stop: Callable[[Stopping], None],
    grace: float,
) -> int:
    """Run, append stdout and stderr to `log`, hand over each line as it comes, and answer the exit status.

    `on_start` gets the process id before the program begins. When we are interrupted, or a listener raises, Terraform
    gets one SIGINT and `grace` seconds to end what it is doing and to save its state; the exception goes on only then.
    """
    start = _open_log(log)
    with _Gate(argv, cwd=cwd, env=env, log=log) as gate, _Watch(gate.child) as watch, log.open("rb") as source:
        source.seek(start)
        run = _Run(gate.child, source, on_line)
        try:
            on_start(gate.child.pid)
            gate.open()
            return run.until()
        except BaseException as cause:
            gate.shut()
            watch.stop()
            run.end(cause, on_stop, grace)
            raise


class _Run:
    def __init__(self, child: Popen[bytes], source: IO[bytes], on_line: Callable[[str], None]) -> None:
        self._child = child
        self._source = source
        self._on_line = on_line
        self._rest = b""

    def until(self, deadline: float = float("inf")) -> int:
        """Listen until the program has ended; raises TimeoutError at the deadline (of time.monotonic)."""
        while self._child.poll() is None:
            if time.monotonic() > deadline:
                raise TimeoutError
            self._hear()
            with suppress(TimeoutExpired):
                self._child.wait(POLL_SECONDS)
        self._hear()
        if self._rest:
            self._say(self._rest)
            self._rest = b""
        return self._child.returncode

    def end(self, cause: BaseException, on_stop: Callable[[Stopping], None], grace: float) -> None:
        """Listen until the program, told to stop, has ended; what is raised meanwhile does not hold that up."""
        deadline = time.monotonic() + grace
        ended = False
        while not ended:
            try:
                if isinstance(cause, KeyboardInterrupt):
                    on_stop(Stopping(grace))
                else:
                    self._on_line = _ignore  # whoever listens is what failed, and Terraform's work matters more
                self._until_or_kill(deadline)
                ended = True
            except BaseException as again:  # noqa: BLE001  (`follow` raises the first, once Terraform has ended)
                cause = again

    def _until_or_kill(self, deadline: float) -> None:
        try:
            self.until(deadline)
        except TimeoutError:
            self._kill()
            self.until()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()

    def _hear(self) -> None:
        while chunk := self._source.read(READ_BYTES):
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                self._say(line)
            if len(self._rest) > LONGEST_LINE:  # a line is kept until it ends, and this one may never
                self._say(self._rest)
                self._rest = b""

    def _say(self, line: bytes) -> None:
        self._on_line(line.decode("utf-8", "replace"))


def _ignore(_: str) -> None:
    pass


def _open_log(log: Path) -> int:
    """Make it readable by its owner alone (provisioners may print anything); answers where the new run starts."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


class _Gate:
    """The program's process, at first a shell that waits; it ends there when we do, or when the block does."""

    def __init__(self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> None:
        if process.find(argv[0]) is None:
            raise process.missing(argv[0], cwd)
        self._word = _Word()
        with self._word.reader() as reader:
            self.child = process.spawn(_shell(GATE, *argv), cwd=cwd, env=env, log=log, stdin=reader)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shut()
        self.child.wait()

    def open(self) -> None:
        self._word.say()

    def shut(self) -> None:
        self._word.close()


class _Word:
    """A pipe whose one reader hears a line when we say so, and its end when we close it or die."""

    def __init__(self) -> None:
        self._ours, self._theirs = os.pipe()
        self._closed = False

    @contextmanager
    def reader(self) -> Iterator[int]:
        """For the time of a start; afterwards the started program alone has it."""
        try:
            yield self._ours
        except BaseException:
            self.close()
            raise
        finally:
            os.close(self._ours)

    def say(self) -> None:
        if self._closed:
            return
        with suppress(BrokenPipeError):  # somebody killed the reader, which whoever waits for it will see
            os.write(self._theirs, b"\n")

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            os.close(self._theirs)


class _Watch:
    """Sends the program its one SIGINT: when we say so, or die.

    The kernel's PR_SET_PDEATHSIG will not do: it signals at the death of each of our threads in turn.
    """

    def __init__(self, child: Popen[bytes]) -> None:
        self._child = child
        self._word = _Word()
        with self._word.reader() as reader:
            argv = _shell(WATCH, str(child.pid))
            env, log = process.environment(), Path(os.devnull)
            self._watcher = process.spawn(argv, cwd=Path("/"), env=env, log=log, stdin=reader)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._word.say()
        self._watcher.wait()
        self._word.close()

    def stop(self) -> None:
        self._word.close()
        if self._watcher.wait() < 0:  # somebody killed it
            self._child.send_signal(signal.SIGINT)


def _shell(script: str, *words: str) -> list[str]:
    return ["/bin/sh", "-c", script, "karrots", *words]
