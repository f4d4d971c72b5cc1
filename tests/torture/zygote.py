"""karrots without its imports: a process that has loaded all of it and forks for each command.

A child is a process of its own in every way that counts (session, environment, working folder, standard streams,
signals), so a SIGKILL of it is a SIGKILL of a real karrots; only the tenth of a second that imports take is not paid
again. Children die with the zygote, and the zygote with whoever started it. Linux only.
"""

from __future__ import annotations

import gc
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = Path(__file__).parents[2]
LARGEST_REQUEST = 256 * 1024
PR_SET_PDEATHSIG = 1
# Handles a child may have inherited; what it opens itself comes later.
MOST_HANDLES = 1024
START_SECONDS = 60.0


@dataclass(frozen=True)
class Ended:
    """`signal` is 0 for one that ended by itself. `cpu` in seconds, with all it waited for."""

    status: int
    signal: int
    out: str
    err: str
    pid: int
    seconds: float = 0.0
    cpu: float = 0.0

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


class Running:
    """A command that was begun."""

    def __init__(self, pid: int, result: int, out: IO[bytes], err: IO[bytes]) -> None:
        self.pid = pid
        self._result = result
        self._out, self._err = out, err
        self._began = time.monotonic()
        self._ended: Ended | None = None

    def send(self, number: int) -> None:
        if not self.has_ended():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def has_ended(self) -> bool:
        return self._ended is not None or bool(select.select([self._result], [], [], 0)[0])

    def wait(self, timeout: float = 120.0) -> Ended:
        """Raises TimeoutError, having killed it, when it takes longer."""
        if self._ended is None:
            if not select.select([self._result], [], [], timeout)[0]:
                self.send(signal.SIGKILL)
                self._finish()
                raise TimeoutError(f"process {self.pid} did not end within {timeout:.0f} s")
            self._ended = self._finish()
        return self._ended

    def _finish(self) -> Ended:
        told = json.loads(_line(self._result))
        os.close(self._result)
        texts = []
        for file in (self._out, self._err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
            file.close()
        return Ended(
            told["status"], told["signal"], texts[0], texts[1], self.pid, time.monotonic() - self._began, told["cpu"]
        )


def _line(handle: int) -> bytes:
    """One line, by single bytes: what follows it is for the next reader. Raises EOFError when the zygote is gone."""
    said = b""
    while not said.endswith(b"\n"):
        piece = os.read(handle, 1)
        if not piece:
            raise EOFError("the zygote has ended")
        said += piece
    return said


class Zygote:
    """The client's end. May be used from several threads at once."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._sending = threading.Lock()

    @property
    def pid(self) -> int:
        return self._process.pid

    @classmethod
    def start(cls) -> Self:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.torture.zygote", str(theirs.fileno())],
                cwd=ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        ours.settimeout(START_SECONDS)
        try:
            ready = ours.recv(16)
        except TimeoutError:
            ready = b""
        if ready != b"ready":
            process.kill()
            process.wait()
            raise RuntimeError("the zygote did not start")
        ours.settimeout(None)
        return cls(process, ours)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends it with every child it still has."""
        self._control.close()
        self._process.wait()

    def run(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float = 120.0) -> Ended:
        return self.begin(argv, cwd, env).wait(timeout)

    def begin(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], stdin: int | None = None) -> Running:
        """`karrots ARGV`; stdin is /dev/null unless a handle is given. `env` is all it gets."""
        out, err = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115  (Running closes them)
        reader, writer = os.pipe()
        nothing = os.open(os.devnull, os.O_RDONLY)
        try:
            request = json.dumps({"argv": list(argv), "cwd": str(cwd), "env": dict(env)}).encode()
            handles = [nothing if stdin is None else stdin, out.fileno(), err.fileno(), writer]
            with self._sending:
                socket.send_fds(self._control, [request], handles)
        finally:
            os.close(writer)
            os.close(nothing)
        return Running(int(_line(reader)), reader, out, err)


