"""Who waits for whom, and who waits in vain."""

from __future__ import annotations

import pytest

from karrots.lint.order import order
from karrots.lint.tree import Tree
from karrots.lint.walk import walk

DIRECTORY = "clusters/qa"


def waiting(name: str, *others: str, kind: str = "Kustomization", namespace: str = "flux-system") -> str:
    group = "kustomize.toolkit.fluxcd.io/v1" if kind == "Kustomization" else "helm.toolkit.fluxcd.io/v2"
    listed = "".join(f"    - name: {other}\n" for other in others)
    depends = f"  dependsOn:\n{listed}" if others else ""
    metadata = f"metadata: {{name: {name}, namespace: {namespace}}}"
    return f"apiVersion: {group}\nkind: {kind}\n{metadata}\nspec:\n  suspend: false\n{depends}"


def found(*manifests: str) -> list[tuple[str, str, int, str]]:
    files = {"flux/all.yaml": "---\n".join(manifests).encode()}
    return [(f.rule, f.severity, f.line, f.message) for f in order(walk(Tree(files, DIRECTORY)))]


def test_a_row_is_fine() -> None:
    assert found(waiting("a", "b"), waiting("b", "c"), waiting("c")) == []


def test_two_that_wait_for_one() -> None:
    assert found(waiting("a", "b", "c"), waiting("b", "d"), waiting("c", "d"), waiting("d")) == []


@pytest.mark.parametrize("kind", ["Kustomization", "HelmRelease"])
def test_a_loop_is_found_once_whoever_it_begins_with(kind: str) -> None:
    loop = [waiting("a", "b", kind=kind), waiting("b", "c", kind=kind), waiting("c", "a", kind=kind)]
    ((rule, severity, line, message),) = found(*loop, waiting("outside", "b", kind=kind))
    assert (rule, severity, line) == ("dependency-loop", "error", 6)
    names = " → ".join(f"{kind}/flux-system/{name}" for name in "abca")
    assert message == f"waits for itself, so it never becomes Ready: {names}"


def test_who_waits_for_himself() -> None:
    assert [each[0] for each in found(waiting("a", "a"))] == ["dependency-loop"]


def test_two_loops_that_meet() -> None:
    manifests = (waiting("a", "b"), waiting("b", "a", "c"), waiting("c", "b"))
    assert [each[0] for each in found(*manifests)] == ["dependency-loop", "dependency-loop"]


def test_a_release_and_a_kustomization_of_one_name_are_two() -> None:
    assert (
        found(waiting("a", "b"), waiting("b"), waiting("b", "a", kind="HelmRelease"), waiting("a", kind="HelmRelease"))
        == []
    )


def test_what_is_not_there_is_a_warning() -> None:
    ((rule, severity, line, message),) = found(waiting("a", "gone"))
    assert (rule, severity, line) == ("missing-dependency", "warning", 7)
    assert message == "waits for Kustomization/flux-system/gone, which this directory does not have"


def test_a_name_that_only_the_cluster_knows_is_passed_over() -> None:
    assert found(waiting("a", '"${other}"')) == []


@pytest.mark.parametrize("depends", ["none", "[1, 2]", "{a: b}", "[{name: 3}]"])
def test_what_is_no_list_of_names_is_not_stumbled_over(depends: str) -> None:
    manifest = waiting("a").rstrip() + f"\n  dependsOn: {depends}\n"
    assert all(rule == "missing-dependency" for rule, *_ in found(manifest))


def test_a_row_of_thousands() -> None:
    names = [f"k{number}" for number in range(3000)]
    manifests = [waiting(name, other) for name, other in zip(names, [*names[1:], names[0]], strict=True)]
    assert [each[0] for each in found(*manifests)] == ["dependency-loop"]
