"""The one door to other programs: nothing else in karrots starts a process.

Programs are started from argument lists, never through a shell, in a session of their own so that a Ctrl-C in the
terminal reaches them only by our hand.
"""

from __future__ import annotations

import os
import selectors
import shlex
import shutil
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

from karrots.effects import deaf, effect
from karrots.errors import Failed, TimedOut, ToolFailed, ToolMissing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

TAIL_BYTES = 4000
MOST_OUTPUT = 256 << 20  # bytes
CHUNK_BYTES = 1 << 16
AT_ONCE = 4096  # bytes that an empty pipe takes on every system
TIDY_SECONDS = 2.0
GONE_LOOK_SECONDS = 0.005
CANNOT_EXECUTE = 126  # as shells say it

# What a program may inherit: enough to find tools, a home, a locale and a proxy, and no credentials by accident.
INHERITED = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TERM",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
    "KARROTS_HOME", "KARROTS_ENGINE_BIN",
)  # fmt: skip


@dataclass(frozen=True)
class Completed:
    argv: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        return self.stdout.decode("utf-8", "replace")


def shell_line(argv: Sequence[str]) -> str:
    """The command as a person would paste it."""
    return shlex.join(argv)


def find(program: str) -> str | None:
    return shutil.which(program)


def environment(extra: Mapping[str, str] | None = None, inherit: Sequence[str] = ()) -> dict[str, str]:
    """The allow-listed part of our own environment, `inherit` names more of it, `extra` is set on top."""
    kept = {name: os.environ[name] for name in (*INHERITED, *inherit) if name in os.environ}
    return kept | dict(extra or {})


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout: float = 30.0,
    check: bool = True,
    whole: bool = False,
) -> Completed:
    """Run to the end and keep the output. `whole`: it changes something, and a first Ctrl-C waits for its end.

    Raises ToolMissing when there is no such program, TimedOut after `timeout` seconds, and, with `check`, ToolFailed on
    an exit status other than 0.
    """
    try:
        with effect("run", _site(argv), whole=whole) as doing:
            done = _finished(argv, cwd, dict(env) if env is not None else environment(), stdin, timeout)
            done = replace(done, status=doing.status(done.status), stdout=doing.garbled(done.stdout))
    except FileNotFoundError as error:
        raise missing(argv[0], cwd) from error
    except (subprocess.TimeoutExpired, TimeoutError) as error:
        raise TimedOut(f"{Path(argv[0]).name} did not answer within {timeout:.0f} s", why=shell_line(argv)) from error
    except OSError as error:
        raise not_run(argv, error) from error
    if check and done.status != 0:
        raise failed(done)
    return done


