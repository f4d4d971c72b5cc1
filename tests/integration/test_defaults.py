"""What a branch begins with, in Terraform's own words: content first, then the parent, then the cloud."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from karrots.adapters import terraform
from karrots.providers.eks_defaults import ADDONS
from tests.support.variants import VARIANTS, Variant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from karrots.adapters.terraform import Plan, Root

EXPRESSION = {
    "eks": r"addon_name += \"(?P<name>[^\"]+)\"\n +addon_version += (?P<value>.+)",
    "gke": r"(?P<name>min_master_version) += (?P<value>.+)",
    "aks": r"(?P<name>kubernetes_version|orchestrator_version) += (?P<value>.+)",
}


@pytest.fixture
def cut(tmp_path: Path, guarded: None) -> Cut:
    return Cut(tmp_path / "root")


class Cut:
    """Of a root what decides on versions, with outputs in the place of the cloud's resources."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def root(self, shape: Variant, defaults: Mapping[str, str]) -> Root:
        replace(shape, defaults=defaults).write(self.folder)
        texts = {file.name: file.read_text() for file in self.folder.glob("*.tf")}
        for name in texts.keys() - {"variables.tf", "identity.tf"}:
            (self.folder / name).unlink()
        whole = "".join(texts[name] for name in sorted(texts))
        (self.folder / "cut.tf").write_text("\n".join([*kept(texts["cluster.tf"]), *outputs(shape.provider, whole)]))
        root = terraform.Root(self.folder, terraform.locate(), {})
        root.init()
        return root

    def planned(self, shape: Variant, defaults: Mapping[str, str]) -> tuple[Plan, dict[str, Any]]:
        root = self.root(shape, defaults)
        plan = root.plan()
        root.apply(plan)
        return plan, {name: found.value for name, found in root.outputs().items()}


def kept(text: str) -> list[str]:
    """Blocks that need no provider."""
    blocks = re.findall(r"^(?:locals|resource \"terraform_data\"[^{]*) \{\n.*?^\}\n", text, re.DOTALL | re.MULTILINE)
    return [re.sub(r"^.*local\.outbound.*\n", "", block) for block in blocks]


def outputs(provider: str, text: str) -> list[str]:
    """One for each expression that gives a version."""
    found = re.finditer(EXPRESSION[provider], text.replace("each.key", '"batch"'))
    return [f'output "{it["name"]}-{n}" {{\n  value = {it["value"]}\n}}\n' for n, it in enumerate(found)]


def values(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name.rpartition("-")[0]: value for name, value in found.items()}


def test_an_add_on_that_content_names_is_not_the_parents(cut: Cut) -> None:
    """Null is EKS's own choice, and on what is there no change."""
    theirs = {"coredns": "v1.11.0-eksbuild.1", "kube-proxy": "v1.33.3-eksbuild.4"}
    _, found = cut.planned(VARIANTS["eks-pools"], theirs)
    assert values(found) == {"coredns": "v1.12.1-eksbuild.2", "kube-proxy": "v1.33.3-eksbuild.4"}


def test_the_add_ons_of_the_template_are_those_that_are_asked_for() -> None:
    text = VARIANTS["eks-pools"].files()["addons.tf"]
    assert tuple(sorted(re.findall(r"addon_name += \"(.+)\"", text))) == ADDONS
    assert all(f'lookup(var.eks.addons, "{it}", lookup(var.defaults, "{it}", null))' in text for it in ADDONS)


def test_gke_keeps_what_it_began_with(cut: Cut) -> None:
    """Neither a parent that moves on nor one that goes changes anything."""
    shape = VARIANTS["gke-pools"]
    _, begun = cut.planned(shape, {"kubernetes": "1.36.2-gke.1004000"})
    assert values(begun) == {"min_master_version": "1.36.2-gke.1004000"}
    for later in ({"kubernetes": "1.36.4-gke.1391000"}, {"kubernetes": "1.37.1-gke.1000"}, {}):
        plan, found = cut.planned(shape, later)
        assert not plan.has_changes
        assert found == begun


def test_gke_moves_on_with_content(cut: Cut) -> None:
    shape = VARIANTS["gke-pools"]
    cut.planned(shape, {"kubernetes": "1.36.2-gke.1004000"})
    _, found = cut.planned(replace(shape, cluster=shape.cluster.replace("'1.36'", "'1.37'")), {})
    assert values(found) == {"min_master_version": "1.37"}


def test_gke_without_a_parent_begins_with_what_content_says(cut: Cut) -> None:
    _, found = cut.planned(VARIANTS["gke-pools"], {})
    assert values(found) == {"min_master_version": "1.36"}
    plan, _ = cut.planned(VARIANTS["gke-pools"], {"kubernetes": "1.36.4-gke.1391000"})
    assert not plan.has_changes


@pytest.mark.parametrize(
    ("defaults", "versions"),
    [
        ({}, ["1.36", "1.36", "1.36"]),
        ({"kubernetes": "1.36.2", "pool/default": "1.36.1"}, ["1.36.2", "1.36.1", "1.36.2"]),
        ({"kubernetes": "1.36.2", "pool/batch": "1.36.1"}, ["1.36.2", "1.36.2", "1.36.1"]),
    ],
)
def test_a_pool_of_aks_that_nobody_knows_has_the_clusters_version(
    cut: Cut, defaults: dict[str, str], versions: list[str]
) -> None:
    """Of the cluster, its system pool and another."""
    _, found = cut.planned(VARIANTS["aks-pools"], defaults)
    assert [found[name] for name in sorted(found, key=lambda it: it.rpartition("-")[2])] == versions
