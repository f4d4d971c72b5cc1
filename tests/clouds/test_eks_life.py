"""A cluster on EKS from `init` to its receipt: Terraform with AWS's own provider, and a real API server with real Flux.

What is imitated is the account (moto, and EKS before it); behind each cluster of it stands a control plane of the
engine, which lets in whom a token for that cluster proves to be.
"""

from __future__ import annotations

import datetime as dt
import json
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from karrots.adapters.aws_things import ID
from tests.support.eks_account import inventories
from tests.support.eks_account.fleet import BUCKET

if TYPE_CHECKING:
    from tests.support.eks_account.fleet import Life

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("with_engine")]

STORY, COPY = "feature/JIRA-1234", "qa-feature-1234"


def status_of(server: str, token: str) -> int:
    """What an API server answers to who shows this token."""
    anyone = ssl._create_unverified_context()  # noqa: S323
    headers = {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"{server}/api/v1/nodes", headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, context=anyone, timeout=30) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def test_preflight_is_shown_with_the_plan_and_the_price(life: Life) -> None:
    told = life.world.karrots("create", "--dry-run", "-o", "json").document
    assert {row["what"]: row["ok"] for row in told["checks"]} | {"AWS login": True, "state": True, "Flux": True} == {
        row["what"]: True for row in told["checks"]
    }
    assert (told["plan"]["add"], told["plan"]["ends"]) == (47, [])
    assert told["costs"]["currency"] == "USD"
    assert told["costs"]["hourly"] > 0.3
    assert inventories.of(life.aws) == life.before


def test_create(life: Life) -> None:
    made = life.world.karrots("create", "-o", "json").document
    assert (made["phase"], made["flux_ready"]) == ("ready", made["flux_objects"])
    assert made["server"].startswith("https://127.0.0.1:")
    assert life.kubectl("qa", "get", "configmap", "from-git", "-o", "jsonpath={.data.who}") == "qa"
    assert [group["scalingConfig"]["desiredSize"] for group in life.node_groups("qa")] == [2]
    assert len(life.kubectl("qa", "get", "nodes", "-o", "name").splitlines()) == 2
    again = life.world.karrots("create", "-o", "json").document
    assert again["id"] == made["id"], "running it again goes on, it does not make another"


def test_flux_followed_the_branch_before_terraform_was_done(life: Life) -> None:
    """Its components and what it follows were applied beside Terraform, and their own steps found them."""
    [run] = [it for it in life.world.karrots("logs", "-o", "json").document["runs"] if it["verb"] == "create"][1:2]
    journal = life.world.root / f"karrots/state/runs/{run['id']}/journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert any(line["what"] == "ahead" for line in lines)
    assert {"what": "skipped", "step": "flux", "why": "runs there"}.items() <= next(
        line for line in lines if line.get("step") == "flux" and line["what"] != "ahead"
    ).items()
    path = "jsonpath={.metadata.creationTimestamp}"
    follows = life.kubectl("qa", "-n", "flux-system", "get", "kustomization", "flux-system", "-o", path)
    applied = next(line["at"] for line in lines if line["what"] == "done" and line["step"] == "apply")
    assert dt.datetime.fromisoformat(follows).timestamp() < applied


def test_a_cluster_that_no_state_knows_is_taken_over(life: Life) -> None:
    """As after a Terraform that was killed while it made it: it would take EKS ten minutes to make another."""
    s3, key = life.aws.client("s3"), f"karrots/{life.record('qa')['id']}.tfstate"
    held = json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    forgotten = {"aws_eks_cluster", "aws_cloudwatch_log_group", "aws_iam_role"}
    kept = [it for it in held["resources"] if it["type"] not in forgotten or it["mode"] == "data"]
    older = {**held, "serial": held["serial"] + 1, "resources": kept}
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(older).encode())
    before, there = inventories.of(life.aws), life.aws.eks.clusters["qa"]
    told = life.world.karrots("create")
    assert "taken over: EKS cluster qa (ACTIVE)" in told.err
    assert life.aws.eks.clusters["qa"] is there
    assert inventories.of(life.aws) == before
    again = json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert {(it["type"], it["name"]) for it in again["resources"]} == {
        (it["type"], it["name"]) for it in held["resources"]
    }


