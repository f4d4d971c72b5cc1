"""The row on content: lint of a large cluster directory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks import fleets
from benchmarks.row import Contest, Reading, Target, Wrong, row
from benchmarks.world import world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.row import Bench
    from benchmarks.world import World

RESOURCES = 1000
MISTAKE = 777
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-{number}
  namespace: shop
  labels:
    app.kubernetes.io/name: app-{number}
spec:
  replicas: 2
  selector:
    matchLabels:
      app.kubernetes.io/name: app-{number}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: app-{number}
    spec:
      containers:
        - name: app
          image: registry.example.com/app:{number}
          env:
            - name: HOST
              value: {host}
"""


@row("lint", f"lint, {RESOURCES:,} resources", Target(most=2.0))
def lint(bench: Bench) -> Iterator[Contest]:
    with world(bench.engine) as made:
        directory, tree = large_directory(made)

        def ours() -> Reading:
            """One of the thousand uses a variable that nobody defines, and only that one may be found."""
            ended = made.karrots("lint", "-o", "json", cwd=directory, expect=(1,))
            found = [finding["path"] for finding in json.loads(ended.out)["findings"]]
            if found != [f"flux/apps/many/app-{MISTAKE}.yaml"]:
                raise Wrong(f"the one mistake is not what was found: {found[:3]}")
            return Reading(ended.seconds)

        def kustomize() -> Reading:
            """The same tree rendered: what one would do to see that it builds; it knows nothing of variables."""
            ended = made.run(made.tool("kubectl"), "kustomize", tree)
            if ended.out.count("\nkind: Deployment") != RESOURCES:
                raise Wrong("not every resource was rendered")
            return Reading(ended.seconds)

        yield Contest(ours, {"kubectl kustomize": kustomize})


def large_directory(made: World) -> tuple[Path, Path]:
    """The shop with a thousand Deployments more; the cluster directory and the folder of the thousand."""
    directory = fleets.shop(made)
    tree = directory / "flux/apps/many"
    tree.mkdir()
    names = []
    for number in range(RESOURCES):
        names.append(f"app-{number}.yaml")
        host = f"app-{number}.${{{'cluster_domian' if number == MISTAKE else 'cluster_domain'}}}"
        (tree / names[-1]).write_text(DEPLOYMENT.format(number=number, host=host))
    (tree / "kustomization.yaml").write_text("resources:\n" + "".join(f"  - {name}\n" for name in names))
    apps = tree.parent / "kustomization.yaml"
    apps.write_text(apps.read_text().rstrip() + "\n  - many\n")
    return directory, tree


ROWS = (lint,)
