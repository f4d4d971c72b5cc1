"""templates/eks under the real AWS provider: every variant planned, one brought through its life."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from karrots.adapters import terraform
from karrots.adapters.terraform_events import ResourceDone, ResourceStarted
from karrots.render import terraform as rendering
from karrots.spec.limits import LIMITS
from tests.support import providers
from tests.support.eks_account import front, inventories
from tests.support.eks_account.account import Account, account
from tests.support.variants import EKS, ID, Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from karrots.adapters.terraform_events import Event
    from tests.support.eks_account.rest_json import Answer

Values = dict[str, Any]

POLICIES = Path(__file__).parents[2] / "docs" / "policies"


# moto counts a launch template's own tags among those of what is made from it; AWS does not.
OWN_TAGS = re.compile(
    rb"<item>\s*<resourceType>launch-template</resourceType>\s*(<tagSet>.*?</tagSet>\s*|<tagSet/>\s*)?</item>",
    re.DOTALL,
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return providers.configured("hashicorp/aws", tmp_path_factory.mktemp("settings"))


@pytest.fixture(scope="module")
def aws(settings: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """Asked for after the mirror: without one there is nothing to start an account for."""
    forwarded = front._Request._forwarded

    def mended(request: front._Request, body: bytes) -> Answer:
        answer = forwarded(request, body)
        return dataclasses.replace(answer, body=OWN_TAGS.sub(b"", answer.body))

    with pytest.MonkeyPatch.context() as patch, account(tmp_path_factory.mktemp("aws")) as made:
        patch.setattr(front._Request, "_forwarded", mended)
        yield made


@dataclasses.dataclass
class Run:
    """A root with its state beside it, and what Terraform told while it worked."""

    root: terraform.Root
    events: list[Event]

    def apply(self, *, destroy: bool = False) -> dict[str, str]:
        """What was done to which address."""
        plan = self.root.plan(destroy=destroy)
        self.events.clear()
        self.root.apply(plan)
        return {change.address: change.action for change in plan.changes}

    def differences(self) -> dict[str, dict[str, tuple[Any, Any]]]:
        """What a plan would change, attribute by attribute."""
        changes = self.root.show(self.root.plan()).get("resource_changes", [])
        return {it["address"]: _differing(it["change"]) for it in changes if it["change"]["actions"] != ["no-op"]}

    def at(self, kind: type[ResourceStarted | ResourceDone], pattern: str) -> list[int]:
        """When it happened, in the order of events."""
        found = [
            at
            for at, event in enumerate(self.events)
            if isinstance(event, kind) and re.fullmatch(pattern, event.address)
        ]
        assert found, f"nothing of {pattern} {kind.__name__}"
        return found


def _differing(change: Values) -> dict[str, tuple[Any, Any]]:
    before, after = change["before"] or {}, change["after"] or {}
    return {
        key: (before.get(key), after.get(key))
        for key in {*before, *after, *change["after_unknown"]}
        if before.get(key) != after.get(key)
    }


def open_run(folder: Path, variant: Variant, aws: Account, settings: Path) -> Run:
    variant.write(folder)
    (folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    events: list[Event] = []
    environment = {**aws.environment, "TF_CLI_CONFIG_FILE": str(settings)}
    run = Run(terraform.Root(folder, terraform.locate(), environment, events.append), events)
    run.root.init()
    return run


@pytest.fixture(scope="module")
def plans(aws: Account, settings: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[Values]]:
    return _Plans(aws, settings, tmp_path_factory)


class _Plans(dict[str, list[Values]]):
    """What is planned for each variant, planned once."""

    def __init__(self, aws: Account, settings: Path, folders: pytest.TempPathFactory) -> None:
        super().__init__()
        self._aws, self._settings, self._folders = aws, settings, folders

    def __missing__(self, name: str) -> list[Values]:
        run = open_run(self._folders.mktemp(name), EKS[name], self._aws, self._settings)
        shown = run.root.show(run.root.plan())
        planned: list[Values] = shown["planned_values"]["root_module"]["resources"]
        self[name] = planned
        return planned


def of(resources: list[Values], kind: str) -> list[Values]:
    return [it["values"] for it in resources if it["mode"] == "managed" and it["type"] == kind]


@pytest.mark.parametrize("name", sorted(EKS))
def test_each_variant_is_planned(name: str, plans: Mapping[str, list[Values]]) -> None:
    resources = plans[name]
    variant = EKS[name]
    assert len(of(resources, "aws_eks_cluster")) == 1
    pools = 0 if variant.spec.eks.auto_mode else len(variant.spec.nodes)
    assert len(of(resources, "aws_eks_node_group")) == len(of(resources, "aws_launch_template")) == pools
    assert len(of(resources, "aws_eks_addon")) == (0 if variant.spec.eks.auto_mode else 5)
    assert len(of(resources, "aws_vpc")) == (0 if variant.spec.network.mode == "shared" else 1)


@pytest.mark.parametrize("name", sorted(EKS))
def test_everything_that_takes_tags_bears_the_cluster_s(name: str, plans: Mapping[str, list[Values]]) -> None:
    wanted = EKS[name].identity()["tags"].items()
    for resource in plans[name]:
        if "tags_all" in resource["values"]:
            assert wanted <= resource["values"]["tags_all"].items(), resource["address"]


@pytest.mark.parametrize("name", sorted(EKS))
def test_names_keep_to_the_limits(name: str, plans: Mapping[str, list[Values]]) -> None:
    resources = plans[name]
    assert all(LIMITS["iam-role"].allows(it["name"]) for it in of(resources, "aws_iam_role"))
    assert all(LIMITS["eks-cluster"].allows(it["name"]) for it in of(resources, "aws_eks_cluster"))
    for group in of(resources, "aws_eks_node_group"):
        # Terraform ends it with 26 characters of its own.
        assert LIMITS["eks-node-group"].allows(group["node_group_name_prefix"] + "0" * 26)


def test_a_life(aws: Account, settings: Path, tmp_path: Path) -> None:
    """Made in the order that works, changed as content changes, and gone without a trace."""
    empty = inventories.of(aws)
    aws.front.calls.seen.clear()
    main = EKS["eks-main"]
    run = open_run(tmp_path, main, aws, settings)

    assert list(run.apply().values()).count("create") == 47
    assert run.differences() == {}
    made = run.root.outputs()
    assert {name: made[name].value for name in ("cluster_id", "cluster_name")} == {
        "cluster_id": ID,
        "cluster_name": main.name,
    }
    known = {"cluster_id", "cluster_name", "endpoint", "ca_data", "vpc_id", "node_role", "node_subnets"}
    assert set(made) == known
    nodes = run.at(ResourceStarted, r"aws_eks_node_group\..*")[0]
    assert max(run.at(ResourceDone, r"aws_eks_addon\.(vpc_cni|pod_identity)")) < nodes
    assert max(run.at(ResourceDone, r"aws_route\.nodes.*|aws_route_table_association\.nodes.*")) < nodes
    ready = run.at(ResourceDone, r"aws_eks_node_group\..*")[-1]
    assert min(run.at(ResourceStarted, r"aws_eks_addon\.(coredns|kube_proxy|ebs_csi)")) > ready
    # NAT takes minutes, and the control plane need not wait for it.
    assert run.at(ResourceStarted, r"aws_eks_cluster\.cluster")[0] < run.at(ResourceDone, r"aws_route\.nodes.*")[0]

    # More nodes than before: AWS refuses a least above the number that it has, so both are said.
    rewrite(tmp_path, lambda content: content["nodes"]["default"].update(count=3))
    assert run.apply() == {'aws_eks_node_group.fixed["default"]': "update"}
    [group] = aws.eks.clusters[main.name].node_groups.values()
    assert group["scalingConfig"] == {"minSize": 3, "maxSize": 3, "desiredSize": 3}

    # To prolong it changes tags, and makes nothing anew: not nodes, and not what volumes are tagged with.
    retag(tmp_path, {"karrots.dev/expires": "2026-12-24T10:00:00Z"})
    assert set(run.apply().values()) == {"update"}
    [after] = aws.eks.clusters[main.name].node_groups.values()
    assert after["launchTemplate"]["version"] == group["launchTemplate"]["version"]

    # Another machine is another node group, which is there before the old one goes.
    rewrite(tmp_path, lambda content: content["nodes"]["default"].update(size="m7g.large"))
    assert run.apply()['aws_eks_node_group.fixed["default"]'] == "replace"
    assert [it["amiType"] for it in aws.eks.clusters[main.name].node_groups.values()] == ["AL2023_ARM_64_STANDARD"]

    run.apply(destroy=True)
    gone = run.at(ResourceDone, r"aws_eks_node_group\..*")[-1]
    for what in ("route", "route_table_association", "nat_gateway", "internet_gateway"):
        assert min(run.at(ResourceStarted, rf"aws_{what}\..*")) > gone, what
    ended = run.at(ResourceDone, r"aws_eks_cluster\.cluster")[0]
    for what in ("cloudwatch_log_group", "iam_role_policy_attachment"):
        assert min(run.at(ResourceStarted, rf"aws_{what}\.cluster.*")) > ended, what
    used = set(aws.front.calls.seen)
    assert inventories.of(aws) == empty
    assert sorted(used) == rights()


def rights() -> list[str]:
    """What docs/policies/aws-terraform.json lets Terraform do because a life was seen to need it."""
    policy = json.loads((POLICIES / "aws-terraform.json").read_text())
    seen: list[str] = next(it["Action"] for it in policy["Statement"] if it["Sid"] == "SeenInALife")
    return seen


def rewrite(folder: Path, change: Callable[[Values], object]) -> None:
    """Change what cluster.auto.tfvars.json holds."""
    file = folder / rendering.VARIABLES_FILE
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def retag(folder: Path, tags: Values) -> None:
    file = folder / rendering.IDENTITY_FILE
    identity = json.loads(file.read_text())
    identity["tags"].update(tags)
    file.write_text(json.dumps(identity))
