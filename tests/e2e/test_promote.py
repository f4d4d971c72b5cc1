"""A story promoted on the real engine: seen live on the parent, taken back, raced, refused; and one that fails live."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import World

pytestmark = pytest.mark.engine

FRONT = "flux/apps/front/deployment.yaml"
CATALOGUE = "flux/apps/catalogue/deployment.yaml"
STORY, COPY = "feature/JIRA-7", "qa-jira-7"


def test_a_story_is_branched_and_changed(world: World) -> None:
    world.karrots("create")
    world.karrots("branch", STORY, COPY)
    world.git("switch", "-q", STORY)
    world.commit(FRONT, "shop/front:1.5.0", "shop/front:1.6.0")
    world.karrots("sync", COPY)
    assert (world.image(COPY), world.image("qa")) == ("shop/front:1.6.0", "shop/front:1.5.0")


def test_the_preview_asks_the_parent_and_changes_nothing(world: World) -> None:
    refs = world.git("for-each-ref")
    seen = world.karrots("promote", COPY, "--dry-run", "-o", "json").document["preview"]
    assert [file["path"] for file in seen["files"]] == [FRONT]
    assert (seen["flux"]["reachable"], seen["flux"]["ready"]) == (True, seen["flux"]["total"])
    assert world.git("for-each-ref") == refs
    assert world.image("qa") == "shop/front:1.5.0"


def test_it_is_promoted_and_live_on_the_parent(world: World) -> None:
    status = world.git("status", "--porcelain")
    made = world.karrots("promote", COPY, "--yes", "-o", "json").document
    assert made["commit"] == world.git("rev-parse", "main")
    assert made["flux_ready"] == made["flux_objects"] > 0
    assert world.image("qa") == "shop/front:1.6.0"
    assert world.git("status", "--porcelain") == status
    assert world.git("rev-parse", "--abbrev-ref", "HEAD") == STORY
    assert applied(world) == made["commit"]


def test_it_is_taken_back_and_that_is_live_too(world: World) -> None:
    back = world.karrots("rollback", "qa", "--yes", "-o", "json").document
    assert world.image("qa") == "shop/front:1.5.0"
    assert applied(world) == back["commit"] == world.git("rev-parse", "main")
    assert world.image(COPY) == "shop/front:1.6.0"


def test_a_rebase_converges_the_copy_behind_its_fence(world: World) -> None:
    world.git("switch", "-q", "main")
    world.commit(CATALOGUE, "shop/catalogue:2.1.0", "shop/catalogue:2.2.0")
    rows = {row["name"]: row for row in world.karrots("ls", "-o", "json").document["clusters"]}
    assert (rows["qa"]["behind"], rows[COPY]["behind"]) == (None, 3), "a promotion, its rollback, and this"
    world.karrots("sync", "qa")
    done = world.karrots("rebase", COPY, "--yes", "-o", "json").document
    assert len(done["preview"]["brings_back"]) == 1
    assert world.image(COPY, "catalogue") == "shop/catalogue:2.2.0"
    assert world.image(COPY) == "shop/front:1.6.0", "the rollback on the parent is none of the story"


def test_it_is_promoted_again_into_a_branch_that_is_checked_out(world: World) -> None:
    assert world.git("rev-parse", "--abbrev-ref", "HEAD") == "main"
    world.karrots("promote", COPY, "--yes")
    assert world.image("qa") == "shop/front:1.6.0"
    assert "shop/front:1.6.0" in (world.directory / FRONT).read_text()
    assert world.git("status", "--porcelain") == ""


def test_a_conflict_is_shown_and_changes_nothing(world: World) -> None:
    world.commit(FRONT, "shop/front:1.6.0", "shop/front:1.6.1")
    world.git("switch", "-q", STORY)
    world.commit(FRONT, "shop/front:1.6.0", "shop/front:1.7.0")
    refs = world.git("for-each-ref")
    told = world.karrots("promote", COPY, "--yes", expect=3).err
    for line in ("shop/front:1.6.1", "shop/front:1.7.0", "<<<<<<< main", f">>>>>>> {STORY}"):
        assert line in told
    assert world.git("for-each-ref") == refs
    world.git("merge", "-q", "--no-edit", "-X", "ours", "main")


def test_one_that_fails_live_offers_the_way_back(world: World) -> None:
    """The copy takes it, and the parent cannot: the port of its Service is somebody's already."""
    world.karrots("promote", COPY, "--yes")
    good = applied(world)
    assert world.image("qa") == "shop/front:1.7.0"
    world.commit("flux/apps/front/kustomization.yaml", "  - service.yaml\n", "  - service.yaml\n  - door.yaml\n")
    (world.directory / "flux/apps/front/door.yaml").write_text(DOOR)
    world.git("add", "-A")
    world.git("commit", "-q", "--amend", "--no-edit")
    world.karrots("sync", COPY)
    world.kubectl("qa", "-n", "default", "create", "service", "nodeport", "squatter", "--tcp=80", "--node-port=30123")
    failed = world.karrots("promote", COPY, "--yes", "-o", "json", "--timeout", "60", expect=8)
    error = json.loads(failed.out)
    assert "karrots rollback qa   (the way back)" in error["hint"]
    assert "provided port is already allocated" in error["why"]
    assert applied(world) == good
    back = world.karrots("rollback", "qa", "--to", "last-good", "--yes", "-o", "json").document
    assert world.git("diff", good, back["commit"]) == ""
    assert back["flux_ready"] == back["flux_objects"]
    assert applied(world) == back["commit"]


def test_history_tells_it_all(world: World) -> None:
    events = world.karrots("history", "qa", "-o", "json").document["events"]
    told = [event["verb"] for event in events if event["source"] == "branch"]
    after = ["promote", "rollback", "commit", "promote", "commit", "promote", "promote", "rollback"]
    assert told[::-1] == ["commit", "commit", *after]
    shown = [world.git(*event["look"].split()[1:]) for event in events if event["source"] == "branch"]
    assert all(shown)
    runs = {event["run"] for event in events if event["verb"] in ("promote", "rollback")}
    assert all(world.karrots("logs", run).out for run in runs)


def test_the_past_is_branched(world: World) -> None:
    past = world.git("rev-list", "--max-parents=0", "main")
    world.git("switch", "-q", "main")
    first = world.git("log", "--first-parent", "--format=%H", "--reverse", "main").splitlines()[1]
    assert past != first, "the first commit of this world has the release that it does without"
    made = world.karrots("branch", "look/back", "qa-past", "--at", first, "-o", "json").document
    assert made["commit"] == first
    assert world.image("qa-past") == "shop/front:1.5.0"


def test_at_the_end_nothing_is_left(world: World) -> None:
    for name in ("qa-past", COPY, "qa"):
        world.karrots("destroy", name, "--yes")
    assert world.processes() == []


def applied(world: World) -> str:
    record: dict[str, Any] = world.karrots("show", "qa", "-o", "json").document["record"]
    found: str = record["applied"]["commit"]
    return found


DOOR = """\
apiVersion: v1
kind: Service
metadata: {name: door}
spec:
  type: NodePort
  selector: {app: front}
  ports: [{name: http, port: 80, targetPort: 8080, nodePort: 30123}]
"""