def _finished(argv: Sequence[str], cwd: Path | None, env: Mapping[str, str], stdin: bytes, timeout: float) -> Completed:
    """Raises TimeoutExpired; whatever raises, nothing of the program is left."""
    with subprocess.Popen(
        list(argv), cwd=cwd, env=dict(env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    ) as child:  # fmt: skip
        try:
            stdout, stderr = _heard(child, stdin, timeout)
        except BaseException:
            _end(child)
            raise
    return Completed(tuple(argv), child.returncode, stdout, stderr)


def _heard(child: subprocess.Popen[bytes], stdin: bytes, timeout: float) -> tuple[bytes, bytes]:
    """All that it says. Raises TimeoutExpired, and Failed for more than anybody reads.

    A tree of git objects is small and may unfold to billions of names, all of which we would keep. Not by
    `communicate`: each look at how much there is would copy all of it.
    """
    _feed(child, stdin)
    end = time.monotonic() + timeout
    said: dict[object, list[bytes]] = {child.stdout: [], child.stderr: []}
    much = 0
    for pipe, chunk in _chunks(child, end):
        said[pipe].append(chunk)
        much += len(chunk)
        if much > MOST_OUTPUT:
            raise _too_much(child)
    child.wait(max(0.0, end - time.monotonic()))
    return b"".join(said[child.stdout]), b"".join(said[child.stderr])


def _chunks(child: subprocess.Popen[bytes], end: float) -> Iterator[tuple[object, bytes]]:
    """What comes out of its two pipes, until both are closed. Raises TimeoutExpired at `end`."""
    with selectors.DefaultSelector() as pipes:
        for pipe in (child.stdout, child.stderr):
            assert pipe is not None  # noqa: S101  (PIPE was asked for)
            pipes.register(pipe, selectors.EVENT_READ)
        while pipes.get_map():
            ready = pipes.select(max(0.0, end - time.monotonic()))
            if not ready or time.monotonic() > end:
                raise subprocess.TimeoutExpired(child.args, end)
            for key, _ in ready:
                chunk = os.read(key.fd, CHUNK_BYTES)
                if not chunk:
                    pipes.unregister(key.fileobj)
                yield key.fileobj, chunk


def _feed(child: subprocess.Popen[bytes], stdin: bytes) -> None:
    pipe, child.stdin = child.stdin, None
    assert pipe is not None  # noqa: S101  (PIPE was asked for)
    if len(stdin) <= AT_ONCE:
        _write(pipe, stdin)
    else:
        threading.Thread(target=_write, args=(pipe, stdin), daemon=True).start()


def _write(pipe: IO[bytes], data: bytes) -> None:
    with suppress(BrokenPipeError):  # nobody wants all of it
        try:
            pipe.write(data)
        finally:
            pipe.close()


def _too_much(child: subprocess.Popen[bytes]) -> Failed:
    argv = [str(word) for word in child.args]  # type: ignore[union-attr]
    name = f"{Path(argv[0]).name} {_verb(argv)}"
    return Failed(f"{name} says more than {MOST_OUTPUT >> 20} MiB", why=f"it was ended: {shell_line(argv)}")


def _end(child: subprocess.Popen[bytes]) -> None:
    """With its helpers, which are in its group. First it is asked: git takes its lock files away then."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        child.wait(TIDY_SECONDS)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    _until_gone(child.pid)


def _until_gone(group: int) -> None:
    """Who is killed is not gone yet. What nobody buries stays in its group for ever, so this has an end."""
    end = time.monotonic() + TIDY_SECONDS
    with suppress(ProcessLookupError):
        while time.monotonic() < end:
            os.killpg(group, 0)
            time.sleep(GONE_LOOK_SECONDS)


def failed(completed: Completed) -> ToolFailed:
    tail = (completed.stderr or completed.stdout)[-TAIL_BYTES:].decode("utf-8", "replace")
    return ToolFailed(
        f"{Path(completed.argv[0]).name} {_verb(completed.argv)} ended with status {completed.status}",
        argv=completed.argv,
        status=completed.status,
        tail=tail,
    )


def _verb(argv: Sequence[str]) -> str:
    words = [word for word in argv[1:] if not word.startswith("-") and "=" not in word]
    return words[0] if words else ""


def _site(argv: Sequence[str]) -> str:
    return f"{Path(argv[0]).name} {_verb(argv)}"


def not_run(argv: Sequence[str], error: OSError) -> ToolFailed:
    """The system did not start it: too many processes, no memory, arguments too long, not executable."""
    why = error.strerror or str(error)
    return ToolFailed(f"{Path(argv[0]).name} could not be run", argv=argv, status=CANNOT_EXECUTE, why=why)


def missing(program: str, cwd: Path | None) -> ToolMissing | ToolFailed:
    if cwd is not None and not cwd.is_dir():
        return ToolFailed(f"the folder {cwd} is gone", argv=(program,), status=127)
    return ToolMissing(f"{program} is not on this computer", why="it was looked for on PATH", hint="karrots doctor")


def stream(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    errors: Path,
    on_line: Callable[[str], None],
    grace: float = 600.0,
) -> int:
    """Run and hand over each line of stdout as it comes; stderr goes to the file `errors`.

    When we are interrupted (or `on_line` raises) the program gets one SIGINT and `grace` seconds to finish what it is
    doing, and only then SIGKILL. Returns the exit status.
    """
    with errors.open("ab") as sink:
        try:
            with effect("start", _site(argv)):
                child = subprocess.Popen(
                    list(argv), cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=sink, text=True, errors="replace", bufsize=1, start_new_session=True,
                )  # fmt: skip
        except FileNotFoundError as error:
            raise missing(argv[0], cwd) from error
        except OSError as error:
            raise not_run(argv, error) from error
    try:
        assert child.stdout is not None  # noqa: S101  (PIPE was asked for)
        with child.stdout:
            for line in child.stdout:
                on_line(line)
        return child.wait()
    except BaseException:
        stop(child, grace)
        raise


def stop(child: subprocess.Popen[str], grace: float) -> None:
    """SIGINT, wait, SIGKILL; what the program still says is read so that it cannot block on a full pipe."""
    with suppress(ProcessLookupError):
        child.send_signal(signal.SIGINT)
    try:
        child.communicate(timeout=grace)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


def spawn(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path, stdin: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start a program that outlives us; its output is appended to `log`, and `stdin` is a descriptor it reads from."""
    try:
        with effect("start", _site(argv)), log.open("ab") as sink:
            return subprocess.Popen(
                list(argv), cwd=cwd, env=dict(env), stdin=stdin, stdout=sink, stderr=sink,
                start_new_session=True,
            )  # fmt: skip
    except FileNotFoundError as error:
        raise missing(argv[0], cwd) from error
    except OSError as error:
        raise not_run(argv, error) from error


def replace_with(argv: Sequence[str], env: Mapping[str, str]) -> int:
    """Run in the foreground on our own terminal (`karrots run NAME -- kubectl …`) and give its exit status."""
    try:
        with deaf() as silence, subprocess.Popen(list(argv), env=dict(env)) as child:
            silence.hand_to(child.send_signal)
            return child.wait()
    except FileNotFoundError as error:
        raise missing(argv[0], None) from error
    except OSError as error:
        raise not_run(argv, error) from error
