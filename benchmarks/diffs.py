"""The row on comparing: two sides of ten thousand objects, a hundred of which differ.

`python -m benchmarks.diffs A B` is what is measured: two folders compared as cluster directories, the answer as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.content import DEPLOYMENT
from benchmarks.row import Contest, Reading, Target, Unit, Wrong, row
from benchmarks.world import world

if TYPE_CHECKING:
    from benchmarks.row import Bench
    from karrots.diff.model import Side

OBJECTS = 10_000
CHANGED = 100
IN_A_FILE = 100
MOST_MEMORY = 150 * 2**20
SETTINGS = "".join(
    f"            - name: SETTING_{number}\n              value: some-value-of-{number}.${{cluster_domain}}\n"
    for number in range(24)
)
APPS = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  path: ./clusters/qa/flux/apps
  sourceRef: {kind: GitRepository, name: flux-system}
  postBuild: {substituteFrom: [{kind: ConfigMap, name: karrots-identity}]}
"""


@row("diff", f"two sides of {OBJECTS:,} objects, {CHANGED} changed", Target(most=2.5), beside_unit=Unit.bytes)
def diff(bench: Bench) -> Iterator[Contest]:
    with world(bench.engine) as made:
        a, b = made.root / "a", made.root / "b"
        write(a, ())
        write(b, range(7, OBJECTS, OBJECTS // CHANGED))

        def ours() -> Reading:
            here = Path(__file__).parents[1]
            ended = made.run(sys.executable, "-m", "benchmarks.diffs", a, b, cwd=here)
            said = ended.document
            if said["departures"] != CHANGED or said["objects"] != OBJECTS + 1:
                raise Wrong(f"what was changed is not what was found: {said}")
            if said["memory"] > MOST_MEMORY:
                raise Wrong(f"it took {said['memory'] >> 20} MiB")
            return Reading(ended.seconds, {"memory": said["memory"]})

        def text() -> Reading:
            """The same folders as text: which lines, and neither objects nor identity nor what is a default."""
            ended = made.run("diff", "-ur", a, b, expect=(1,))
            if ended.out.count("\n+ ") != CHANGED:
                raise Wrong("not every changed line was shown")
            return Reading(ended.seconds)

        yield Contest(ours, {"diff -ur": text})


def write(folder: Path, changed: Collection[int]) -> None:
    apps = folder / "flux/apps"
    apps.mkdir(parents=True)
    (folder / "flux/kustomization.yaml").write_text("resources: [apps.yaml]\n")
    (folder / "flux/apps.yaml").write_text(APPS)
    for first in range(0, OBJECTS, IN_A_FILE):
        texts = [deployment(number, more=number in changed) for number in range(first, first + IN_A_FILE)]
        (apps / f"part-{first}.yaml").write_text("---\n".join(texts))


def deployment(number: int, *, more: bool) -> str:
    """`more` has a pod more."""
    text = DEPLOYMENT.format(number=number, host="app.${cluster_domain}") + SETTINGS
    return text.replace("replicas: 2", "replicas: 3") if more else text


class Folder(Mapping[str, bytes]):
    """The files of a folder, read when they are asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}

    def __getitem__(self, path: str) -> bytes:
        if path not in self.paths:
            raise KeyError(path)
        return (self.root / path).read_bytes()

    def __iter__(self) -> Iterator[str]:
        return iter(self.paths)

    def __len__(self) -> int:
        return len(self.paths)

    def __contains__(self, path: object) -> bool:
        return path in self.paths


def side(folder: Path, name: str) -> Side:
    from karrots.diff.model import Side as Made
    from karrots.diff.rendered import Directory

    identity = {"cluster_name": name, "cluster_domain": f"{name}.example.com"}
    return Made(name, Directory(Folder(folder), "clusters/qa", identity).items, identity)


def main() -> None:
    from karrots.diff.compare import compare

    result = compare("rendered", side(Path(sys.argv[1]), "qa"), side(Path(sys.argv[2]), "qa-story"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"departures": len(result.departures), "objects": result.score.total, "memory": peak}))


ROWS = (diff,)

if __name__ == "__main__":
    main()
