"""The story by hand: two clusters of one directory side by side, a change, a comparison, a merge, a removal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.engine

FRONT = "flux/apps/front/deployment.yaml"
STORY, COPY = "feature/JIRA-1234", "qa-feature-1234"


def test_create(world: World) -> None:
    made = world.karrots("create", "-o", "json").document
    assert (made["kind"], made["name"], made["branch"], made["phase"]) == ("Cluster", "qa", "main", "ready")
    assert made["flux_ready"] == made["flux_objects"] > 0
    again = world.karrots("create", "-o", "json").document
    assert again["id"] == made["id"], "running it again goes on, it does not make another"


def test_branch_follows_its_own_branch_and_copies_no_file(world: World) -> None:
    before = world.git("status", "--porcelain"), world.git("rev-parse", "HEAD")
    made = world.karrots("branch", STORY, COPY, "--set", "variables.log_level=trace", "-o", "json").document
    assert (made["parent"], made["branch"], made["phase"]) == ("qa", STORY, "ready")
    assert (world.git("status", "--porcelain"), world.git("rev-parse", "HEAD")) == before
    assert world.git("rev-parse", STORY) == world.git("rev-parse", "main")
    assert made["network"] != _record(world, "qa")["network"]
    assert (
        world.kubectl(
            COPY, "-n", "flux-system", "get", "gitrepository", "flux-system", "-o", "jsonpath={.spec.ref.branch}"
        )
        == STORY
    )


def test_identity_reaches_the_manifests(world: World) -> None:
    for name in ("qa", COPY):
        host = world.kubectl(name, "-n", "shop", "get", "ingress", "-o", "jsonpath={.items[0].spec.rules[0].host}")
        assert host.endswith(f"{name}.example.com")


def test_a_commit_goes_live_on_the_copy_alone(world: World) -> None:
    world.git("switch", "-q", STORY)
    commit = world.commit(FRONT, "shop/front:1.5.0", "shop/front:1.6.0")
    synced = world.karrots("sync", COPY, "-o", "json").document
    assert synced["commit"] == commit
    assert (world.image(COPY), world.image("qa")) == ("shop/front:1.6.0", "shop/front:1.5.0")


def test_diff_shows_the_change_and_identity_apart(world: World) -> None:
    found = world.karrots("diff", "qa", COPY, "-o", "json").document
    assert found["files"] == [{"status": "M", "path": FRONT}]
    assert "+          image: shop/front:1.6.0" in found["patch"]
    assert {s["key"] for s in found["identity"]} >= {"cluster_name", "cluster_id", "cluster_domain", "cluster_network"}
    assert found["overrides"] == [{"key": "variables.log_level", "a": "", "b": "trace"}]
    assert world.karrots("diff", "qa", COPY, "--exit-code", expect=1).out
    assert world.karrots("diff", "qa", "qa", "--exit-code").out.startswith("qa → qa: same content")


def test_status_and_tree(world: World) -> None:
    rows = {row["name"]: row for row in world.karrots("status", "-o", "json").document["clusters"]}
    assert {name: row["flux"]["ready"] == row["flux"]["total"] for name, row in rows.items()} == {
        "qa": True,
        COPY: True,
    }
    assert rows[COPY]["head"] == rows[COPY]["applied"], "sync told the ledger"
    roots = world.karrots("tree", "-o", "json").document["roots"]
    assert [(r["name"], [c["name"] for c in r["children"]]) for r in roots] == [("qa", [COPY])]


def test_a_cluster_that_follows_no_branch_yet_is_not_waited_for(world: World) -> None:
    world.karrots("create", "qa-infra", "--wait", "infra")
    told = world.karrots("sync", "qa-infra", expect=8)
    assert "Flux in 'qa-infra' follows no branch yet" in told.err
    assert "karrots apply qa-infra" in told.err
    world.karrots("destroy", "qa-infra", "--yes")


def test_a_parent_of_a_live_branch_is_not_destroyed(world: World) -> None:
    refused = world.karrots("destroy", "qa", "--yes", expect=3)
    assert COPY in refused.err
    assert _record(world, "qa")["phase"] == "ready"


def test_promotion_is_a_merge(world: World) -> None:
    world.git("switch", "-q", "main")
    world.git("merge", "-q", "--no-ff", "--no-edit", STORY)
    world.karrots("sync")
    assert world.image("qa") == "shop/front:1.6.0"
    assert (
        world.kubectl(
            "qa", "-n", "flux-system", "get", "gitrepository", "flux-system", "-o", "jsonpath={.spec.ref.branch}"
        )
        == "main"
    )


def test_apply_converges_infrastructure(world: World) -> None:
    file = world.directory / "cluster.yaml"
    file.write_text(file.read_text().replace("count: 2", "count: 3"))
    stale = world.karrots("lint", expect=1)
    assert "stale-terraform" in stale.out
    world.karrots("render")
    world.git("commit", "-qam", "Three nodes")
    applied = world.karrots("apply", "qa", "-o", "json").document
    assert applied["commit"] == world.git("rev-parse", "HEAD")
    assert len(world.kubectl("qa", "get", "nodes", "-o", "name").splitlines()) == 3
    assert world.image("qa") == "shop/front:1.6.0", "the control plane and its objects stayed"


def test_a_killed_process_is_brought_back(world: World) -> None:
    import psutil

    (found,) = world.karrots("engine", "status", "qa", "-o", "json").document["clusters"]
    for process in found["processes"]:
        if process["name"] in ("kustomize-controller", "kube-apiserver"):
            psutil.Process(process["pid"]).kill()
    world.karrots("apply", "qa")
    (after,) = world.karrots("engine", "status", "qa", "-o", "json").document["clusters"]
    assert after["running"] == len(after["processes"])
    assert world.image("qa") == "shop/front:1.6.0"


def test_destroy_works_without_the_branch_and_leaves_nothing(world: World) -> None:
    (engine,) = world.karrots("engine", "status", COPY, "-o", "json").document["clusters"]
    world.git("branch", "-qD", STORY)
    receipt = world.karrots("destroy", COPY, "--yes", "-o", "json").document
    assert receipt["left"] == []
    assert receipt["resources"] == 0
    assert receipt["looked_for"]["processes"] == len(engine["processes"])
    assert not any(engine["id"] in line for line in world.processes())
    assert not [p for p in world.root.rglob(f"*{engine['id']}*") if "runs" not in p.parts and ".git" not in p.parts]
    written = json.loads(world.git("show", receipt["place"]))
    assert (written["cluster"], written["id"]) == (COPY, engine["id"])
    gone = world.karrots("destroy", COPY, "--yes", expect=10)
    assert "was destroyed at" in gone.err


def test_the_name_can_be_used_again(world: World) -> None:
    made = world.karrots("branch", "feature/again", COPY, "--wait", "infra", "-o", "json").document
    assert made["phase"] == "creating", "nobody waited for Flux"
    world.karrots("destroy", COPY, "--yes")


def test_branch_from_a_past_commit_on_another_provider_with_a_life_of_its_own(world: World) -> None:
    """`--from`, `--on`, `--ttl`, `--wait none` and a dry run before it that changes nothing."""
    first = world.git("rev-list", "--max-parents=0", "HEAD")
    file = world.directory / "cluster.yaml"
    text = file.read_text()
    file.write_text(text.replace("provider: local", "provider: eks"))
    world.karrots("render")
    world.git("add", "-A")
    world.git("commit", "-qm", "To the cloud")
    words = ("branch", "story/past", "qa-past", "--from", "HEAD", "--on", "local", "--ttl", "8h", "--wait", "none")
    refs = world.git("for-each-ref")
    planned = world.karrots(*words, "--dry-run", "-o", "json").document
    assert (planned["kind"], world.git("for-each-ref")) == ("Planned", refs)
    made = world.karrots(*words, "-o", "json").document
    assert (made["provider"], made["phase"]) == ("local", "creating")
    assert made["expires"] > made_at(world, "qa-past")
    longer = world.karrots(*words[:3], "--on", "local", "--ttl", "3d", "-o", "json").document
    assert (longer["id"], longer["phase"]) == (made["id"], "ready")
    assert longer["expires"] > made["expires"]
    refused = world.karrots(*words[:3], "--on", "local", "--from", first, expect=2)
    assert "was made from" in refused.err
    world.karrots("destroy", "qa-past", "--yes")
    world.git("revert", "--no-edit", "HEAD")


def made_at(world: World, name: str) -> str:
    return _record(world, name)["created"]


def test_at_the_end_nothing_is_left(world: World) -> None:
    world.karrots("destroy", "qa", "--yes")
    assert world.processes() == []
    assert world.karrots("ls", "-o", "json").document["clusters"] == []
    kept = {p.name for p in (world.root / "karrots/state").iterdir() if any(p.rglob("*"))}
    assert kept <= {"runs", "engine"}
    assert list((world.root / "karrots/state/engine/clusters").iterdir()) == []
    assert list((world.root / "tmp").iterdir()) == []


def _record(world: World, name: str) -> dict[str, str]:
    record: dict[str, str] = world.karrots("show", name, "-o", "json").document["record"]
    return record