def test_branch_is_another_cluster_in_another_network(life: Life) -> None:
    made = life.world.karrots("branch", STORY, COPY, "--ttl", "8h", "-o", "json").document
    assert (made["parent"], made["branch"], made["phase"]) == ("qa", STORY, "ready")
    assert made["network"] != life.record("qa")["network"]
    assert life.kubectl(COPY, "get", "configmap", "from-git", "-o", "jsonpath={.data.who}") == COPY
    assert sorted(life.aws.eks.clusters) == ["qa", COPY]
    assert life.aws.eks.clusters[COPY].document["tags"][ID] == made["id"]


def test_a_commit_goes_live_on_the_copy_alone(life: Life) -> None:
    life.world.git("switch", "-q", STORY)
    life.world.commit("flux/map.yaml", "word: hello", "word: good-bye")
    life.world.git("push", "-q", "origin", STORY)
    life.world.karrots("sync", COPY)
    words = {
        name: life.kubectl(name, "get", "configmap", "from-git", "-o", "jsonpath={.data.word}") for name in ("qa", COPY)
    }
    assert words == {"qa": "hello", COPY: "good-bye"}


def test_nodes_change_by_apply(life: Life) -> None:
    content = life.world.directory / "cluster.yaml"
    content.write_text(content.read_text().replace("count: 2", "count: 3"))
    life.world.karrots("render")
    life.world.git("commit", "-qam", "Three nodes")
    life.world.git("push", "-q", "origin", STORY)
    life.world.karrots("apply", COPY)
    assert [group["scalingConfig"]["desiredSize"] for group in life.node_groups(COPY)] == [3]
    assert [group["scalingConfig"]["desiredSize"] for group in life.node_groups("qa")] == [2]
    assert len(life.kubectl(COPY, "get", "nodes", "-o", "name").splitlines()) == 3


def test_a_token_is_nobody_elses(life: Life) -> None:
    """`karrots token` is believed by the API server of its cluster, and by no other."""
    tokens = {name: json.loads(life.world.karrots("token", name).out)["status"]["token"] for name in ("qa", COPY)}
    server = life.world.karrots("env", "qa", "-o", "json").document["server"]
    assert status_of(server, tokens["qa"]) == 200
    assert status_of(server, tokens[COPY]) == 401


@pytest.mark.usefixtures("logged_in")
def test_destroy_takes_along_what_controllers_made(life: Life) -> None:
    """A load balancer, a volume, DNS records and more, as the controllers of the copy make and mark them."""
    ours = life.surroundings(COPY, life.record(COPY)["id"], f"{COPY}.example.com")
    others = life.surroundings("qa", "01someoneelses", "other.example.com")
    for each in (ours, others):
        for kind in ("security_group", "load_balancer", "target_group", "interface", "volume"):
            getattr(each, kind)()
        each.records(life.zone)
    receipt = life.world.karrots("destroy", COPY, "--yes", "-o", "json").document
    assert receipt["left"] == []
    taken = {"load balancers", "target groups", "network interfaces", "security groups", "volumes", "clusters", "VPCs"}
    assert {kind: receipt["looked_for"][kind] for kind in taken} == dict.fromkeys(taken, 1)
    assert receipt["looked_for"]["DNS records"] == 4
    assert list(life.aws.eks.clusters) == ["qa"]


def test_at_the_end_the_account_is_as_it_was(life: Life) -> None:
    """But for what bears another's id, which nobody may touch, and the bucket of states, which holds none any more."""
    life.world.git("switch", "-q", "main")
    life.world.git("branch", "-qD", STORY)
    life.world.karrots("destroy", "qa", "--yes")
    left = {kind: count - life.before[kind] for kind, count in inventories.of(life.aws).items()}
    assert {kind: count for kind, count in left.items() if count} == {
        "groups": 1,
        "volumes": 1,
        "load balancers": 1,
        "target groups": 1,
        "DNS records": 4,
    }
    kept = life.aws.client("s3").list_objects_v2(Bucket=BUCKET)
    assert kept["KeyCount"] == 0, kept
    assert list((life.world.root / "planes/state/engine/clusters").iterdir()) == []
