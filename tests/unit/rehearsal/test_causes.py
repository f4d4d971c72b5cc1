"""First causes, their echoes and their places, of what Flux says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from karrots.lint import lint
from karrots.lint.tree import Tree
from karrots.lint.walk import walk
from karrots.rehearsal.causes import Picture, Served, items, kind_hint
from karrots.rehearsal.model import Changed, Noticed
from karrots.rehearsal.notices import of, verdict, versions
from karrots.rehearsal.objects import Key, Trial
from karrots.rehearsal.places import Places
from tests.unit.rehearsal.test_watch import flux

if TYPE_CHECKING:
    from karrots.adapters.flux import FluxObject
    from karrots.rehearsal.model import Item

DIRECTORY = "clusters/qa"
CHILD = f"""\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: apps
  namespace: flux-system
spec:
  path: ./{DIRECTORY}/flux/apps
  sourceRef: {{kind: GitRepository, name: flux-system}}
  postBuild: {{substituteFrom: [{{kind: ConfigMap, name: karrots-identity}}]}}
"""
DEPLOYMENT = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: front, namespace: shop}\nspec: {}\n"
FILES = {
    "flux/kustomization.yaml": "resources: [apps.yaml]\n",
    "flux/apps.yaml": CHILD,
    "flux/apps/front.yaml": f"# one\n{DEPLOYMENT}",
}
APPS = "Kustomization/flux-system/apps"


def places(**more: str) -> Places:
    texts = FILES | {f"flux/{path.replace('__', '/')}.yaml": text for path, text in more.items()}
    files = {path: text.encode() for path, text in texts.items()}
    return Places.of(DIRECTORY, walk(Tree(files, DIRECTORY)), lint(files, DIRECTORY, ["cluster_name"]))


def judged(*objects: FluxObject, at: Places | None = None, unsaid: tuple[FluxObject, ...] = ()) -> dict[str, Item]:
    said = {each.label: each for each in objects}
    return {item.label: item for item in items(Picture(said, unsaid, {}, at or places(), Served()))}


def test_an_object_that_is_refused_is_where_it_stands() -> None:
    found = judged(
        flux("apps", False, "ReconciliationFailed", message="Deployment/shop/front dry-run failed: field is immutable")
    )
    assert (found[APPS].outcome, found[APPS].path, found[APPS].line) == ("failed", "flux/apps/front.yaml", 2)
    assert "immutable" in found[APPS].why
    assert found[APPS].next == "edit flux/apps/front.yaml:2, commit, and rehearse again"


def test_what_lint_knows_better_is_said_in_its_words() -> None:
    at = places(apps__more="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: '${nobody}'}\n")
    found = judged(flux("apps", False, "BuildFailed", message="post build failed: variable not set"), at=at)
    assert (found[APPS].path, found[APPS].line) == ("flux/apps/more.yaml", 4)
    assert "nobody defines '${nobody}'" in found[APPS].why


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("kustomization path not found: stat /tmp/x", 7),
        ("substitute from 'ConfigMap/x' error", 9),
        ("something new", 1),
    ],
)
def test_else_the_part_of_the_kustomization_that_it_is_about(message: str, line: int) -> None:
    found = judged(flux("apps", False, "X", message=message))
    assert (found[APPS].path, found[APPS].line) == ("flux/apps.yaml", line)


def test_echoes_name_the_end_of_the_row() -> None:
    first = flux("a", False, "BuildFailed", message="why")
    row = [flux(x, False, "DependencyNotReady", depends=(y,)) for x, y in ("ba", "cb")]
    found = judged(first, *row)
    assert [(i.name, i.outcome, i.why) for i in found.values()] == [
        ("a", "failed", "why"), ("b", "waits", f"waits for {first.label}"), ("c", "waits", f"waits for {first.label}"),
    ]  # fmt: skip


def test_a_health_check_of_somebody_that_failed_is_an_echo() -> None:
    first = flux("a", False, "BuildFailed", message="why")
    outer = flux("outer", False, "HealthCheckFailed", message=f"failed early: [{first.label} status: 'Failed']")
    assert judged(first, outer)[outer.label].outcome == "waits"


def test_a_dependency_that_is_not_there_is_a_cause() -> None:
    found = judged(flux("apps", False, "DependencyNotReady", depends=("gone",), message="dependency 'gone' not found"))
    assert found[APPS].outcome == "failed"


def test_a_source_that_cannot_be_reached_is_no_failure_and_nor_is_what_it_feeds() -> None:
    source = flux("far", False, "Failed", kind="HelmRepository", message="dial tcp 127.0.0.1:9: connection refused")
    chart = flux("c", False, "ChartPullError", kind="HelmChart", source=source.label, message="x")
    release = flux("r", False, "SourceNotReady", kind="HelmRelease", source=chart.label, message="HelmChart not ready")
    found = judged(source, chart, release)
    assert {item.outcome for item in found.values()} == {"not rehearsed"}
    assert found[release.label].why == f"{source.label} could not be fetched from here"


def test_a_chart_that_is_not_in_a_repository_that_answers_is_a_failure() -> None:
    chart = flux("c", False, "InvalidChartReference", kind="HelmChart", message="no chart version found for x-9")
    release = flux("r", False, "SourceNotReady", kind="HelmRelease", source=chart.label, message="HelmChart not ready")
    found = judged(chart, release)
    assert (found[chart.label].outcome, found[release.label].outcome) == ("failed", "waits")


def test_nobody_who_is_silent_passes() -> None:
    silent = flux("apps", None, "Progressing", message="waiting")
    found = judged(unsaid=(silent,))
    assert (found[APPS].outcome, found[APPS].why) == ("no word", "waiting")


def test_a_loop_is_one_failure() -> None:
    def looped(name: str, other: str) -> str:
        return CHILD.replace("name: apps", f"name: {name}").replace("spec:", f"spec:\n  dependsOn: [{{name: {other}}}]")

    at = places(kustomization="resources: [a.yaml, b.yaml]", a=looped("a", "b"), b=looped("b", "a"))
    found = judged(*(flux(x, False, "DependencyNotReady", depends=(y,)) for x, y in ("ab", "ba")), at=at)
    assert [(item.name, item.outcome) for item in found.values()] == [("a", "failed"), ("b", "waits")]
    assert "a → Kustomization/flux-system/b → " in next(iter(found.values())).why


SERVED = Served({("networking.k8s.io", "Ingress"): ("v1",), ("batch", "CronJob"): ("v1",)})
CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec: {group: example.com, names: {kind: Widget}}
"""


