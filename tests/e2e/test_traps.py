"""The two traps of a committed gotk-sync, on the real controllers (https://github.com/fluxcd/flux2/issues/2073)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots.adapters import flux

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.engine

SYNC = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 1m0s
  url: https://git.example.com/fleet.git
  ref:
    branch: main
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 10m0s
  path: ./clusters/qa/flux
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
"""
STORY, COPY = "story/sync", "qa-story"


def _sync_of(world: World, cluster: str) -> tuple[str, str, str]:
    """Branch and URL that source-controller follows, and whether the root still substitutes."""
    path = "jsonpath={.spec.ref.branch} {.spec.url}"
    found = world.kubectl(cluster, "-n", flux.NAMESPACE, "get", "gitrepository", flux.ROOT, "-o", path)
    branch, url = found.split(" ")
    path = "jsonpath={.spec.postBuild.substituteFrom[0].name}"
    return branch, url, world.kubectl(cluster, "-n", flux.NAMESPACE, "get", "kustomization", flux.ROOT, "-o", path)


@pytest.fixture(scope="module", autouse=True)
def committed_sync(world: World) -> None:
    """As `flux bootstrap` leaves it: a sync object in the content that names the parent's branch."""
    folder = world.directory / "flux/flux-system"
    folder.mkdir()
    (folder / "gotk-sync.yaml").write_text(SYNC)
    (folder / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n  - gotk-sync.yaml\n"
    )
    top = world.directory / "flux/kustomization.yaml"
    top.write_text(top.read_text() + "  - flux-system\n")
    world.git("add", ".")
    world.git("commit", "-qm", "Sync objects, as flux bootstrap commits them")


def test_lint_names_the_committed_sync_object(world: World) -> None:
    found = world.karrots("lint", "-o", "json").document["findings"]
    assert {(f["severity"], f["path"]) for f in found} == {("warning", "flux/flux-system/gotk-sync.yaml")}


def test_a_committed_sync_does_not_turn_the_copy_back(world: World) -> None:
    world.karrots("create")
    world.karrots("branch", STORY, COPY)
    world.git("switch", "-q", STORY)
    world.commit("flux/apps/front/deployment.yaml", "shop/front:1.5.0", "shop/front:1.7.0")
    world.karrots("sync", COPY)
    assert world.image(COPY) == "shop/front:1.7.0", "the copy follows the story branch"
    branch, url, identity = _sync_of(world, COPY)
    assert (branch, identity) == (STORY, flux.IDENTITY)
    assert url.startswith("http://127.0.0.1:")
    assert _sync_of(world, "qa")[0] == "main"


def test_a_merge_of_an_edited_sync_leaves_the_parent_on_its_branch(world: World) -> None:
    world.commit("flux/flux-system/gotk-sync.yaml", "branch: main", f"branch: {STORY}")
    world.karrots("sync", COPY)
    world.git("switch", "-q", "main")
    world.git("merge", "-q", "--no-ff", "--no-edit", STORY)
    merged = world.git("rev-parse", "HEAD")
    world.karrots("sync", "qa")
    branch, url, identity = _sync_of(world, "qa")
    assert (branch, identity) == ("main", flux.IDENTITY)
    assert url.startswith("http://127.0.0.1:")
    revision = "jsonpath={.status.lastAppliedRevision}"
    applied = world.kubectl("qa", "-n", flux.NAMESPACE, "get", "kustomization", flux.ROOT, "-o", revision)
    assert applied == f"main@sha1:{merged}"


def test_without_the_patches_the_trap_closes(world: World) -> None:
    """The control: what the patches prevent does happen without them."""
    patch = '{"spec":{"patches":[]}}'
    world.kubectl(COPY, "-n", flux.NAMESPACE, "patch", "kustomization", flux.ROOT, "--type=merge", "-p", patch)
    condition = "--for=jsonpath={.spec.url}=https://git.example.com/fleet.git"
    world.kubectl(COPY, "-n", flux.NAMESPACE, "wait", "gitrepository", flux.ROOT, condition, "--timeout=60s")
    assert _sync_of(world, COPY)[1] == "https://git.example.com/fleet.git"


def test_apply_mends_a_sync_that_was_turned_away(world: World) -> None:
    world.karrots("apply", COPY)
    branch, url, identity = _sync_of(world, COPY)
    assert (branch, identity) == (STORY, flux.IDENTITY)
    assert url.startswith("http://127.0.0.1:")


def test_destroy_both(world: World) -> None:
    world.karrots("destroy", COPY, "--yes")
    world.karrots("destroy", "qa", "--yes")
    assert world.processes() == []
