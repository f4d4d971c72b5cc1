"""The composition root, and the one boundary where errors are printed and become exit statuses."""

from __future__ import annotations

import itertools
import os
import re
import sys
from typing import TYPE_CHECKING

from karrots import __version__
from karrots.errors import ExitCode, Interrupted, KarrotsError, redacted

if TYPE_CHECKING:
    from pathlib import Path


# Options that every verb has and that take the next word.
VALUED = ("-C", "--dir", "-o", "--output")


class Bug(KarrotsError):
    """Something that is nobody's fault but ours."""

    code = ExitCode.BUG


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(argv: list[str]) -> int:
    """The whole command line; answers the exit status (docs/exit-codes.md)."""
    if argv == ["--version"]:  # asked by scripts and prompts, so it does not load the command line
        sys.stdout.write(f"karrots {__version__}\n")
        return ExitCode.DONE
    from karrots import effects
    from karrots.report import streams

    streams.steady()
    effects.listen()
    try:
        if effects.FAULTS in os.environ:
            from karrots import faults

            faults.arm(os.environ)
        return dispatch(argv)
    except KarrotsError as error:
        return explain(error, argv)
    except KeyboardInterrupt as error:
        return explain(interrupted(error, argv), argv)
    except OSError as error:
        return of_the_system(error, argv)
    except Exception as error:  # noqa: BLE001  (the boundary: whatever it is, it is a bug and gets a report)
        return report_bug(error, argv)


def dispatch(argv: list[str]) -> int:
    from karrots.cli.root import call

    return call(argv)


def explain(error: KarrotsError, argv: list[str]) -> int:
    """What failed, why, what to type next, where the log is; as an object on stdout where JSON was asked for."""
    from karrots.report import streams

    try:
        if wants_json(argv):
            import json

            streams.put(sys.stdout, json.dumps(error_document(error), indent=2) + "\n")
        else:
            streams.put(sys.stderr, error_text(error))
        if is_very_verbose(argv):
            import traceback

            streams.put(sys.stderr, redacted("".join(traceback.format_exception(error))))
    except OSError:
        streams.forget(sys.stdout)  # it is full: the exit status has to tell
    return error.code


def interrupted(error: BaseException, argv: list[str]) -> Interrupted:
    import shlex

    end = Interrupted("interrupted", hint=shlex.join(["karrots", *argv]))
    end.__cause__ = error
    return end


def of_the_system(error: OSError, argv: list[str]) -> int:
    """A full disk or a folder that is not ours is no bug."""
    from karrots.report.system import refusal

    known = refusal(error)
    if known is None:
        return report_bug(error, argv)
    known.__cause__ = error
    return explain(known, argv)


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


def own_words(argv: list[str]) -> list[str]:
    """The words for karrots itself: up to `--`, and of `run` only up to the name; the rest is another program's."""
    own = argv[: argv.index("--")] if "--" in argv else argv
    verb = after_options(own, 0)
    return own[: after_options(own, verb + 1) + 1] if own[verb : verb + 1] == ["run"] else own


def after_options(words: list[str], at: int) -> int:
    """Where the first word from `at` on stands that is neither an option nor its value."""
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in VALUED else 1
    return at


def wants_json(argv: list[str]) -> bool:
    own = own_words(argv)
    apart = any(re.fullmatch("-[qvy]*o|--output", a) and b == "json" for a, b in itertools.pairwise(own))
    return apart or any(re.fullmatch("(-[qvy]*o|--output=)json", word) for word in own)


def is_very_verbose(argv: list[str]) -> bool:
    """-vv, -v -v or a group such as -qvv."""
    words = own_words(argv)
    return sum(word.count("v") for word in words if re.fullmatch("-[qvy]*", word)) + words.count("--verbose") > 1


def report_bug(error: Exception, argv: list[str]) -> int:
    """The traceback goes into a file ready for an issue, one line to the terminal."""
    import traceback

    report = redacted("".join(traceback.format_exception(error)))
    bug = Bug(
        f"a bug in karrots {__version__}: {type(error).__name__}",
        hint="the same command with -vv",
        log=_save(report),
    )
    bug.__cause__ = error
    return explain(bug, argv)


def _save(report: str) -> Path | None:
    from karrots import files, places

    try:
        file = places.private_folder(places.state()) / "bug.log"
        files.write(file, report.encode("utf-8", "backslashreplace"))
    except OSError:
        return None
    return file