@pytest.mark.parametrize(
    ("group", "kind", "version", "hint"),
    [
        ("networking.k8s.io", "Ingress", "v1beta1", "this API server has Ingress in networking.k8s.io/v1"),
        ("extensions", "Ingress", "v1beta1", "this API server has Ingress in the group networking.k8s.io"),
        (
            "example.com", "Widget", "v1",
            "its kind is defined at flux/apps/crd.yaml:1, in 'apps': name that in dependsOn",
        ),
        ("example.com", "Gadget", "v1", "nothing in clusters/qa brings the kind Gadget of example.com"),
        ("batch", "CronJob", "v1", "CronJob is served now: name what brings it in dependsOn"),
    ],
)  # fmt: skip
def test_what_to_do_about_a_kind_that_is_not_served(group: str, kind: str, version: str, hint: str) -> None:
    assert kind_hint(group, kind, version, places(apps__crd=CRD), SERVED) == hint


# Beside the words of Flux's objects


def trial(refusal: str = "", *warnings: str) -> Trial:
    return Trial(Key("apps", "Deployment", "shop", "front"), 422 if refusal else 200, refusal, warnings)


def test_what_the_server_says_of_one_object() -> None:
    found = of(places(), [], [trial("denied: an owner is needed", "use v2")], SERVED)
    assert [(each.severity, each.check, each.path, each.line, each.message) for each in found] == [
        ("error", "refused", "flux/apps/front.yaml", 2, "denied: an owner is needed"),
        ("warning", "api-warning", "flux/apps/front.yaml", 2, "use v2"),
    ]


def test_a_namespace_that_is_not_there_is_an_echo() -> None:
    assert of(places(), [], [trial('namespaces "shop" not found')], SERVED) == []


def test_what_an_item_says_is_not_said_again() -> None:
    said = list(judged(flux("apps", False, "X", message="Deployment/shop/front dry-run failed: no")).values())
    assert of(places(), said, [trial("no")], SERVED) == []


def test_where_flux_is_content_lint_only_warns() -> None:
    at = places(apps__more="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: '${nobody}'}\n")
    ready = list(judged(flux("apps"), at=at).values())
    assert [each.severity for each in of(at, ready, [], SERVED)] == ["warning"]


def test_another_version_of_kubernetes_is_told() -> None:
    assert list(versions("1.36", "1.36.3", "x")) == []
    assert [each.check for each in versions("1.3", "1.36.3", "x")] == ["kubernetes"]


def test_the_verdict() -> None:
    ready = list(judged(flux("apps")).values())
    failed = list(judged(flux("apps", False, "X", message="no")).values())
    error = Noticed("error", "refused", "a", 1, "b", "c")
    gone = Changed("vanishes", "ConfigMap", "", "a")
    assert verdict(ready, [], []) == (True, "passes: 1 of 1 Ready")
    assert verdict(ready, [], [gone]) == (True, "passes: 1 of 1 Ready, 1 object pruned")
    assert verdict(ready, [error], [])[0] is False
    assert verdict(failed, [], []) == (False, "fails: 0 of 1 Ready, 1 failed")
