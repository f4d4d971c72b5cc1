"""`python -m benchmarks [ROW …]`: the figures, side by side with what one would use instead (docs/benchmarks.md)."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import kwokctl, machine, runner, suite, table
from benchmarks.quiet import Quiet
from benchmarks.row import Bench
from karrots import effects
from karrots.app import error_text
from karrots.engine import binaries
from karrots.errors import ExitCode, KarrotsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.row import Result

REPEAT = 5
PATIENCE = 300.0


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every row has a correct result, also where a target is missed; 1 when one has not."""
    asked = parser().parse_args(arguments)
    try:
        results, facts = run(asked.rows, asked.repeat, Quiet(asked.patience))
    except KarrotsError as error:
        sys.stderr.write(error_text(error))
        return int(error.code)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)
    written = json.dumps(document(results, facts), indent=2, ensure_ascii=False) + "\n"
    if asked.output:
        asked.output.write_text(written, encoding="utf-8")
    forms = {"json": written, "markdown": table.markdown(results), "text": table.render(results, facts)}
    sys.stdout.write(forms[asked.form])
    return 1 if any(result.failure for result in results) else 0


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="python -m benchmarks", description="karrots beside what one would use instead"
    )
    found.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(suite.ROWS)}; all when none is named")
    found.add_argument("--repeat", type=positive, default=REPEAT, help="counted rounds; one before them is not counted")
    found.add_argument("--patience", type=float, default=PATIENCE, help="seconds to wait, in all, for a quiet computer")
    found.add_argument("-o", dest="form", choices=("text", "json", "markdown"), default="text", help="form on stdout")
    found.add_argument("--output", type=Path, help="write the JSON to this file too")
    return found


def positive(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError("at least one round")
    return int(text)


def run(names: Sequence[str], repeat: int, calm: Quiet) -> tuple[list[Result], Mapping[str, str]]:
    rows = suite.chosen(names)
    effects.listen()
    facts = machine.facts()
    bench = prepare()
    return [told(runner.measure(row, bench, repeat, say, calm)) for row in rows], facts


def told(result: Result) -> Result:
    """As soon as it is known: what comes after may take an hour, or be ended."""
    for line in (*map(" | ".join, table.lines(result)), *table.remarks(result)):
        say(line)
    return result


def prepare() -> Bench:
    """Builds what is not there, which is never part of a measurement."""
    engine = binaries.ensure(lambda *_: None).folder
    try:
        return Bench(engine, kwokctl.build())
    except KarrotsError as error:
        return Bench(engine, None, f"kwokctl could not be built: {runner.reason(error)}")


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def document(results: Sequence[Result], facts: Mapping[str, str]) -> dict[str, object]:
    return {
        "apiVersion": "karrots.dev/v1",
        "kind": "Benchmarks",
        "machine": dict(facts),
        "rows": [result.document() for result in results],
    }


if __name__ == "__main__":
    sys.exit(main())
