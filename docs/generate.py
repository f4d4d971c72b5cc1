# ruff: noqa: INP001  (a script beside the pages it writes, not a package)
"""Writes docs/cli.md, exit-codes.md, services.md and identity.md from the program itself: `make docs`.

`--check` writes nothing and ends with 1 when a page is not what the program says now.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from karrots.render.services import Chart
    from karrots.spec.services import Entry

HERE = Path(__file__).parent
MARK = "<!-- Written by docs/generate.py; do not edit. `make docs` writes it again. -->"
# The same page on every computer: what Typer and Rich would read from the terminal or from a CI system is set or gone.
TERMINAL = {"COLUMNS": "100", "LINES": "50", "TERM": "dumb", "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
UNSET = ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TERMINAL_WIDTH", "CLICOLOR_FORCE", "TTY_COMPATIBLE")
# These options belong to every verb; they are shown once.
COMMON = re.compile(r"╭─ Common options ─.*?╰─+╯\n", re.DOTALL)


def settle_terminal() -> None:
    """Typer reads some of it when it is imported, so this comes first."""
    os.environ.update(TERMINAL)
    for name in UNSET:
        os.environ.pop(name, None)


def help_of(*words: str) -> str:
    from typer.testing import CliRunner

    from karrots.cli.root import app

    done = CliRunner().invoke(app, [*words, "--help"], prog_name="karrots", env=TERMINAL)
    if done.exit_code != 0:
        raise SystemExit(f"karrots {' '.join(words)} --help ended with {done.exit_code}")
    lines = (line.rstrip().removeprefix(" ") for line in done.output.splitlines())
    return "\n".join(lines).strip("\n") + "\n"


def commands() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Panel and words of every command: (`Work`, (`branch`,)), (`Mend`, (`engine`, `build`)) …"""
    from karrots.cli.root import VERBS, load

    for name, verb in VERBS.items():
        if verb.hidden:
            continue
        yield verb.panel, (name,)
        below: Mapping[str, Any] = getattr(load(name), "commands", {})
        yield from ((verb.panel, (name, command)) for command in below)


def cli_page() -> str:
    parts = [MARK, "# Commands\n", INTRODUCTION, _block(help_of())]
    common = COMMON.search(help_of("ls"))
    parts += ["## Common options\n", "Every verb has these.\n", _block(common[0] if common else "")]
    last = ""
    for panel, words in commands():
        if panel != last:
            parts.append(f"## {panel}\n")
            last = panel
        parts += [f"### karrots {' '.join(words)}\n", _block(COMMON.sub("", help_of(*words))), *_aliases(words)]
    return "\n".join([*parts, "## Environment variables\n", _environment()])


INTRODUCTION = """\
stdout carries the result and nothing else, stderr what is going on. `-o json` and `-o yaml` carry `apiVersion` and
`kind`; with `-o json` a failure is an object on stdout as well. Exit statuses are in [exit-codes.md](exit-codes.md).
"""


def _block(text: str) -> str:
    return f"```text\n{text}```\n"


def _aliases(words: tuple[str, ...]) -> list[str]:
    """Hidden verbs are other names of the visible one that shares their module."""
    from karrots.cli.root import VERBS

    own = VERBS[words[0]]
    names = [name for name, verb in VERBS.items() if verb.hidden and verb.module == own.module]
    return [f"`karrots {name}` is the same.\n" for name in names]


def _environment() -> str:
    from karrots.cli.topics import ENVIRONMENT

    return _table(("variable", "meaning"), ((f"`{name}`", meaning) for name, meaning in ENVIRONMENT.items()))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


EXIT_INTRODUCTION = """\
An error is up to four parts on stderr: what could not be done, why, what to type next, and where the log is. The same
table is printed by `karrots help exit-codes`. `karrots run` ends with the status of the command it ran.
"""


def exit_codes_page() -> str:
    from karrots.cli.topics import EXIT_CODES

    rows = ((str(int(code)), meaning) for code, meaning in EXIT_CODES.items())
    return "\n".join([MARK, "# Exit statuses\n", EXIT_INTRODUCTION, _table(("exit", "meaning"), rows)])


