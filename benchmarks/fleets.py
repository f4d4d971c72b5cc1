"""Fleet repositories to measure on."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from karrots import places

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.world import World

RELEASE = "orders"
# In its place, so that it is twenty objects.
MORE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: more-a, namespace: shop}
data: {host: "${cluster_domain}"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: more-b, namespace: shop}
data: {host: "${cluster_domain}"}
"""


def shop(world: World, *, shared: bool = False) -> Path:
    """The demo fleet without its HelmRelease, so that nothing waits for Helm, with 20 objects. Answers clusters/qa.

    `shared`: through a bare repository that karrots pushes to.
    """
    fleet = world.root / "fleet"
    shutil.copytree(places.data() / "clusters", fleet / "clusters", ignore=shutil.ignore_patterns(".terraform"))
    shutil.copy(places.data() / "karrots.yaml", fleet / "karrots.yaml")
    directory = fleet / "clusters/qa"
    apps = directory / "flux/apps"
    listed = (apps / "kustomization.yaml").read_text().splitlines(keepends=True)
    (apps / "kustomization.yaml").write_text("".join(line.replace(RELEASE, "more.yaml") for line in listed))
    (apps / "more.yaml").write_text(MORE)
    shutil.rmtree(apps / RELEASE)
    begin(world, fleet)
    if shared:
        world.git("init", "--quiet", "--bare", "shared.git", cwd=world.root)
        world.git("remote", "add", "origin", "../shared.git", cwd=fleet)
        world.git("push", "--quiet", "origin", "main", cwd=fleet)
    return directory


def begin(world: World, fleet: Path) -> None:
    world.git("init", "--quiet", "--initial-branch=main", cwd=fleet)
    world.git("add", "--all", cwd=fleet)
    world.git("commit", "--quiet", "--message", "A fleet", cwd=fleet)
