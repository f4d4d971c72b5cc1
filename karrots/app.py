"""The composition root, and the one boundary where errors are printed and become exit statuses."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING

from karrots import __version__
from karrots.errors import ExitCode, Interrupted, KarrotsError

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(argv: list[str]) -> int:
    """The whole command line; answers the exit status (docs/exit-codes.md)."""
    if argv == ["--version"]:  # asked by scripts and prompts, so it does not load the command line
        sys.stdout.write(f"karrots {__version__}\n")
        return ExitCode.DONE
    listen_for_the_end()
    try:
        return dispatch(argv)
    except KarrotsError as error:
        return explain(error, argv)
    except KeyboardInterrupt:
        return explain(Interrupted("interrupted", hint=f"karrots {' '.join(argv)}"), argv)
    except BrokenPipeError:
        sys.stderr.close()
        return ExitCode.DONE
    except Exception as error:  # noqa: BLE001  (the boundary: whatever it is, it is a bug and gets a report)
        return report_bug(error, argv)


def dispatch(argv: list[str]) -> int:
    from karrots.cli.root import app

    try:
        app(args=argv, prog_name="karrots")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else ExitCode.DONE if end.code is None else ExitCode.USAGE
    return ExitCode.DONE


def listen_for_the_end() -> None:
    """SIGTERM and a closed terminal end an operation as the first Ctrl-C does."""
    import signal

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, stop)


def explain(error: KarrotsError, argv: list[str]) -> int:
    """What failed, why, what to type next, where the log is; as an object on stdout where JSON was asked for."""
    if wants_json(argv):
        import json

        sys.stdout.write(json.dumps(error_document(error), indent=2) + "\n")
    else:
        sys.stderr.write(error_text(error))
    if is_very_verbose(argv):
        import traceback

        traceback.print_exception(error)
    return error.code


def error_document(error: KarrotsError) -> dict[str, object]:
    return {
        "apiVersion": "karrots.dev/v1",
        "kind": "Error",
        "code": int(error.code),
        "name": type(error).__name__,
        "message": error.message,
        "why": error.why,
        "hint": error.hint,
        "log": str(error.log) if error.log else None,
    }


def error_text(error: KarrotsError) -> str:
    from karrots.report.text import clean

    lines = [f"{_sign()} {error.message}"]
    log = str(error.log) if error.log else ""
    for label, value in (("why", error.why), ("try", error.hint), ("log", log)):
        lines += [f"  {label if i == 0 else '':4} {line}" for i, line in enumerate(value.splitlines())]
    return clean("\n".join(lines)) + "\n"


def _sign() -> str:
    encoding = (sys.stderr.encoding or "").lower()
    return "✘" if "utf" in encoding else "x"


def wants_json(argv: list[str]) -> bool:
    own = argv[: argv.index("--")] if "--" in argv else argv
    pairs = itertools.pairwise(own)
    return any(pair in (("-o", "json"), ("--output", "json")) for pair in pairs) or bool(
        {"-ojson", "--output=json"}.intersection(own)
    )


def is_very_verbose(argv: list[str]) -> bool:
    return "-vv" in argv or argv.count("-v") + argv.count("--verbose") > 1


def report_bug(error: Exception, argv: list[str]) -> int:
    """The traceback goes into a file ready for an issue, one line to the terminal."""
    import traceback

    report = "".join(traceback.format_exception(error))
    place = _save(report)
    sys.stderr.write(
        f"{_sign()} a bug in karrots {__version__}: {type(error).__name__}\n"
        f"  try  the same command with -vv\n  log  {place}\n"
    )
    if is_very_verbose(argv):
        sys.stderr.write(report)
    return ExitCode.BUG


def _save(report: str) -> Path | str:
    from karrots import places

    try:
        file = places.private_folder(places.state()) / "bug.log"
        file.write_text(report, "utf-8")
    except OSError:
        return "(the report could not be written)"
    return file
