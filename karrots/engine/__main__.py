"""The engine as a command, for Terraform's provisioners. It is started for every apply, so it is kept light."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from karrots.errors import ExitCode, KarrotsError


def main(arguments: list[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    try:
        return _run(asked)
    except KarrotsError as error:
        why = f": {' '.join(error.why.split())}" if error.why else ""
        hint = f" (next: {error.hint})" if error.hint else ""
        sys.stderr.write(f"karrots engine: {error.message}{why}{hint}\n")
        return int(error.code)
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m karrots.engine", description="clusters of the local engine")
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = _verb(verbs, "up", "start a cluster, or what of it does not run")
    up.add_argument("--name", required=True, help="what people call it")
    up.add_argument("--repository", required=True, type=Path, help="the git directory that Flux reads")
    up.add_argument("--nodes", type=int, default=1, help="simulated nodes")
    up.add_argument("--bare", action="store_true", help="without Flux, until somebody deploys it")
    up.add_argument("--authenticator", default="", help="kubeconfig of a webhook that knows whose a token is")
    _verb(verbs, "down", "end a cluster and delete everything of it")
    _verb(verbs, "stop", "end a cluster's processes and keep its data")
    _verb(verbs, "nodes", "change the number of simulated nodes").add_argument("--count", type=int, required=True)
    return parser


def _verb(verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str) -> argparse.ArgumentParser:
    verb = verbs.add_parser(name, help=text)
    verb.add_argument("--id", required=True, help="the cluster's id")
    return verb


def _run(asked: argparse.Namespace) -> int:
    from karrots.engine import cluster
    from karrots.engine.folder import Request

    if asked.verb == "up":
        wanted = Request(asked.id, asked.name, asked.repository, asked.nodes, asked.bare, asked.authenticator)
        status = cluster.up(wanted, _say)
        _say(f"cluster '{status.name}' is up at {status.server}")
    elif asked.verb == "down":
        gone = cluster.down(asked.id)
        _say(f"ended {gone.processes} processes, freed {gone.ports} ports, deleted {gone.files} files")
    elif asked.verb == "stop":
        _say(f"ended {cluster.stop(asked.id)} processes, kept the data")
    else:
        cluster.nodes(asked.id, asked.count)
        _say(f"{asked.count} nodes")
    return int(ExitCode.DONE)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