class _Server:
    """The zygote's own end: single-threaded, so that a fork leaves nobody behind who holds a lock."""

    def __init__(self, control: socket.socket, prctl: Callable[..., int]) -> None:
        self._control = control
        self._prctl = prctl
        self._children: dict[int, tuple[int, int]] = {}  # pidfd: (pid, result)
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)

    def serve(self) -> None:
        """Until the other end closes."""
        while True:
            for handle, _ in self._poll.poll():
                if handle != self._control.fileno():
                    self._reap(handle)
                elif not self._accept():
                    self._end()
                    return

    def _accept(self) -> bool:
        request, handles, _, _ = socket.recv_fds(self._control, LARGEST_REQUEST, 4)
        if not request:
            return False
        mother = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become(json.loads(request), handles, mother)
        for handle in handles[:3]:
            os.close(handle)
        watch = os.pidfd_open(pid)
        self._children[watch] = (pid, handles[3])
        self._poll.register(watch, select.POLLIN)
        _tell(handles[3], str(pid))
        return True

    def _reap(self, watch: int) -> None:
        self._poll.unregister(watch)
        os.close(watch)
        pid, result = self._children.pop(watch)
        _, status, used = os.wait4(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        told = {"status": max(code, 0), "signal": max(-code, 0), "cpu": used.ru_utime + used.ru_stime}
        _tell(result, json.dumps(told))
        os.close(result)

    def _end(self) -> None:
        for watch, (pid, _) in list(self._children.items()):
            os.kill(pid, signal.SIGKILL)
            self._reap(watch)

    def _become(self, request: dict[str, Any], handles: list[int], mother: int) -> NoReturn:
        status = 1
        try:
            os.setsid()
            self._prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != mother:
                os._exit(1)
            _take_streams(handles)
            status = _run(request)
        except SystemExit as leaving:
            status = leaving.code if isinstance(leaving.code, int) else 1
        except KeyboardInterrupt:  # outside of what karrots guards: Python ends by the signal itself
            traceback.print_exc()
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGINT)
        except BaseException:  # noqa: BLE001  (what Python itself does with whatever comes so far)
            traceback.print_exc()
        finally:
            _leave(status)


def _tell(handle: int, line: str) -> None:
    with suppress(BrokenPipeError):
        os.write(handle, line.encode() + b"\n")


def _take_streams(handles: list[int]) -> None:
    for number, handle in enumerate(handles[:3]):
        os.dup2(handle, number)
    os.closerange(3, MOST_HANDLES)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(_raw(0, "r")), "utf-8")
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(_raw(1, "w")), "utf-8")
    sys.stderr = io.TextIOWrapper(io.BufferedWriter(_raw(2, "w")), "utf-8", "backslashreplace", line_buffering=True)


def _raw(handle: int, mode: str) -> io.FileIO:
    return io.FileIO(handle, mode, closefd=False)


def _run(request: dict[str, Any]) -> int:
    from karrots import app

    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["cwd"])
    os.umask(0o022)
    # as in a terminal, whatever the zygote was started from
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    sys.argv = ["karrots", *request["argv"]]
    return int(app.run(request["argv"]))


def _leave(status: int) -> NoReturn:
    """As Python ends, threads that are no daemons awaited, but without taking the loaded modules apart."""
    threading._shutdown()  # type: ignore[attr-defined]
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def load() -> None:
    """Import all of karrots, and what it imports only when it is needed."""
    import importlib
    import pkgutil

    import karrots

    for found in pkgutil.walk_packages(karrots.__path__, "karrots."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    late = (
        "git", "jinja2", "kubernetes.client", "kubernetes.client.exceptions", "psutil", "python_terraform",
        "rich.console", "rich.table", "ruamel.yaml", "typer", "ulid", "urllib3.exceptions", "yaml", "encodings.idna",
        "concurrent.futures.thread", "difflib", "http.server", "statistics", "tempfile", "traceback", "uuid",
    )  # fmt: skip
    for name in late:
        importlib.import_module(name)


def main() -> None:
    import ctypes

    control = socket.socket(fileno=int(sys.argv[1]))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    load()
    if threading.active_count() != 1:
        raise SystemExit("importing karrots started a thread: a fork would lose it")
    gc.collect()
    gc.freeze()
    control.send(b"ready")
    _Server(control, prctl).serve()


if __name__ == "__main__":
    main()