SERVICES_INTRODUCTION = """\
What every cluster runs before its applications. `cluster.yaml` names those that are on:

```yaml
services:
  envoy-gateway: {}
  cert-manager:
    issuer: production
```

`karrots services enable NAME` (or `--set minimal`, `web`, `full`) writes that, comments stay where they are, and
renders `flux/services/<name>/`: `install/` with the chart's source and the release, `config/` with objects of the
kinds that the release brings, and `sync.yaml` with the Flux Kustomizations that bring one after the other, where
there is a `config/`. All of it is content: a reviewer reads it, a branch copies it, and nothing is committed for you.
`karrots services disable` takes away what nobody changed since it was rendered. `karrots render` writes it again,
`karrots lint` finds what is not what `cluster.yaml` says.

A file that was changed by hand stays as it is and is named by `lint`; to give it back to karrots, remove it and
render.

Applications come after the services: `enable` has the Kustomization `services` wait until all of them are installed.
What stands in a service's `config/` is not waited for: a certificate may take minutes, and where nobody answers a
challenge for ever.

Nothing of one cluster is in the text. What differs between a cluster and its branch comes by substitution from the
ConfigMap `karrots-identity`, in the column `on a branch`; [identity.md](identity.md) has the table of all of it. What a
service costs is what its pods ask for of CPU and memory when the chart is told nothing of it, by the chart's own files,
and what it has the cloud make.

Rights in the cloud come from `terraform/` of the same directory, which `enable` renders with the rest. An ejected
directory gives them itself.
"""
SERVICES_BETWEEN = """\
Versions are pinned, and each value that is set was looked up in the chart's own published files: `karrots services
show NAME` says where. A test holds that table (templates/services/charts.yaml) against what is rendered. Files may be
of another version of the chart than the one that is pinned; `seen` is the version they name, where they name one.
`karrots services outdated` compares the files of a directory with the versions that this karrots knows.

What was not seen: no chart was fetched or installed where this was written, so try a set on a branch before you trust
it.
"""
SERVICES_END = """\
## Services of your own

A folder `services/<name>/` at the root of the fleet repository has the same form, and `karrots services enable <name>`
switches it on (in `cluster.yaml` it stands below `services.custom`):

```text
services/<name>/service.yaml          what it is, its namespace, what it comes after, its charts
services/<name>/<chart>.values.yaml   what a chart is told
services/<name>/install/*.yaml        manifests beside the releases
services/<name>/config/*.yaml         objects of the kinds that the releases bring
```

```yaml
what: logs to a house outside
namespace: agent
after: [cert-manager]
charts:
  agent: {chart: oci://charts.example.com/agent, version: 1.2.3}
```

The files are taken as they stand, with `${cluster_name}` and the like for what differs; there are no templates in them,
because whoever can push a branch would then run code where somebody renders it. They are content of all cluster
directories at once: each renders them when it is next asked to, and `lint` says where that is due.

## Certificates

Let's Encrypt signs 50 certificates a week below a registered domain, and five a week with the same names. So a cluster
asks for one, for its domain and all hosts below it; its issuer is `staging`, which no browser trusts, unless
`cluster.yaml` says `issuer: production`; and preflight counts what the clusters of this fleet asked production for in
the last seven days, those that are gone with them (their receipts say it). What others ask for below the same domain it
cannot know, and a domain registered below a suffix of two parts (example.co.uk) is counted as if it were one part.

What there is not: a wildcard that is lent to branches, since `*.dev.example.com` does not hold one level further down,
for `shop.qa.dev.example.com`; and certificates that are kept at a destroy, since somebody would have to keep their
private keys, and neither git nor the ledger is a place for those.

## Applications at night

`kube-downscaler` scales Deployments and StatefulSets, and Flux puts a number of replicas back that content names. Leave
`replicas` out of what it is to scale.
"""


def services_page() -> str:
    from karrots import places
    from karrots.render.services import charts
    from karrots.spec.services import CATALOGUE

    head = ("service", "what it is", "where", "needs", "what it costs", "on a branch", "sets")
    found = charts(places.templates())
    rows = [_service(entry, found) for entry in CATALOGUE.values()]
    looked_up = [
        (
            f"`{chart.name}`",
            chart.version,
            place.repository,
            f"`{place.file}`",
            f"`{place.commit[:10]}`",
            place.seen or "-",
        )
        for chart in found
        for place in chart.places
    ]
    table = _table(("chart", "version", "repository", "file", "commit", "seen"), looked_up)
    parts = [
        MARK,
        "# Core services\n",
        SERVICES_INTRODUCTION,
        _table(head, rows),
        "## Charts\n",
        SERVICES_BETWEEN,
        table,
    ]
    return "\n".join([*parts, SERVICES_END])


def _service(entry: Entry, charts: Sequence[Chart]) -> tuple[str, ...]:
    from karrots.spec.services import ANYWHERE

    own = [chart for chart in charts if chart.service == entry.name]
    asked = "; ".join(chart.requests for chart in own if chart.requests) or ("requests not looked up" if own else "")
    costs = "; ".join(filter(None, (asked if asked != "nothing" else "no requests", entry.makes)))

    where = "everywhere" if entry.providers == ANYWHERE else f"{', '.join(entry.providers)}: {entry.elsewhere}"
    needs = ", ".join([*(f"`{name}`" for name in entry.needs), *([entry.permission] if entry.permission else [])])
    differs = re.sub(r"(\$\{\w+\})", r"`\1`", entry.differs)
    needs = re.sub(r"(\$\{\w+\})", r"`\1`", needs)
    return f"`{entry.name}`", entry.what, where, needs or "-", costs or "-", differs, ", ".join(entry.sets) or "-"


def identity_page() -> str:
    sys.path.insert(0, str(HERE))
    import identity

    head = ("line", "what", "home", "`qa`", "`qa-feature-x`", "why it may be the same")
    return "\n".join([MARK, "# A cluster's identity\n", identity.INTRODUCTION, _table(head, identity.rows())])


def pages() -> dict[str, str]:
    return {
        "cli.md": cli_page(),
        "exit-codes.md": exit_codes_page(),
        "services.md": services_page(),
        "identity.md": identity_page(),
    }


def main(arguments: list[str]) -> int:
    settle_terminal()
    wanted = pages()
    stale = [name for name, text in wanted.items() if _present(HERE / name) != text]
    if "--check" in arguments:
        sys.stdout.writelines(f"docs/{name} is not up to date: make docs\n" for name in stale)
        return 1 if stale else 0
    for name in stale:
        (HERE / name).write_text(wanted[name], encoding="utf-8")
        sys.stdout.write(f"wrote docs/{name}\n")
    return 0


def _present(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
